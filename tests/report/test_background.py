"""What a copy of the process makes is what the process itself would make."""

import subprocess
import sys

BEGIN = """
import os, signal, sys
from harness.report.background import in_background
here = os.getpid()
"""


def run(code, cwd):
    """Where no other test has started a thread: there is no copy beside one."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_was_made_comes_from_another_process(tmp_path):
    done = run(
        "made = in_background(lambda: (os.getpid() != here, bytes(1 << 20)))\n"
        "other, content = made()\n"
        "print(other == (sys.platform == 'linux'), len(content))",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("True 1048576\n", "")


def test_a_mistake_is_met_once_where_it_is_waited_for(tmp_path):
    done = run(
        "def make():\n"
        "    raise ValueError('no such thing')\n"
        "made = in_background(make)\n"
        "try:\n"
        "    made()\n"
        "except ValueError as error:\n"
        "    print(error)",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("no such thing\n", "")


def test_a_copy_that_is_killed_is_made_up_for(tmp_path):
    done = run(
        "def make():\n"
        "    if os.getpid() != here:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 7\n"
        "print(in_background(make)())",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("7\n", "")

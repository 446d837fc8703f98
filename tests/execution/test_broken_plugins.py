"""Plugins that do what none should: the suite goes on, the row says what it was."""

import inspect
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from suites_to_run import BASELINE, family, run, start, strategy_source, write_suite

from harness.files.atomic import write_atomically
from harness.hooks import TrainingHooks

HOOKS = [n for n, f in vars(TrainingHooks).items() if inspect.isfunction(f)]


def source_of(name, body, hook="setup", arguments="run"):
    """A strategy of which a hook does that."""
    lines = "".join(f"        {line}\n" for line in body.strip().splitlines())
    return strategy_source(name, f"    def {hook}(self, {arguments}):\n{lines}")


def raising(hook):
    arguments = list(inspect.signature(getattr(TrainingHooks, hook)).parameters)
    body = f"raise RuntimeError('in {hook}')"
    name = f"raises-{hook.replace('_', '-')}"
    return name, source_of(name, body, hook, ", ".join(arguments[1:]))


MASK = ("select_samples", "run, batch")
RAISING = dict(raising(hook) for hook in HOOKS)

# A hook's body; the class of failure, and what is said of it.
FAILING = {
    "leaves": ("import sys; sys.exit('bye')", "plugin", "SystemExit: bye"),
    "exits": ("import os; os._exit(3)", "crash", "without a result (exit code 3)"),
    "exits-well": ("import os; os._exit(0)", "crash", "a result (exit code 0)"),
    "pretends-to-be-late": (
        "import os; os._exit(76)",
        "crash",
        "its process ended with 76, though nobody else is at it",
    ),
    "pretends-to-be-asked": (
        "raise KeyboardInterrupt",
        "plugin",
        "KeyboardInterrupt",
    ),
    "peeks": (
        "run.evaluate('test')",
        "plugin",
        "only 'validation' is to be had",
    ),
    "segfaults": (
        "import ctypes; ctypes.string_at(0)",
        "crash",
        "its process ended without a result (SIGSEGV)",
    ),
    "kills-itself": (
        "import os; os.kill(os.getpid(), 9)",
        "killed",
        "its process was killed (SIGKILL)",
    ),
    "eats-memory": (
        "import time\n"
        "hoard = []\n"
        "while True:\n"
        "    hoard.append(b'x' * 2**26)\n"
        "    time.sleep(0.05)",
        "memory-limit",
        "memory_limit_gib is 1.2; a smaller budget.micro_batch",
    ),
    "asks-for-too-much": (
        "bytearray(2**60)",
        "out-of-memory",
        "16 samples at a time; budget.micro_batch = 8",
    ),
    "removes-its-folder": (
        "import shutil\n"
        "from pathlib import Path\n"
        "runs = Path(__file__).parents[1] / 'runs'\n"
        "for folder in runs.rglob('removes-its-folder/*'):\n"
        "    shutil.rmtree(folder)",
        "error",
        "its folder was removed meanwhile",
    ),
    "paints": (
        "raise ValueError('\\x1b[2J\\x1b]0;title\\x07' + 'long ' * 10**5)",
        "plugin",
        r"ValueError: \x1b[2J\x1b]0;title\x07long long",
    ),
}
# What is bad manners, but no reason to fail.
PASSING = {
    "rubbish": (
        "import os, sys\n"
        "for descriptor in (1, 2):\n"
        "    os.write(descriptor, bytes(range(256)) * 2**12 + b'\\n')\n"
        "print('\\udc80\\x1b[2J')\n"
        "print('after the rubbish')"
    ),
    "threads": (
        "import threading, time\n"
        "def wait():\n"
        "    while True:\n"
        "        time.sleep(0.1)\n"
        "threading.Thread(target=wait).start()\n"
        "threading.Thread(target=wait, daemon=True).start()"
    ),
    "children": (
        "import subprocess\n"
        "subprocess.Popen(['sleep', '600'])\n"
        "subprocess.Popen(['sh', '-c', 'sleep 600 & sleep 600'])"
    ),
    "closes": "import os\nfor descriptor in (0, 1, 2):\n    os.close(descriptor)",
    "moves": "import os; os.chdir('/')",
    "listens": (
        "import signal\n"
        "for name in ('SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGCHLD', 'SIGALRM'):\n"
        "    signal.signal(getattr(signal, name), lambda *_: None)"
    ),
}
UNUSED = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "missing": ("import not_there\n", "ModuleNotFoundError"),
    "argument": (
        source_of("argument", "return None", "select_samples", "run, bath"),
        "Argument(s) {'bath'}",
    ),
    "misspelt": (
        source_of("misspelt", "return None", "select_sample", "run, batch"),
        "unknown hook 'select_sample'",
    ),
    "quits": ("import os\nos._exit(3)\n", "ended the interpreter (exit code 3)"),
}


@dataclass
class Ended:
    """How the command ended: its folder, exit code, words, and living processes."""

    folder: Path
    code: int
    output: str
    alive: list[int]


def run_all(folder):
    """Run a suite with all of them; how the command ended, as plain data."""
    plugins = {
        **RAISING,
        **{name: source_of(name, body) for name, (body, _, _) in FAILING.items()},
        "wrong-mask": source_of("wrong-mask", "return 1", *MASK),
        **{name: source_of(name, body) for name, body in PASSING.items()},
        **{name: source for name, (source, _) in UNUSED.items()},
    }
    used = [*RAISING, *FAILING, "wrong-mask", *PASSING]
    entries = "".join(f'\n[[strategy]]\nuse = "{name}"\n' for name in used)
    limits = "memory_limit_gib = 1.2\nretries = 1\n"
    suite = write_suite(folder, entries + BASELINE, limits, **plugins)
    command = start("run", str(suite), cwd=folder)
    output, _ = command.communicate(timeout=280)
    return [command.returncode, output, family(command)]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The suite's end; run once, also where several processes share the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, told = shared / "broken-plugins", shared / "broken-plugins.json"
    try:
        folder.mkdir()
    except FileExistsError:
        while not told.exists():
            time.sleep(0.1)
    else:
        write_atomically(told, json.dumps(run_all(folder)))
    return Ended(folder, *json.loads(told.read_text()))


def test_an_answer_of_the_wrong_shape_is_the_plugins_failure(ended):
    folder, output = ended.folder, ended.output
    failure = failure_of(folder, "wrong-mask")
    assert failure["kind"] == "plugin"
    assert "select_samples must return a bool tensor of shape (16,)" in output


def failure_of(folder, name):
    (file,) = (folder / "runs").rglob(f"{name}/*/failure.json")
    return json.loads(file.read_text())


def row_of(folder, name):
    page = (folder / "leaderboard" / "small.md").read_text()
    return [line for line in page.splitlines() if f"**{name}**" in line]


@pytest.mark.parametrize("hook", HOOKS)
def test_what_is_raised_in_a_hook_is_the_rows_reason(ended, hook):
    folder, output = ended.folder, ended.output
    name = f"raises-{hook.replace('_', '-')}"
    failure = failure_of(folder, name)
    assert failure["kind"] == "plugin"
    said = f"plugin '{name}' ({name}.py, line 11): RuntimeError: in {hook}"
    assert failure["message"] == said
    assert "Traceback" in failure["traceback"]
    assert said in output
    assert any("seed 0 failed (plugin)" in line for line in row_of(folder, name))


@pytest.mark.parametrize("name", FAILING)
def test_however_it_fails_the_row_says_so(ended, name):
    folder, output = ended.folder, ended.output
    _, kind, message = FAILING[name]
    failure = failure_of(folder, name)
    assert failure["kind"] == kind
    assert message in failure["message"]
    assert failure["message"] in output
    assert len(failure["message"]) <= 1000
    assert any(f"seed 0 failed ({kind})" in line for line in row_of(folder, name))


@pytest.mark.parametrize("name", PASSING)
def test_bad_manners_change_no_result(ended, name):
    folder = ended.folder

    def metrics(strategy):
        (result,) = (folder / "runs").rglob(f"{strategy}/*/result.json")
        return json.loads(result.read_text())["metrics"]

    assert metrics(name) == metrics("baseline")


def test_the_suite_goes_on_and_the_terminal_stays_whole(ended):
    output = ended.output
    assert ended.code == 1
    failed, done = len(RAISING) + len(FAILING) + 1, len(PASSING) + 1
    assert f"{done} done, {failed} failed" in output
    assert "Traceback" not in output
    assert all(line.isprintable() for line in output.splitlines())


def test_only_what_another_moment_may_mend_is_tried_again(ended):
    output = ended.output
    again = [line for line in output.splitlines() if "attempt 2 of 2" in line]
    assert len(again) == 2
    assert any(line.strip().startswith("killed:") for line in again)
    assert any(line.strip().startswith("out-of-memory:") for line in again)


def test_what_is_printed_is_in_the_log_and_nowhere_else(ended):
    folder, output = ended.folder, ended.output
    (log,) = (folder / "runs").rglob("rubbish/*/log.txt")
    assert "after the rubbish\n" in log.read_text(errors="replace")
    assert "\\udc80" in log.read_text(errors="replace")
    assert "after the rubbish" not in output


def test_nothing_is_left_running(ended):
    assert ended.alive == []


@pytest.mark.parametrize("name", UNUSED)
def test_a_file_that_is_no_plugin_hurts_only_who_uses_it(harness, tmp_path, name):
    source, cause = UNUSED[name]
    suite = write_suite(tmp_path, f'\n[[strategy]]\nuse = "{name}"\n', **{name: source})
    refused = harness("run", suite)
    assert refused.code == 2
    assert cause in refused.err
    assert f"{name}.py" in refused.err
    assert "Traceback" not in refused.err


def test_two_plugins_of_one_name_are_refused_with_both_files(harness, tmp_path):
    twins = {n: source_of("twin", "return None") for n in ("romulus", "remus")}
    suite = write_suite(tmp_path, '\n[[strategy]]\nuse = "twin"\n', **twins)
    refused = harness("run", suite)
    assert refused.code == 2
    assert "romulus.py" in refused.err
    assert "remus.py" in refused.err


def test_a_cell_that_hangs_is_ended_with_or_without_the_interpreters_lock(tmp_path):
    bodies = {
        "sleeps": "import time\nwhile True:\n    time.sleep(0.01)",
        # One C loop, which no other thread interrupts.
        "holds-the-lock": "import itertools\nsum(itertools.repeat(1))",
    }
    entries = "".join(f'\n[[strategy]]\nuse = "{name}"\n' for name in bodies)
    suite = write_suite(
        tmp_path,
        entries + '\n[[strategy]]\nuse = "majority"\n',
        "stall_minutes = 0.2",
        **{name: source_of(name, body) for name, body in bodies.items()},
    )
    output = run("run", str(suite), "--workers", "2", cwd=tmp_path, expect=1)
    assert "1 done, 2 failed" in output
    for name in bodies:
        failure = failure_of(tmp_path, name)
        assert failure["kind"] == "stalled"
        assert "no progress for 0.2 minutes (stall_minutes), at: " in failure["message"]
        assert failure["message"] in output

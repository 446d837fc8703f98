"""Bad input through the command line itself, in processes of its own: a message and an
exit code, never a traceback, and never for long.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from mutations import SECONDS, fuzzed, mutated_bytes, mutated_lines

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

LONGEST_SECONDS = 100


def call(folder, *arguments, **environment):
    """The command line in a process; its exit code and all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        capture_output=True,
        cwd=folder,
        timeout=LONGEST_SECONDS,
        env={**os.environ, **environment},
    )
    said = (done.stdout + done.stderr).decode()
    assert "Traceback" not in said
    assert all(c.isprintable() or c in "\n\t" for c in said)
    return done.returncode, said


def test_a_damaged_suite_ends_in_a_message(tiny_run, tmp_path):
    text = tiny_run.suite.read_text()
    head, models = text.split("[[model]]")
    path = tmp_path / "tiny.toml"

    @fuzzed(3)
    @given(mutated_lines(head, "=") | mutated_bytes(head.encode()))
    def run(damaged):
        path.write_bytes(damaged + b"\n[[model]]" + models.encode())
        code, said = call(tmp_path, "plan", path, "--runs", tiny_run.runs)
        assert code in (0, 2)
        assert said

    run()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("result.json", b"[" * 100_000),
        ("result.json", b"\xff\xfe{}"),
        ("failure.json", b'{"kind": "\\u001b[2J", "message": "\\u001b]0;x\\u0007"}'),
        ("claim-1.json", b'{"pid": -1, "machine": [[]]}'),
    ],
)
def test_damaged_results_are_planned_and_reported(tiny_run, tmp_path, file, content):
    runs = shutil.copytree(tiny_run.runs, tmp_path / "runs")
    (folder,) = (path.parent for path in runs.glob("*/*/dbpd/*/result.json"))
    (folder / "result.json").unlink()
    (folder / file).write_bytes(content)
    code, _ = call(tmp_path, "plan", tiny_run.suite, "--runs", runs)
    assert code == 0
    code, _ = call(tmp_path, "report", "tiny", "--runs", runs, "--leaderboard", "out")
    assert code == 0
    board = json.loads((tmp_path / "out" / "tiny.json").read_text())
    assert board["states"]["done"] == 2


def test_bad_records_are_listed_by_id_and_reason(real_data, tmp_path):
    folder = tmp_path / "data" / "cinc2017" / "training2017"
    folder.mkdir(parents=True)
    source = real_data / "cinc2017" / "training2017"
    lines = (source / "REFERENCE.csv").read_text().splitlines()
    chosen = [next(x for x in lines if x.endswith(f",{c}")) for c in "NAO~"]
    chosen = list(dict.fromkeys([*chosen, *lines[:36]]))
    (folder / "REFERENCE.csv").write_text("\n".join(chosen) + "\n")
    ids = [line.split(",")[0] for line in chosen]
    for record in ids:
        for suffix in (".hea", ".mat"):
            shutil.copy(source / f"{record}{suffix}", folder)
    raw = bytearray((folder / f"{ids[0]}.mat").read_bytes())
    raw[1000] ^= 4
    (folder / f"{ids[0]}.mat").write_bytes(raw)
    (folder / f"{ids[1]}.mat").write_bytes(raw[:-2])
    header = folder / f"{ids[2]}.hea"
    header.write_text(header.read_text().replace("mV", "\x1b[31m"))
    (folder / f"{ids[3]}.mat").unlink()
    (folder / f"{ids[4]}.hea").write_text("x 1 300 10\n")
    for record in ids[5:]:
        assert (folder / f"{record}.mat").is_file()

    code, said = call(
        *(tmp_path, "data", "check", "cinc2017"),
        HARNESS_DATA=str(tmp_path / "data"),
        HARNESS_CACHE=str(tmp_path / "cache"),
    )
    assert code == 1
    assert "5 bad records" in said
    lines = said.splitlines()
    for record, reason in zip(
        ids,
        ["checksum", "declares", "unknown unit", "no file", "is of the record 'x'"],
        strict=False,
    ):
        assert any(line.startswith(record) and reason in line for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "../../etc/passwd"),
        ("report", "\x1b[31m"),
        ("plan", "/dev/zero"),
        ("plan", "/"),
        ("plan", "x" * 3000),
        ("evaluate", "/dev/null"),
        ("evaluate", "/"),
        ("show", "\x1b[2J"),
        ("data", "check", "\x1b[2J"),
        ("data", "check", "ptbxl", "--root", "~nobody-of-that-name/x"),
        ("data", "check", "ptbxl", "--root", "/dev/null"),
    ],
)
def test_odd_arguments_end_in_a_message(harness, arguments):
    ended = harness(*arguments)
    assert ended.code == 2
    assert ended.err
    assert all(c.isprintable() or c == "\n" for c in ended.out + ended.err)

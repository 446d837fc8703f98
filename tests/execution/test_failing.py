"""A cell that fails is shown, explained, and takes no other with it."""

import json

import pytest
from suites_to_run import BASELINE, run, strategy_source, write_suite

BROKEN = {
    "raises": "    def epoch_end(self, run, report):\n        raise KeyError('oh')\n",
    "exits": "    def setup(self, run):\n        import os\n        os._exit(3)\n",
    "leaves": "    def setup(self, run):\n        raise SystemExit(0)\n",
    "dies": (
        "    def setup(self, run):\n"
        "        import os, signal\n        os.kill(os.getpid(), signal.SIGSEGV)\n"
    ),
    "wrong-mask": "    def select_samples(self, run, batch):\n        return 1\n",
    "peeks": "    def setup(self, run):\n        run.evaluate('test')\n",
}
EXPECTED = {
    "raises": ("plugin", "plugin 'raises' (raises.py, line 11): KeyError: 'oh'"),
    "exits": ("crash", "its process ended without a result (exit code 3)"),
    "leaves": ("plugin", "plugin 'leaves' (leaves.py, line 11): SystemExit"),
    "dies": ("crash", "its process ended without a result (SIGSEGV)"),
    "wrong-mask": ("plugin", "select_samples must return a bool tensor of shape (16,)"),
    "peeks": ("plugin", "only 'validation' is to be had"),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """One run of a suite in which every strategy but the baseline is broken."""
    folder = tmp_path_factory.mktemp("failing")
    entries = "".join(f'\n[[strategy]]\nuse = "{name}"\n' for name in BROKEN)
    sources = {name: strategy_source(name, body) for name, body in BROKEN.items()}
    suite = write_suite(folder, entries + BASELINE, **sources)
    return folder, run("run", str(suite), cwd=folder, expect=1)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_strategy_is_a_failed_row_with_its_reason(failed, name):
    folder, output = failed
    kind, message = EXPECTED[name]
    (file,) = (folder / "runs").rglob(f"{name}/*/failure.json")
    failure = json.loads(file.read_text())
    assert failure["kind"] == kind
    assert message in failure["message"]
    assert message in output
    leaderboard = (folder / "leaderboard" / "small.md").read_text()
    assert f"**{name}**: seed 0 failed ({kind})" in leaderboard


def test_the_others_go_on_and_nobody_sees_a_traceback(failed):
    folder, output = failed
    assert "1 done, 6 failed" in output
    assert "Traceback" not in output
    assert list((folder / "runs").rglob("baseline/*/result.json"))


def test_a_cell_that_takes_too_long_is_ended(tmp_path):
    body = "    def setup(self, run):\n        import time\n        time.sleep(600)\n"
    suite = write_suite(
        tmp_path,
        '\n[[strategy]]\nuse = "hangs"\n',
        "time_limit_minutes = 0.15",
        hangs=strategy_source("hangs", body),
    )
    output = run("run", str(suite), cwd=tmp_path, expect=1)
    assert "time-limit: took more than 0.15 minutes" in output


def test_fail_fast_starts_no_further_cell(tmp_path):
    body = BROKEN["raises"]
    suite = write_suite(
        tmp_path,
        '\n[[strategy]]\nuse = "raises"\n' + BASELINE,
        raises=strategy_source("raises", body),
    )
    run("run", str(suite), "--fail-fast", "--workers", "1", cwd=tmp_path, expect=1)
    assert not list((tmp_path / "runs").rglob("baseline/*/result.json"))


def test_an_edited_strategy_makes_its_results_stale(tmp_path):
    quiet = "    def setup(self, run):\n        pass\n"
    entry = '\n[[strategy]]\nuse = "edited"\n'
    suite = write_suite(tmp_path, entry, edited=strategy_source("edited", quiet))
    run("run", str(suite), cwd=tmp_path)
    write_suite(tmp_path, entry, edited=strategy_source("edited", quiet) + "# new\n")

    assert "stale" in run("plan", str(suite), cwd=tmp_path)
    kept = run("run", str(suite), "--keep-stale", cwd=tmp_path)
    assert "stale results: 1" in kept
    assert "0 to run" in kept
    again = run("run", str(suite), cwd=tmp_path)
    assert "the source of a plugin has changed since (edited)" in again
    assert "1 to run" in again
    assert "0 to run" in run("run", str(suite), cwd=tmp_path)

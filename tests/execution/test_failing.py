"""Cells that take too long, the end at the first failure, and stale results."""

from suites_to_run import BASELINE, run, strategy_source, write_suite

RAISES = "    def epoch_end(self, run, report):\n        raise KeyError('oh')\n"


def test_a_cell_that_takes_too_long_is_ended(tmp_path):
    body = "    def setup(self, run):\n        import time\n        time.sleep(600)\n"
    suite = write_suite(
        tmp_path,
        '\n[[strategy]]\nuse = "hangs"\n',
        "time_limit_minutes = 0.05",
        hangs=strategy_source("hangs", body),
    )
    output = run("run", str(suite), cwd=tmp_path, expect=1)
    assert "time-limit: took more than 0.05 minutes" in output


def test_fail_fast_starts_no_further_cell(tmp_path):
    suite = write_suite(
        tmp_path,
        '\n[[strategy]]\nuse = "raises"\n' + BASELINE,
        raises=strategy_source("raises", RAISES),
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
    page = tmp_path / "leaderboard" / "small.md"
    stale = "stale: made by another version of the source of strategy edited than is"
    assert "1/1, 1 stale" in kept
    assert stale in page.read_text()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    report = ("report", "--runs", str(tmp_path / "runs"))
    assert "1/1, 1 stale" in run(*report, str(suite), cwd=elsewhere)
    # A plugin that isn't found can't be compared.
    assert "stale" not in run(*report, "small", cwd=elsewhere)
    plugins = ("--plugins", str(tmp_path / "plugins"))
    assert "1/1, 1 stale" in run(*report, "small", *plugins, cwd=elsewhere)
    again = run("run", str(suite), cwd=tmp_path)
    assert "the source of a plugin has changed since (edited)" in again
    assert "1 to run" in again
    assert "stale" not in page.read_text()
    assert "0 to run" in run("run", str(suite), cwd=tmp_path)

"""A suite as jobs of a real cluster ends in what one's own machine computes."""

import pytest
from killing import board_without_times
from slurm_suites import AFTER, SlurmSuite, attempts, jobs_of
from suites_to_run import BASELINE, DBPD, results, run
from telling import diary, told

ENTRIES = BASELINE + DBPD + '\n[[strategy]]\nuse = ["after", "baseline"]\n'


@pytest.fixture(scope="module")
def suite(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("running")
    return SlurmSuite(folder, cluster, ENTRIES, after=AFTER, diary=diary())


@pytest.fixture(scope="module")
def finished(suite, tmp_path_factory):
    """The folder in which jobs have done the suite, and what the command said."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, suite.run("--tracker", "diary", cwd=folder)


def test_the_results_are_those_of_a_local_run(suite, finished, tmp_path):
    folder, output = finished
    run("run", str(suite.file), "-q", cwd=tmp_path)
    assert len(results(folder / "runs")) == 3
    assert results(folder / "runs") == results(tmp_path / "runs")
    boards = [place / "leaderboard" for place in (folder, tmp_path)]
    assert board_without_times(boards[0]) == board_without_times(boards[1])
    assert "3 done" in output
    assert "sacct" not in output
    assert "submitit" not in output
    assert attempts(folder / "runs") == [1, 1, 1]


def test_trackers_follow_jobs(finished):
    folder, output = finished
    for cell in ("baseline", "dbpd", "after+baseline"):
        assert [line for line in told(folder) if cell in line.split()] == [
            f"cell_started {cell}",
            *(f"epoch_finished {cell} {number}" for number in range(3)),
            f"cell_finished {cell} done",
        ]
    assert "tracker" not in output


def test_what_a_cell_requires_ends_before_its_job_starts(suite, finished):
    folder, _ = finished
    jobs = jobs_of(folder / "runs")
    required = suite.cluster.job(jobs["baseline 0"])
    dependent = suite.cluster.job(jobs["after+baseline 0"])
    assert required["EndTime"] <= dependent["StartTime"]
    assert required["ArrayJobId"] != dependent["JobId"]


def test_cells_of_equal_resources_share_an_array(suite, finished):
    folder, output = finished
    jobs = jobs_of(folder / "runs")
    array = jobs["baseline 0"].partition("_")[0]
    assert (jobs["baseline 0"], jobs["dbpd 0"]) == (f"{array}_0", f"{array}_1")
    assert f"submitted jobs {array}_[0-1], {jobs['after+baseline 0']}" in output
    job = suite.cluster.job(jobs["dbpd 0"])
    assert job["Partition"] == "main"
    assert job["TimeLimit"] == "00:30:00"
    assert job["MinMemoryNode"] == "1G"
    assert job["NumCPUs"] == "1"


def test_a_finished_suite_submits_nothing(suite, finished):
    folder, _ = finished
    before = suite.cluster.command("squeue", "-h", "-r", "--states=all")
    output = suite.run(cwd=folder)
    assert "3 done, 0 to run" in output
    assert suite.cluster.command("squeue", "-h", "-r", "--states=all") == before


def test_a_suite_that_has_grown_submits_its_new_cells_only(suite, finished):
    folder, _ = finished
    grown = suite.file.with_name("grown.toml")
    grown.write_text(suite.file.read_text().replace("[0]", "[1, 0]"))
    words = ("run", str(grown), "--executor", "slurm", "--dry-run")
    shown = run(*words, cwd=folder, **suite.cluster.environment)
    assert "seed 1" in shown
    assert "seed 0" not in shown
    assert "3 jobs would be submitted; nothing was" in shown
    assert "--dependency=afterok:#1_0" in shown

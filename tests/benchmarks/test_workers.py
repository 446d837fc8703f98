"""What two workers gain over one, on a suite of small cells.

Run with `make bench`, on a machine of two cores or more that has nothing else to do.
"""

import shutil
from itertools import count
from time import perf_counter

import pytest
from suites_to_run import BASELINE, run, run_apart, write_suite

CELLS, ROUNDS, MOST = 8, 2, 0.6


@pytest.fixture
def timed_run(tmp_path, benchmark):
    """Run the suite with so many workers, from the start; the seconds it took."""
    suite = write_suite(tmp_path, BASELINE, "checkpoint_seconds = 1.0")
    # Beside what is timed a short form keeps the suite and this code in order.
    cells, epochs = (CELLS, 200) if benchmark.enabled else (2, 1)
    text = suite.read_text().replace("checkpoint_seconds = 0.0\n", "")
    text = text.replace("checkpoint_minutes = 1e-9\n", "")
    text = text.replace("seeds = [0]", f"seeds = {list(range(cells))}")
    suite.write_text(text.replace("epochs = 3", f"epochs = {epochs}"))
    turn, command = count(), run_apart if benchmark.enabled else run

    def timed(workers):
        folder = tmp_path / f"turn-{next(turn)}"
        folder.mkdir()
        began = perf_counter()
        command("run", str(suite), "--workers", str(workers), cwd=folder)
        seconds = perf_counter() - began
        assert len(list(folder.rglob("result.json"))) == cells
        shutil.rmtree(folder)
        return seconds

    return timed


@pytest.mark.benchmark(group="a suite of 8 small cells")
def test_two_workers_take_at_most_three_fifths_of_the_time_of_one(benchmark, timed_run):
    timed_run(2)  # so that the prepared file is there
    alone = [timed_run(1) for _ in range(ROUNDS if benchmark.enabled else 0)]
    together = []
    benchmark.pedantic(lambda: together.append(timed_run(2)), rounds=ROUNDS)
    if benchmark.enabled:
        ratio = min(together) / min(alone)
        benchmark.extra_info |= {"one worker": min(alone), "ratio": ratio}
        assert ratio <= MOST

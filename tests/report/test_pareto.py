"""Which rows nothing beats on both score and compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pruning_rows import size
from runs_folder import MEASURED, write

from harness.report.board.build import build_leaderboard
from harness.report.board.pareto import pareto_front
from harness.report.read import read_suite
from harness.report.render.markdown import to_markdown

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12)


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 0.7)], [True]),
        ([(1, 0.7), (2, 0.8)], [True, True]),
        ([(1, 0.7), (2, 0.7)], [True, False]),
        ([(1, 0.7), (1, 0.8)], [False, True]),
        ([(1, 0.7), (1, 0.7)], [True, True]),
    ],
)
def test_small_cases(points, front):
    assert pareto_front(points) == front


@given(POINTS)
def test_whatever_is_off_the_front_is_beaten_by_a_point_on_it(points):
    front = pareto_front(points)
    best = [p for p, on in zip(points, front, strict=True) if on]
    for point, on in zip(points, front, strict=True):
        beaten = [
            p for p in best if p != point and p[0] <= point[0] and p[1] >= point[1]
        ]
        assert bool(beaten) != on


def table(runs):
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    return board.model_dump()["datasets"][0]["tables"][0]


def fronts(runs):
    return table(runs)["fronts"]


def done(runs, strategy, macro_f1, flops, seed=0, **rest):
    changes = {"cost.flops.training": flops, **rest.pop("changes", {})}
    return runs.done(strategy, seed, macro_f1, changes=changes, **rest)


def timed(runs, strategy, macro_f1, seconds, dense_macs=1000, seed=0):
    """A done cell whose network has so many multiply-adds and this latency."""
    figures = {**size(100), "layers": [], "dense_macs": dense_macs}
    folder = runs.done(strategy, seed, macro_f1, changes={"size": figures})
    measured = {**MEASURED, "latency_seconds": {"final": seconds, "snapshots": {}}}
    write(folder / "measured.json", measured)


def test_rows_whose_figures_cannot_be_relied_on_take_no_part(runs):
    done(runs, "baseline", 0.7, 100)
    done(runs, "cheap", 0.6, 50)
    done(runs, "dear", 0.65, 200)
    done(runs, "floor", 0.3, 0, model=None)
    done(runs, "partial", 0.9, 10)
    runs.cell("partial", 1)
    flagged = {"status": "flagged", "findings": [], "largest_difference": 0.5}
    done(runs, "flagged", 0.9, 10, changes={"cost.audit": flagged})
    runs.done("uncounted", 0, 0.9, changes={"cost.flops": None})
    runs.failed("broken")
    found = fronts(runs)
    compute = found["relative_compute"]
    assert compute["rows"] == ["cheap", "baseline"]
    assert sorted(compute["of"]) == ["baseline", "cheap", "dear"]
    assert compute["differs"]
    # Its FLOPs weren't counted; its memory was.
    assert found["peak_memory_bytes"]["rows"] == ["uncounted"]


def test_a_cost_that_some_seed_lacks_is_not_measured(runs):
    for seed in range(2):
        done(runs, "baseline", 0.7, 100, seed)
    done(runs, "lucky", 0.7, 10)
    runs.done("lucky", 1, 0.7, changes={"cost.flops": None})
    found = fronts(runs)
    assert found["relative_compute"]["of"] == ["baseline"]
    assert "lucky" in found["peak_memory_bytes"]["of"]


def test_more_zeros_are_better(runs):
    for name, macro_f1, share in (
        ("baseline", 0.7, 0.0),
        ("half", 0.7, 0.5),
        ("sparsest", 0.6, 0.9),
        ("worse", 0.5, 0.5),
    ):
        changes = {"cost.sparsity": {"prunable": share, "all": share}}
        runs.done(name, 0, macro_f1, changes=changes)
    found = fronts(runs)
    assert found["sparsity"]["rows"] == ["sparsest", "half"]
    assert found["relative_compute"]["rows"] == ["baseline", "half"]
    assert not found["relative_compute"]["differs"]


def test_latency_tells_networks_apart_and_no_chance_between_equal_ones(runs):
    timed(runs, "baseline", 0.7, 0.002)
    timed(runs, "dbpd", 0.69, 0.001)
    runs.done("untimed", 0, 0.9)
    found = fronts(runs)["latency_seconds"]
    assert found["of"] == ["baseline", "dbpd"]
    assert found["rows"] == ["dbpd", "baseline"]
    assert not found["differs"]
    timed(runs, "narrow", 0.68, 0.0005, dense_macs=500)
    assert fronts(runs)["latency_seconds"]["differs"]


def test_a_table_of_floors_has_empty_fronts(runs):
    runs.done("majority", 0, 0.2, model=None)
    assert all(front["rows"] == front["of"] == [] for front in fronts(runs).values())


def test_the_page_says_who_is_on_the_front_of_what_differs(runs):
    done(runs, "baseline", 0.7, 100)
    done(runs, "cheap_| one", 0.6, 50)
    done(runs, "dear", 0.65, 200)
    page = to_markdown(build_leaderboard(read_suite(runs.suite(), "demo")))
    assert "**On the front**" in page
    assert "- compute: cheap\\_&#124; one; baseline (2 of 3 rows)" in page
    assert "- peak memory" not in page
    assert "- sparsity" not in page


def test_nothing_is_said_of_fronts_where_no_cost_differs(runs):
    runs.done("baseline")
    runs.done("same", 0, 0.6)
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    assert "On the front" not in to_markdown(board)

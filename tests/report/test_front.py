"""Which rows nothing beats on both score and compute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.frame import read_suite
from harness.report.front import front_of, pareto_front
from harness.report.leaderboard import build_leaderboard

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


def front(runs):
    board = build_leaderboard(read_suite(runs.suite(), "demo"))
    return front_of(board["datasets"][0]["tables"][0]["rows"])


def done(runs, strategy, macro_f1, flops, **rest):
    changes = {"cost.flops.training": flops, **rest.pop("changes", {})}
    return runs.done(strategy, 0, macro_f1, changes=changes, **rest)


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
    assert front(runs) == {"baseline", "cheap"}

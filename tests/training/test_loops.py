import pytest

from harness.errors import CheckpointError, Interrupted
from harness.training.loops import Loops, Place


def loops(saved=(), restored=None):
    return Loops(saved, lambda: restored.append(True) if restored is not None else None)


def ignore(_):
    pass


def test_a_fresh_loop_yields_everything_and_reports_the_last():
    last = []
    assert list(loops().iterate("epoch", lambda: 3, last.append)) == [0, 1, 2]
    assert last == [False, False, True]


def test_an_inner_loop_never_reports_a_last():
    nest, last = loops(), []
    for _ in nest.iterate("round", lambda: 1, ignore):
        list(nest.iterate("epoch", lambda: 2, last.append))
    assert last == [False, False]


def test_a_resumed_nest_goes_on_in_the_innermost_loop():
    restored, seen = [], []
    nest = loops([Place("round", 0, 1), Place("epoch", 0, 2)], restored)
    for r in nest.iterate("round", lambda: 3, ignore):
        seen += [(r, e) for e in nest.iterate("epoch", lambda: 4, ignore)]
    assert seen == [(1, 2), (1, 3), *[(2, e) for e in range(4)]]
    assert restored == [True]


def test_loops_that_were_over_are_skipped():
    nest = loops([Place("second", 1, 1)])
    assert list(nest.iterate("first", lambda: 5, ignore)) == []
    assert list(nest.iterate("second", lambda: 3, ignore)) == [1, 2]


def test_the_count_is_asked_after_restoring():
    count = [0]
    nest = Loops([Place("batch", 0, 1)], lambda: count.__setitem__(0, 3))
    assert list(nest.iterate("batch", lambda: count[0], ignore)) == [1, 2]


def test_another_loop_at_the_saved_place_is_an_error():
    nest = loops([Place("epoch", 0, 1)])
    with pytest.raises(CheckpointError, match="its code has changed"):
        list(nest.iterate("round", lambda: 3, ignore))


def test_a_request_to_stop_is_heard_between_iterations():
    nest = loops()
    turns = nest.iterate("epoch", lambda: 5, ignore)
    assert next(turns) == 0
    assert next(turns) == 1
    nest.stopping.set()
    with pytest.raises(Interrupted):
        next(turns)


def test_paths_tell_places_apart():
    nest, paths = loops(), []
    for _ in nest.iterate("round", lambda: 2, ignore):
        for name in ("epoch", "epoch"):
            paths += [nest.path for _ in nest.iterate(name, lambda: 2, ignore)]
    assert len(set(paths)) == 8
    assert nest.path == ()

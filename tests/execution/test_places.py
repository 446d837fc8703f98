"""How many cells run at a time, and on which GPUs."""

import pytest

from harness.cell import Cell, PluginChoice
from harness.errors import ConfigError
from harness.execution.places import Place, Places, Request, find_places
from harness.options import Budget, DataOptions

PLUGIN = PluginChoice("x", 1, "X", "x.py", "0")


def cell(processes=1, threads=1, model=PLUGIN):
    return Cell(
        dataset=PLUGIN,
        options=DataOptions(),
        model=model,
        strategies=(PLUGIN,),
        budget=Budget(threads=threads),
        seed=0,
        fingerprint="data",
        processes=processes,
    )


def places(cells=None, gpus=(), cores=8, **request):
    return find_places(Request(**request), cells or [cell()], gpus, cores)


@pytest.mark.parametrize(
    ("cells", "cores", "expected"),
    [
        ([cell()], 8, 8),
        ([cell(threads=3)], 8, 2),
        ([cell(processes=2)], 8, 4),
        ([cell(processes=2, threads=2), cell(model=None)], 8, 2),
        ([cell(threads=16)], 8, 1),
    ],
)
def test_on_a_cpu_as_many_run_as_it_has_cores_for(cells, cores, expected):
    assert places(cells, cores=cores).most == expected


def test_the_number_that_was_asked_for_is_what_runs():
    assert places(workers=3, cores=1).most == 3
    few = places(workers=1, gpus=["0", "1"])
    assert few.take(1) == Place(("0",))
    assert few.take(1) is None


def test_each_gpu_takes_a_cell():
    both = places(gpus=["0", "1"])
    taken = [both.take(1), both.take(1), both.take(1)]
    assert taken == [Place(("0",)), Place(("1",)), None]
    both.give_back(Place(("1",)))
    assert both.take(1) == Place(("1",))


def test_cells_that_share_gpus_are_spread_evenly():
    shared = places(gpus=["0", "1"], per_device=2)
    assert shared.most == 4
    taken = [shared.take(1).gpus[0] for _ in range(4)]
    assert sorted(taken[:2]) == sorted(taken[2:]) == ["0", "1"]
    assert shared.take(1) is None


def test_more_workers_than_gpus_share_them():
    shared = places(gpus=["0", "1"], workers=3)
    taken = [shared.take(1).gpus[0] for _ in range(3)]
    assert sorted(taken) in (["0", "0", "1"], ["0", "1", "1"])


def test_processes_of_one_cell_have_a_gpu_each():
    four = places([cell(processes=2), cell(model=None)], gpus=["4", "5", "6", "7"])
    assert four.take(2) == Place(("4", "5"))
    assert four.take(1) == Place(("6",))
    assert four.take(2) is None
    four.give_back(Place(("4", "5")))
    assert four.take(2) == Place(("4", "5"))


def test_a_cell_without_gpus_has_none():
    assert places(device="cpu", gpus=["0"]).take(2) == Place(())


@pytest.mark.parametrize(
    ("request_", "cells", "gpus", "expected"),
    [
        ({"per_device": 2}, None, (), "--per-device says how many cells share a GPU"),
        ({"per_device": 2, "device": "cpu"}, None, ["0"], "run on the CPU here"),
        ({"device": "cuda"}, None, (), "no NVIDIA GPU was found"),
        ({}, [cell(processes=2)], ["0"], "processes = 2, but there are 1 GPUs"),
    ],
)
def test_what_the_machine_cannot_do_is_refused(request_, cells, gpus, expected):
    with pytest.raises(ConfigError, match=expected):
        places(cells, gpus, **request_)


def test_places_that_are_free_again_are_taken_again():
    one = Places(1)
    assert one.take(1) == Place()
    assert one.take(1) is None
    one.give_back(Place())
    assert one.take(1) == Place()

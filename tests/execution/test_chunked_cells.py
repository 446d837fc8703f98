"""Cells whose longer records are judged in chunks, from the suite to the page."""

import json

import numpy as np
import pytest
from suites_to_run import run as run_harness
from suites_to_run import strategy_source

AS_BUILT = strategy_source(
    "as-built", "    def train(self, run):\n        return True\n"
).replace('name = "as-built"', 'name = "as-built"\n    batch_independent = True')
NET = '''"""A network in which no sample knows of another."""

from harness import Model


class PlainNet(Model):
    """Convolutions alone."""

    name = "plain-net"
    batch_independent = True

    def build(self, leads, samples, outputs):
        from torch import nn

        return nn.Sequential(
            nn.Conv1d(leads, 6, 7, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(6, outputs),
        )
'''
SUITE = """
name = "chunked"
plugins = ["plugins"]

[budget]
epochs = 1
batch_size = 16

[execution]
processes = {processes}

[[dataset]]
use = "synthetic"
label = "cut"
records = 60
duration = 7.0
seconds = 3
chunks = {chunks}

[[dataset]]
use = "synthetic"
label = "middle"
records = 60
duration = 7.0
seconds = 3

[[model]]
use = "plain-net"

[[strategy]]
use = "as-built"
"""
CHUNKS = '{ stride_seconds = 2.5, combine = "max" }'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunked")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "as_built.py").write_text(AS_BUILT)
    (folder / "plugins" / "plain_net.py").write_text(NET)
    for processes in (1, 2):
        suite = folder / f"{processes}.toml"
        suite.write_text(SUITE.format(processes=processes, chunks=CHUNKS))
        given = ("--runs", str(folder / f"runs-{processes}"), "--workers", "1")
        board = ("--leaderboard", str(folder / f"board-{processes}"))
        only = ("--only", "cut") if processes == 2 else ()
        run_harness("run", str(suite), *given, *board, *only, cwd=folder)
    return folder


def cells(folder, processes=1):
    """Each cell's result and folder, by the label of its data set."""
    found = {}
    for path in (folder / f"runs-{processes}").rglob("result.json"):
        result = json.loads(path.read_text())
        found[result["dataset"]["label"]] = (result, path.parent)
    return found


def test_predictions_keep_one_row_a_record(folder):
    both = cells(folder)
    counts = both["cut"][0]["dataset"]["counts"]
    for split in ("test", "validation"):
        cut, middle = (np.load(c / "predictions.npz") for _, c in both.values())
        assert len(cut[f"{split}_records"]) == counts[split]["records"]
        assert np.array_equal(cut[f"{split}_records"], middle[f"{split}_records"])
        key = f"{split}_probabilities"
        assert not np.array_equal(cut[key], middle[key])
        np.testing.assert_allclose(cut[key].sum(1), 1, rtol=1e-5)


def test_evaluation_costs_what_all_windows_cost(folder):
    flops = {
        label: result["cost"]["flops"] for label, (result, _) in cells(folder).items()
    }
    # Windows from 0, 2.5 and 4 s.
    assert flops["cut"]["evaluation"] == 3 * flops["middle"]["evaluation"] > 0
    assert flops["cut"]["training"] == flops["middle"]["training"]


def test_bits_do_not_depend_on_how_many_processes_share_the_cell(folder):
    (alone, alone_in), (shared, shared_in) = (cells(folder, n)["cut"] for n in (1, 2))
    assert shared["cell"] == alone["cell"]
    assert shared["provenance"]["processes"] == 2
    assert shared["metrics"] == alone["metrics"]
    name = "predictions.npz"
    assert (shared_in / name).read_bytes() == (alone_in / name).read_bytes()


def test_the_result_and_the_page_say_how_records_were_judged(folder):
    chunks = {"stride_seconds": 2.5, "combine": "max"}
    cut, middle = (result["dataset"] for result, _ in cells(folder).values())
    assert cut["chunks"] == chunks
    assert "chunks" not in middle
    board = json.loads((folder / "board-1" / "chunked.json").read_text())
    about = {data["label"]: data["about"]["chunks"] for data in board["datasets"]}
    assert about == {"cut": chunks, "middle": None}
    page = (folder / "board-1" / "chunked.md").read_text()
    told = "longer test records: a window every 2.5 s, the largest of their"
    assert page.count(told) == 1


def test_saved_weights_are_judged_as_the_cell_was(harness, torch_as_before, folder):
    result, cell = cells(folder)["cut"]
    ended = harness("evaluate", cell, "--plugins", folder / "plugins", "--json")
    assert json.loads(ended.out)["metrics"] == result["metrics"]["test"]


def test_commands_on_data_say_it(harness, folder):
    given = ("--suite", folder / "1.toml", "--out", folder / "ecg.png")
    out = harness("data", "show", "cut", *given).out
    assert "judged by 3 windows: 0-3, 2.5-5.5, 4-7 s" in out
    assert "windows" not in harness("data", "show", "middle", *given).out
    out = harness("data", "check", "cut", "--suite", folder / "1.toml").out
    assert "length: 3 s; of longer records the max of windows every 2.5 s" in out
    out = harness("show", "synthetic").out
    assert "chunks.stride_seconds" in out


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("stride_seconds = 2.5", "stride_seconds = 4"), "would skip signal between"),
        (("seconds = 3", 'seconds = "whole"'), "records are taken whole"),
        (('combine = "max"', 'combine = "median"'), "combine"),
        (("stride_seconds = 2.5", "stride = 2"), "did you mean 'stride_seconds'?"),
    ],
)
def test_chunks_that_can_not_be_end_the_plan_with_a_message(
    harness, folder, change, expected
):
    suite = folder / "wrong.toml"
    suite.write_text(SUITE.format(processes=1, chunks=CHUNKS).replace(*change, 1))
    ended = harness("plan", suite)
    assert ended.code == 2
    assert expected in ended.err
    assert "Traceback" not in ended.err

"""Plots of a suite: where there is something to show, the same bytes each time."""

import json
import re
import shutil
from xml.etree import ElementTree

import pytest
from pruning_rows import (
    add_dropping,
    add_plain,
    add_pruned,
    epoch,
    history,
    write_history,
)
from runs_folder import write

from harness.report.write import write_leaderboard

HOSTILE = '<script> & "quotes" \\_x_ ](y) $\\frac{ \U0001f9ea \x1b[31m' + "x" * 200


def plots(runs, out):
    """The names of the plots that are written."""
    page, _ = write_leaderboard(runs.suite(), "demo", out)
    folder = out / "demo"
    names = sorted(p.name for p in folder.iterdir()) if folder.exists() else []
    linked = re.findall(r"\]\(demo/([^)]+)\)", page.read_text())
    assert sorted(linked) == names
    return names


def texts(path):
    root = ElementTree.fromstring(path.read_text())
    return ["".join(e.itertext()).strip() for e in root.iter() if "text" in e.tag]


@pytest.fixture
def filled(runs):
    for seed in range(2):
        add_plain(runs, seed=seed)
        add_dropping(runs, seed=seed)
        add_pruned(runs, seed=seed)
        runs.done("majority", seed, 0.2, model=None)
    return runs


ALL = [
    f"ptbxl.resnet1d.{kind}.svg"
    for kind in ("compute", "front", "kept-share", "last-round", "layers", "reduction")
]


def test_a_suite_with_all_there_is_to_show_has_all_plots(filled, tmp_path):
    assert plots(filled, tmp_path) == ALL
    page = (tmp_path / "demo.md").read_text()
    assert "![macro-F1 against compute](demo/ptbxl.resnet1d.front.svg)" in page
    assert "![quality against reduction](demo/ptbxl.resnet1d.reduction.svg)" in page
    assert page.count("![") == 2


def test_the_same_files_give_the_same_bytes(filled, tmp_path):
    moved = shutil.copytree(filled.suite(), tmp_path / "elsewhere")
    write_leaderboard(filled.root, "demo", tmp_path / "a")
    for _ in range(2):
        write_leaderboard(moved, "demo", tmp_path / "b")
    for name in ALL:
        first, second = ((tmp_path / x / "demo" / name).read_bytes() for x in "ab")
        assert first == second


def test_strategies_are_overlaid_and_named(filled, tmp_path):
    plots(filled, tmp_path)
    kept, last, layers, quality = (
        texts(tmp_path / "demo" / f"ptbxl.resnet1d.{kind}.svg")
        for kind in ("kept-share", "last-round", "layers", "reduction")
    )
    # Only what drops records is in the plot of the kept share, class by class, in the
    # order of the data set.
    assert kept.index("NORM") < kept.index("MI")
    assert {"dbpd", "NORM", "MI", "kept share"} <= set(kept)
    assert not {"baseline", "ticket", "majority"} & set(kept)
    assert {"ticket", "baseline (dense)", "macro-F1, training"} <= set(last)
    assert {"ticket, 4x", "first round"} <= set(layers)
    assert {
        "ticket",
        "the same before retraining",
        "baseline (dense)",
        "macro-F1, test",
    } <= set(quality)
    assert "dbpd" not in quality


def test_the_front_names_the_rows_that_can_be_compared(filled, tmp_path):
    filled.done("partial", 0, 0.9)
    filled.cell("partial", 1)
    plots(filled, tmp_path)
    found = texts(tmp_path / "demo" / "ptbxl.resnet1d.front.svg")
    assert {"a  baseline", "b  dbpd", "c  ticket"} <= set(found)
    assert not {name for name in found if "partial" in name or "majority" in name}


def test_where_no_two_rows_can_be_compared_another_picture_is_shown(runs, tmp_path):
    add_plain(runs, "other")
    add_pruned(runs)
    plots(runs, tmp_path)
    page = (tmp_path / "demo.md").read_text()
    assert "![quality against reduction](demo/ptbxl.resnet1d.reduction.svg)" in page


def test_compute_is_relative_to_the_baseline(filled, tmp_path):
    plots(filled, tmp_path)
    found = texts(tmp_path / "demo" / "ptbxl.resnet1d.compute.svg")
    assert {"baseline", "dbpd", "ticket, by round"} <= set(found)
    assert "majority" not in found


def test_where_nothing_is_dropped_or_pruned_only_compute_is_drawn(runs, tmp_path):
    add_plain(runs)
    assert plots(runs, tmp_path) == ["ptbxl.resnet1d.compute.svg"]


def test_without_a_baseline_there_is_no_compute_to_compare_with(runs, tmp_path):
    add_plain(runs, "other")
    add_pruned(runs)
    names = plots(runs, tmp_path)
    assert [n.split(".")[2] for n in names] == ["last-round", "layers", "reduction"]


def test_without_histories_there_is_nothing_to_draw(runs, tmp_path):
    runs.done("baseline")
    runs.failed("broken")
    assert plots(runs, tmp_path) == []
    assert "Plots:" not in (tmp_path / "demo.md").read_text()


def test_what_an_earlier_report_drew_is_removed(filled, tmp_path):
    plots(filled, tmp_path)
    folder = tmp_path / "demo"
    mine = [folder / "notes.svg", folder / "ptbxl.resnet1d.compute.png"]
    for path in mine:
        path.write_text("mine")
    old = folder / "other-set.cnn1d.layers.svg"
    old.write_text("of an earlier report")
    filled.cells = [c for c in filled.cells if c["strategy"] == "baseline"]
    write_leaderboard(filled.suite(), "demo", tmp_path)
    left = {path.name for path in folder.iterdir()}
    assert left == {"ptbxl.resnet1d.compute.svg", *(path.name for path in mine)}


def test_a_folder_that_is_empty_is_removed(filled, tmp_path):
    plots(filled, tmp_path)
    filled.cells = [c for c in filled.cells if c["strategy"] == "majority"]
    write_leaderboard(filled.suite(), "demo", tmp_path)
    assert not (tmp_path / "demo").exists()


def test_tables_whose_names_are_written_alike_have_files_of_their_own(runs, tmp_path):
    for dataset in ("PTB XL", "ptb-xl", "心電図"):
        add_plain(runs, dataset=dataset)
    assert plots(runs, tmp_path) == [
        "ptb-xl.resnet1d-2.compute.svg",
        "ptb-xl.resnet1d.compute.svg",
        "x.resnet1d.compute.svg",
    ]


def test_hostile_names_are_shown_as_text(runs, tmp_path):
    place = {"dataset": HOSTILE, "model": HOSTILE}
    for seed in range(2):
        add_plain(runs, seed=seed, **place)
        add_pruned(runs, HOSTILE, seed=seed, **place)
        rows = history(kept_share=0.5, kept_share_by_class={HOSTILE: 0.5})
        folder = add_plain(runs, f"dropping {HOSTILE}", seed, rows=rows, **place)
        result = json.loads((folder / "result.json").read_text())
        result["dataset"]["classes"] = [HOSTILE]
        write(folder / "result.json", result)
    names = plots(runs, tmp_path)
    assert len(names) == 6
    for name in names:
        assert len(name) < 160
        content = (tmp_path / "demo" / name).read_text()
        assert "<script>" not in content
        assert "\x1b" not in content
        assert texts(tmp_path / "demo" / name)


@pytest.mark.parametrize("damage", ["", "{", "[]\n", '{"epoch": -1}\n', "\xff", None])
def test_a_history_that_cannot_be_read_is_left_out(runs, tmp_path, damage):
    add_plain(runs)
    folder = add_plain(
        runs, "dropping", rows=[epoch(i, kept_share=0.5) for i in (0, 1)]
    )
    path = folder / "history.jsonl"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage.encode("latin-1"))
    kinds = [name.split(".")[2] for name in plots(runs, tmp_path)]
    assert kinds == ["compute", "front"]
    found = texts(tmp_path / "demo" / "ptbxl.resnet1d.compute.svg")
    assert "baseline" in found
    assert "dropping" not in found


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"macro_f1": None}, "validation": {"macro_f1": None}},
        {"kept_share": 0.0, "kept_share_by_class": {}},
        {"kept_share": 0.5, "kept_share_by_class": {f"c{i}": None for i in range(71)}},
        {"flops": None},
        {"flops": 0},
        {"flops": 10**30},
        {"loops": {"round": 1 << 53}},
        {"epoch": 1 << 53},
    ],
)
def test_any_history_can_be_drawn(runs, tmp_path, changes):
    add_plain(runs)
    for epochs in (1, 3):
        rows = history(epochs) + history(epochs, **changes)
        add_plain(runs, f"of {epochs}", rows=rows)
        write_history(add_pruned(runs, f"ticket of {epochs}"), rows)
    write_leaderboard(runs.suite(), "demo", tmp_path)


def test_a_layer_that_lost_all_its_weights_can_be_drawn(runs, tmp_path):
    add_plain(runs)
    folder = add_pruned(runs)
    result = json.loads((folder / "result.json").read_text())
    for one in result["snapshots"]:
        one["size"]["remaining_by_layer"]["stem"] = 0
    write(folder / "result.json", result)
    assert "ptbxl.resnet1d.layers.svg" in plots(runs, tmp_path)


def test_a_page_that_is_there_is_left_unless_a_plot_is_gone(filled, tmp_path):
    runs = filled.suite()
    page, _ = write_leaderboard(runs, "demo", tmp_path)
    picture = tmp_path / "demo" / ALL[0]
    drawn = picture.stat().st_ino, page.stat().st_ino
    write_leaderboard(runs, "demo", tmp_path, anew=False)
    assert (picture.stat().st_ino, page.stat().st_ino) == drawn
    picture.unlink()
    write_leaderboard(runs, "demo", tmp_path, anew=False)
    assert picture.is_file()

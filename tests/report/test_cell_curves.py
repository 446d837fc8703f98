"""Curves: the same bytes each time, whatever a history lacks."""

from xml.etree import ElementTree

import pytest

from harness.report.plots.cell_curves import draw_curves


def history(epochs, **changes):
    return [
        {
            "epoch": epoch,
            "phase": "filtered" if epoch < epochs - 1 else "revision",
            "loss": 1 / (epoch + 1),
            "validation": {"loss": 1.1 / (epoch + 1), "macro_f1": epoch / epochs},
            "kept_share": 0.5,
            "kept_share_by_class": {"NORM": 0.2, "MI": 0.8},
            "learning_rate": 0.005,
            "loops": {},
        }
        | changes
        for epoch in range(epochs)
    ]


def texts(path):
    root = ElementTree.fromstring(path.read_text())
    return ["".join(e.itertext()).strip() for e in root.iter() if "text" in e.tag]


def test_the_same_history_gives_the_same_bytes(tmp_path):
    drawn = []
    for name in "ab":
        path = tmp_path / f"{name}.svg"
        draw_curves(history(10), "a title", path, {"rule": "last", "epoch": 8})
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]


def test_panels_phases_and_the_selected_epoch_are_labelled(tmp_path):
    path = tmp_path / "curves.svg"
    weights = {"rule": "best-validation", "epoch": 3, "phase": "filtered"}
    draw_curves(history(10), "dbpd <seed 0> $\\frac{", path, weights)
    found = texts(path)
    for label in (
        "dbpd <seed 0> $\\frac{",
        "loss",
        "macro-F1",
        "kept share",
        "learning rate",
        "epoch",
        "filtered",
        "revision",
        "train",
        "validation",
        "all records",
        "NORM",
        "selected weights",
    ):
        assert label in found


def test_training_stands_beside_validation(tmp_path):
    path = tmp_path / "curves.svg"
    draw_curves(history(4), "without", path)
    assert texts(path).count("train") == 1
    draw_curves(history(4, training={"macro_f1": 0.5}), "with", path)
    assert texts(path).count("train") == 2


def test_weights_of_no_row_are_not_marked(tmp_path):
    path = tmp_path / "curves.svg"
    draw_curves(history(3), "title", path, {"epoch": 0, "phase": "revision"})
    assert "selected weights" not in texts(path)


def test_epochs_that_repeat_are_counted_on(tmp_path):
    path = tmp_path / "curves.svg"
    draw_curves(history(4) + history(4), "rounds", path)
    assert "epoch, counted over all rounds" in texts(path)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        history(1),
        [{}],
        [{"epoch": 0}, {"epoch": 1, "loss": 0.5}],
        history(5, loss=None, validation=None, kept_share_by_class=None, phase=None),
        history(50, kept_share_by_class={f"c{i}": i / 71 for i in range(71)}),
        [row for i in range(30) for row in history(2, phase=f"round {i}")],
        history(3, kept_share_by_class={"_hidden": 1.0, "\x1b": 0.5, "": 0.1}),
        history(3, loss=float("inf")),
    ],
)
def test_any_history_can_be_drawn(tmp_path, rows):
    path = tmp_path / "curves.svg"
    draw_curves(rows, "title\x00", path)
    assert "learning rate" in texts(path)

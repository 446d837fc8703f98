"""The curves of one cell against its epochs, as an SVG file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from harness.files.atomic import write_atomically
from harness.report.plots.palette import (
    BLUE,
    GREEN,
    MARK,
    OLIVE,
    ORANGE,
    PINK,
    RED,
    SKY,
)
from harness.report.plots.style import house_style, svg_of
from harness.report.render.format import plain

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]

_CLASS_COLOURS = (ORANGE, GREEN, RED, PINK, SKY, OLIVE)

_MOST_PHASE_LABELS = 8
_MARKERS_UP_TO = 40


def draw_curves(
    history: Sequence[Mapping[str, Any]],
    title: str,
    path: Path,
    selected: Mapping[str, Any] | None = None,
) -> None:
    """Draw loss, macro-F1, kept share and learning rate against epochs.

    The same history gives the same bytes. Values that are missing leave a gap. Where
    epoch numbers repeat (rounds of pruning), the axis counts epochs over all of them.

    Parameters
    ----------
    history
        Rows of `history.jsonl`, in order; may be empty.
    selected
        The `weights` of a result (`epoch`, `phase`): marks the last row that agrees.

    Raises
    ------
    OSError
        If `path` can't be written.
    """
    with house_style():
        drawn = svg_of(_figure(history, plain(title), selected))
    write_atomically(path, drawn)


def _figure(history: Rows, title: str, selected: Mapping[str, Any] | None) -> Figure:
    figure = Figure(figsize=(9, 9.5), layout="constrained", facecolor="white")
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(4, 1, sharex=True)
    epochs, axis_label = _epochs(history)
    for panel, draw in zip(panels, (_loss, _macro_f1, _kept, _rate), strict=True):
        draw(panel, epochs, history)
        _mark_phases(panel, epochs, history)
        _mark_selected(panel, epochs, history, selected)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _label_phases(panels[0], epochs, history)
    figure.align_ylabels(panels)
    panels[-1].set_xlabel(axis_label)
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    if not history:
        panels[0].set_title("no epoch recorded", color=MARK)
    return figure


def _epochs(history: Rows) -> tuple[list[float], str]:
    """Where each row stands on the axis, and what the axis is called."""
    epochs = [_number(row.get("epoch")) for row in history]
    if any(map(math.isnan, epochs)) or len(set(epochs)) < len(epochs):
        return [float(i) for i in range(len(epochs))], "epoch, counted over all rounds"
    return epochs, "epoch"


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else float("nan")  # type: ignore[arg-type]


def _validation(row: Mapping[str, Any], key: str) -> float:
    return _number((row.get("validation") or {}).get(key))


def _line(
    panel: Axes, epochs: list[float], values: list[float], label: str, **style: Any
) -> None:
    marker = "o" if len(epochs) <= _MARKERS_UP_TO else None
    style = {"marker": marker, "markersize": 3, "linewidth": 1.5} | style
    if not all(map(math.isnan, values)):
        panel.plot(epochs, values, label=label, **style)


def _loss(panel: Axes, epochs: list[float], history: Rows) -> None:
    panel.set_ylabel("loss")
    train = [_number(row.get("loss")) for row in history]
    validation = [_validation(row, "loss") for row in history]
    _line(panel, epochs, train, "train", color=BLUE)
    _line(panel, epochs, validation, "validation", color=ORANGE, linestyle="--")


def _macro_f1(panel: Axes, epochs: list[float], history: Rows) -> None:
    panel.set_ylabel("macro-F1")
    train = [_number((row.get("training") or {}).get("macro_f1")) for row in history]
    validation = [_validation(row, "macro_f1") for row in history]
    _line(panel, epochs, train, "train", color=BLUE)
    _line(panel, epochs, validation, "validation", color=ORANGE, linestyle="--")


def _kept(panel: Axes, epochs: list[float], history: Rows) -> None:
    panel.set_ylabel("kept share")
    panel.set_ylim(-0.03, 1.05)
    by_class = [row.get("kept_share_by_class") or {} for row in history]
    names = list(dict.fromkeys(name for shares in by_class for name in shares))
    for i, name in enumerate(names):
        values = [_number(shares.get(name)) for shares in by_class]
        _line(panel, epochs, values, **_class_style(i, name, len(names)))
    overall = [_number(row.get("kept_share")) for row in history]
    _line(panel, epochs, overall, "all records", color=BLUE, linewidth=2.2)


def _class_style(i: int, name: str, classes: int) -> dict[str, Any]:
    """A colour each while they can be told apart; else one grey for all."""
    if classes > len(_CLASS_COLOURS):
        label = f"each of {classes} classes" if i == 0 else "_"
        return {"label": label, "color": "#BBBBBB", "linewidth": 0.6, "marker": None}
    # A leading underscore would hide the name from the legend.
    label = plain(name).lstrip("_") or "?"
    return {"label": label, "color": _CLASS_COLOURS[i], "linewidth": 1.0}


def _rate(panel: Axes, epochs: list[float], history: Rows) -> None:
    panel.set_ylabel("learning rate")
    values = [_number(row.get("learning_rate")) for row in history]
    _line(panel, epochs, values, "_", color=BLUE)


def _phases(history: Rows) -> list[tuple[str, int, int]]:
    """(name, first row, last row) of each stretch of rows of one phase."""
    stretches = []
    rows = enumerate(history)
    for phase, members in groupby(rows, key=lambda pair: pair[1].get("phase")):
        indices = [i for i, _ in members]
        stretches.append((plain(phase or ""), indices[0], indices[-1]))
    return stretches


def _mark_phases(panel: Axes, epochs: list[float], history: Rows) -> None:
    for i, (_, first, last) in enumerate(_phases(history)):
        if i:
            panel.axvline(
                (epochs[first - 1] + epochs[first]) / 2, color=MARK, linewidth=0.8
            )
        if i % 2:
            panel.axvspan(
                (epochs[first - 1] + epochs[first]) / 2,
                _end(epochs, last),
                color="#F3F0E6",
                zorder=0,
            )


def _end(epochs: list[float], last: int) -> float:
    """Where the stretch that ends with row `last` ends on the axis."""
    following = epochs[last + 1] if last + 1 < len(epochs) else epochs[last] + 1
    return (epochs[last] + following) / 2


def _label_phases(panel: Axes, epochs: list[float], history: Rows) -> None:
    phases = _phases(history)
    if len(phases) > _MOST_PHASE_LABELS:
        return
    for name, first, last in phases:
        at_edge = len(phases) > 1 and last == len(epochs) - 1
        panel.annotate(
            name,
            (_end(epochs, last) if at_edge else (epochs[first] + epochs[last]) / 2, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right" if at_edge else "center",
            color=MARK,
        )


def _mark_selected(
    panel: Axes,
    epochs: list[float],
    history: Rows,
    selected: Mapping[str, Any] | None,
) -> None:
    if not selected:
        return
    agreeing = [
        at
        for at, row in zip(epochs, history, strict=True)
        if all(row.get(key, value) == value for key, value in selected.items())
        and "epoch" in row
    ]
    if agreeing:
        panel.axvline(
            agreeing[-1],
            color=RED,
            linestyle=":",
            linewidth=1.4,
            label="selected weights",
        )

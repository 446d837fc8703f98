"""How every figure of a report looks, and how it becomes the same bytes each time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.report.plots.palette import label_of
from harness.report.render.format import engineering

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

WIDTH = 9.0
"""Of every figure, in inches."""

_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "harness",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E4E4",
    "axes.axisbelow": True,
    "legend.frameon": False,
}
_TITLE = 0.06
_MARGINS = (0.7, 0.12, 0.36, 0.6)
"""Around the panel of a figure that has one: left, right, top, and below without the
legend, in inches.
"""
_INCHES_A_CHARACTER = 0.072
_INCHES_A_LINE = 0.2


@contextmanager
def house_style() -> Iterator[None]:
    """Settings under which a figure is made and saved."""
    with mpl.rc_context(_STYLE):
        yield


def svg_of(figure: Figure) -> bytes:
    """The figure as an SVG file, without the time of day."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # The text stands in the file as it is; whoever shows it has fonts of their own.
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        _lay_out(figure)
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _lay_out(figure: Figure) -> None:
    """Place everything: left to itself, saving draws all of it once more for that."""
    engine = figure.get_layout_engine()
    if engine is None:
        return
    # Texts are as wide as they are in this format, whose inch has 72 points.
    FigureCanvasSVG(figure)
    figure.dpi = 72
    with suppress(ValueError):  # as in drawing: too little room is no reason to end
        engine.execute(figure)
    figure.set_layout_engine(None)


def new_figure(height: float, title: str) -> Figure:
    """An empty figure of so many inches, which `add_legend` makes higher."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    figure.suptitle(label_of(title, 120), fontsize=11)
    return figure


def new_panel(height: float, title: str) -> tuple[Figure, Axes]:
    """A figure with a single panel, whose place is known: to find it takes longer than
    all the rest.
    """
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    figure.suptitle(label_of(title, 120), fontsize=11, y=1 - _TITLE / height, va="top")
    return figure, figure.subplots()


def add_legend(figure: Figure, entries: dict[str, Artist]) -> None:
    """A legend under all panels, in as many columns as there is room for."""
    if not entries:
        return
    longest = max(map(len, entries)) * _INCHES_A_CHARACTER + 0.7
    columns = max(1, min(len(entries), int(WIDTH / longest)))
    lines = ceil(len(entries) / columns)
    before = figure.get_figheight()
    height = before + lines * _INCHES_A_LINE
    figure.set_figheight(height)
    placed = figure.get_layout_engine() is None
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="lower center" if placed else "outside lower center",
        ncols=columns,
    )
    if placed:
        left, right, top, bottom = _MARGINS
        figure.subplots_adjust(
            left=left / WIDTH,
            right=1 - right / WIDTH,
            top=1 - top / height,
            bottom=(bottom + height - before) / height,
        )
        figure.suptitle(
            figure.get_suptitle(), fontsize=11, y=1 - _TITLE / height, va="top"
        )


def as_whole_numbers(axis: Axis, most: int = 9) -> None:
    """Ticks at whole numbers, at most so many."""
    axis.set_major_locator(MaxNLocator(most, integer=True))


def as_amounts(axis: Axis) -> None:
    """Tick labels as `1`, `10`, `1 k`, `10 k`."""
    shown = FuncFormatter(lambda value, _: engineering(value, "").strip())
    axis.set_major_formatter(shown)


def as_multiples(axis: Axis) -> None:
    """Ticks of a logarithmic axis as `1x`, `2x`, `5x`, `10x`."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))

"""An ECG on paper, as a clinical device prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from harness.data.signals import Signals

MM_PER_SECOND = 25.0
MM_PER_MV = 10.0
MM_PER_INCH = 25.4
DOTS_PER_INCH = 150

ROW_MM = 25.0
MARGIN_MM = 10.0
HEADER_MM = 15.0
PULSE_MM = 10.0
LONGEST_ROW_SECONDS = 10.0

PAPER, MINOR, MAJOR, INK = "#fffafa", "#f9d9d9", "#eda9a9", "#101018"

# Three rows of four leads, 2.5 s each, in the order of the standard print-out.
STANDARD_ROWS = (
    ("I", "aVR", "V1", "V4"),
    ("II", "aVL", "V2", "V5"),
    ("III", "aVF", "V3", "V6"),
)
RHYTHM_LEAD = "II"
STANDARD_SECONDS = 10.0


@dataclass(frozen=True)
class Strip:
    """A stretch of one lead: its row from the top, its left end in mm, and its mV."""

    name: str
    row: int
    left: float
    millivolts: Signals


def draw_record(
    signal: Signals,
    sampling_rate: float,
    leads: Sequence[str],
    title: str,
    path: Path,
) -> None:
    """Draw a record at 25 mm/s and 10 mm/mV, as PNG.

    The first 10 s of twelve standard leads are laid out as three rows of four leads and
    a rhythm strip; of other leads, one below the other. A single lead is drawn whole,
    10 s a row.

    Parameters
    ----------
    signal
        Shape (leads, samples), in mV.
    sampling_rate
        In Hz.
    """
    strips = list(_layout(signal, sampling_rate, leads))
    mm_per_sample = MM_PER_SECOND / sampling_rate
    right = max(s.left + len(s.millivolts) * mm_per_sample for s in strips)
    rows = 1 + max(s.row for s in strips)
    width = np.ceil((right + MARGIN_MM) / 5) * 5
    height = np.ceil((HEADER_MM + rows * ROW_MM + MARGIN_MM) / 5) * 5
    figure = Figure((width / MM_PER_INCH, height / MM_PER_INCH), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    _draw_grid(axes, width, height)
    for strip in strips:
        baseline = height - HEADER_MM - (strip.row + 0.5) * ROW_MM
        _draw_strip(axes, strip, baseline, mm_per_sample)
    for row in range(rows):
        _draw_pulse(axes, height - HEADER_MM - (row + 0.5) * ROW_MM)
    axes.text(
        MARGIN_MM,
        height - 8,
        title,
        color=INK,
        fontsize=10,
        weight="bold",
        parse_math=False,
    )
    scale = f"25 mm/s   10 mm/mV   {sampling_rate:g} Hz"
    axes.text(MARGIN_MM, 4, scale, color=INK, fontsize=8, parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", facecolor=PAPER)


def _layout(signal: Signals, rate: float, leads: Sequence[str]) -> Iterator[Strip]:
    left = MARGIN_MM + PULSE_MM
    row_of = {lead.upper(): mv for lead, mv in zip(leads, signal, strict=True)}
    standard = {lead.upper() for row in STANDARD_ROWS for lead in row}
    if set(row_of) == standard and signal.shape[1] >= STANDARD_SECONDS * rate:
        yield from _standard(row_of, rate, left)
        return
    part = max(1, int(LONGEST_ROW_SECONDS * rate))
    row = 0
    for name, millivolts in zip(leads, signal, strict=True):
        parts = range(0, len(millivolts), part)
        for start in parts if len(leads) == 1 else [0]:
            label = name if start == 0 else ""
            yield Strip(label, row, left, millivolts[start : start + part])
            row += 1


def _standard(row_of: dict[str, Signals], rate: float, left: float) -> Iterator[Strip]:
    quarter = STANDARD_SECONDS / 4
    for row, names in enumerate(STANDARD_ROWS):
        for column, name in enumerate(names):
            start, stop = (round(c * quarter * rate) for c in (column, column + 1))
            place = left + column * quarter * MM_PER_SECOND
            yield Strip(name, row, place, row_of[name.upper()][start:stop])
    rhythm = row_of[RHYTHM_LEAD][: round(STANDARD_SECONDS * rate)]
    yield Strip(RHYTHM_LEAD, len(STANDARD_ROWS), left, rhythm)


def _draw_grid(axes: Axes, width: float, height: float) -> None:
    for step, colour, line in ((1, MINOR, 0.4), (5, MAJOR, 0.7)):
        x, y = np.arange(0, width + 1, step), np.arange(0, height + 1, step)
        segments = [((v, 0), (v, height)) for v in x] + [
            ((0, v), (width, v)) for v in y
        ]
        axes.add_collection(
            LineCollection(segments, colors=colour, linewidths=line, zorder=step / 10)
        )


def _draw_strip(
    axes: Axes, strip: Strip, baseline: float, mm_per_sample: float
) -> None:
    x = strip.left + np.arange(len(strip.millivolts)) * mm_per_sample
    # A device's own high-pass would centre the trace: the median is the isoelectric
    # line, near enough, and is not moved by tall QRS complexes.
    y = baseline + MM_PER_MV * (strip.millivolts - np.median(strip.millivolts))
    axes.plot(x, y, color=INK, linewidth=0.8, solid_joinstyle="round", zorder=3)
    axes.text(
        strip.left + 1,
        baseline + 8,
        strip.name,
        color=INK,
        fontsize=9,
        zorder=4,
        parse_math=False,
    )


def _draw_pulse(axes: Axes, baseline: float) -> None:
    """The 1 mV, 0.2 s calibration pulse before a row."""
    x = MARGIN_MM + np.array([0, 2.5, 2.5, 7.5, 7.5, PULSE_MM])
    y = baseline + np.array([0, 0, 1, 1, 0, 0]) * MM_PER_MV
    axes.plot(x, y, color=INK, linewidth=0.8, zorder=3)

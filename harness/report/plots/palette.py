"""Colours and names in plots; takes nothing that draws."""

from __future__ import annotations

from harness.report.render.format import plain

# Okabe & Ito's palette, which people with any colour vision can tell apart.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY, OLIVE = "#CC79A7", "#56B4E9", "#B8A800"
DARK, MARK, FAINT = "#222222", "#555555", "#BBBBBB"


def label_of(text: object, longest: int = 100) -> str:
    """A name that a figure can hold, and that no legend leaves out."""
    # A leading underscore would hide it.
    shown = plain(text).lstrip("_") or "?"
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"

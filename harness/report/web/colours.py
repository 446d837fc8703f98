"""Colours of plots, so that each is seen on light and on dark ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIGHT, DARK = "#ffffff", "#1b1f26"
"""What plots stand on."""
FEWEST_CONTRAST = 3.0
"""Of what isn't text, to what it stands on (WCAG 2.2, success criterion 1.4.11)."""

ROLES = {
    "#ffffff": "card",
    "#000000": "ink",
    "#222222": "ink",
    "#555555": "muted",
    "#bbbbbb": "faint",
    "#e4e4e4": "grid",
}
"""Greys of plots, by what the page's style calls them."""

_STEP = 0.05


def variable(colour: str) -> str:
    """The name of the page's variable for a plot's `#rrggbb`."""
    return f"--{ROLES.get(colour, 'c' + colour[1:])}"


def declarations(colours: Iterable[str]) -> str:
    """CSS declarations of the variables of all colours that are no greys, sorted."""
    return "\n".join(
        f"{variable(colour)}: light-dark({readable(colour, LIGHT)}, "
        f"{readable(colour, DARK)});"
        for colour in sorted(set(colours) - set(ROLES))
    )


def readable(colour: str, ground: str) -> str:
    """The colour, `#rrggbb`, moved away from the ground until it is told from it.

    >>> readable("#e69f00", "#1b1f26")
    '#e69f00'
    """
    away = 0 if luminance(ground) > 0.5 else 255
    share, found = 0.0, colour
    while contrast(found, ground) < FEWEST_CONTRAST and share < 1:
        share += _STEP
        parts = [round(c + (away - c) * share) for c in _parts(colour)]
        found = "#" + "".join(f"{part:02x}" for part in parts)
    return found


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2, "contrast ratio").

    >>> contrast("#000000", "#ffffff")
    21.0
    """
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2, "relative luminance")."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]

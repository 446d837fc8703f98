"""The report's SVG files within the page, in colours for light and dark ground."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

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


_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LEFT_OUT = ("metadata",)
"""It holds addresses, and nothing that is shown."""
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class InlineSvg:
    """Markup, and the colours that its variables stand for."""

    markup: Markup
    colours: frozenset[str]


def inline_svg(svg: bytes, prefix: str, label: str) -> InlineSvg:
    """A plot that stands within a page, with its colours as the page's variables and
    without its title, which the page has beside it.

    Parameters
    ----------
    svg
        As `harness.report.plots.style.svg_of` gives it.
    prefix
        Put before each id, so that those of several plots differ.
    label
        What the plot shows, for people who don't see it.
    """
    # The file is this package's own work.
    root = ElementTree.fromstring(svg)  # noqa: S314
    colours: set[str] = set()
    _remove_title(root)
    _clean(root, prefix, colours)
    view = root.get("viewBox", "")
    root.attrib = {
        "viewBox": view,
        "role": "img",
        "aria-label": label,
        "focusable": "false",
    }
    text = ElementTree.tostring(root, encoding="unicode")
    # It was made of names that ElementTree escapes.
    return InlineSvg(Markup(text), frozenset(colours))  # noqa: S704


def _remove_title(root: ElementTree.Element) -> None:
    """What stands in the figure itself, above its axes."""
    for figure in root.findall(f"{_SVG}g"):
        for text in figure.findall(f"{_SVG}g"):
            if text.get("id", "").startswith("text_"):
                figure.remove(text)


def _clean(
    element: ElementTree.Element,
    prefix: str,
    colours: set[str],
) -> None:
    element.tag = _local(element.tag)
    for child in list(element):
        # The style would reach out to all of the page.
        if _local(child.tag) in (*_LEFT_OUT, "style"):
            element.remove(child)
        else:
            _clean(child, prefix, colours)
    element.tail = None
    _rename(element, prefix)
    style = element.get("style")
    if style is not None:
        colours |= set(_COLOUR.findall(style))
        element.set("style", _COLOUR.sub(lambda m: f"var({variable(m[0])})", style))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _rename(element: ElementTree.Element, prefix: str) -> None:
    """Ids, and what refers to them."""
    link = element.attrib.pop(_LINK, None)
    if link is not None:
        element.set("href", f"#{prefix}{link[1:]}")
    if "id" in element.attrib:
        element.set("id", prefix + element.attrib["id"])
    for key, value in element.attrib.items():
        element.set(key, _REFERENCE.sub(rf"url(#{prefix}\1)", value))

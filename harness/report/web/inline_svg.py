"""A plot's SVG file as a part of a web page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

from harness.report.web.colours import variable

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

"""Markdown blocks of a report as parts of a web page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from harness.report.render.blocks import FOLD, FOLD_END


def to_html(blocks: Iterable[str], about: str) -> Markup:
    """Blocks as the markdown page has them, as HTML.

    HTML within them is shown, not obeyed, but for folds: these stand in a block of
    their own, which no name can begin, since every name is escaped.

    Parameters
    ----------
    about
        What tables are called for people who don't see them.
    """
    return Markup("\n").join(_block(block, about) for block in blocks)


@lru_cache(maxsize=256)
def _block(block: str, about: str) -> Markup:
    if block.startswith(FOLD) or block == FOLD_END:
        return Markup(block)  # noqa: S704
    return Markup(_RENDERER.render(block, {"about": about}))  # noqa: S704


class _Renderer(RendererHTML):
    """Tables in a part that scrolls, by the keyboard too."""

    def table_open(
        self, tokens: Sequence[Token], i: int, options: Any, env: Any
    ) -> str:
        name = escape(env["about"])
        scroll = f'class="scroll" role="region" tabindex="0" aria-label="{name}"'
        return f"<div {scroll}><table>\n"

    def table_close(
        self, tokens: Sequence[Token], i: int, options: Any, env: Any
    ) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], i: int, options: Any, env: Any) -> str:
        tokens[i].attrSet("scope", "col")
        return self.renderToken(tokens, i, options, env)


def _make_renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    # A page that stands alone has no addresses, and shows no pictures but its own.
    renderer.disable(["link", "image", "autolink", "reference"])
    return renderer.enable("table")


_RENDERER = _make_renderer()

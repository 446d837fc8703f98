"""Leaderboard files: the only place of the report that writes them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from harness.report.beside import beside
from harness.report.frame import read_suite
from harness.report.garbage import seldom_collected
from harness.report.histories import read_history
from harness.report.leaderboard import outline
from harness.report.markdown import to_markdown
from harness.results.files import to_json, write_atomically

HTML = ".html"
"""Ends the name of a suite's web page."""
_MANY_CELLS = 200
"""From so many on it's worth while to draw in another process."""
_PLOT = re.compile(r"\]\(([^)\s]+\.svg)\)")

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from harness.report.frame import CellResult
    from harness.report.plots.suite_plots import SuitePlots
    from harness.report.schema import EpochRow
    from harness.results.predictions import Predictions

    Draw = Callable[[Mapping[str, Any], str], bytes | None]


@seldom_collected()
def write_leaderboard(
    runs: Path,
    suite: str,
    out: Path,
    *,
    anew: bool = True,
    web: bool | None = None,
    records: int = 0,
    draw: Draw | None = None,
    installed: Mapping[str, str] | None = None,
) -> tuple[Path, Path]:
    """Write `<out>/<suite>.md` and `.json`, the plots that the page links to into
    `<out>/<suite>/`, and `<suite>.html`, from the files of a runs folder alone.

    The same files give the same bytes, however often and wherever it's done. Plots of
    an earlier call that aren't drawn any more are removed.

    Parameters
    ----------
    anew
        False: leave what is there where the figures are the same.
    web
        Whether to write the HTML file; None: where there is one, so that none gets old.
    records
        How many records that were got wrong that file shows of each table.
    draw
        Draws one of them, see `harness.report.web.record_parts.Recordings`.
    installed
        Hashes of the sources of plugins, by which results are told to be stale; see
        `build_leaderboard`.

    Raises
    ------
    ConfigError
        If there is no such suite.
    OSError
        If `out` can't be written.
    """
    results = read_suite(runs, suite)

    def predictions(cell: CellResult) -> Predictions:
        from harness.results.predictions import read_test_predictions

        return read_test_predictions(runs / cell.cell.folder)

    cells = {cell.cell.id: cell for cell in results.cells}

    @cache
    def history(cell: str) -> list[EpochRow]:
        return read_history(runs, cells[cell])

    first = outline(results, installed)
    page, data = out / f"{suite}.md", out / f"{suite}.json"
    html = page.with_name(f"{suite}{HTML}")
    if web is None:
        web = html.is_file()
    missing = web and not html.is_file()
    if not anew and not missing and _is_written(page, data, to_json(first)):
        return page, data
    tables = _drawing(first, history, list(cells))
    # These take numpy and matplotlib, which a mistaken name shouldn't wait for.
    from harness.report.judgement import judge
    from harness.report.parameters import read_parameters
    from harness.report.plots.suite_plots import with_leads
    from harness.report.web.page import to_page
    from harness.report.web.record_parts import Recordings
    from harness.report.web.table_parts import Sources

    leaderboard = judge(first, results, predictions, history)

    @cache
    def drawn() -> SuitePlots:
        return with_leads(tables(), leaderboard.get("leads", []))

    figures = to_json(leaderboard)
    if web:
        shown = Recordings(predictions, draw, records) if draw and records else None
        sources = Sources(cells, history, partial(read_parameters, runs), shown)
        content = to_page(leaderboard, sources, drawn)
    plots = drawn()
    folder = out / suite
    for name, plot in plots.files.items():
        write_atomically(folder / name, plot)
    links = {
        table: [(title, f"{suite}/{name}") for title, name in names]
        for table, names in plots.names.items()
    }
    leads = [(text, f"{suite}/{name}") for text, name in plots.leads]
    write_atomically(data, figures)
    write_atomically(page, to_markdown(leaderboard, links, leads))
    _remove_others(folder, plots.files)
    if web:
        write_atomically(html, content)
    return page, data


def _drawing(
    board: Mapping[str, Any],
    history: Callable[[str], list[EpochRow]],
    cells: Sequence[str],
) -> Callable[[], SuitePlots]:
    """What waits for the plots of tables: of many cells, they are drawn beside."""

    def draw_all() -> SuitePlots:
        from harness.report.plots.suite_plots import draw_tables

        return draw_tables(board, history)

    if len(cells) < _MANY_CELLS:
        return draw_all
    # Read before, they are in both processes.
    for cell in cells:
        history(cell)
    return beside(draw_all)


def _is_written(page: Path, data: Path, content: str) -> bool:
    """Whether the files are there with all of this outline, and every plot that is
    linked. What is judged follows from the outline and the cells' predictions.
    """
    try:
        known = json.loads(data.read_text(encoding="utf-8"))
        links = _PLOT.findall(page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    judged = isinstance(known, dict) and "across" in known
    return (
        judged
        and _holds(known, json.loads(content))
        and all((page.parent / link).is_file() for link in links)
    )


def _holds(whole: Any, part: Any) -> bool:
    """Whether a JSON value has all that is in another, and at most further keys."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _holds(whole[key], value) for key, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(map(_holds, whole, part))
        )
    return bool(whole == part)


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    """Remove plots that nothing links to any more; other files stay."""
    from harness.report.plots.suite_plots import NAME

    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) and path.name not in kept and path.is_file():
            path.unlink()
    with suppress(OSError):
        folder.rmdir()

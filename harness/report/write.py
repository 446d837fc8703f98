"""Leaderboard files: the only place of the report that writes them."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from harness.files.atomic import write_atomically
from harness.report.background import in_background
from harness.report.board.board import Board
from harness.report.board.build import outline
from harness.report.read import read_history, read_suite
from harness.report.render.markdown import to_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from harness.report.board.board import DatasetTables
    from harness.report.plots.plot_files import SuitePlots
    from harness.report.read import CellResult, SuiteResults
    from harness.results.predictions import Predictions
    from harness.results.schema import EpochRow

    Draw = Callable[[DatasetTables, str], bytes | None]


_MANY = 1_000_000
"""Objects between two looks: a report makes millions, of which few refer in rings."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage seldom: that takes a quarter of the time of a large report."""
    before = gc.get_threshold()
    gc.set_threshold(_MANY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


HTML = ".html"
"""Ends the name of a suite's web page."""
_MANY_CELLS = 200
"""From so many on it's worth while to draw in another process."""
_PLOT = re.compile(r"\]\(([^)\s]+\.svg)\)")


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
        Draws one of them, see `harness.report.web.records.Recordings`.
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
    source = _Source(runs, read_suite(runs, suite))
    files = _Files(out, suite)
    if web is None:
        web = files.html.is_file()
    first = outline(source.results, installed)
    missing = web and not files.html.is_file()
    if not anew and not missing and _is_written(files, first):
        return files.page, files.data
    tables = _drawing(first, source)
    # It takes NumPy, which a finished suite run again shouldn't wait for.
    from harness.report.analysis.analyse import judge

    board = judge(first, source.results, source.predictions, source.history)
    drawn = cache(lambda: _with_leads(tables(), board))
    # What takes no plots comes first: they may still be drawn.
    figures = board.to_json()
    html = None
    if web:
        html = _web_page(board, source, drawn, draw if records else None, records)
    _write(files, board, figures, drawn(), html)
    return files.page, files.data


class _Source:
    """What is read of a suite, each history once."""

    def __init__(self, runs: Path, results: SuiteResults) -> None:
        self.runs, self.results = runs, results
        self.cells = {cell.cell.id: cell for cell in results.cells}
        self.history = cache(self._history)

    def predictions(self, cell: CellResult) -> Predictions:
        from harness.results.predictions import read_test_predictions

        return read_test_predictions(self.runs / cell.cell.folder)

    def _history(self, cell: str) -> list[EpochRow]:
        return read_history(self.runs, self.cells[cell])


class _Files:
    """Where a leaderboard's parts are written."""

    def __init__(self, out: Path, suite: str) -> None:
        self.page = out / f"{suite}.md"
        self.data = out / f"{suite}.json"
        self.html = out / f"{suite}{HTML}"
        self.plots = out / suite


def _drawing(board: Board, source: _Source) -> Callable[[], SuitePlots]:
    """What waits for the plots of tables: of many cells, they are drawn beside."""

    def draw_all() -> SuitePlots:
        from harness.report.plots.suite_plots import draw_tables

        return draw_tables(board, source.history)

    if len(source.cells) < _MANY_CELLS:
        return draw_all
    # Read before, they are in both processes.
    for cell in source.cells:
        source.history(cell)
    return in_background(draw_all)


def _with_leads(plots: SuitePlots, board: Board) -> SuitePlots:
    if not board.leads:
        return plots
    from harness.report.plots.suite_plots import with_leads

    return with_leads(plots, board.leads)


def _web_page(
    board: Board,
    source: _Source,
    drawn: Callable[[], SuitePlots],
    draw: Draw | None,
    records: int,
) -> str:
    from harness.report.read import read_parameters
    from harness.report.web.page import to_page
    from harness.report.web.records import Recordings
    from harness.report.web.table import Sources

    shown = Recordings(source.predictions, draw, records) if draw else None
    parameters = partial(read_parameters, source.runs)
    sources = Sources(source.cells, source.history, parameters, shown)
    return to_page(board, sources, drawn)


def _write(
    files: _Files,
    board: Board,
    figures: str,
    plots: SuitePlots,
    html: str | None,
) -> None:
    for name, plot in plots.files.items():
        write_atomically(files.plots / name, plot)
    folder = files.plots.name
    links = {
        table: [(title, f"{folder}/{name}") for title, name in names]
        for table, names in plots.names.items()
    }
    leads = [(text, f"{folder}/{name}") for text, name in plots.leads]
    write_atomically(files.data, figures)
    write_atomically(files.page, to_markdown(board, links, leads))
    _remove_others(files.plots, plots.files)
    if html is not None:
        write_atomically(files.html, html)


def _is_written(files: _Files, outlined: Board) -> bool:
    """Whether the files are there with all of this outline, and every plot that is
    linked. What is judged follows from the outline and the cells' predictions.
    """
    try:
        known = json.loads(files.data.read_text(encoding="utf-8"))
        links = _PLOT.findall(files.page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    judged = isinstance(known, dict) and "across" in known
    return (
        judged
        and _holds(known, json.loads(outlined.to_json()))
        and all((files.page.parent / link).is_file() for link in links)
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
    from harness.report.plots.plot_files import NAME

    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) and path.name not in kept and path.is_file():
            path.unlink()
    with suppress(OSError):
        folder.rmdir()

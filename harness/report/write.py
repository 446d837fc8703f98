"""Leaderboard files: the only place of the report that writes them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from harness.report.frame import read_suite
from harness.report.histories import read_history
from harness.report.leaderboard import build_leaderboard
from harness.report.markdown import to_markdown
from harness.results.files import to_json, write_atomically

_PLOT = re.compile(r"\]\(([^)\s]+\.svg)\)")

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harness.report.frame import CellResult
    from harness.report.schema import EpochRow
    from harness.results.predictions import Predictions


def write_leaderboard(
    runs: Path, suite: str, out: Path, *, anew: bool = True
) -> tuple[Path, Path]:
    """Write `<out>/<suite>.md` and `.json`, and the plots that the page links to into
    `<out>/<suite>/`, from the files of a runs folder alone.

    The same files give the same bytes, however often and wherever it's done. Plots of
    an earlier call that aren't drawn any more are removed.

    Parameters
    ----------
    anew
        False: leave what is there where the figures are the same.

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

    leaderboard = build_leaderboard(results, predictions)
    page, data = out / f"{suite}.md", out / f"{suite}.json"
    if not anew and _is_written(page, data, to_json(leaderboard)):
        return page, data
    # Drawing takes a while to import, which a mistaken name shouldn't wait for.
    from harness.report.plots.suite_plots import draw_suite

    cells = {cell.cell.id: cell for cell in results.cells}

    def history(cell: str) -> list[EpochRow]:
        return read_history(runs, cells[cell])

    plots = draw_suite(leaderboard, history)
    folder = out / suite
    for name, content in plots.files.items():
        write_atomically(folder / name, content)
    links = {
        table: [(title, f"{suite}/{name}") for title, name in names]
        for table, names in plots.names.items()
    }
    leads = [(text, f"{suite}/{name}") for text, name in plots.leads]
    write_atomically(data, to_json(leaderboard))
    write_atomically(page, to_markdown(leaderboard, links, leads))
    _remove_others(folder, plots.files)
    return page, data


def _is_written(page: Path, data: Path, content: str) -> bool:
    """Whether the files are there with this content, and every plot that is linked."""
    try:
        if data.read_text(encoding="utf-8") != content:
            return False
        links = _PLOT.findall(page.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((page.parent / link).is_file() for link in links)


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

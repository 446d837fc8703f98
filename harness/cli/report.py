"""`harness report`: the leaderboard again, from the files of the results alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.report_records import Draw
    from harness.report.render.export import Format


def report_suite(
    suite: str,
    runs: Path,
    leaderboard: Path,
    *,
    quiet: bool,
    in_browser: bool = False,
    records: int = 0,
    plugins: Sequence[Path] = (),
) -> int:
    """Write a suite's leaderboard, as a web page too, and show it.

    Stale results, which an installed plugin made before it was edited, are told.

    Parameters
    ----------
    suite
        A name, or the TOML file.
    in_browser
        Open the web page.
    records
        How many records that were got wrong the web page draws of each table.
    plugins
        Further ones: their sources are compared, and data sets are read by them.

    Raises
    ------
    ConfigError
        If the suite was never run in `runs`, or no browser could be started.
    """
    # Read when NumPy is imported: plots are drawn by a process beside this one, and
    # threads that wait for work would take its core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from harness.report.render.index import write_index
    from harness.report.write import HTML, write_leaderboard

    name = name_of(suite)
    draw = _drawer(suite, plugins) if records else None
    page, data = write_leaderboard(
        runs,
        name,
        leaderboard,
        web=True,
        records=records,
        draw=draw,
        installed=_installed(suite, plugins),
    )
    html = page.with_name(f"{name}{HTML}")
    refusal = write_index(leaderboard)
    if not quiet:
        _say(data, html, refusal)
    click.echo(f"leaderboard: {page}")
    if in_browser:
        _open(html)
    return 0


def _say(data: Path, html: Path, refusal: str | None) -> None:
    from harness.files.atomic import read_json
    from harness.report.board.board import Board
    from harness.report.render.terminal import summary_lines

    if refusal:
        click.echo(refusal, err=True)
    click.echo("\n".join(summary_lines(Board.model_validate(read_json(data)))))
    click.echo(f"as JSON: {data}")
    click.echo(f"as a web page: {html}")


def _installed(suite: str, plugins: Sequence[Path]) -> dict[str, str]:
    """Hashes of the sources of plugins, those beside the suite's file included."""
    from harness.catalog import Catalog

    own: list[Path] = []
    if _is_file(suite):
        from harness.suite.file import read_suite_file

        path = Path(suite)
        own = [path.parent / folder for folder in read_suite_file(path).plugins]
    # A suite that was run elsewhere is reported without them.
    folders = [*plugins, *(folder for folder in own if folder.exists())]
    return Catalog.discover(folders).sources()


def _drawer(suite: str, plugins: Sequence[Path]) -> Draw:
    # It needs what reads recordings, which a report does without.
    from harness.cli.report_records import record_drawer

    return record_drawer(Path(suite), plugins)


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        raise ConfigError(
            "no browser could be started here; the page is a file that any browser "
            "shows",
            str(page),
        )


def print_rows(suite: str, runs: Path, form: Format) -> int:
    """Print a suite's rows for another tool, and write nothing.

    Raises
    ------
    ConfigError
        If the suite was never run in `runs`.
    """
    from harness.report.board.build import build_leaderboard
    from harness.report.read import read_suite
    from harness.report.render.export import formatted_rows
    from harness.results.predictions import read_test_predictions

    board = build_leaderboard(
        read_suite(runs, name_of(suite)),
        lambda cell: read_test_predictions(runs / cell.cell.folder),
    )
    click.echo(formatted_rows(board, form), nl=False)
    return 0


def name_of(suite: str) -> str:
    """The name of a suite that is given by it, or by its file."""
    if not _is_file(suite):
        return suite
    from harness.suite.file import read_suite_file

    path = Path(suite)
    return read_suite_file(path).name or path.stem


def _is_file(suite: str) -> bool:
    return suite.endswith(".toml") or Path(suite).is_file()

"""`harness report`: the leaderboard again, from the files of the results alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.report.exchange import Format


def report_suite(suite: str, runs: Path, leaderboard: Path, *, quiet: bool) -> int:
    """Write a suite's leaderboard and show it.

    Whether a result is stale can't be seen from files alone: that takes the plugins,
    which `harness plan` and `harness run` compare.

    Parameters
    ----------
    suite
        A name, or the TOML file.

    Raises
    ------
    ConfigError
        If the suite was never run in `runs`.
    """
    from harness.report.terminal import summary_lines
    from harness.report.write import write_leaderboard
    from harness.results.files import read_json

    name = name_of(suite)
    page, data = write_leaderboard(runs, name, leaderboard)
    if not quiet:
        click.echo("\n".join(summary_lines(read_json(data))))
        click.echo(f"as JSON: {data}")
    click.echo(f"leaderboard: {page}")
    return 0


def print_rows(suite: str, runs: Path, form: Format) -> int:
    """Print a suite's rows for another tool, and write nothing.

    Raises
    ------
    ConfigError
        If the suite was never run in `runs`.
    """
    from harness.report.exchange import formatted_rows
    from harness.report.frame import read_suite
    from harness.report.leaderboard import build_leaderboard

    board = build_leaderboard(read_suite(runs, name_of(suite)))
    click.echo(formatted_rows(board, form), nl=False)
    return 0


def name_of(suite: str) -> str:
    """The name of a suite that is given by it, or by its file."""
    if not suite.endswith(".toml") and not Path(suite).is_file():
        return suite
    from harness.suite import read_suite_file

    path = Path(suite)
    return read_suite_file(path).name or path.stem

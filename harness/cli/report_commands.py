"""`harness report` and `harness diff`: the commands on leaderboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from harness.cli.options import (
    EXISTING,
    leaderboard_option,
    plugins_option,
    runs_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.render.export import Format


@click.command()
@click.argument("suite")
@runs_option
@leaderboard_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "latex"]),
    help="Print the rows (each figure with its spread and interval, the verdict), and "
    "write nothing.",
)
@click.option(
    "--open", "in_browser", is_flag=True, help="Show the web page in a browser."
)
@click.option(
    "--records",
    type=click.IntRange(min=0, max=50),
    default=0,
    show_default=True,
    help="Draw so many records of each table that its first row got wrong on the web "
    "page, from the recordings at hand.",
)
@plugins_option
@click.option("-q", "--quiet", is_flag=True, help="Print the file's name only.")
def report(
    suite: str,
    runs: Path,
    leaderboard: Path,
    form: Format | None,
    in_browser: bool,
    records: int,
    plugins: tuple[Path, ...],
    quiet: bool,
) -> int:
    """Write the leaderboard of SUITE (a name or a file) again, from results alone.

    Beside the markdown and JSON files that `harness run` writes there is a web page
    then, one file that needs no network; later runs keep it up to date.
    """
    from harness.cli.report import print_rows, report_suite

    if form is not None:
        if in_browser or records:
            raise click.UsageError(
                "--format prints rows and writes no page, so --open and --records "
                "don't go with it"
            )
        return print_rows(suite, runs, form)
    return report_suite(
        suite,
        runs,
        leaderboard,
        quiet=quiet,
        in_browser=in_browser,
        records=records,
        plugins=plugins,
    )


@click.command()
@click.argument("base", type=EXISTING)
@click.argument("head", type=EXISTING)
@click.option(
    "--suite",
    metavar="SUITE",
    help="Which suite of the runs folders; a TOML file also gives the thresholds.",
)
@click.option("--gate", is_flag=True, help="Exit with 1 if HEAD is a regression.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
)
def diff(
    base: Path,
    head: Path,
    suite: str | None,
    gate: bool,
    form: Literal["markdown", "json"],
) -> int:
    """Show what changed from BASE to HEAD, and what of it is noise.

    Each is a runs folder or a leaderboard's JSON file. Exit code: 0, 1 if --gate
    refuses HEAD, 2 a mistake.
    """
    from harness.cli.diff import diff_sides

    return diff_sides(base, head, suite, form, gate=gate)

"""`harness diff`: what changed between two leaderboards, and whether it may."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from harness.options.gate import Gate

REGRESSED = 1

Form = Literal["markdown", "json"]


def diff_sides(
    base: Path, head: Path, suite: str | None, form: Form, *, gate: bool
) -> int:
    """Print what changed from BASE to HEAD; an exit code.

    Parameters
    ----------
    suite
        A name; or a TOML file, whose thresholds then hold instead of BASE's.
    gate
        Whether a regression is a failure.

    Raises
    ------
    ConfigError
        If a side can't be read, or they aren't of one suite.
    """
    from harness.files.atomic import to_json
    from harness.report.diff.comment import diff_page
    from harness.report.diff.pairs import compare_sides
    from harness.report.diff.sides import open_side

    name, limits = (None, None) if suite is None else _suite_of(suite)
    found = compare_sides(open_side(base, name), open_side(head, name), limits)
    page = to_json(found.as_json()) if form == "json" else diff_page(found)
    click.echo(page, nl=False)
    if gate and found.regressions:
        click.echo(f"gate: {len(found.regressions)} refused", err=True)
        return REGRESSED
    return 0


def _suite_of(suite: str) -> tuple[str, Gate | None]:
    """The name of a suite, and what its file lets pass, where that was given."""
    if not suite.endswith(".toml") and not Path(suite).is_file():
        return suite, None
    from harness.suite.file import read_suite_file

    file = read_suite_file(Path(suite))
    return file.name or Path(suite).stem, file.gate

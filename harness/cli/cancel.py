"""`harness cancel`: what waits or runs elsewhere of a suite, taken back."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.report import name_of
from harness.execution.executors import executors_with_jobs


def cancel_suite(suite: str, runs: Path) -> int:
    """Cancel what was submitted for a suite, and say what.

    Checkpoints stand, and what is done is kept.

    Parameters
    ----------
    suite
        A name, or the TOML file.

    Raises
    ------
    ConfigError, SlurmError
        If the file can't be read, or the executor can't be asked.
    """
    name = name_of(suite)
    cancelled = [one.cancel(name, runs) for one in executors_with_jobs(runs)]
    if not any(cancelled):
        click.echo(f"suite {name}: no jobs wait or are at work")
    return 0

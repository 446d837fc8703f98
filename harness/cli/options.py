"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

EXISTING = click.Path(path_type=Path)
plugins_option = click.option(
    "--plugins",
    "plugins",
    multiple=True,
    type=EXISTING,
    help="A drop-in folder or file of plugins; may be repeated.",
)
runs_option = click.option(
    "--runs",
    type=EXISTING,
    default=Path("runs"),
    show_default=True,
    envvar="HARNESS_RUNS",
    help="Folder of results.",
)
leaderboard_option = click.option(
    "--leaderboard",
    type=EXISTING,
    default=Path("leaderboard"),
    show_default=True,
    help="Folder that the leaderboard is written to.",
)

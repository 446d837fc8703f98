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


class ExecutorName(click.ParamType[str]):
    """Who runs cells; which names there are is looked up when they are needed."""

    name = "executor"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The names, as a choice."""
        from harness.execution.executors import executor_names

        return f"[{'|'.join(executor_names())}]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Refuse an unknown name."""
        from harness.errors import did_you_mean
        from harness.execution.executors import executor_names

        known = executor_names()
        if value not in known:
            self.fail(f"unknown {value!r}; {did_you_mean(value, known)}", param, ctx)
        return value

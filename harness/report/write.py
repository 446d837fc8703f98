"""Leaderboard files: the only place of the report that writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.frame import read_suite
from harness.report.leaderboard import build_leaderboard
from harness.report.markdown import to_markdown
from harness.results.files import to_json, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def write_leaderboard(runs: Path, suite: str, out: Path) -> tuple[Path, Path]:
    """Write `<out>/<suite>.md` and `.json` from the files of a runs folder alone.

    The same files give the same bytes, however often and wherever it's done.

    Raises
    ------
    ConfigError
        If there is no such suite.
    OSError
        If `out` can't be written.
    """
    leaderboard = build_leaderboard(read_suite(runs, suite))
    page, data = out / f"{suite}.md", out / f"{suite}.json"
    write_atomically(data, to_json(leaderboard))
    write_atomically(page, to_markdown(leaderboard))
    return page, data

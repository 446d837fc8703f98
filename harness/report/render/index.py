"""`README.md` of a leaderboard folder: which suites there are, and what leads each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.files.atomic import LARGEST_JSON, read_json, read_limited, write_atomically
from harness.report.board.board import Board
from harness.report.render.blocks import grid
from harness.report.render.format import NOT_MEASURED, escape, plural, score

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.board.board import DatasetTables

NAME = "README.md"
MARKER = "<!-- Written by harness from the JSON files of this folder. -->"
"""Its first line, by which it's known."""
HEADINGS = (
    *("suite", "cells done", "strategies", "data set", "models", "leads"),
    "macro-F1",
)
MEANING = (
    "Strategies are all rows that train a network, controls among them. What leads is "
    "the first row of a data set's tables, once its seeds are all done, by mean "
    "macro-F1 on the test split (± spread over seeds); its page says what that is "
    "worth, and at what cost."
)


def write_index(folder: Path) -> str | None:
    """Bring the folder's index up to date; one that says the same is left.

    Returns
    -------
    str or None
        Why there is none: a `README.md` without the marker is somebody's own.

    Raises
    ------
    OSError
        If it can't be written.
    """
    path = folder / NAME
    before = _content(path)
    if before is not None and not before.startswith(f"{MARKER}\n".encode()):
        return (
            f"{path}: left as it is, since it isn't an index that harness wrote; "
            "move it away to have one there"
        )
    page = index_page(read_boards(folder))
    if before != page.encode():
        write_atomically(path, page)
    return None


def _content(path: Path) -> bytes | None:
    """None where there is nothing; what can't be read is nothing of ours."""
    try:
        return read_limited(path, LARGEST_JSON)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return b""


def read_boards(folder: Path) -> list[Board]:
    """The leaderboards of a folder, by name; other JSON files are passed over, as is a
    leaderboard under another name than its suite's, which has no page beside it.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            board = Board.model_validate(read_json(path))
        except (OSError, ValueError):
            continue
        if board.suite == path.stem:
            found.append(board)
    return found


def index_page(boards: list[Board]) -> str:
    """The page: the same from the same leaderboards."""
    lines = [line for board in boards for line in _lines(board)]
    left = [name for name in HEADINGS if name not in ("strategies", "macro-F1")]
    blocks = [MARKER, "# Leaderboards", MEANING, grid(lines, HEADINGS, left)]
    return "\n\n".join(blocks) + "\n"


def _lines(board: Board) -> Iterator[list[str]]:
    """A line for each data set; what holds for the suite stands in the first."""
    title = escape(board.title or board.suite)
    about = [
        f"[{title}]({quote(board.suite)}.md)",
        _cells(board.states),
        _strategies(board),
    ]
    for dataset in board.datasets:
        models = [t.model for t in dataset.tables if t.model is not None]
        yield [
            *about,
            escape(dataset.label),
            escape(", ".join(models)) or NOT_MEASURED,
            *_leader(dataset),
        ]
        about = [""] * len(about)


def _cells(states: Mapping[str, int]) -> str:
    others = [f"{states[s]} {s}" for s in sorted(states) if s != "done" and states[s]]
    done = f"{states.get('done', 0)} of {sum(states.values())}"
    return ", ".join([done, *others])


def _strategies(board: Board) -> str:
    rows = [r for d in board.datasets for table in d.tables for r in table.rows]
    return str(len({row.strategy for row in rows if not row.floor}))


def _leader(dataset: DatasetTables) -> list[str]:
    """The best of the tables' first rows: its name, and its score."""
    firsts = [
        (table, table.rows[0], found)
        for table in dataset.tables
        if table.rows
        and table.rows[0].rank is not None
        and (found := table.rows[0].figure("macro_f1"))
    ]
    if not firsts:
        return [NOT_MEASURED, NOT_MEASURED]
    table, row, found = max(firsts, key=lambda first: first[2].mean)
    beside = [table.model] if len(dataset.tables) > 1 and table.model else []
    beside += ["floor"] if row.floor else []
    name = f"{row.strategy} ({', '.join(beside)})" if beside else row.strategy
    level = sum(other.rank == row.rank for other in table.rows) - 1
    name += f", and {plural(level, 'row')} of its rank" if level else ""
    return [escape(name), score(found)]

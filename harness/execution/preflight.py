"""What is looked at before the first cell starts: folders, data, `--only`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import ConfigError
from harness.execution.hardware import usable_cores
from harness.execution.watchers import RecordsBar
from harness.plan.plan import PlannedCell

LEAST_FREE_BYTES = 256 * 2**20
FEW_RECORDS = 300


def check_folder(folder: Path) -> None:
    """Find out before the first cell whether results can be written.

    Raises
    ------
    ConfigError
        If the folder can't be written, or its disk is nearly full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable"):
            pass
    except OSError as error:
        raise ConfigError(
            f"results can't be written to {folder}: {error.strerror}; "
            "choose another folder with --runs or --leaderboard"
        ) from None
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise ConfigError(
            f"{folder}: only {free / 2**20:.0f} MiB of disk are free, "
            f"{LEAST_FREE_BYTES / 2**20:.0f} MiB are the least to start with"
        )


def prepare_data(pending: Sequence[PlannedCell], *, quiet: bool = False) -> None:
    """Make the prepared file of every data set that a pending cell needs.

    Raises
    ------
    DataError, ConfigError
        If recordings are bad, or options don't fit the data set.
    """
    from harness.data.dataset import open_data

    wanted = {str(p.cell.identity["dataset"]): p.cell for p in pending}
    for cell in wanted.values():
        data = open_data(cell.dataset, cell.options, cell.suite_folder)
        with RecordsBar(str(cell.labels["dataset"]), quiet=quiet) as bar:
            # Starting processes takes longer than decoding a few records.
            few = len(data.index.records) < FEW_RECORDS
            data.prepare(workers=1 if few else usable_cores(), progress=bar)


FAILED = "failed"
SHOWN = 20


def chosen(cells: Sequence[PlannedCell], patterns: Sequence[str]) -> list[PlannedCell]:
    """The cells that a pattern fits, and those that they require, in plan order.

    A pattern fits a cell's title or a part of it, the label of its data set, model or
    strategy, or the beginning of its id; `*`, `?` and `[...]` are wildcards. `failed`
    stands for all cells that failed or are blocked.

    Raises
    ------
    ConfigError
        If a pattern fits nothing.
    """
    wanted: set[str] = set()
    problems = []
    for pattern in patterns:
        found = {p.cell.id for p in cells if _fits(p, pattern)}
        # That nothing has failed is no mistake.
        if not found and pattern != FAILED:
            problems.append(f"--only {pattern}: fits no cell; {_there_is(cells)}")
        wanted |= found
    if problems:
        raise ConfigError(problems)
    # Required cells stand before those that need them.
    for planned in reversed(cells):
        if planned.cell.id in wanted:
            wanted |= {needed.id for needed in planned.cell.requires.values()}
    return [p for p in cells if p.cell.id in wanted]


def _fits(planned: PlannedCell, pattern: str) -> bool:
    cell = planned.cell
    if pattern == FAILED:
        return planned.state in ("failed", "blocked")
    labels = [label for label in cell.labels.values() if label]
    if any(fnmatchcase(name, pattern) for name in (cell.title, *labels)):
        return True
    return pattern in cell.title or cell.id.startswith(pattern)


def _there_is(cells: Sequence[PlannedCell]) -> str:
    titles = [p.cell.title for p in cells]
    more = f"\n  and {len(titles) - SHOWN} more" if len(titles) > SHOWN else ""
    return "there is:\n  " + "\n  ".join(titles[:SHOWN]) + more

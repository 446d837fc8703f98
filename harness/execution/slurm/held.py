"""Cells that another run works on, which is no job: they need none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.execution.slurm.submitted import CellJobs
from harness.plan.plan import PlannedCell
from harness.results.claim import (
    LONGEST_LOOK_SECONDS,
    STANDSTILL_SECONDS,
    Observer,
    heartbeat_of,
    highest_claim,
)
from harness.results.state import state_of

LOOK_SECONDS = 0.5
LONGEST_SECONDS = STANDSTILL_SECONDS + LONGEST_LOOK_SECONDS


def with_held(
    cells: Sequence[PlannedCell], runs: Path, jobs: CellJobs
) -> list[PlannedCell]:
    """The cells as they are now: `running` are those without a job whose holder is seen
    to live.

    One look tells nothing of another machine's claim: it takes a second if its holder
    lives, and a minute if it doesn't.
    """
    left = [p.cell for p in cells if p.state != "done" and not jobs.live(p.cell.id)]
    held = _held({cell.id: runs / cell.folder for cell in left})
    return [_as_now(p, p.cell.id in held, runs) for p in cells]


def _as_now(planned: PlannedCell, held: bool, runs: Path) -> PlannedCell:
    if held:
        return replace(planned, state="running")
    # What was done meanwhile needs no job either, only to be seen.
    over = planned.state == "running" and state_of(planned.cell, runs) != "done"
    return replace(planned, state="planned") if over else planned


def _held(folders: dict[str, Path]) -> set[str]:
    """Of which the heart beats, by id; or may, if it can't be told in time."""
    observer = Observer()
    open_claims = {i: n for i, f in folders.items() if (n := highest_claim(f))}
    first = {i: heartbeat_of(folders[i]).get("counter") for i in open_claims}
    held: set[str] = set()
    end = time.monotonic() + LONGEST_SECONDS
    while open_claims and time.monotonic() < end:
        for i, number in list(open_claims.items()):
            folder = folders[i]
            if highest_claim(folder) != number or observer.is_stale(folder, number):
                del open_claims[i]
            elif heartbeat_of(folder).get("counter") != first[i]:
                held.add(i)
                del open_claims[i]
        if open_claims:
            time.sleep(LOOK_SECONDS)
    return held | set(open_claims)

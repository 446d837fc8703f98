"""Jobs in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.execution.slurm.client import GONE, JobStatus

_ELEMENT = re.compile(r"(\d+)_(\d+)")


def job_note(status: JobStatus) -> str:
    """`queued (job 12_3, Priority)`; empty where SLURM knows the job no longer.

    >>> job_note(JobStatus("12_3", "RUNNING", restarts=1, node="node1"))
    'running on node1 (job 12_3), requeued once'
    """
    if status.state in (GONE, "COMPLETED"):
        return ""
    job = f"job {status.id}"
    if status.state == "PENDING":
        reason = "waits for what it requires"
        told = reason if status.reason == "Dependency" else status.reason
        text = f"queued ({', '.join(x for x in (job, told) if x)})"
    elif status.is_live:
        text = f"{status.state.lower()} on {status.node or 'a node'} ({job})"
    else:
        how = ", ".join(x for x in (job, status.reason) if x)
        text = f"{status.state.lower().replace('_', ' ')} ({how})"
    if not status.restarts:
        return text
    times = "once" if status.restarts == 1 else f"{status.restarts} times"
    return f"{text}, requeued {times}"


def shortened(jobs: Sequence[str]) -> str:
    """Numbers of jobs as SLURM writes them: `jobs 12_[0-3,5], 14`."""
    arrays: dict[str, list[int]] = {}
    for job in jobs:
        element = _ELEMENT.fullmatch(job)
        elements = arrays.setdefault(element[1] if element else job, [])
        if element:
            elements.append(int(element[2]))
    parts = [_array(number, elements) for number, elements in arrays.items()]
    word = "job" if len(jobs) == 1 else "jobs"
    return f"{word} {', '.join(parts)}" if parts else ""


def _array(number: str, elements: Sequence[int]) -> str:
    if len(elements) == 1:
        return f"{number}_{elements[0]}"
    return f"{number}_[{_ranges(elements)}]" if elements else number


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3,5`.

    >>> _ranges([0, 1, 2, 3, 5])
    '0-3,5'
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)

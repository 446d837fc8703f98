"""Which jobs were submitted for which cells, in files below the folder of results.

Each submission has a folder of its own, `slurm/<token>/`, that holds `jobs.json` and
what submitit and the jobs write. It is made before the job is submitted, and the
token is the job's comment: whatever happens in between, the job is found again.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.execution.slurm.commands import GONE, JobStatus
from harness.files.atomic import to_json, write_atomically
from harness.results.state import RESULT

RECORD = "jobs.json"
_VERSION = 1


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    suite: str
    job: str = Field(pattern=r"^\d*$")
    cells: list[str]
    folders: list[str]


@dataclass(frozen=True)
class Submission:
    """One job, or an array of jobs, and the cells that they were submitted for.

    Attributes
    ----------
    job
        SLURM's number; empty until it is known.
    cells, folders
        Ids, and where their results lie below the folder of results; element `i` of
        the array works on the i-th.
    """

    token: str
    suite: str
    cells: Sequence[str]
    folders: Sequence[str]
    job: str = ""

    @property
    def comment(self) -> str:
        """What marks the job in SLURM's queue."""
        return f"harness {self.token}"

    @property
    def jobs(self) -> list[str]:
        """The job of each cell."""
        if not self.job:
            return []
        if len(self.cells) == 1:
            return [self.job]
        return [f"{self.job}_{i}" for i in range(len(self.cells))]

    def folder(self, runs: Path) -> Path:
        """Where its files lie."""
        return slurm_folder(runs) / self.token

    def discard(self, runs: Path) -> None:
        """Remove its files."""
        shutil.rmtree(self.folder(runs), ignore_errors=True)


@dataclass(frozen=True)
class CellJobs:
    """The newest job of each cell, by the cell's id."""

    status: Mapping[str, JobStatus] = field(default_factory=dict)
    suites: Mapping[str, str] = field(default_factory=dict)

    def live(self, cell: str) -> JobStatus | None:
        """The cell's job, if it waits or works."""
        status = self.status.get(cell)
        return status if status and status.is_live else None


def slurm_folder(runs: Path) -> Path:
    """Where submissions lie."""
    return runs / "slurm"


def new_submission(
    runs: Path, suite: str, cells: Sequence[str], folders: Sequence[str]
) -> Submission:
    """Note down what is about to be submitted."""
    submission = Submission(secrets.token_hex(6), suite, cells, folders)
    submission.folder(runs).mkdir(parents=True)
    _write(submission, runs)
    return submission


def note_job(submission: Submission, runs: Path, job: str) -> Submission:
    """Note down the number that SLURM gave."""
    numbered = replace(submission, job=job)
    _write(numbered, runs)
    return numbered


def _write(submission: Submission, runs: Path) -> None:
    content: dict[str, Any] = {**asdict(submission), "schema_version": _VERSION}
    write_atomically(submission.folder(runs) / RECORD, to_json(content))


def read_submissions(runs: Path) -> list[Submission]:
    """All submissions that are noted down; what can't be read is none."""
    found = []
    for path in sorted(slurm_folder(runs).glob(f"*/{RECORD}")):
        try:
            file = _File.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if len(file.cells) == len(file.folders):
            found.append(Submission(token=path.parent.name, **file.model_dump()))
    return found


def with_numbers(
    submissions: Iterable[Submission], queue: Mapping[str, JobStatus]
) -> list[Submission]:
    """The submissions, those whose number wasn't noted down found by their comment."""
    by_comment = {s.comment: s.id.partition("_")[0] for s in queue.values()}
    return [
        s if s.job else replace(s, job=by_comment.get(s.comment, ""))
        for s in submissions
    ]


def newest_jobs(
    submissions: Iterable[Submission], queue: Mapping[str, JobStatus]
) -> CellJobs:
    """The newest job of each cell, with what the queue says of it.

    A job that SLURM doesn't know any more has the state `GONE`, which is none of its
    own, and isn't live.
    """
    status: dict[str, JobStatus] = {}
    suites: dict[str, str] = {}
    for submission in sorted(submissions, key=_age):
        for cell, job in zip(submission.cells, submission.jobs, strict=False):
            status[cell] = _told(queue, job, submission.comment)
            suites[cell] = submission.suite
    return CellJobs(status, suites)


def _told(queue: Mapping[str, JobStatus], job: str, comment: str) -> JobStatus:
    """What the queue says of a job; not of a later one that has its number, as after
    the cluster was set up anew.
    """
    status = queue.get(job)
    if status is None or status.comment not in ("", comment):
        return JobStatus(job, GONE)
    return status


def _age(submission: Submission) -> int:
    return int(submission.job) if submission.job.isdigit() else 0


def remove_over(
    runs: Path, submissions: Iterable[Submission], queue: Mapping[str, JobStatus]
) -> None:
    """Remove submissions of which no job lives and every cell has a result."""
    for submission in submissions:
        live = any(j in queue and queue[j].is_live for j in submission.jobs)
        done = all((runs / f / RESULT).exists() for f in submission.folders)
        if done and not live:
            submission.discard(runs)

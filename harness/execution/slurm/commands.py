"""What SLURM's own commands say of jobs: `squeue`, `scontrol`, `scancel`.

The accounting database isn't asked: many clusters have none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import HarnessError

SECONDS = 60
"""A busy controller may take its time; a dead one must not hang us."""
GONE = "GONE"
"""Not a state of SLURM's: it knows the job no longer."""
ENDED = frozenset(
    {
        *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
        *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT", GONE),
    }
)
_COLUMNS = {
    "JobArrayID": 40,
    "State": 24,
    "RestartCnt": 12,
    "NodeList": 80,
    "Reason": 60,
    "Comment": 80,
}
_SPEAKER = re.compile(r"^(?:\w+: (?:error|fatal): |\w+ error: )+")
_KEPT = ("SLURM_CONF", "SLURM_CLUSTERS")


class SlurmError(HarnessError):
    """SLURM can't be asked, or refused what it was told."""


@dataclass(frozen=True)
class JobStatus:
    """What SLURM knows of a job.

    Attributes
    ----------
    id
        `12`, or `12_3` for an element of an array.
    reason
        Why it waits, or how it ended; empty if SLURM gives none.
    """

    id: str
    state: str
    restarts: int = 0
    node: str = ""
    reason: str = ""
    comment: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it waits, works, or is about to be put back in the queue."""
        return self.state not in ENDED

    @property
    def is_at_work(self) -> bool:
        """Whether it has a node."""
        return self.state in ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED")


def queue() -> dict[str, JobStatus]:
    """Every job of this user that SLURM remembers, ended ones for some minutes, by id.

    Raises
    ------
    SlurmError
        If SLURM can't be asked.
    """
    columns = ",".join(f"{name}:{width}" for name, width in _COLUMNS.items())
    command = ["squeue", "--noheader", "--array", "--states=all", "--me"]
    text = call([*command, f"--Format={columns}"])
    found = (_status(line) for line in text.splitlines() if line.strip())
    return {status.id: status for status in found}


def _status(line: str) -> JobStatus:
    values, start = [], 0
    for width in _COLUMNS.values():
        value = line[start : start + width].strip()
        values.append("" if value in ("None", "(null)", "N/A") else value)
        start += width
    number, state, restarts, node, reason, comment = values
    count = int(restarts) if restarts.isdigit() else 0
    return JobStatus(number, state, count, node, reason, comment)


def cancel(jobs: Iterable[str], *, waiting_only: bool = False) -> None:
    """End jobs; those that have ended already are no error.

    Raises
    ------
    SlurmError
        If SLURM can't be asked.
    """
    numbers = list(jobs)
    if numbers:
        which = ["--state=PENDING"] if waiting_only else []
        call(["scancel", "--quiet", *which, *numbers])


def was_ended(job: str) -> bool:
    """Whether somebody has ended this job, though it had time left.

    SLURM puts back by itself what it ended for a more urgent job; a job that puts
    itself back once it was cancelled could never be cancelled. False if SLURM can't
    say.
    """
    try:
        text = call(["scontrol", "--oneliner", "show", "job", job])
    except SlurmError:
        return False
    told = dict(word.split("=", 1) for word in text.split() if "=" in word)
    if told.get("JobState") not in ("COMPLETING", "CANCELLED"):
        return False
    return _seconds(told.get("RunTime", "")) < _seconds(told.get("TimeLimit", ""))


def _seconds(time: str) -> float:
    """Of SLURM's `days-hours:minutes:seconds`; without end for `UNLIMITED`.

    >>> _seconds("1-02:00:05")
    93605.0
    """
    days, _, clock = time.rpartition("-")
    try:
        hours, minutes, seconds = map(int, clock.split(":"))
        return 86400.0 * int(days or 0) + 3600 * hours + 60 * minutes + seconds
    except ValueError:
        return float("inf")


def call(command: list[str]) -> str:
    """What a command prints.

    Raises
    ------
    SlurmError
        If it isn't there, fails or takes too long.
    """
    if shutil.which(command[0]) is None:
        raise SlurmError(f"{command[0]} isn't found: is this a machine of the cluster?")
    try:
        done = subprocess.run(
            command,
            env=clean_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} gave no answer in {SECONDS} s") from None
    if done.returncode:
        said = _conclusion(done.stderr) or f"exit code {done.returncode}"
        asks = command[0] == "squeue"
        how = "SLURM does not answer" if asks else f"{command[0]} failed"
        raise SlurmError(f"{how}: {said}")
    return done.stdout


def _conclusion(errors: str) -> str:
    r"""The last of SLURM's lines, without who says it: those before are its own matter.

    >>> _conclusion("squeue: error: fetch_config: no\nsqueue: fatal: No configuration")
    'No configuration'
    """
    lines = [line for line in map(str.strip, errors.splitlines()) if line]
    return _SPEAKER.sub("", lines[-1]) if lines else ""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables but those by which a surrounding job, or an option of the user's,
    would change what SLURM's commands do.
    """
    own = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SQUEUE_", "SCANCEL_", "SUBMITIT_")
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(own) or name in _KEPT
    }


@contextmanager
def cleaned_environment() -> Iterator[None]:
    """Within it, this process's own variables are clean."""
    before = dict(os.environ)
    hidden = set(before) - set(clean_environment(before))
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update({name: before[name] for name in hidden})

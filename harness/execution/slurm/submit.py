"""Handing batches of cells to SLURM, through submitit."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.cell import Cell
from harness.errors import ConfigError
from harness.execution.job import Job
from harness.execution.slurm.batches import Batch
from harness.execution.slurm.cell_job import CellJob
from harness.execution.slurm.commands import SlurmError, cleaned_environment
from harness.execution.slurm.requested import Resources
from harness.execution.slurm.submitted import (
    Submission,
    new_submission,
    note_job,
    slurm_folder,
)
from harness.results.claim import Claim, Observer, take_claim
from harness.results.state import FAILURE

NEVER = 10**9
"""Of submitit's own requeues: it takes every short job for one out of time."""
LOOK_SECONDS = 0.5


@contextmanager
def sole_submitter(runs: Path) -> Iterator[Claim]:
    """Within it no other process submits cells of this folder of results."""
    folder = slurm_folder(runs) / "submitting"
    observer = Observer()
    claim = take_claim(folder, observer.is_stale)
    while claim is None:
        time.sleep(LOOK_SECONDS)
        claim = take_claim(folder, observer.is_stale)
    try:
        yield claim
    finally:
        claim.release()


def submit(
    batches: Sequence[Batch],
    suite: str,
    runs: Path,
    resources: Resources,
    jobs: Mapping[str, str],
    claim: Claim,
) -> dict[str, str]:
    """Submit batches, those that others depend on first; the job of each cell.

    Parameters
    ----------
    jobs
        The jobs, by cell, of those that wait or work already.

    Raises
    ------
    SlurmError
        If SLURM refuses one; those before it stay submitted.
    """
    submitted: dict[str, str] = {}
    for i, batch in enumerate(batches):
        claim.beat(i, "submitting")
        after = [{**jobs, **submitted}[cell] for cell in batch.after]
        submission = _submit(batch, after, suite, runs, resources)
        submitted |= dict(zip(submission.cells, submission.jobs, strict=True))
    return submitted


def sbatch_options(
    batch: Batch, after: Sequence[str], suite: str, resources: Resources
) -> dict[str, str | int | bool]:
    """Every option of sbatch for a batch but where its files lie.

    Parameters
    ----------
    after
        The jobs that must succeed first.
    """
    options: dict[str, str | int | bool] = {
        **batch.options,
        "job-name": f"harness-{suite}",
        "requeue": True,
        "signal": f"USR2@{resources.signal_seconds}",
    }
    if after:
        options["dependency"] = f"afterok:{':'.join(after)}"
        # Else it would wait for ever once one of them has failed.
        options["kill-on-invalid-dep"] = "yes"
    return options


def array_of(batch: Batch, resources: Resources) -> str:
    """As sbatch's `--array` says it; empty for a single cell."""
    count = len(batch.cells)
    width = min(count, resources.slurm.array_width or count)
    return f"0-{count - 1}%{width}" if count > 1 else ""


def _submit(
    batch: Batch, after: Sequence[str], suite: str, runs: Path, resources: Resources
) -> Submission:
    ids = [cell.id for cell in batch.cells]
    folders = [str(cell.folder) for cell in batch.cells]
    for folder in folders:
        # What an earlier attempt concluded would be taken for this one's conclusion.
        (runs / folder / FAILURE).unlink(missing_ok=True)
    submission = new_submission(runs, suite, ids, folders)
    options = sbatch_options(batch, after, suite, resources)
    options["comment"] = submission.comment
    work = [_cell_job(c, runs, resources, submission.token) for c in batch.cells]
    try:
        with cleaned_environment():
            executor = _executor(submission.folder(runs), options, batch, resources)
            first = executor.submit_array(work)[0].job_id
    except (RuntimeError, OSError) as error:
        submission.discard(runs)
        said = " ".join(str(error).split())
        raise SlurmError(f"the jobs could not be submitted: {said}") from None
    return note_job(submission, runs, first.partition("_")[0])


def _executor(
    folder: Path, options: Mapping[str, Any], batch: Batch, resources: Resources
) -> Any:
    submitit = import_submitit()
    executor = submitit.SlurmExecutor(folder.resolve(), max_num_timeout=NEVER)
    more = dict(options)
    executor.update_parameters(
        job_name=more.pop("job-name"),
        time=more.pop("time"),
        nodes=more.pop("nodes"),
        ntasks_per_node=more.pop("ntasks-per-node"),
        array_parallelism=resources.slurm.array_width or len(batch.cells),
        setup=["export PYTHONSAFEPATH=1", *resources.slurm.setup],
        stderr_to_stdout=True,
        wckey=None,
        additional_parameters=more,
        # srun doesn't take it over from sbatch any more.
        srun_args=[f"--cpus-per-task={more['cpus-per-task']}"],
    )
    return executor


def import_submitit() -> Any:
    """The library, which says nothing on the terminal.

    Raises
    ------
    ConfigError
        If it isn't installed.
    """
    try:
        import submitit
    except ImportError:
        raise ConfigError(
            "submitit isn't installed: pip install 'ecg-harness[slurm]'",
            "--executor slurm",
        ) from None
    logging.getLogger("submitit").setLevel(logging.CRITICAL + 1)
    return submitit


def _cell_job(cell: Cell, runs: Path, resources: Resources, token: str) -> CellJob:
    return CellJob(
        job=Job(cell, runs, resources.execution).to_json(),
        environment=_environment(),
        token=token,
        max_requeues=resources.slurm.max_requeues,
        gpus=resources.slurm.gpus * cell.processes,
        patience_seconds=max(1, resources.signal_seconds // 2),
    )


def _environment() -> dict[str, str]:
    """The harness' own variables; folders by their full names."""
    own = {k: v for k, v in os.environ.items() if k.startswith("HARNESS_")}
    folders = ("HARNESS_DATA", "HARNESS_CACHE")
    absolute = {
        k: str(Path(own[k]).expanduser().resolve()) for k in folders if own.get(k)
    }
    return own | absolute

"""Suites as experiments of MLflow, cells as their runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness import (
    CellOutcome,
    Field,
    TrackedCell,
    TrackedEpoch,
    TrackedSuite,
    Tracker,
    hookimpl,
)

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

PACKAGES = ("mlflow", "sqlalchemy", "alembic", "filelock")
STORE_VARIABLE = "MLFLOW_TRACKING_URI"
MOST_PARAMETERS, MOST_METRICS = 100, 1000
"""That MLflow takes in one request."""
EPOCH = "epoch"
"""The metric by which is seen which epochs a run has."""
STATUS = {"done": "FINISHED", "failed": "FAILED", "planned": "KILLED"}
"""As MLflow calls how a cell has ended; one that was stopped can go on."""


class MLflow(Tracker):
    """Suites as experiments of MLflow, cells as their runs.

    Each epoch's figures stand at its number, from 0; those of the finished cell at the
    number of its epochs. A cell that goes on, goes on in its run, which is found by
    its tags `harness.cell` and `harness.sources`; `harness.state` is the cell's state.
    """

    name = "mlflow"
    packages = dict.fromkeys(PACKAGES, "pip install 'ecg-harness[mlflow]'")

    class Params(Tracker.Params):
        """Where runs are kept."""

        store: str | None = Field(
            None,
            description=f"URI of the tracking store; default: {STORE_VARIABLE}, or "
            "sqlite:///mlflow.db in the folder of results",
        )
        experiment: str | None = Field(None, description="default: the suite's name")

    def destination(self, suite: TrackedSuite) -> str:
        """The store and the experiment."""
        return f"{self._store(suite)} {self.params.experiment or suite.name}"

    def _store(self, suite: TrackedSuite) -> str:
        default = f"sqlite:///{suite.runs / 'mlflow.db'}"
        return self.params.store or os.environ.get(STORE_VARIABLE) or default

    @hookimpl
    def suite_started(self, suite: TrackedSuite) -> None:
        """Open the store, and the suite's experiment in it."""
        # What MLflow tells its makers of its use; whoever wants to may set it.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient

        store = self._store(suite)
        self._alone = _alone_at(store)
        with self._alone:
            self._client = MlflowClient(store)
            self._experiment = _experiment(
                self._client, self.params.experiment or suite.name
            )
        self._suite = suite
        self._runs: dict[str, str] = {}
        self._next: dict[str, int] = {}

    @hookimpl
    def cell_started(self, cell: TrackedCell, epochs: int) -> None:
        """Begin the cell's run, or go on in it."""
        with self._alone:
            run = self._found(cell) or self._client.create_run(
                self._experiment, run_name=cell.title, tags=_tags(cell, self._suite)
            )
            self._runs[cell.id] = run.info.run_id
            self._next[cell.id] = self._epochs_of(run)
            self._client.update_run(run.info.run_id, status="RUNNING")
            self._client.set_tag(run.info.run_id, "harness.state", "running")
            self._log_parameters(cell, run)

    def _found(self, cell: TrackedCell) -> Run | None:
        """The run of the cell with these very sources, if there is one."""
        wanted = (
            f"tags.`harness.cell` = '{cell.id}' "
            f"and tags.`harness.sources` = '{cell.sources}'"
        )
        runs = self._client.search_runs([self._experiment], wanted, max_results=1)
        return runs[0] if runs else None

    def _epochs_of(self, run: Run) -> int:
        """How many epochs a run has."""
        if EPOCH not in run.data.metrics:
            return 0
        history = self._client.get_metric_history(run.info.run_id, EPOCH)
        return 1 + max(metric.step for metric in history)

    def _log_parameters(self, cell: TrackedCell, run: Run) -> None:
        from mlflow.entities import Param

        missing = cell.parameters.keys() - run.data.params.keys()
        params = (Param(key, str(cell.parameters[key])) for key in sorted(missing))
        for part in _parts(params, MOST_PARAMETERS):
            self._client.log_batch(run.info.run_id, params=part)

    @hookimpl
    def epoch_finished(self, cell: TrackedCell, epoch: TrackedEpoch) -> None:
        """Log the epoch's figures."""
        # It may have been told right before the tracker's process was ended.
        if epoch.number >= self._next[cell.id]:
            figures = {**epoch.figures, EPOCH: epoch.number}
            with self._alone:
                self._log(cell, figures, epoch.number)

    @hookimpl
    def cell_finished(self, cell: TrackedCell, outcome: CellOutcome) -> None:
        """Log the final figures, and end the run."""
        with self._alone:
            self._log(cell, outcome.figures, outcome.epochs)
            run = self._runs.pop(cell.id)
            self._client.set_tag(run, "harness.state", outcome.state)
            self._client.set_tag(run, "harness.message", outcome.message)
            self._client.set_terminated(run, STATUS[outcome.state])

    def _log(self, cell: TrackedCell, figures: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics: Iterator[Metric] = (
            Metric(_key(name), value, now, step) for name, value in figures.items()
        )
        for part in _parts(metrics, MOST_METRICS):
            self._client.log_batch(self._runs[cell.id], metrics=part)


def _alone_at(store: str) -> AbstractContextManager[Any]:
    """Within it no other tracker writes to the same file of SQLite.

    Two processes that set one up at the same time damage it, and on a busy disk SQLite
    loses patience.
    """
    from filelock import FileLock
    from sqlalchemy.engine import make_url

    if not store.startswith("sqlite:"):
        return nullcontext()
    file = make_url(store).database
    return FileLock(f"{file}.lock") if file else nullcontext()


def _experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment of that name, made if there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            # Another process may have been faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _tags(cell: TrackedCell, suite: TrackedSuite) -> dict[str, str]:
    tags = {
        "cell": cell.id,
        "sources": cell.sources,
        "suite": suite.name,
        "folder": str(cell.folder),
        "dataset": cell.dataset,
        "model": cell.model or "",
        "strategy": cell.strategy,
        "seed": str(cell.seed),
    }
    return {f"harness.{key}": value for key, value in tags.items()}


def _key(name: str) -> str:
    """A name that MLflow takes: what it doesn't becomes an underscore."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def _parts(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while part := list(islice(items, size)):
        yield part

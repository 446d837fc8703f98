"""TensorBoard and MLflow, read back by their own readers after a kill and a resume."""

import json
import os
import time
import warnings

import pytest
from suites_to_run import kill_everything, run, start, strategy_source, write_suite
from telling import epochs_known

STRATEGIES = """
[[strategy]]
use = "majority"

[[strategy]]
use = "held-up"
"""
HELD_UP = strategy_source(
    "held-up",
    "    def epoch_end(self, run, report):\n"
    "        import time\n"
    "        from pathlib import Path\n"
    "        while report.epoch == 1 and Path('wait').exists():\n"
    "            time.sleep(0.01)\n",
)
TRACKERS = """
trackers = ["tensorboard", { use = "mlflow", store = "sqlite:///store.db" }]
"""
PATIENCE_SECONDS = 200
"""To set a store up takes a while."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a suite was killed once both trackers knew two epochs, and went on."""
    folder = tmp_path_factory.mktemp("shipped")
    suite = write_suite(folder, STRATEGIES, TRACKERS, held_up=HELD_UP)
    (folder / "wait").touch()
    command = start("run", str(suite), "--workers", "2", cwd=folder)
    until = time.monotonic() + PATIENCE_SECONDS
    while epochs_known(folder, "held-up") != [2, 2]:
        assert time.monotonic() < until, command.communicate()
        assert command.poll() is None, command.communicate()
        time.sleep(0.05)
    kill_everything(command)
    (folder / "wait").unlink()
    said = run("run", str(suite), cwd=folder)
    assert "tracker" not in said
    return folder


@pytest.fixture(scope="module")
def cell(folder):
    (path,) = folder.glob("runs/*/*/held-up/*/result.json")
    return path.parent


@pytest.fixture(scope="module")
def result(cell):
    return json.loads((cell / "result.json").read_text())


@pytest.fixture(scope="module")
def rows(cell):
    return [json.loads(x) for x in (cell / "history.jsonl").read_text().splitlines()]


# --- TensorBoard -----------------------------------------------------------------


@pytest.fixture(scope="module")
def events(folder, cell):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    below = cell.relative_to(folder / "runs")
    place = folder / "runs" / "tensorboard" / "small" / below
    # Of the run that was killed, and of the one that went on.
    assert len(list(place.glob("events.*"))) == 2
    return EventAccumulator(str(place)).Reload()


def test_tensorboard_has_every_epoch_once(events, rows):
    for name, values in {
        "loss": [row["loss"] for row in rows],
        "validation/macro_f1": [row["validation"]["macro_f1"] for row in rows],
        "kept_share": [row["kept_share"] for row in rows],
        "learning_rate": [row["learning_rate"] for row in rows],
        "flops": [row["flops"] for row in rows],
    }.items():
        found = events.Scalars(name)
        assert [event.step for event in found] == [0, 1, 2]
        assert [event.value for event in found] == pytest.approx(values)


def test_tensorboard_has_the_final_figures(events, result):
    (score,) = events.Scalars("test/macro_f1")
    (flops,) = events.Scalars("cost/flops/training")

    assert score.value == pytest.approx(result["metrics"]["test"]["macro_f1"])
    assert flops.value == pytest.approx(result["cost"]["flops"]["training"])


def test_tensorboard_has_the_parameters(events):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    data = HParamsPluginData.FromString(content)
    found = data.session_start_info.hparams
    assert found["strategy"].string_value == "held-up"
    assert found["budget.optimizer.lr"].number_value == 0.01
    assert found["seed"].number_value == 0


# --- MLflow ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(folder):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        # Of its own dependencies.
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        yield MlflowClient(f"sqlite:///{folder / 'store.db'}")


@pytest.fixture(scope="module")
def runs(client):
    experiment = client.get_experiment_by_name("small")
    found = client.search_runs([experiment.experiment_id])
    return {run.data.tags["harness.strategy"]: run for run in found}


def test_mlflow_has_a_run_a_cell(client, runs, result):
    experiment = client.get_experiment_by_name("small")

    assert len(client.search_runs([experiment.experiment_id])) == 2
    assert runs.keys() == {"majority", "held-up"}
    run = runs["held-up"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["harness.state"] == "done"
    assert run.data.tags["harness.cell"] == result["cell"]
    assert run.data.params["strategy"] == "held-up"
    assert run.data.params["budget.optimizer.lr"] == "0.01"


def test_mlflow_has_every_epoch_once(client, runs, rows):
    run = runs["held-up"].info.run_id
    for name, values in {
        "loss": [row["loss"] for row in rows],
        "validation/macro_f1": [row["validation"]["macro_f1"] for row in rows],
        "epoch": [0, 1, 2],
    }.items():
        history = sorted(client.get_metric_history(run, name), key=lambda m: m.step)
        assert [metric.step for metric in history] == [0, 1, 2]
        assert [metric.value for metric in history] == pytest.approx(values)


def test_mlflow_has_the_final_figures(runs, result):
    metrics = runs["held-up"].data.metrics

    score = result["metrics"]["test"]["macro_f1"]
    assert metrics["test/macro_f1"] == pytest.approx(score)
    flops = result["cost"]["flops"]["training"]
    assert metrics["cost/flops/training"] == pytest.approx(flops)
    assert runs["majority"].data.metrics["cost/flops/training"] == 0


def test_two_suites_share_a_store(folder, client):
    text = (folder / "small.toml").read_text()
    names = ("first", "second")
    for name in names:
        suite = text.replace('name = "small"', f'name = "{name}"')
        (folder / f"{name}.toml").write_text(suite)
    commands = [start("run", f"{name}.toml", "-q", cwd=folder) for name in names]
    for command in commands:
        said, _ = command.communicate(timeout=PATIENCE_SECONDS)
        assert (command.returncode, "tracker" in said) == (0, False), said
    for name in names:
        experiment = client.get_experiment_by_name(name)
        found = client.search_runs([experiment.experiment_id])
        assert {run.info.status for run in found} == {"FINISHED"}
        assert len(found) == 2

"""A cell in two processes is the cell that one process would have been."""

import json
import signal
import time

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file
from suites_to_run import results, run, start, strategy_source

PLAIN_NET = '''"""A network in which no sample knows of another."""

from harness import Model


class PlainNet(Model):
    """Convolutions alone."""

    name = "plain-net"
    batch_independent = True

    def build(self, leads, samples, outputs):
        from torch import nn

        return nn.Sequential(
            nn.Conv1d(leads, 6, 7, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(6, outputs),
        )
'''
# One record of all is kept: in most batches by nobody, in one by one process alone.
ONE_RECORD = strategy_source(
    "one-record",
    "    def select_samples(self, run, batch):\n        return batch.index == 5\n",
)
ONE_RECORD = ONE_RECORD.replace(
    'name = "one-record"\n', 'name = "one-record"\n    batch_independent = True\n'
)
# It learns from a network that sees the same mixes through other leads.
OTHER_LEADS = strategy_source(
    "other-leads",
    "    def requires(self, cell):\n"
    "        elder = cell.with_strategy('baseline').with_options(leads=['V1', 'I'])\n"
    "        return {'elder': elder}\n\n"
    "    @hookimpl\n"
    "    def extra_losses(self, run, batch, outputs):\n"
    "        told = run.required('elder').outputs(batch).logits\n"
    "        apart = (outputs.logits - told).square().mean(1)\n"
    "        run.log_mean(apart=apart, record=batch.index.float())\n"
    "        return apart\n",
)
OTHER_LEADS = OTHER_LEADS.replace(
    'name = "other-leads"\n', 'name = "other-leads"\n    batch_independent = True\n'
)
JUDGES_ALONE = strategy_source(
    "judges-alone",
    "    def training_step(self, run, batch):\n"
    "        run.evaluate()\n"
    "        run.backward(run.losses(batch))\n"
    "        run.step()\n"
    "        return True\n\n"
    "    @hookimpl\n"
    "    def select_samples(self, run, batch):\n"
    "        return batch.index == 5\n",
)
CHOOSES_ALONE = strategy_source(
    "chooses-alone",
    "    def setup(self, run):\n"
    "        self.seen = []\n\n"
    "    @hookimpl\n"
    "    def select_samples(self, run, batch):\n"
    "        self.seen += batch.index.tolist()\n\n"
    "    @hookimpl\n"
    "    def select_epoch(self, run):\n"
    "        return (self.seen, None) if self.seen else None\n",
)
COMES_APART = strategy_source(
    "comes-apart",
    "    def training_step(self, run, batch):\n"
    "        losses = run.losses(batch)\n"
    "        if 5 in batch.index:\n"
    "            run.backward(losses)\n"
    "        run.step()\n"
    "        return True\n",
)
FAILS_ON_ONE = strategy_source(
    "fails-on-one",
    "    def select_samples(self, run, batch):\n"
    "        if 5 in batch.index:\n"
    "            raise KeyError('record five')\n",
)
SOURCES = (
    *(ONE_RECORD, OTHER_LEADS),
    *(COMES_APART, FAILS_ON_ONE, JUDGES_ALONE, CHOOSES_ALONE),
)
SUITE = """
name = "several"
plugins = ["plugins"]

[budget]
epochs = 3
batch_size = 16
optimizer = {{ use = "adamw", lr = 1e-2 }}
{budget}

[execution]
processes = {processes}
checkpoint_seconds = 0.0
checkpoint_minutes = 1e-9

[[dataset]]
use = "synthetic"
records = 50
duration = 2.0

[[model]]
use = "{model}"

{strategies}
"""
STRATEGIES = """
[[strategy]]
use = "majority"
[[strategy]]
use = "baseline"
label = "mixed"
budget = { augment = ["mixup"], clip_norm = 0.5 }
[[strategy]]
use = "dbpd"
confidence = 0.25
controls = false
[[strategy]]
use = "dbpd"
label = "packed"
confidence = 0.22
min_keep = 5
pack = true
controls = false
[[strategy]]
use = "dbpd"
label = "alternating"
confidence = 0.25
alternate = true
controls = false
[[strategy]]
use = "one-record"
controls = false
[[strategy]]
use = "other-leads"
label = "other-leads"
budget = { augment = ["mixup"] }
"""


def write(folder, processes, strategies, model="plain-net", budget=""):
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "plain_net.py").write_text(PLAIN_NET)
    for source in SOURCES:
        name = source.split('name = "')[1].split('"')[0].replace("-", "_")
        (plugins / f"{name}.py").write_text(source)
    path = folder / f"{processes}-{model}{budget[:5]}.toml"
    path.write_text(
        SUITE.format(
            processes=processes, strategies=strategies, model=model, budget=budget
        )
    )
    return path


def entry(name):
    return f'[[strategy]]\nuse = "{name}"\n'


def run_in(folder, suite, runs, *more, expect=0):
    given = ("run", str(suite), "--runs", str(folder / runs), "--workers", "1", *more)
    return run(
        *given,
        "--leaderboard",
        str(folder / f"{runs}-board"),
        cwd=folder,
        expect=expect,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def one(folder):
    run_in(folder, write(folder, 1, STRATEGIES), "one")
    return folder / "one"


@pytest.fixture(scope="module")
def two(folder):
    run_in(folder, write(folder, 2, STRATEGIES), "two")
    return folder / "two"


@pytest.fixture(scope="module")
def parts(folder):
    """One process that sends each batch through in parts of five samples."""
    suite = write(folder, 1, STRATEGIES, budget="micro_batch = 5")
    run_in(folder, suite, "parts")
    return folder / "parts"


def by_label(runs):
    found = {}
    for path in runs.rglob("result.json"):
        result = json.loads(path.read_text())
        found[result["strategy"]["label"]] = (result, path.parent)
    return found


TRAINED = ["mixed", "dbpd", "packed", "alternating", "one-record", "other-leads"]
KEEPS_ALL = ("mixed", "other-leads")


def close(a, b):
    """Whether two JSON values are the same but for rounding."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-5 * max(1.0, abs(a))
    return a == b


@pytest.mark.parametrize("other", ["two", "parts"])
@pytest.mark.parametrize("label", TRAINED)
def test_weights_equal_those_of_one_whole_batch(one, other, label, request):
    alone, folder = by_label(one)[label]
    shared, other_folder = by_label(request.getfixturevalue(other))[label]
    assert alone["cell"] == shared["cell"]
    weights = load_file(folder / "model.safetensors")
    others = load_file(other_folder / "model.safetensors")
    for name, values in weights.items():
        np.testing.assert_allclose(others[name], values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("other", ["two", "parts"])
@pytest.mark.parametrize("label", TRAINED)
def test_counts_and_metrics_equal_those_of_one_whole_batch(one, other, label, request):
    alone, folder = by_label(one)[label]
    shared, other_folder = by_label(request.getfixturevalue(other))[label]
    cost, others = dict(alone["cost"]), dict(shared["cost"])
    for figures in (cost, others):
        # How much memory a process needs, and how often it was looked at, do differ.
        figures.pop("peak_memory_bytes")
        assert figures.pop("audit")["status"] == "passed"
    assert close(cost, others)
    assert close(alone["metrics"], shared["metrics"])
    kept = [f / "kept.npz" for f in (folder, other_folder) if (f / "kept.npz").exists()]
    assert len({path.read_bytes() for path in kept}) == (label not in KEEPS_ALL)
    rows = [
        [json.loads(line) for line in (f / "history.jsonl").read_text().splitlines()]
        for f in (folder, other_folder)
    ]
    assert close(*rows)


def test_the_cases_hold_what_they_are_for(one):
    rows = {
        label: [json.loads(r) for r in (f / "history.jsonl").read_text().splitlines()]
        for label, (_, f) in by_label(one).items()
        if label in TRAINED
    }
    assert {r["kept"] for r in rows["one-record"]} == {1}
    assert all(r["skipped_batches"] for r in rows["one-record"])
    assert any(0 < r["kept"] < r["seen"] for r in rows["dbpd"])
    assert any(r["steps"] < 3 for r in rows["packed"])
    assert [r["phase"] for r in rows["alternating"]] == [
        *("filtered", "reused", "revision")
    ]
    assert rows["alternating"][1]["kept"] == rows["alternating"][0]["kept"] < 30
    everything = rows["other-leads"]
    assert len({r["record"] for r in everything}) == 1
    assert all(r["apart"] > 0 for r in everything)


@pytest.mark.parametrize("other", ["two", "parts"])
def test_a_process_and_a_part_need_less_memory(one, other, request):
    alone = by_label(one)["mixed"][0]["cost"]["peak_memory_bytes"]
    shared = by_label(request.getfixturevalue(other))["mixed"][0]["cost"]
    assert shared["peak_memory_bytes"]["activations"] < 0.6 * alone["activations"]


def test_every_record_is_judged_once(two):
    for _, folder in by_label(two).values():
        ids = np.load(folder / "predictions.npz")["test_records"]
        assert len(set(ids.tolist())) == len(ids) > 0


def one_cell(suite):
    """The command that runs a single cell of a suite."""
    return ("run", str(suite), "--runs", "runs", "--workers", "1", "--only", "packed")


def await_first(process, look):
    """What `look` finds first, while the command runs."""
    before = time.monotonic()
    while not (found := look()):
        assert process.poll() is None
        assert time.monotonic() - before < 120
        time.sleep(0.02)
    return found


def test_two_processes_stopped_anywhere_end_in_the_same_bytes(folder, two, tmp_path):
    command = one_cell(write(folder, 2, STRATEGIES))
    process = start(*command, cwd=tmp_path)
    await_first(process, lambda: list(tmp_path.rglob("checkpoint.previous.pt")))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    run(*command, cwd=tmp_path)
    (mine,) = results(tmp_path / "runs").items()
    assert mine in results(two).items()


def test_with_batchnorm_the_number_of_processes_makes_another_cell(folder):
    suites = [write(folder, n, entry("baseline"), model="cnn1d") for n in (1, 2)]
    runs = folder / "normalised"
    for suite in suites:
        run_in(folder, suite, "normalised")
    found = [json.loads(p.read_text()) for p in runs.rglob("result.json")]
    assert len({result["cell"] for result in found}) == 2
    board = (folder / "normalised-board" / "several.md").read_text()
    assert "2 processes" in board
    assert "BatchNorm" in board


def test_mixed_precision_is_shared_too(folder):
    """bf16 has three digits: two processes agree with one as far as it goes."""
    for number in (1, 2):
        suite = write(folder, number, entry("baseline"), budget='precision = "bf16"')
        run_in(folder, suite, f"half-{number}")
    (alone, alone_in), (shared, shared_in) = (
        by_label(folder / f"half-{number}")["baseline"] for number in (1, 2)
    )
    weights = load_file(alone_in / "model.safetensors")
    others = load_file(shared_in / "model.safetensors")
    for name, values in weights.items():
        np.testing.assert_allclose(others[name], values, rtol=0, atol=0.02)
    assert alone["cost"]["flops"] == shared["cost"]["flops"]
    assert shared["cost"]["audit"]["status"] == "passed"


def test_a_strategy_whose_processes_come_apart_is_told_so(folder):
    names = ("comes-apart", "judges-alone", "chooses-alone")
    suite = write(folder, 2, "".join(entry(name) for name in names))
    output = run_in(folder, suite, "apart", expect=1)
    assert output.count("the processes of the cell have come apart") == len(names)


def test_variables_of_the_caller_change_no_cell(folder, one):
    """As in a shell of torchrun's, or with a setting of accelerate's."""
    others = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
    others["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"] = "4"
    suite = write(folder, 1, STRATEGIES)
    command = ("run", str(suite), "--runs", "called", "--only", "mixed")
    process = start(*command, cwd=folder, **others)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    (mine,) = results(folder / "called").items()
    assert mine in results(one).items()


def test_what_one_process_fails_of_is_what_the_cell_fails_of(folder):
    suite = write(folder, 2, entry("fails-on-one"))
    output = run_in(folder, suite, "failing", expect=1)
    assert "plugin 'fails-on-one' (fails_on_one.py, line 12): KeyError" in output


def test_a_killed_process_takes_its_cell_along_and_nothing_stays_behind(
    folder, tmp_path, two
):
    process = start(*one_cell(write(folder, 2, STRATEGIES)), cwd=tmp_path)
    ranks = await_first(process, lambda: _ranks(process.pid, tmp_path))
    ranks[0].kill()
    output, _ = process.communicate(timeout=120)
    # It was killed from outside: another attempt goes on.
    assert process.returncode == 0, output
    (mine,) = results(tmp_path / "runs").items()
    assert mine in results(two).items()
    assert not any(rank.is_running() for rank in ranks)


def _ranks(pid, folder):
    """The further processes of a cell below a command, once it has a checkpoint."""
    if not list(folder.rglob("checkpoint.pt")):
        return []
    servers = psutil.Process(pid).children()
    workers = [worker for server in servers for worker in server.children()]
    return [rank for worker in workers for rank in worker.children()]


def test_a_model_that_hides_its_batchnorm_is_found_out(folder):
    suite = write(folder, 1, entry("baseline"), model="hides")
    plugins = folder / "plugins"
    plugins.joinpath("hides.py").write_text(
        PLAIN_NET.replace("plain-net", "hides").replace(
            "nn.ReLU()", "nn.BatchNorm1d(6)"
        )
    )
    output = run_in(folder, suite, "hiding", expect=1)
    plugins.joinpath("hides.py").unlink()
    assert "declares batch_independent, but '1' is a BatchNorm1d" in output


@pytest.mark.parametrize("processes", ["0", "1.5", '"two"'])
def test_a_number_of_processes_that_is_none_is_refused(folder, processes):
    suite = write(folder, processes, entry("baseline"))
    output = run("plan", str(suite), cwd=folder, expect=2)
    assert "processes" in output
    suite.unlink()

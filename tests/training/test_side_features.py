"""Age and sex on their way into a network that takes them."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_runs import (
    EVERY_BATCH,
    SmallNet,
    cell,
    make_run,
    outcome,
    splits,
)
from stopping import resumed
from torch import nn

from harness import Dropping, Strategy, hookimpl
from harness.data.augment import augment_batch
from harness.data.batch import side_features
from harness.data.order import generator
from harness.errors import CellError
from harness.options import Budget, CutMix, Mixup
from harness.training.run import Run

NAN = math.nan
AGES, SEXES = torch.tensor([50.0, NAN, 31.0]), torch.tensor([1.0, 0.0, NAN])


class SideNet(SmallNet):
    """Adds a branch for side features, and keeps what it was handed."""

    def __init__(self) -> None:
        super().__init__()
        self.beside = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 3))
        self.handed: list[torch.Tensor | None] = []

    def forward(self, signals, lengths=None, side=None):
        if self.training:
            self.handed.append(side)
        if side is None:
            side = signals.new_zeros(len(signals), 5)
        return super().forward(signals) + self.beside(side)


class ShortNet(SideNet):
    """Takes side features, and no lengths."""

    def forward(self, signals, side=None):
        return super().forward(signals, side=side)


class Packing(Strategy):
    """Keeps every third sample of a batch, in full batches."""

    name = "test-side-packing"

    class Params(Dropping):
        pack: bool = True

    @hookimpl
    def select_samples(self, run, batch):
        return batch.index % 3 == 0


def with_side(split, *names, whole=False):
    """The split with ages and sexes, some of them unknown."""
    rng = np.random.default_rng(len(split))
    age, sex = rng.uniform(0, 90, len(split)), rng.integers(0, 2, len(split))
    values = {"age": np.where(age < 15, NAN, age), "sex": np.where(age > 80, NAN, sex)}
    side = {name: torch.tensor(values[name], dtype=torch.float32) for name in names}
    return replace(split, side=side, window=None if whole else split.window)


def side_run(folder, *strategies, names=("age", "sex"), net=SideNet, whole=False, **b):
    data = splits()
    parts = {
        name: with_side(getattr(data, name), *names, whole=whole)
        for name in ("train", "validation", "test")
    }
    budget = Budget(**{"epochs": 2, "batch_size": 16, **b})
    labels = [strategy.name for strategy in strategies] or ["baseline"]
    return Run(
        cell(budget, labels),
        replace(data, **parts),
        strategies,
        net,
        folder,
        EVERY_BATCH,
    )


def test_b3_known_and_unknown_values():
    """Section B3 of the methods' notes (Han et al. 2021, CinC 2021 #80)."""
    found = side_features({"age": AGES, "sex": SEXES})
    expected = [
        [0.50, 1.0, 0.0, 0.0, 0.0],
        [0.6037, 0.0, 1.0, 1.0, 0.0],
        [0.31, 0.4714, 0.5286, 0.0, 1.0],
    ]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor(expected))


def test_what_is_not_asked_for_is_unknown():
    only_age = side_features({"age": AGES[:1]})
    only_sex = side_features({"sex": SEXES[:1]})
    torch.testing.assert_close(
        only_age, torch.tensor([[0.5, 0.4714, 0.5286, 0.0, 1.0]])
    )
    torch.testing.assert_close(only_sex, torch.tensor([[0.6037, 1.0, 0.0, 1.0, 0.0]]))
    assert side_features({}) is None


def test_batches_and_their_parts_carry_them():
    split = with_side(splits().train, "age", "sex")
    batch = split.batch(range(7))
    expected = side_features({name: v[:7] for name, v in split.side.items()})
    assert torch.equal(batch.side_features, expected)
    assert torch.equal(batch.select(torch.tensor([4, 1])).side_features[0], expected[4])
    assert torch.equal(batch.part(slice(2, 5)).side_features, expected[2:5])
    joined = type(batch).concatenate([batch, split.batch([9])])
    assert torch.equal(joined.side_features[:7], expected)
    assert joined.side_features.shape == (8, 5)


@pytest.mark.parametrize("net", [SideNet, ShortNet])
def test_a_model_that_takes_them_is_handed_them(tmp_path, net):
    run = side_run(tmp_path, net=net, epochs=1)
    run.execute()
    handed = torch.cat([side for side in run.model.handed if side is not None])
    assert len(handed) == len(run.train)
    every = side_features(run.train.side)
    assert handed.isnan().sum() == 0
    assert (every[:, 3:].sum(0) > 0).all()
    torch.testing.assert_close(handed.sum(0), every.sum(0))


def test_nothing_is_handed_where_none_are_asked_for(tmp_path):
    run = side_run(tmp_path, names=(), epochs=1)
    run.execute()
    assert run.model.handed
    assert all(side is None for side in run.model.handed)


def test_a_model_that_takes_none_gets_none(tmp_path):
    """It would raise a TypeError, and it ends in the same bits."""
    plain = make_run(tmp_path / "plain", epochs=2, execution=EVERY_BATCH)
    beside = side_run(tmp_path / "beside", net=SmallNet)
    for run in (plain, beside):
        run.execute()
    assert outcome(beside) == outcome(plain)


def test_whole_records_have_lengths_and_side_features(tmp_path):
    run = side_run(tmp_path / "takes both", whole=True, epochs=1)
    run.execute()
    assert all(side.shape[1:] == (5,) for side in run.model.handed)
    with pytest.raises(CellError, match="ShortNet takes no lengths"):
        side_run(tmp_path / "one", net=ShortNet, whole=True).execute()


def test_b7_mixup_mixes_them_as_it_mixes_labels():
    """Section B7 of the methods' notes: flags become fractions, too."""
    split = with_side(splits().train, "age", "sex")
    batch = replace(split.batch(range(40)), labels=torch.arange(40))
    mixed = augment_batch(batch, [Mixup(use="mixup")], 40, generator(0, "a"))
    expected = mixed.labels @ batch.side_features
    torch.testing.assert_close(mixed.side_features, expected)
    flags = mixed.side_features[:, 3:]
    assert ((flags > 0) & (flags < 1)).any()
    known = (mixed.labels @ batch.side["age"].isnan().float()) == 0
    torch.testing.assert_close(
        mixed.side["age"][known] / 100, mixed.side_features[known, 0]
    )
    assert mixed.side["age"][~known].isnan().all()


def test_cutmix_keeps_those_of_the_record_that_is_cut_into():
    batch = with_side(splits().train, "age").batch(range(9))
    mixed = augment_batch(batch, [CutMix(use="cutmix")], 3, generator(0, "a"))
    assert torch.equal(mixed.side_features, batch.side_features)


@pytest.mark.parametrize(
    ("strategies", "settings"),
    [((), {"augment": ["mixup"], "micro_batch": 5}), ((Packing,), {})],
    ids=["mixup in parts", "packing"],
)
def test_a_run_with_side_features_resumes_in_the_same_bits(
    tmp_path, strategies, settings
):
    def make(folder):
        return side_run(tmp_path / folder, *[s() for s in strategies], **settings)

    whole = make("whole")
    whole.execute()
    again, stops = resumed(lambda: make("stopped"))
    assert stops > 2
    assert outcome(again) == outcome(whole)


def test_flops_of_the_branch_count_and_the_audit_passes(tmp_path):
    summaries = []
    for net in (SmallNet, SideNet):
        run = side_run(tmp_path / net.__name__, net=net)
        run.execute()
        summaries.append(run.meter.summary(run.model, run.optimizer))
    plain, beside = summaries
    samples = 2 * 50
    # Two multiply-adds a weight forward; backward as many for the weights of both
    # layers and for the inputs of the second, the first one's being data.
    forward, inputs = 2 * (5 * 64 + 64 * 3), 2 * 64 * 3
    added = beside["flops"]["training"] - plain["flops"]["training"]
    assert added == samples * (2 * forward + inputs)
    assert beside["audit"]["status"] == "passed"
    assert beside["audit"]["steps"] > 0


SUITE = """
name = "side"
plugins = ["plugins"]

[budget]
epochs = 2
batch_size = 16
weights = "last"
optimizer = {{ use = "adamw", weight_decay = 0 }}
augment = ["mixup"]
{budget}

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0
task = "multi-label"
{dataset}

[[model]]
{model}

[[strategy]]
use = "baseline"
"""

SE_RESNET = 'use = "se_resnet"\npreset = "small"\nblocks = 1'
SIDE = 'side = ["age", "sex"]'

BRANCH = '''
from harness import Model


class Branched(Model):
    """More work for age and sex than for the signal."""

    name = "branched"

    def build(self, leads, samples, outputs):
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.signal = nn.Linear(leads, outputs)
                self.beside = nn.Sequential(nn.Linear(5, 999), nn.Linear(999, outputs))

            def forward(self, signals, side=None):
                logits = self.signal(signals.mean(2))
                return logits if side is None else logits + self.beside(side)

        return Net()
'''


@pytest.fixture
def ran(harness, tmp_path):
    """Runs a suite in a folder of its own; gives the folders of its cells, by label."""

    def run(name, model, dataset="", budget="", more=""):
        folder = tmp_path / name
        (folder / "plugins").mkdir(parents=True)
        (folder / "plugins" / "branched.py").write_text(BRANCH)
        text = SUITE.format(model=model, dataset=dataset, budget=budget) + more
        (folder / "suite.toml").write_text(text)
        ended = harness(
            *("run", folder / "suite.toml", "--device", "cpu"),
            *("--runs", folder / "runs", "--leaderboard", folder / "leaderboard"),
        )
        assert ended.code == 0, ended.out + ended.err
        results = {
            p.parent: json.loads(p.read_text()) for p in folder.rglob("result.json")
        }
        return {r["strategy"]["label"]: (p, r) for p, r in results.items()}

    return run


@pytest.mark.usefixtures("torch_as_before")
def test_se_resnet_learns_from_age_and_sex(harness, tmp_path, ran):
    """All ages and sexes are known there: without decay, the weights of the flags of
    what is missing stay as they began, and so do all five without `side`.
    """
    (without, _), (folder, result) = (
        ran(name, SE_RESNET, side, "negative_weight = 0.1")["baseline"]
        for name, side in (("without", ""), ("with", SIDE))
    )
    before, after = (
        load_file(path / "model.safetensors")["head.weight"][:, -5:]
        for path in (without, folder)
    )
    assert torch.equal(before[:, 3:], after[:, 3:])
    assert (before[:, :3] != after[:, :3]).all()
    assert result["cost"]["audit"]["status"] == "passed"
    assert result["budget"]["negative_weight"] == 0.1

    ended = harness("evaluate", folder, "--json")
    assert json.loads(ended.out)["metrics"] == result["metrics"]["test"]
    ended = harness("evaluate", folder, "--on", tmp_path / "without" / "suite.toml")
    assert ended.code == 2
    assert "side: [], but the weights are for ['age', 'sex']" in ended.err


@pytest.mark.usefixtures("torch_as_before")
def test_equal_flops_are_those_with_side_features(ran):
    match = 'budget.match = { what = "flops", of = "baseline" }'
    again = f'\n[[strategy]]\nuse = "baseline"\nlabel = "again"\n{match}\n'
    cells = ran("matched", 'use = "branched"', SIDE, more=again)
    costs = [cells[label][1]["cost"] for label in ("baseline", "again")]
    assert costs[0]["backward_samples"] == costs[1]["backward_samples"]
    assert costs[0]["flops"]["training"] == costs[1]["flops"]["training"]

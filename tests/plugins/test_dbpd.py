"""DBPD as section A of the methods' notes defines it, with section C's repairs."""

import io
import math
import sys

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_runs import EVERY_BATCH, EVERY_EPOCH, make_run, outcome
from stopping import resumed
from torch.nn import functional

from harness import Strategy, hookimpl
from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters
from harness.cost.flops import Call, TensorSpec, count
from harness.errors import ConfigError
from harness.options import Budget
from harness.training.fit import Fit
from harness.training.optimizer import LearningRate


@pytest.fixture(scope="session")
def dbpd():
    cls = Catalog.discover().load("strategy", "dbpd")

    def make(**params):
        return cls(cls.Params(**params))

    return make


def trained(folder, strategy, **settings):
    run = make_run(folder, strategy, **settings)
    run.execute()
    return run


def kept_by(run, strategy, batch):
    """The mask of the filtered phase, on a run that is set up but not trained."""
    run.set_model(run.new_model())
    run.fitted = Fit(run, run.cell.budget.epochs)
    run.model.train()
    return strategy.select_samples(run, batch)


def test_a2_keeps_samples_strictly_below_the_confidence(tmp_path, dbpd):
    strategy = dbpd(confidence=0.34)
    run = make_run(tmp_path, strategy)
    batch = run.train.batch(range(50))
    mask = kept_by(run, strategy, batch)
    run.model.eval()
    with torch.no_grad():
        probability = run.model(batch.signals).softmax(1)
    truth = probability[torch.arange(50), batch.labels]
    assert torch.equal(mask, truth < 0.34)
    assert 0 < mask.sum() < 50


def test_a2_a_confidence_of_zero_keeps_what_is_misclassified(tmp_path, dbpd):
    strategy = dbpd(confidence=0.0)
    run = make_run(tmp_path, strategy)
    batch = run.train.batch(range(50))
    mask = kept_by(run, strategy, batch)
    run.model.eval()
    with torch.no_grad():
        wrong = run.model(batch.signals).argmax(1) != batch.labels
    assert torch.equal(mask, wrong)


@pytest.mark.parametrize(
    ("confidence", "loss"), [(0.3, 1.204), (0.5, 0.693), (0.7, 0.357)]
)
def test_c1_loss_and_confidence_are_one_rule(tmp_path, dbpd, confidence, loss):
    assert -math.log(confidence) == pytest.approx(loss, abs=5e-4)
    by_loss = dbpd(confidence=confidence, criterion="loss")
    by_confidence = dbpd(confidence=confidence)
    run = make_run(tmp_path, by_loss)
    batch = run.train.batch(range(50))
    assert torch.equal(
        kept_by(run, by_loss, batch), by_confidence.select_samples(run, batch)
    )


@pytest.mark.parametrize(("warmup", "revision"), [(0, 1), (1, 2), (2, 0)])
def test_a2_warm_up_and_revision_train_on_everything(tmp_path, dbpd, warmup, revision):
    strategy = dbpd(confidence=0.34, warmup_epochs=warmup, revision_epochs=revision)
    run = trained(tmp_path, strategy, epochs=5)
    phases = [row["phase"] for row in run.history.rows]
    middle = 5 - warmup - revision
    assert (
        phases == ["warm-up"] * warmup + ["filtered"] * middle + ["revision"] * revision
    )
    for row in run.history.rows:
        if row["phase"] == "filtered":
            assert row["kept"] < row["seen"] == row["scored"] == 50
        else:
            assert (row["kept"], row["scored"]) == (50, 0)


def test_a5_effective_epochs_are_kept_samples_over_training_samples(tmp_path, dbpd):
    run = trained(tmp_path, dbpd(confidence=0.34), epochs=5)
    cost = run.meter.summary(run.model, run.optimizer)
    rows = run.history.rows
    assert cost["effective_epochs"] == sum(row["kept"] for row in rows) / 50
    scored_and_kept = sum(row["kept"] + row["scored"] for row in rows)
    assert cost["forward_epochs"] == scored_and_kept / 50
    assert cost["audit"]["status"] == "passed"


def test_a9_less_is_kept_the_more_is_learnt(tmp_path, dbpd):
    """Sections A8 and A9: kept shares fall over the filtered epochs."""
    rows = trained(
        tmp_path,
        dbpd(confidence=0.5),
        epochs=16,
        records=120,
        dropout=0.0,
        optimizer={"use": "adamw", "lr": 1e-2},
    ).history.rows
    shares = [row["kept_share"] for row in rows if row["phase"] == "filtered"]
    first, middle, last = shares[:5], shares[5:10], shares[10:]
    assert sum(first) > sum(middle) > sum(last)
    assert shares[-1] < shares[0] / 2
    assert rows[-1]["kept_share"] == 1


def compute_equivalent(scored, kept, backward):
    """A6: CE = (S + K + b K) / (1 + b), all in epochs, with the forward's cost as 1."""
    return (scored + kept + backward * kept) / (1 + backward)


@pytest.mark.parametrize(
    ("effective", "epochs", "speed_up"),
    [(24.8, 200, 2.19), (35, 200, 1.97), (21.8, 100, 1.81), (6.7, 30, 1.80)],
)
def test_a6_scoring_costs_a_third_of_an_epoch(effective, epochs, speed_up):
    """A6: CE = scored epochs / 3 + EE, where a backward costs two forwards."""
    compute = compute_equivalent(epochs, effective, 2)
    assert compute == pytest.approx(epochs / 3 + effective)
    assert epochs / compute == pytest.approx(speed_up, abs=5e-3)


def test_a6_the_meter_agrees_with_the_cost_model(tmp_path, dbpd):
    """A6, with what a forward and a backward of the network really cost."""
    run = trained(tmp_path, dbpd(confidence=0.34), epochs=5)
    cost = run.meter.summary(run.model, run.optimizer)
    spec = TensorSpec((run.leads, run.samples), torch.float32, False, True)
    trainable = tuple(True for _ in run.model.parameters())
    one = count(run.model.train(), Call((spec,), (), True, True, trainable))
    rows = run.history.rows
    scored, kept = (sum(row[name] for row in rows) / 50 for name in ("scored", "kept"))
    expected = compute_equivalent(scored, kept, one.backward / one.forward)
    assert cost["compute_epochs"] == pytest.approx(expected, rel=1e-6)
    assert cost["forward_epochs"] == pytest.approx(scored + kept)


def test_a5_a_batch_without_hard_samples_takes_no_step_and_counts_as_seen(
    tmp_path, dbpd
):
    strategy = dbpd(confidence=1e-9, revision_epochs=0)
    run = trained(tmp_path, strategy, epochs=2)
    for row in run.history.rows:
        assert (row["kept_share"], row["steps"], row["loss"]) == (0.0, 0, None)
        assert (row["seen"], row["skipped_batches"]) == (50, 4)


def test_c11_min_keep_takes_the_hardest_of_the_dropped(tmp_path, dbpd):
    strategy = dbpd(confidence=1e-9, revision_epochs=0, min_keep=3)
    run = trained(tmp_path, strategy, epochs=2)
    # Batches of 16, 16, 16 and 2.
    assert [row["kept"] for row in run.history.rows] == [11, 11]
    assert run.history.rows[0]["skipped_batches"] == 0


def test_c11_packing_makes_full_batches_of_the_same_samples(tmp_path, dbpd):
    strategy = dbpd(confidence=0.34, revision_epochs=0, pack=True)
    run = trained(tmp_path, strategy, epochs=4)
    for row in run.history.rows:
        assert row["steps"] == math.ceil(row["kept"] / 16)
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["backward_samples"] == sum(row["kept"] for row in run.history.rows)


def test_c2_scoring_leaves_every_buffer_and_the_mode_alone(tmp_path, dbpd):
    for mode in ("eval", "train"):
        run = make_run(tmp_path / mode, dbpd(score_mode=mode))
        run.set_model(run.new_model())
        run.model.train()
        before = {k: v.clone() for k, v in run.model.named_buffers()}
        run.score(run.train.batch(range(16)), mode)
        assert run.model.training
        assert all(torch.equal(v, before[k]) for k, v in run.model.named_buffers())


def test_c2_batchnorm_follows_whom_it_is_told_to(tmp_path, dbpd):
    batches = {}
    for policy in ("full", "both"):
        strategy = dbpd(
            confidence=0.34, score_mode="train", batchnorm=policy, revision_epochs=0
        )
        run = trained(tmp_path / policy, strategy, epochs=1, weights="last")
        batches[policy] = int(run.model.norm.num_batches_tracked)
    steps = run.history.rows[0]["steps"]
    assert batches["full"] == 4
    assert batches["both"] == 4 + steps


def test_c2_reestimated_batchnorm_has_the_training_records_statistics(tmp_path, dbpd):
    strategy = dbpd(confidence=0.34, revision_epochs=0, reestimate_batchnorm=True)
    run = trained(tmp_path, strategy, epochs=2, weights="last", batch_size=50)
    hidden = run.model.conv(run.train.batch(range(50)).signals)
    expected = hidden.mean((0, 2))
    assert torch.allclose(run.model.norm.running_mean, expected, atol=1e-5)
    cost = run.meter.summary(run.model, run.optimizer)
    extra = cost["forward_samples"] - sum(
        row["kept"] + row["scored"] for row in run.history.rows
    )
    assert extra == 2 * 50


def test_c4_the_schedule_counts_dropped_samples_as_seen(tmp_path, dbpd):
    schedule = {"use": "one-cycle"}
    dropped = trained(tmp_path / "a", dbpd(confidence=0.34), schedule=schedule)
    whole = make_run(tmp_path / "b", schedule=schedule)
    whole.execute()
    rates = [[r["learning_rate"] for r in x.history.rows] for x in (dropped, whole)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize(("rule", "divisor"), [("kept", 4), ("batch", 16)])
def test_c11_the_loss_is_averaged_over_the_kept_or_the_batch(
    tmp_path, dbpd, rule, divisor
):
    run = make_run(tmp_path, dbpd(average_over=rule))
    run.set_model(run.new_model())
    run.optimizer = torch.optim.SGD(run.model.parameters(), lr=1.0)
    run.model.eval()
    kept = run.train.batch(range(4))
    losses = functional.cross_entropy(
        run.model(kept.signals), kept.labels, reduction="none"
    )
    weight = run.model.classifier.weight
    (gradient,) = torch.autograd.grad(losses.sum() / divisor, weight)
    expected = weight.detach() - gradient

    run.train_on(kept, of=16)

    torch.testing.assert_close(run.model.classifier.weight.detach(), expected)


def test_c13_weights_before_and_after_revision_are_kept_for_judgement(tmp_path, dbpd):
    run = trained(tmp_path, dbpd(confidence=0.34), epochs=4)
    names = [entry["name"] for entry in run.snapshots.entries]
    assert names == ["before-revision", "after-revision"]
    assert run.fitted.chosen["phase"] in ("filtered", "revision")


class TwoFits(Strategy):
    """Two fits in each of two rounds."""

    name = "two-fits"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 2):
            run.fit(2, fresh_optimizer=True)
            run.fit(2)
        return True


def test_c13_each_of_several_fits_has_weights_of_its_own(tmp_path, dbpd):
    run = make_run(tmp_path, TwoFits(), dbpd(confidence=0.34))
    run.execute()
    axes = [{}, {"fit": 1}]
    assert [(entry["name"], entry["axes"]) for entry in run.snapshots.entries] == [
        (f"{when}-revision", {"round": number, **axis})
        for number in range(2)
        for axis in axes
        for when in ("before", "after")
    ]


def test_c12_the_history_shows_which_classes_are_kept(tmp_path, dbpd):
    run = trained(tmp_path, dbpd(confidence=0.34), epochs=4)
    filtered = run.history.rows[0]
    assert set(filtered["kept_share_by_class"]) == {"A", "B", "C"}
    assert len(set(filtered["kept_share_by_class"].values())) > 1


def test_c17_revision_and_warm_up_must_leave_epochs_to_filter(tmp_path, dbpd):
    with pytest.raises(ConfigError, match="leave none of 4"):
        trained(tmp_path, dbpd(warmup_epochs=2, revision_epochs=2), epochs=4)


def test_c2_a_policy_that_needs_train_mode_scoring_says_so(tmp_path, dbpd):
    with pytest.raises(ValidationError, match="score_mode"):
        dbpd(batchnorm="full")


def test_a2_early_stopping_may_not_skip_the_revision(tmp_path, dbpd):
    with pytest.raises(ConfigError, match="before its revision"):
        trained(tmp_path, dbpd(), early_stopping={"patience": 2})


def test_c11_a_packed_batch_has_no_batch_to_average_over(dbpd):
    with pytest.raises(ValidationError, match="exclude each other"):
        dbpd(pack=True, average_over="batch")


def test_c2_full_batches_renew_statistics_outside_of_the_filtered_phase(tmp_path, dbpd):
    strategy = dbpd(
        confidence=0.34, score_mode="train", batchnorm="full", warmup_epochs=2
    )
    run = trained(tmp_path, strategy, epochs=4, weights="last")
    # 4 batches an epoch: of the training in warm-up and revision, else of the scoring.
    assert int(run.model.norm.num_batches_tracked) == 4 * 4


def test_it_works_on_multi_label_data(tmp_path, dbpd):
    run = trained(tmp_path, dbpd(confidence=0.6), task="multi-label", epochs=3)
    assert run.history.rows[0]["kept"] > 0


# --- adaptive -------------------------------------------------------------------------


def test_a2_the_threshold_rises_in_steps_and_falls_back_before_1(dbpd):
    """A2 "adaptive", as a rule of its own: interval 50, increment 0.1, from 0.3."""
    tau = dbpd(adapt_every=50, adapt_by=0.1).params.threshold
    firsts = [tau(50 * i) for i in range(9)]
    assert firsts == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.3, 0.4])
    assert [tau(49), tau(99)] == pytest.approx([0.3, 0.4])


def test_a2_the_published_rise_adds_up_in_every_epoch(dbpd):
    """A2: tau += (t // interval) * increment each epoch, and back to 0.3 at 1."""
    tau = dbpd(adapt_every=50, adapt_by=0.1, adapt="cumulative").params.threshold
    assert {tau(t) for t in range(50)} == {0.3}
    found = [tau(t) for t in range(50, 58)]
    assert found == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.3, 0.4])
    assert tau(101) - tau(100) == pytest.approx(0.2)


def test_a2_the_rise_counts_from_the_end_of_the_warm_up(dbpd):
    tau = dbpd(adapt_every=2, warmup_epochs=3).params.threshold
    assert [tau(t) for t in (3, 4, 5)] == pytest.approx([0.3, 0.3, 0.4])


def test_a_threshold_that_stays_is_the_confidence(dbpd):
    assert {dbpd(confidence=0.7).params.threshold(t) for t in range(300)} == {0.7}
    assert dbpd(confidence=1.0, adapt_every=1).params.threshold(9) == 1.0


def test_c17_what_is_misclassified_has_no_threshold_to_raise(dbpd):
    with pytest.raises(ValidationError, match="by no threshold"):
        dbpd(confidence=0.0, adapt_every=5)


def test_a_higher_threshold_keeps_more_and_the_history_tells_it(tmp_path, dbpd):
    strategy = dbpd(confidence=0.2, adapt_every=1, adapt_by=0.2, revision_epochs=1)
    run = trained(tmp_path, strategy, epochs=4, optimizer={"use": "sgd", "lr": 1e-9})
    rows = run.history.rows[:3]
    assert [row["threshold"] for row in rows] == pytest.approx([0.2, 0.4, 0.6])
    assert rows[0]["kept"] < rows[1]["kept"] < rows[2]["kept"]
    assert "threshold" not in run.history.rows[3]


# --- alternating ----------------------------------------------------------------------


def kept_in_each_epoch(run):
    content = run.kept_records.to_npz(run.train.ids)
    with np.load(io.BytesIO(content)) as arrays:
        return arrays["kept"]


def test_a2_every_other_epoch_reuses_what_the_one_before_has_kept(tmp_path, dbpd):
    """A2 "alternative", and C5: by positions in the data set, not in the loader."""
    strategy = dbpd(confidence=0.34, alternate=True, warmup_epochs=1)
    run = trained(tmp_path, strategy, epochs=7, optimizer={"use": "adamw", "lr": 0.01})
    rows, kept = run.history.rows, kept_in_each_epoch(run)
    assert [row["phase"] for row in rows] == [
        *("warm-up", "filtered", "reused", "filtered", "reused", "filtered"),
        "revision",
    ]
    assert [row["scored"] for row in rows] == [0, 50, 0, 50, 0, 50, 0]
    for i in (2, 4):
        assert np.array_equal(kept[i], kept[i - 1])
        assert rows[i]["kept"] == rows[i]["seen"] == rows[i - 1]["kept"]
        assert rows[i]["kept_share"] == rows[i - 1]["kept_share"] < 1
        assert rows[i]["first_batch"] != rows[i - 1]["first_batch"]
    assert not np.array_equal(kept[3], kept[1])
    names = [entry["name"] for entry in run.snapshots.entries]
    assert names == ["before-revision", "after-revision"]


def test_an_epoch_that_reuses_nothing_trains_on_nothing(tmp_path, dbpd):
    strategy = dbpd(confidence=1e-9, alternate=True, revision_epochs=0)
    run = trained(tmp_path, strategy, epochs=2)
    assert [row["seen"] for row in run.history.rows] == [50, 0]
    assert [row["kept_share"] for row in run.history.rows] == [0.0, 0.0]


# --- stratified -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def spread(dbpd):
    return sys.modules[type(dbpd()).__module__].spread


def spread_counts(spread, sizes, number):
    """How many of each class are kept of a batch with so many hard samples."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=torch.manual_seed(0))]
    probability = torch.rand(len(labels), generator=torch.manual_seed(1))
    hard = torch.zeros(len(labels), dtype=torch.bool)
    hard[probability.argsort()[:number]] = True
    kept = spread(hard, probability, labels)
    for of_class in labels.unique():
        mine = probability[labels == of_class]
        chosen = probability[kept & (labels == of_class)]
        assert torch.equal(chosen.sort().values, mine.sort().values[: len(chosen)])
    return torch.bincount(labels[kept], minlength=len(sizes)).tolist()


@pytest.mark.parametrize(
    ("sizes", "number", "expected"),
    [
        ([60, 30, 10], 10, [6, 3, 1]),
        ([60, 30, 10], 50, [30, 15, 5]),
        ([60, 30, 10], 100, [60, 30, 10]),
        ([60, 30, 10], 3, [1, 1, 1]),
        ([30, 1, 1], 8, [6, 1, 1]),
        ([30, 1, 1], 1, [1, 1, 1]),
        ([60, 30, 10], 0, [0, 0, 0]),
        ([0, 5, 5], 4, [0, 2, 2]),
    ],
)
def test_c12_kept_samples_are_spread_over_the_classes_of_the_batch(
    spread, sizes, number, expected
):
    """C12: an option against class skew; hardest first within each class."""
    assert spread_counts(spread, sizes, number) == expected


def test_c12_a_run_keeps_the_batches_own_shares(tmp_path, dbpd):
    strategy = dbpd(confidence=0.34, stratify=True, revision_epochs=0)
    run = trained(tmp_path, strategy, epochs=3, batch_size=50)
    for row in run.history.rows:
        shares = list(row["kept_share_by_class"].values())
        assert max(shares) - min(shares) < 0.1
        assert 0 < row["kept_share"] < 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"task": "multi-label"}, "the task is multi-label"),
        ({"augment": ["random-crop", "mixup"]}, "mixup mixes them"),
    ],
)
def test_what_has_several_classes_can_t_be_stratified(tmp_path, dbpd, settings, told):
    with pytest.raises(ConfigError, match=told):
        trained(tmp_path, dbpd(stratify=True), **settings)


def test_only_without_strata_samples_are_kept_whatever_the_others_are():
    declaration = Catalog.discover().get("strategy", "dbpd")
    for stratify in (False, True):
        choice = resolve_parameters(declaration, {"stratify": stratify}, "here")
        assert choice.batch_independent is not stratify


# --- resuming -------------------------------------------------------------------------

VARIANTS = {
    "adaptive": {"adapt_every": 1, "adapt": "cumulative", "confidence": 0.3},
    "alternating": {"alternate": True, "confidence": 0.4},
    "stratified, packed": {"stratify": True, "pack": True, "confidence": 0.4},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_stopped_after_every_checkpoint_it_ends_alike(
    tmp_path, dbpd, variant, execution
):
    def make(folder, **settings):
        return make_run(tmp_path / folder, dbpd(**VARIANTS[variant]), **settings)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


# --- presets --------------------------------------------------------------------------


def preset_of(dbpd, name):
    return type(dbpd()).presets[name]


def rates(budget, epochs):
    schedule = LearningRate(budget, epochs)
    lr = budget.optimizer.lr
    return [lr * schedule.factor(epoch / epochs) for epoch in range(epochs)]


def test_a4_the_published_ecg_recipe(dbpd):
    """A4: AdamW 3e-4, StepLR(1, 0.98), batch 32, 100 epochs: 3.98e-5 after them."""
    preset = preset_of(dbpd, "published-ecg")
    budget = Budget.model_validate(preset.budget)
    assert (budget.epochs, budget.batch_size) == (100, 32)
    assert (budget.optimizer.use, budget.optimizer.weight_decay) == ("adamw", 0.01)
    found = rates(budget, 101)
    assert found[:3] == pytest.approx([3e-4, 2.94e-4, 2.8812e-4])
    assert found[100] == pytest.approx(3.98e-5, abs=5e-8)


def test_a4_the_origin_s_rate_is_constant(dbpd):
    """A4: StepLR.step(val_loss) gives 3e-4 * 0.98^floor(val_loss): it never decays."""
    budget = Budget.model_validate(preset_of(dbpd, "origin").budget)
    assert set(rates(budget, 200)) == {3e-4}


@pytest.mark.parametrize("name", ["faithful", "published-ecg", "origin"])
def test_a3_what_is_published_is_all_there(dbpd, name):
    """A3 and A4: tau 0.3, one revision epoch, no warm-up, the mean over kept."""
    params = dbpd(**preset_of(dbpd, name).params).params
    assert params.model_dump() == {
        "confidence": 0.3,
        "criterion": "confidence",
        "score_mode": "train",
        "batchnorm": "both",
        "reestimate_batchnorm": False,
        "average_over": "kept",
        "min_keep": 0,
        "pack": False,
        "warmup_epochs": 0,
        "revision_epochs": 1,
        "adapt_every": 0,
        "adapt_by": 0.1,
        "adapt": "stepped",
        "alternate": False,
        "stratify": False,
    }


def test_a3_faithful_scores_in_train_mode_and_moves_batchnorm_twice(tmp_path, dbpd):
    strategy = dbpd(**preset_of(dbpd, "faithful").params)
    run = trained(tmp_path, strategy, epochs=3, weights="last")
    rows = run.history.rows
    scoring = [4 if row["scored"] else 0 for row in rows]
    assert scoring == [4, 4, 0]
    moved = sum(scoring) + sum(row["steps"] for row in rows)
    assert int(run.model.norm.num_batches_tracked) == moved


def test_c2_clean_scores_in_eval_mode_and_renews_batchnorm(dbpd):
    params = dbpd(**preset_of(dbpd, "clean").params).params
    assert (params.score_mode, params.batchnorm) == ("eval", "kept")
    assert (params.reestimate_batchnorm, params.min_keep) == (True, 2)


def test_whoever_trains_as_published_is_told_what_that_means():
    declaration = Catalog.discover().get("strategy", "dbpd")
    params = declaration.presets["faithful"]["params"]
    for other in ({}, {"confidence": 0.5}):
        faithful = resolve_parameters(declaration, {**params, **other}, "here")
        assert "compare FLOPs" in faithful.footnotes[0]
    assert not resolve_parameters(declaration, {}, "here").footnotes

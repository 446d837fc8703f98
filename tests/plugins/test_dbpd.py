"""DBPD as section A of the methods' notes defines it, with section C's repairs."""

import math

import pytest
import torch
from pydantic import ValidationError
from small_runs import make_run
from torch.nn import functional

from harness.catalog import Catalog
from harness.errors import ConfigError
from harness.training.fit import Fit


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


def test_a6_compute_is_a_third_of_scoring_and_all_of_training(tmp_path, dbpd):
    """Cost model A6 with the backward's true cost: CE = (S + K + b K) / ((1 + b) N)."""
    run = trained(tmp_path, dbpd(confidence=0.34), epochs=5)
    flops = run.meter.summary(run.model, run.optimizer)["flops"]
    rows = run.history.rows
    scored, kept = (sum(row[name] for row in rows) for name in ("scored", "kept"))
    forward = flops["forward"] / (scored + kept)
    backward = flops["backward"] / kept
    assert forward == int(forward)
    assert backward == int(backward)
    assert 1.0 < backward / forward < 2.0


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

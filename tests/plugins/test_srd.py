"""Scalar random dropout as section A of the methods' notes defines it."""

import io
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError
from small_runs import EVERY_BATCH, EVERY_EPOCH, make_run, outcome
from stopping import resumed

from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters

RECORDS = 50_000
"""Of the training set that the published figures are of."""

FEW = pytest.mark.filterwarnings("ignore:srd. from epoch:UserWarning")


@pytest.fixture(scope="session")
def srd():
    cls = Catalog.discover().load("strategy", "srd")

    def make(**params):
        return cls(cls.Params(**params))

    return make


def trained(folder, strategy, **settings):
    run = make_run(folder, strategy, **settings)
    run.execute()
    return run


def by_batch(srd, batch, epochs, **params):
    """A7: effective epochs of the rule that rounds down in every batch, R = E - 1."""
    drawn = srd(unit="batch", **params).params.of_batch
    whole, rest = divmod(RECORDS, batch)
    kept = sum(whole * drawn(t, batch) + drawn(t, rest) for t in range(epochs - 1))
    return kept / RECORDS + 1


# --- the schedules, in closed form ---------------------------------------------------


@pytest.mark.parametrize(
    ("gamma", "expected"), [(0.99, 84.28), (0.95, 19.47), (0.96, 24.06), (0.93, 14.12)]
)
def test_a7_geometric_by_batch(srd, gamma, expected):
    found = by_batch(srd, 32, 200, gamma=gamma)
    assert found == pytest.approx(expected, abs=5e-3)


def test_a7_geometric_by_epoch_is_ideal(srd):
    """A7: 21.0 where the batch floor leaves 19.47."""
    drawn = srd(gamma=0.95).params.of_epoch
    kept = sum(drawn(t, RECORDS) for t in range(199)) + RECORDS
    assert kept / RECORDS == pytest.approx(21.0, abs=5e-3)


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        ("log", 50, 19.12),
        ("inverse-linear", 50, 9.44),
        ("log", 200, 51.31),
        ("inverse-linear", 200, 10.84),
    ],
)
def test_a7_log_and_inverse_linear_by_batch(srd, schedule, epochs, expected):
    found = by_batch(srd, 32, epochs, schedule=schedule, a=2.0)
    assert found == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize(
    ("gamma", "batch", "first"),
    [
        (0.95, 32, 68),
        (0.95, 64, 82),
        (0.95, 128, 95),
        (0.93, 32, 48),
        (0.98, 32, 172),
        (0.99, 32, 345),
    ],
)
def test_a7_the_first_epoch_that_trains_on_nothing(srd, gamma, batch, first):
    drawn = srd(unit="batch", gamma=gamma).params.of_batch
    assert next(t for t in range(1000) if drawn(t, batch) == 0) == first
    whole = srd(unit="epoch", gamma=gamma).params.of_epoch
    assert whole(first, RECORDS) > batch


@pytest.mark.parametrize(
    ("schedule", "at_9"),
    [
        ("geometric", 0.95**9),
        ("log", np.log(3) / np.log(12)),
        ("inverse-linear", 3 / 12),
        ("power", 10**-2),
        ("exponential", np.exp(-18)),
        ("sigmoid", (1 - 1 / (1 + np.exp(-20))) / (1 - 1 / (1 + np.exp(-2)))),
    ],
)
def test_a2_every_schedule_begins_with_all_records_and_never_rises(srd, schedule, at_9):
    """A2: f(x) with x = t + 1, so normalised that the largest is N."""
    share = srd(schedule=schedule, a=2.0).params.share
    shares = [share(t) for t in range(300)]
    assert shares[0] == 1.0
    assert all(a >= b >= 0 for a, b in pairwise(shares))
    assert shares[9] == pytest.approx(at_9)


def test_c10_an_epoch_draws_one_record_at_least(srd):
    assert srd(schedule="exponential").params.of_epoch(300, RECORDS) == 1


# --- runs -----------------------------------------------------------------------------


@FEW
def test_a2_an_epoch_draws_its_share_of_all_records_anew(tmp_path, srd):
    strategy = srd(gamma=0.8, warmup_epochs=1, revision_epochs=1)
    run = trained(tmp_path, strategy, epochs=6, records=48)
    rows = run.history.rows
    # The exponent is the epoch's number, also after a warm-up.
    expected = [48, *(round(0.8**t * 48) for t in (1, 2, 3, 4)), 48]
    assert [row["kept"] for row in rows] == expected
    assert [row["seen"] for row in rows] == expected
    assert [row["kept_share"] for row in rows] == [k / 48 for k in expected]
    assert [row["phase"] for row in rows] == [
        *("warm-up", "filtered", "filtered", "filtered", "filtered", "revision")
    ]
    assert {row["scored"] for row in rows} == {0}
    drawn = [set(order.tolist()) for order in drawn_in_each_epoch(run)]
    assert not drawn[2] >= drawn[3]
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["effective_epochs"] == cost["forward_epochs"] == sum(expected) / 48


def drawn_in_each_epoch(run):
    with np.load(io.BytesIO(run.kept_records.to_npz(run.train.ids))) as arrays:
        return [kept.nonzero()[0] for kept in arrays["kept"]]


def test_a2_a_batch_draws_its_floor(tmp_path, srd):
    strategy = srd(unit="batch", gamma=0.9, revision_epochs=0)
    run = trained(tmp_path, strategy, epochs=3)
    # Batches of 16, 16, 16 and 2.
    assert [row["kept"] for row in run.history.rows] == [
        *(50, 3 * 14 + 1, 3 * 12 + 1),
    ]
    assert {row["seen"] for row in run.history.rows} == {50}


def test_a5_batches_of_which_nothing_is_drawn_are_skipped(tmp_path, srd):
    strategy = srd(unit="batch", schedule="exponential", a=4.0, revision_epochs=0)
    with pytest.warns(UserWarning, match="from epoch 1 on, nothing of a batch of 16"):
        run = trained(tmp_path, strategy, epochs=2)
    row = run.history.rows[1]
    assert (row["kept_share"], row["steps"], row["skipped_batches"]) == (0.0, 0, 4)


def test_c10_an_epoch_of_less_than_a_batch_is_told_of(tmp_path, srd):
    with pytest.warns(UserWarning, match="from epoch 2 on, fewer records .* of 16"):
        trained(tmp_path, srd(gamma=0.5), epochs=4)


def test_an_epoch_that_is_full_anyway_is_not_told_of(tmp_path, srd):
    # Epoch 2, the first that would draw less than a batch, is the revision.
    trained(tmp_path, srd(gamma=0.5), epochs=3)


@FEW
def test_another_seed_draws_others_and_the_same_the_same(tmp_path, srd):
    def drawn(folder, seed):
        run = trained(tmp_path / folder, srd(gamma=0.5), epochs=3, seed=seed)
        return drawn_in_each_epoch(run)[1].tolist()

    assert drawn("a", 0) == drawn("b", 0) != drawn("c", 1)


def test_nothing_is_scored_that_could_move_batchnorm(srd):
    with pytest.raises(ValidationError, match="nothing is scored"):
        srd(batchnorm="full")


@FEW
@pytest.mark.parametrize("unit", ["epoch", "batch"])
@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_stopped_after_every_checkpoint_it_ends_alike(tmp_path, srd, unit, execution):
    def make(folder, **settings):
        return make_run(tmp_path / folder, srd(unit=unit, gamma=0.8), **settings)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


# --- presets --------------------------------------------------------------------------


def test_a4_the_published_rule(srd):
    """A4: 0.99 is hard-coded; A7: of 200 epochs with batches of 32, 84.28 are left."""
    faithful = type(srd()).presets["faithful"]
    params = srd(**faithful.params).params
    found = by_batch(srd, 32, 200, schedule=params.schedule, gamma=params.gamma)
    assert found == pytest.approx(84.28, abs=5e-3)
    assert (params.unit, params.warmup_epochs, params.revision_epochs) == (
        "batch",
        0,
        1,
    )
    assert params.of_batch(344, 32) == 1
    assert params.of_batch(345, 32) == 0


def test_whoever_trains_as_published_is_told_what_that_means():
    declaration = Catalog.discover().get("strategy", "srd")
    params = declaration.presets["faithful"]["params"]
    faithful = resolve_parameters(declaration, params, "here")
    assert "rounds down in every batch" in faithful.footnotes[0]
    assert "345 with batches of 32" in faithful.footnotes[0]
    assert not resolve_parameters(declaration, {"unit": "batch"}, "here").footnotes

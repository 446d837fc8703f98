"""Schedule-matched random dropout as section A of the methods' notes defines it."""

import io
import json

import numpy as np
import pytest
from pydantic import ValidationError
from small_runs import EVERY_BATCH, EVERY_EPOCH, cell, make_run, outcome
from stopping import resumed

from harness import Strategy, hookimpl
from harness.catalog import Catalog
from harness.errors import CellError, ConfigError
from harness.options import Budget
from harness.plan import make_plan
from harness.results.files import to_json
from harness.results.requirement import Requirement
from harness.suite_reader import read_suite


def maker(name):
    cls = Catalog.discover().load("strategy", name)

    def make(**params):
        return cls(cls.Params(**params))

    return make


@pytest.fixture(scope="session")
def smrd():
    return maker("smrd")


@pytest.fixture(scope="session")
def dbpd():
    return maker("dbpd")


class Rounds(Strategy):
    """Two rounds of two fits each, of two epochs."""

    name = "rounds"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 2):
            run.fit(2, fresh_optimizer=True)
            run.fit(2)
        return True


def finished(folder, *strategies, **settings):
    """A finished cell, with the files that one which requires it will read."""
    run = make_run(folder, *strategies, **settings)
    run.execute()
    return as_finished(folder, run.history.rows)


def as_finished(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    counts = cell(Budget(), ["dbpd"])
    (folder / "history.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "model.safetensors").touch()
    result = {"cell": counts.id, "provenance": {"plugins": {}}}
    (folder / "result.json").write_text(to_json(result))
    return Requirement(counts, counts.id, folder)


def replaying(folder, requirement, *strategies, **settings):
    """A run that repeats a finished cell's counts, not started."""
    run = make_run(folder, *strategies, **settings)
    run.requirements = {"counts": requirement}
    return run


def replayed(folder, requirement, *strategies, **settings):
    run = replaying(folder, requirement, *strategies, **settings)
    run.execute()
    return run


def rows_of(requirement):
    text = (requirement.folder / "history.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def kept(rows):
    return [row["kept"] for row in rows]


def kept_in_each_epoch(run):
    with np.load(io.BytesIO(run.kept_records.to_npz(run.train.ids))) as arrays:
        return arrays["kept"]


FASTER = {"epochs": 6, "optimizer": {"use": "adamw", "lr": 1e-2}}


@pytest.fixture(scope="module")
def of_dbpd(tmp_path_factory, dbpd):
    folder = tmp_path_factory.mktemp("dbpd")
    return finished(folder, dbpd(confidence=0.34, warmup_epochs=1), **FASTER)


# --- replayed -------------------------------------------------------------------------


def test_a2_each_epoch_draws_as_many_as_the_other_cell_kept(tmp_path, smrd, of_dbpd):
    """A2 and C9: K_t of a finished run; the sum is asserted, the sets are others."""
    run = replayed(tmp_path, of_dbpd, smrd(), **FASTER)
    theirs, own = rows_of(of_dbpd), run.history.rows
    assert kept(own) == kept(theirs)
    assert len(set(kept(own))) > 2
    assert [row["phase"] for row in own] == [row["phase"] for row in theirs]
    assert [row["kept_share"] for row in own] == [row["kept_share"] for row in theirs]
    assert {row["scored"] for row in own} == {0}
    shares = [row["kept_share_by_class"] for row in own]
    assert shares != [row["kept_share_by_class"] for row in theirs]
    assert [e["name"] for e in run.snapshots.entries] == [
        *("before-revision", "after-revision")
    ]
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["forward_samples"] == cost["backward_samples"] == sum(kept(theirs))


def test_c9_counts_of_each_class_can_be_matched_too(tmp_path, smrd, of_dbpd):
    run = replayed(tmp_path, of_dbpd, smrd(by_class=True), **FASTER)
    by_class = [row["kept_by_class"] for row in run.history.rows]
    assert by_class == [row["kept_by_class"] for row in rows_of(of_dbpd)]
    masks = kept_in_each_epoch(run)
    assert not np.array_equal(masks[1], masks[2])


def test_epochs_are_matched_inside_the_rounds_of_another_strategy(tmp_path, smrd, dbpd):
    """By loops and number; where a round has several fits, one after the other."""
    strategies = Rounds(), dbpd(confidence=0.34)
    other = finished(tmp_path / "a", *strategies, **FASTER)
    run = replayed(tmp_path / "b", other, Rounds(), smrd(), **FASTER)
    assert kept(run.history.rows) == kept(rows_of(other))
    assert [row["loops"]["round"] for row in run.history.rows] == [0] * 4 + [1] * 4


def test_an_epoch_of_which_nothing_was_kept_trains_on_nothing(tmp_path, smrd, dbpd):
    other = finished(tmp_path / "a", dbpd(confidence=1e-9), epochs=3)
    run = replayed(tmp_path / "b", other, smrd(), epochs=3)
    assert kept(run.history.rows) == [0, 0, 50]
    assert [row["steps"] for row in run.history.rows] == [0, 0, 4]


def test_it_ends_where_the_other_cell_stopped_early(tmp_path, smrd, dbpd):
    stopping = {"early_stopping": {"patience": 1}, **FASTER}
    strategy = dbpd(confidence=0.34, revision_epochs=0)
    other = finished(tmp_path / "a", strategy, **stopping)
    rows = rows_of(other)[:3]
    run = replayed(
        tmp_path / "b", as_finished(tmp_path / "c", rows), smrd(), **stopping
    )
    assert kept(run.history.rows) == kept(rows)


def test_an_epoch_that_the_other_cell_does_not_have_is_an_error(
    tmp_path, smrd, of_dbpd
):
    with pytest.raises(CellError, match=r"has no epoch 0 in \{'round': 0\}"):
        replayed(tmp_path, of_dbpd, Rounds(), smrd(), **FASTER)


def test_c9_sums_that_differ_are_an_error(tmp_path, smrd, of_dbpd):
    """C9: as of a history with a gap, after which nothing is matched."""
    rows = rows_of(of_dbpd)
    gap = as_finished(tmp_path / "gap", [*rows[:2], *rows[3:]])
    with pytest.raises(CellError, match=r"trained on \d+ samples in all, .* on \d+"):
        replayed(tmp_path / "run", gap, smrd(), **FASTER)


@pytest.mark.parametrize("number", [51, 12.5, -1, "many", None])
def test_counts_that_can_t_be_drawn_are_an_error(tmp_path, smrd, of_dbpd, number):
    rows = [{**row, "kept": number} for row in rows_of(of_dbpd)]
    other = as_finished(tmp_path / "other", rows)
    with pytest.raises(CellError, match=r"kept .* of 50 records"):
        replayed(tmp_path / "run", other, smrd(), **FASTER)


def test_mixed_labels_have_no_counts_by_class(tmp_path, smrd, dbpd):
    settings = {"augment": ["mixup"], **FASTER}
    other = finished(tmp_path / "a", dbpd(confidence=0.34), **settings)
    with pytest.raises(CellError, match="a whole number"):
        replayed(tmp_path / "b", other, smrd(by_class=True), **settings)


def test_a_history_without_counts_is_an_error(tmp_path, smrd, of_dbpd):
    other = as_finished(tmp_path / "other", [{"epoch": 0}])
    with pytest.raises(CellError, match="a history without counts"):
        replayed(tmp_path / "run", other, smrd(), **FASTER)


def test_several_labels_have_no_counts_by_class(tmp_path, smrd, of_dbpd):
    with pytest.raises(ConfigError, match="multi-label"):
        replayed(tmp_path, of_dbpd, smrd(by_class=True), task="multi-label", **FASTER)


@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
@pytest.mark.parametrize("rounds", [False, True])
def test_stopped_after_every_checkpoint_it_ends_alike(
    tmp_path, smrd, dbpd, execution, rounds
):
    around = (Rounds(),) if rounds else ()
    other = finished(tmp_path / "counts", *around, dbpd(confidence=0.34), **FASTER)

    def make(folder, **settings):
        own = smrd(by_class=True)
        return replaying(tmp_path / folder, other, *around, own, **settings, **FASTER)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


# --- online ---------------------------------------------------------------------------


def test_a2_online_keeps_as_many_as_the_present_model_finds_hard(tmp_path, smrd, dbpd):
    """A2 "smrd_online": in the first batch both see one network, and count alike."""
    settings = {"epochs": 2, "batch_size": 50, "dropout": 0.0}
    difficult = make_run(tmp_path / "a", dbpd(confidence=0.34), **settings)
    random = make_run(
        tmp_path / "b", smrd(counts="online", confidence=0.34), **settings
    )
    for run in (difficult, random):
        run.execute()
    first, drawn = difficult.history.rows[0], random.history.rows[0]
    assert 0 < drawn["kept"] == first["kept"] < 50
    assert drawn["scored"] == 50
    masks = [kept_in_each_epoch(run)[0] for run in (difficult, random)]
    assert not np.array_equal(*masks)
    assert [row["phase"] for row in random.history.rows] == ["filtered", "revision"]


def test_c11_online_a_batch_is_filled_up_at_random(tmp_path, smrd):
    strategy = smrd(counts="online", confidence=1e-9, min_keep=3, revision_epochs=0)
    run = make_run(tmp_path, strategy, epochs=2)
    run.execute()
    # Batches of 16, 16, 16 and 2.
    assert kept(run.history.rows) == [11, 11]


def test_online_at_a_confidence_of_0_counts_what_is_misclassified(tmp_path, smrd):
    run = make_run(tmp_path, smrd(counts="online", confidence=0.0), epochs=2)
    run.execute()
    assert 0 < run.history.rows[0]["kept"] < 50


def test_online_the_phases_must_fit_the_budget(tmp_path, smrd):
    with pytest.raises(ConfigError, match=r"smrd: 2 warm-up .* leave none of 3"):
        make_run(tmp_path, smrd(counts="online", warmup_epochs=2), epochs=3).execute()


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"counts": "online", "by_class": True}, 'by_class needs counts = "replayed"'),
        ({"batchnorm": "full"}, "score_mode"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(smrd, params, told):
    with pytest.raises(ValidationError, match=told):
        smrd(**params)


@pytest.mark.parametrize(
    "execution", [EVERY_EPOCH, EVERY_BATCH], ids=["epoch", "batch"]
)
def test_online_stopped_after_every_checkpoint_it_ends_alike(tmp_path, smrd, execution):
    def make(folder, **settings):
        strategy = smrd(counts="online", confidence=0.34)
        return make_run(tmp_path / folder, strategy, **settings)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


# --- what is planned ------------------------------------------------------------------

SUITE = """
name = "matched"
[budget]
epochs = 3
[[dataset]]
use = "synthetic"
records = 60
[[model]]
use = "cnn1d"
[[strategy]]
use = "dbpd"
confidence = 0.4
controls = false
[[strategy]]
use = "smrd"
confidence = 0.4
controls = false
[[strategy]]
use = "smrd"
label = "class by class"
confidence = 0.4
by_class = true
controls = false
[[strategy]]
use = "smrd"
label = "other"
warmup_epochs = 1
controls = false
[[strategy]]
use = "smrd"
label = "online"
counts = "online"
"""


def test_the_counts_are_those_of_dbpd_with_the_same_parameters(
    tmp_path, clean_environment
):
    (tmp_path / "suite.toml").write_text(SUITE)
    plan = make_plan(*read_suite(tmp_path / "suite.toml"), tmp_path / "runs")
    cells = {p.cell.labels["strategy"]: p.cell for p in plan.cells if p.role == "suite"}
    dbpd = cells["dbpd"].id
    assert cells["smrd"].requires["counts"].id == dbpd
    assert cells["class by class"].requires["counts"].id == dbpd
    other = cells["other"].requires["counts"]
    assert other.strategies[0].changed == {"warmup_epochs": 1}
    assert not cells["online"].requires
    controls = [p.cell for p in plan.cells if p.role == "control"]
    assert {c.strategy_name for c in controls} == {"baseline"}

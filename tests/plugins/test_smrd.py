"""Schedule-matched random dropout as section A of the methods' notes defines it."""

import io
import json

import numpy as np
import pytest
from pydantic import ValidationError
from small_runs import EVERY_BATCH, EVERY_EPOCH, cell, make_run, outcome
from stopping import resumed
from suites_to_run import DBPD, write_suite
from suites_to_run import run as run_harness

from harness import Strategy, hookimpl
from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters
from harness.errors import CellError, ConfigError, DataError
from harness.files.atomic import to_json
from harness.options import Budget
from harness.plan.plan import make_plan
from harness.results.requirement import Requirement
from harness.suite.resolve import read_suite


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


class Steps(Strategy):
    """Notes the positions of the records of each step."""

    name = "steps"

    def __init__(self):
        super().__init__()
        self.taken = []

    @hookimpl(wrapper=True)
    def training_step(self, run, batch):
        self.taken.append(batch.index.tolist())
        return (yield)

    @property
    def sizes(self):
        return [len(step) for step in self.taken]


def finished(folder, *strategies, **settings):
    """A finished cell, with the files that one which requires it will read."""
    run = make_run(folder, *strategies, **settings)
    run.execute()
    return as_finished(folder, run.history.rows, kept_in_each_epoch(run))


def as_finished(folder, rows, masks=None):
    """A finished cell of 50 records; without `masks` it dropped none."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = cell(Budget(), ["dbpd"])
    (folder / "history.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "model.safetensors").touch()
    if masks is not None:
        np.savez(folder / "kept.npz", kept=masks)
    cost = {"train_samples": 50}
    result = {"cell": counts.id, "provenance": {"plugins": {}}, "cost": cost}
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


def masks_of(requirement):
    with np.load(requirement.folder / "kept.npz") as arrays:
        return arrays["kept"]


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


# --- replayed, both ways --------------------------------------------------------------

DRAWS = pytest.mark.parametrize("draw", ["batch", "epoch"])


@DRAWS
def test_a2_each_epoch_keeps_as_many_as_the_other_cell(tmp_path, smrd, of_dbpd, draw):
    """A2 and C9: K_t of a finished run; the sum is asserted, the sets are others."""
    run = replayed(tmp_path, of_dbpd, smrd(draw=draw), **FASTER)
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


@DRAWS
def test_c9_counts_of_each_class_can_be_matched_too(tmp_path, smrd, of_dbpd, draw):
    run = replayed(tmp_path, of_dbpd, smrd(by_class=True, draw=draw), **FASTER)
    by_class = [row["kept_by_class"] for row in run.history.rows]
    assert by_class == [row["kept_by_class"] for row in rows_of(of_dbpd)]
    masks, theirs = kept_in_each_epoch(run), masks_of(of_dbpd)
    assert not np.array_equal(masks[1], masks[2])
    assert not np.array_equal(masks, theirs)


@DRAWS
def test_epochs_are_matched_inside_the_rounds_of_another_strategy(
    tmp_path, smrd, dbpd, draw
):
    """By loops and number; where a round has several fits, one after the other."""
    strategies = Rounds(), dbpd(confidence=0.34)
    other = finished(tmp_path / "a", *strategies, **FASTER)
    run = replayed(tmp_path / "b", other, Rounds(), smrd(draw=draw), **FASTER)
    assert kept(run.history.rows) == kept(rows_of(other))
    assert [row["loops"]["round"] for row in run.history.rows] == [0] * 4 + [1] * 4


@DRAWS
def test_an_epoch_of_which_nothing_was_kept_trains_on_nothing(
    tmp_path, smrd, dbpd, draw
):
    other = finished(tmp_path / "a", dbpd(confidence=1e-9), epochs=3)
    run = replayed(tmp_path / "b", other, smrd(draw=draw), epochs=3)
    assert kept(run.history.rows) == [0, 0, 50]
    assert [row["steps"] for row in run.history.rows] == [0, 0, 4]


def test_it_ends_where_the_other_cell_stopped_early(tmp_path, smrd, dbpd):
    stopping = {"early_stopping": {"patience": 1}, **FASTER}
    strategy = dbpd(confidence=0.34, revision_epochs=0)
    other = finished(tmp_path / "a", strategy, **stopping)
    rows = rows_of(other)[:3]
    stopped = as_finished(tmp_path / "c", rows, masks_of(other)[:3])
    run = replayed(tmp_path / "b", stopped, smrd(), **stopping)
    assert kept(run.history.rows) == kept(rows)


def test_an_epoch_that_the_other_cell_does_not_have_is_an_error(
    tmp_path, smrd, of_dbpd
):
    with pytest.raises(CellError, match=r"has no epoch 0 in \{'round': 0\}"):
        replayed(tmp_path, of_dbpd, Rounds(), smrd(), **FASTER)


def test_c9_sums_that_differ_are_an_error(tmp_path, smrd, of_dbpd):
    """C9: as of a history with a gap, after which nothing is matched."""
    rows, masks = rows_of(of_dbpd), masks_of(of_dbpd)
    gap = as_finished(
        tmp_path / "gap", [*rows[:2], *rows[3:]], np.delete(masks, 2, axis=0)
    )
    with pytest.raises(CellError, match=r"trained on \d+ samples in all, .* on \d+"):
        replayed(tmp_path / "run", gap, smrd(), **FASTER)


@pytest.mark.parametrize("number", [51, 12.5, -1, "many", None])
def test_counts_that_can_t_be_drawn_are_an_error(tmp_path, smrd, of_dbpd, number):
    rows = [{**row, "kept": number} for row in rows_of(of_dbpd)]
    other = as_finished(tmp_path / "other", rows, masks_of(of_dbpd))
    with pytest.raises(CellError, match=r"kept .* of 50 records"):
        replayed(tmp_path / "run", other, smrd(), **FASTER)


@DRAWS
def test_mixed_labels_have_no_counts_by_class(tmp_path, smrd, of_dbpd, draw):
    strategy = smrd(by_class=True, draw=draw)
    with pytest.raises(ConfigError, match="mixup mixes them"):
        replayed(tmp_path, of_dbpd, strategy, augment=["mixup"], **FASTER)


def test_mixed_labels_have_counts(tmp_path, smrd, dbpd):
    settings = {"augment": ["mixup"], **FASTER}
    other = finished(tmp_path / "a", dbpd(confidence=0.34), **settings)
    run = replayed(tmp_path / "b", other, smrd(), **settings)
    assert kept(run.history.rows) == kept(rows_of(other))


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
@DRAWS
def test_stopped_after_every_checkpoint_it_ends_alike(
    tmp_path, smrd, dbpd, execution, rounds, draw
):
    around = (Rounds(),) if rounds else ()
    other = finished(tmp_path / "counts", *around, dbpd(confidence=0.34), **FASTER)

    def make(folder, **settings):
        own = smrd(by_class=True, draw=draw)
        return replaying(tmp_path / folder, other, *around, own, **settings, **FASTER)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=execution))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


# --- replayed, batch by batch ---------------------------------------------------------

VARIANTS = {
    "plain": {},
    "filled up": {"min_keep": 3},
    "packed": {"pack": True},
    "over the batch": {"average_over": "batch"},
    "alternating": {"alternate": True},
    "alternating, packed": {"alternate": True, "pack": True},
}
SHARED = ("pack", "average_over", "min_keep")


def shared(variant):
    """What of a variant's settings its control has, too."""
    return {key: value for key, value in variant.items() if key in SHARED}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_c9_each_step_has_as_many_samples_but_others(tmp_path, smrd, dbpd, variant):
    """C9: the random arm is matched batch by batch, and so in optimizer steps."""
    theirs, own = Steps(), Steps()
    strategy = dbpd(confidence=0.33, **variant)
    other = finished(tmp_path / "a", theirs, strategy, batch_size=8, **FASTER)
    random = smrd(**shared(variant))
    run = replayed(tmp_path / "b", other, own, random, batch_size=8, **FASTER)
    assert own.sizes == theirs.sizes
    assert own.taken != theirs.taken
    assert len(set(own.sizes)) > 2
    for mine, matched in zip(run.history.rows, rows_of(other), strict=True):
        for count in ("kept", "seen", "steps", "skipped_batches"):
            assert mine[count] == matched[count]
        if matched["seen"] == 50:
            assert mine["first_batch"] == matched["first_batch"]
    assert not np.array_equal(kept_in_each_epoch(run), masks_of(other))


def test_each_step_is_drawn_from_all_of_its_batch(tmp_path, smrd, dbpd):
    """The batches are those of plain training, in the same order."""
    other = finished(tmp_path / "a", dbpd(confidence=0.33, min_keep=1), **FASTER)
    plain, own = Steps(), Steps()
    make_run(tmp_path / "b", plain, **FASTER).execute()
    replayed(tmp_path / "c", other, own, smrd(), **FASTER)
    places = [
        [batch.index(record) for record in step]
        for batch, step in zip(plain.taken, own.taken, strict=True)
    ]
    dropping = [step for step in places if len(step) < 16 and max(step) > 1]
    assert any(max(step) >= len(step) for step in dropping)
    assert any(min(step) > 0 for step in dropping)


def test_the_paper_s_text_takes_fewer_and_fuller_steps(tmp_path, smrd, of_dbpd):
    """What the footnote of the preset says: K_t / B steps, rounded up."""
    preset = type(smrd()).presets["faithful"]
    run = replayed(tmp_path, of_dbpd, smrd(**preset.params), **FASTER)
    theirs, own = rows_of(of_dbpd), run.history.rows
    assert [row["steps"] for row in own] == [-(-k // 16) for k in kept(theirs)]
    steps = [sum(row["steps"] for row in rows) for rows in (own, theirs)]
    assert steps[0] < steps[1]


def test_what_was_chosen_before_an_epoch_is_drawn_before_it(tmp_path, smrd, dbpd):
    """The reused epochs of `alternate`: what is seen is what is kept."""
    strategy = dbpd(confidence=0.34, alternate=True)
    other = finished(tmp_path / "a", strategy, **FASTER)
    run = replayed(tmp_path / "b", other, smrd(), **FASTER)
    seen = [row["seen"] for row in run.history.rows]
    assert seen == [row["seen"] for row in rows_of(other)]
    assert seen[1] == kept(run.history.rows)[1] < seen[0] == 50
    masks = kept_in_each_epoch(run)
    assert not np.array_equal(masks[0], masks[1])


def test_records_that_came_twice_are_drawn_as_a_whole(tmp_path, smrd, of_dbpd):
    """As of a strategy that draws with replacement: bits don't tell how often."""
    rows, masks = rows_of(of_dbpd), masks_of(of_dbpd)
    rows[2]["kept"] = int(masks[2].sum()) + 1
    other = as_finished(tmp_path / "a", rows, masks)
    run = replayed(tmp_path / "b", other, smrd(), **FASTER)
    assert kept(run.history.rows) == kept(rows)
    assert run.history.rows[2]["seen"] == rows[2]["kept"]


def test_of_a_cell_that_never_dropped_all_is_kept(tmp_path, smrd, of_dbpd):
    """Such a cell leaves no `kept.npz`."""
    rows = [{**row, "kept": 50} for row in rows_of(of_dbpd)]
    run = replayed(tmp_path / "b", as_finished(tmp_path / "a", rows), smrd(), **FASTER)
    assert kept(run.history.rows) == [50] * 6


def test_records_that_were_dropped_must_be_known(tmp_path, smrd, of_dbpd):
    other = as_finished(tmp_path / "a", rows_of(of_dbpd))
    with pytest.raises(DataError, match=r"kept\.npz"):
        replayed(tmp_path / "b", other, smrd(), **FASTER)
    run = replayed(tmp_path / "c", other, smrd(draw="epoch"), **FASTER)
    assert kept(run.history.rows) == kept(rows_of(of_dbpd))


@pytest.mark.parametrize("name", ["packed", "alternating"])
def test_matched_batch_by_batch_it_resumes_alike(tmp_path, smrd, dbpd, name):
    variant = VARIANTS[name]
    other = finished(tmp_path / "a", dbpd(confidence=0.33, **variant), **FASTER)

    def make(folder, **settings):
        own = smrd(**shared(variant))
        return replaying(tmp_path / folder, other, own, **settings, **FASTER)

    whole = make("whole")
    whole.execute()
    ended, attempts = resumed(lambda: make("stopped", execution=EVERY_BATCH))
    assert attempts > 1
    assert outcome(ended) == outcome(whole)


IN_TWO = DBPD.replace("controls = false", 'controls = ["random at equal counts"]')


def test_each_process_keeps_as_many_of_its_share(tmp_path):
    suite = write_suite(tmp_path, IN_TWO, execution="processes = 2")
    run_harness("run", str(suite), "--device", "cpu", "--workers", "1", cwd=tmp_path)
    rows = {}
    for name in ("dbpd", "smrd"):
        (path,) = tmp_path.glob(f"runs/*/*/{name}/*/history.jsonl")
        rows[name] = [json.loads(line) for line in path.read_text().splitlines()]
    assert kept(rows["smrd"]) == kept(rows["dbpd"])
    assert 0 < kept(rows["smrd"])[0] < rows["smrd"][0]["seen"]
    for count in ("seen", "steps", "skipped_batches", "first_batch"):
        found = [[row[count] for row in rows[name]] for name in ("dbpd", "smrd")]
        assert found[0] == found[1]


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
        ({"counts": "online", "draw": "epoch"}, 'draw = "epoch" needs counts'),
        ({"batchnorm": "full"}, "score_mode"),
        ({"batchnorm": "full", "score_mode": "train"}, "scores nothing; take"),
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
label = "as published"
preset = "faithful"
confidence = 0.4
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
    assert cells["as published"].requires["counts"].id == dbpd
    other = cells["other"].requires["counts"]
    assert other.strategies[0].changed == {"warmup_epochs": 1}
    assert not cells["online"].requires
    controls = [p.cell for p in plan.cells if p.role == "control"]
    assert {c.strategy_name for c in controls} == {"baseline"}


# --- presets --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"),
    [("faithful", "differ in optimizer steps"), ("faithful-online", "aren't matched")],
)
def test_whoever_trains_as_published_is_told_what_that_means(name, told):
    """A2: two methods have the name, and neither is matched in all."""
    declaration = Catalog.discover().get("strategy", "smrd")
    params = declaration.presets[name]["params"]
    for other in ({}, {"confidence": 0.5}):
        (footnote,) = resolve_parameters(
            declaration, {**params, **other}, "here"
        ).footnotes
        assert told in footnote
    assert not resolve_parameters(declaration, {}, "here").footnotes


def test_a3_faithful_online_scores_in_train_mode_and_moves_batchnorm_twice(
    tmp_path, smrd
):
    strategy = smrd(**type(smrd()).presets["faithful-online"].params)
    run = make_run(tmp_path, strategy, epochs=3, weights="last")
    run.execute()
    rows = run.history.rows
    scoring = [4 if row["scored"] else 0 for row in rows]
    assert scoring == [4, 4, 0]
    moved = sum(scoring) + sum(row["steps"] for row in rows)
    assert int(run.model.norm.num_batches_tracked) == moved

"""lottery-ticket with another strategy, and stopped at any of its checkpoints."""

import shutil

import pytest
from lottery_runs import PRUNABLE, dbpd, lottery, trained
from small_runs import EVERY_BATCH, EVERY_EPOCH, make_run, outcome

FORWARD_FLOPS = 2 * (8 * 2 * 7 * 32 + 8 * 3)
"""Of one sample: a convolution of 32 steps, and a head; a multiply-add is two."""

BACKWARD_FLOPS = 2 * (8 * 2 * 7 * 32 + 8 * 3 + 8 * 3)
"""Gradients of both weights, and of the head's input; the signals need none."""


def test_composed_with_dbpd_it_costs_what_the_hand_computes(tmp_path):
    """3 trainings of 3 epochs of 50 records in batches of 16, 16, 16 and 2: in the
    first two epochs the 3 hardest of each batch are kept (2 of the last), in the last
    epoch, of revision, everything.
    """
    drops = dbpd(confidence=1e-9, min_keep=3, revision_epochs=1)
    run = trained(tmp_path, lottery(rounds=2), drops, epochs=3)
    rows = run.history.rows
    assert [row["kept"] for row in rows] == [3 + 3 + 3 + 2, 11, 50] * 3
    assert [row["scored"] for row in rows] == [50, 50, 0] * 3
    assert [row["steps"] for row in rows] == [4] * 9
    scored, trained_on = 3 * 2 * 50, 3 * (11 + 11 + 50)
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["forward_samples"] == scored + trained_on
    assert cost["backward_samples"] == trained_on
    assert cost["effective_epochs"] == trained_on / 50
    assert cost["forward_epochs"] == (scored + trained_on) / 50
    assert cost["flops"]["forward"] == (scored + trained_on) * FORWARD_FLOPS
    assert cost["flops"]["backward"] == trained_on * BACKWARD_FLOPS
    assert cost["audit"]["status"] == "passed"


def test_composed_with_dbpd_each_figure_follows_from_the_kept_counts(tmp_path):
    run = trained(tmp_path, lottery(rounds=2), dbpd(confidence=0.34), epochs=3)
    rows = run.history.rows
    kept_rows, scored = (sum(row[key] for row in rows) for key in ("kept", "scored"))
    assert scored == 3 * 2 * 50
    assert 3 * 50 < kept_rows < 9 * 50
    cost = run.meter.summary(run.model, run.optimizer)
    assert cost["backward_samples"] == kept_rows
    assert cost["flops"]["forward"] == (scored + kept_rows) * FORWARD_FLOPS
    assert cost["flops"]["backward"] == kept_rows * BACKWARD_FLOPS
    assert cost["sparsity"]["prunable"] == 1 - 86 / PRUNABLE


def test_composed_with_dbpd_each_round_has_its_own_revision(tmp_path):
    run = trained(tmp_path, lottery(rounds=1), dbpd(confidence=0.34), epochs=3)
    assert [row["phase"] for row in run.history.rows] == [
        *("filtered", "filtered", "revision"),
        *("filtered", "filtered", "revision"),
    ]
    taken = [(e["name"], e["axes"]["round"]) for e in run.snapshots.entries]
    assert taken == [
        *(("before-revision", 0), ("after-revision", 0), ("ticket", 0), ("pruned", 1)),
        *(("before-revision", 1), ("after-revision", 1), ("ticket", 1)),
    ]


# --- resuming ------------------------------------------------------------------------

RESUMED = {
    "init": ({}, (), EVERY_EPOCH, {}),
    "iteration": ({"rewind": "iteration", "rewind_steps": 3}, (), EVERY_BATCH, {}),
    "fine-tuning": (
        {"rewind": "fine-tuning"},
        (),
        EVERY_EPOCH,
        {"schedule": {"use": "step", "gamma": 0.5}},
    ),
    "composed": ({"rewind": "learning-rate"}, ("dbpd",), EVERY_BATCH, {}),
}


def with_copies(run, folder):
    """Train, with a copy of the run's folder at each checkpoint."""
    save, copies = run.saver.save, []

    def saving():
        save()
        copies.append(folder / str(len(copies)))
        shutil.copytree(run.snapshots.folder.parent, copies[-1])

    run.saver.save = saving
    run.execute()
    return copies


def ended(run):
    # At the very end there is no fit left to go through.
    return {**outcome(run), "chosen": run.chosen}


def snapshots_of(folder):
    return {f.name: f.read_bytes() for f in (folder / "snapshots").iterdir()}


@pytest.mark.parametrize("case", RESUMED)
def test_it_ends_alike_from_each_of_its_checkpoints(tmp_path, case):
    params, others, execution, settings = RESUMED[case]

    def make(folder):
        strategies = [lottery(rounds=2, **params)]
        strategies += [dbpd(confidence=0.34) for _ in others]
        sizes = {"epochs": 2, "records": 20, "execution": execution}
        return make_run(folder, *strategies, **sizes, **settings)

    whole = make(tmp_path / "whole")
    copies = with_copies(whole, tmp_path)
    # In a round 2 epochs, of 2 batches each; a checkpoint follows each of them all.
    assert len(copies) == 3 * (2 * (3 if execution is EVERY_BATCH else 1) + 1)
    for folder in copies:
        run = make(folder)
        run.execute()
        assert ended(run) == ended(whole)
        assert snapshots_of(folder) == snapshots_of(tmp_path / "whole")

"""What an epoch trained on is known for each record, and so is its last loss."""

import io
import json

import numpy as np
import pytest
import torch
from small_runs import EVERY_BATCH, make_run, outcome
from stopping import resumed

from harness import Dropping, Strategy, hookimpl
from harness.training.record_log import KeptRecords, read_kept


class Thirds(Strategy):
    """Drops every third record of an epoch, other ones in each."""

    name = "thirds"

    class Params(Dropping):
        pass

    @hookimpl
    def select_samples(self, run, batch):
        return batch.index % 3 != run.epoch % 3


class Leaves(Strategy):
    """Leaves records out before the epoch, and keeps no sample of half of the others'
    batches.
    """

    name = "leaves"

    @hookimpl
    def select_epoch(self, run):
        return np.arange(10, len(run.train)), None

    @hookimpl
    def select_samples(self, run, batch):
        mask = torch.zeros(len(batch), dtype=torch.bool)
        mask[:4] = run.loops.indices["batch"] % 2
        return mask


class Nothing(Strategy):
    """Keeps nothing of the second epoch."""

    name = "nothing"

    @hookimpl
    def select_epoch(self, run):
        return (np.arange(0), None) if run.epoch == 1 else None


class Rounds(Strategy):
    """Two fits of two epochs."""

    name = "rounds"

    @hookimpl
    def train(self, run):
        for _ in run.loop("round", 2):
            run.fit(2)
        return True


def trained(folder, *strategies, **settings):
    run = make_run(folder, *strategies, **settings)
    run.execute()
    return run


def arrays_of(run):
    with np.load(io.BytesIO(run.kept_records.to_npz(run.train.ids))) as arrays:
        return dict(arrays)


# --- kept records -------------------------------------------------------------------


@pytest.mark.parametrize("pack", [False, True])
def test_c5_kept_records_are_those_of_the_data_set_under_shuffling(tmp_path, pack):
    """Pitfall C5: ids by batch number and place are meaningless once shuffled."""
    run = trained(tmp_path, Thirds(Thirds.Params(pack=pack)))
    place = np.arange(50)
    found = arrays_of(run)
    assert found["records"].tolist() == [f"r{i}" for i in range(50)]
    assert found["epoch"].tolist() == [0, 1, 2, 3]
    for epoch, kept in enumerate(found["kept"]):
        assert np.array_equal(kept, place % 3 != epoch % 3)
    assert np.array_equal(run.kept_records.last, place % 3 != 0)


def test_rows_of_rounds_say_of_which(tmp_path):
    run = trained(tmp_path, Rounds(), Thirds())
    found = arrays_of(run)
    assert found["epoch"].tolist() == [0, 1, 0, 1]
    loops = [json.loads(text) for text in found["loops"]]
    assert loops == [{"round": 0}, {"round": 0}, {"round": 1}, {"round": 1}]
    assert [r["loops"] for r in run.history.rows] == loops


def test_an_epoch_that_keeps_everything_takes_no_room(tmp_path):
    run = trained(tmp_path)
    assert run.kept_records.all_kept
    assert run.kept_records.last.all()
    assert [row["bits"] for row in run.kept_records.state_dict()["rows"]] == [None] * 4


def test_before_the_first_epoch_nothing_is_known(tmp_path):
    assert make_run(tmp_path).kept_records.last is None


@pytest.mark.parametrize("records", [1, 8, 9])
def test_bits_come_back_whatever_the_number_of_records(records):
    kept = np.arange(records) % 2 == 1
    written, read = KeptRecords(records), KeptRecords(records)
    written.append(0, {}, kept)
    read.load_state_dict(written.state_dict())
    assert np.array_equal(read.last, kept)


@pytest.mark.parametrize("strategy", [Thirds, Leaves])
def test_stopped_after_every_batch_the_same_are_kept(tmp_path, strategy):
    whole = trained(tmp_path / "whole", strategy())

    def make():
        return make_run(tmp_path / "stopped", strategy(), execution=EVERY_BATCH)

    ended, attempts = resumed(make)
    assert attempts > 4
    assert outcome(ended) == outcome(whole)


# --- shares and counts ----------------------------------------------------------------


def test_a5_shares_are_of_all_records_that_an_epoch_could_have_seen(tmp_path):
    """A5: the denominator counts what was left out, and skipped batches too."""
    run = trained(tmp_path, Leaves(), epochs=1)
    (row,) = run.history.rows
    # 40 records in batches of 16, 16 and 8, of which the second keeps 4.
    assert (row["seen"], row["kept"], row["skipped_batches"]) == (40, 4, 2)
    assert row["kept_share"] == 4 / 50
    of_class = np.bincount(run.train.labels, minlength=3)
    assert sum(row["kept_by_class"].values()) == 4
    for i, name in enumerate("ABC"):
        share = row["kept_by_class"][name] / of_class[i]
        assert row["kept_share_by_class"][name] == pytest.approx(share)


def test_a5_an_epoch_of_which_nothing_is_kept_is_0_not_1(tmp_path):
    run = trained(tmp_path, Nothing(), epochs=3)
    shares = [row["kept_share"] for row in run.history.rows]
    assert shares == [1.0, 0.0, 1.0]
    row = run.history.rows[1]
    assert (row["seen"], row["steps"], row["loss"]) == (0, 0, None)
    assert set(row["kept_share_by_class"].values()) == {0.0}
    assert not arrays_of(run)["kept"][1].any()


def test_counts_by_class_are_whole_where_labels_are(tmp_path):
    plain = trained(tmp_path / "plain", Thirds())
    mixed = trained(tmp_path / "mixed", Thirds(), augment=["mixup"])
    for row in plain.history.rows:
        assert all(type(k) is int for k in row["kept_by_class"].values())
        assert sum(row["kept_by_class"].values()) == row["kept"]
    for row in mixed.history.rows:
        assert sum(row["kept_by_class"].values()) == pytest.approx(row["kept"])


class Limited(Strategy):
    """An epoch and a half."""

    name = "limited"

    @hookimpl
    def train(self, run):
        run.fit(samples=75)
        return True


def test_a_shorter_last_epoch_keeps_all_that_it_could(tmp_path):
    run = trained(tmp_path, Limited())
    assert [row["kept_share"] for row in run.history.rows] == [1.0, 1.0]
    assert [row["kept"] for row in run.history.rows] == [50, 25]
    assert run.kept_records.last.sum() == 25


# --- last losses ----------------------------------------------------------------------


class Known(Strategy):
    """Losses that tell the record and the epoch, under weights that must not show."""

    name = "known"

    @hookimpl
    def select_epoch(self, run):
        kept = np.arange(0, len(run.train), 1 + run.epoch)
        return kept, np.full(len(kept), 7.0)

    @hookimpl
    def select_samples(self, run, batch):
        run.score(batch)

    @hookimpl
    def sample_losses(self, run, batch, outputs):
        judged = 0 if outputs.logits.requires_grad else 1000
        return outputs.logits.sum(1) * 0 + batch.index + run.epoch / 10 + judged


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 5}])
def test_the_last_loss_is_that_of_the_last_training_pass(tmp_path, settings):
    run = trained(tmp_path, Known(), epochs=3, **settings)
    last = np.select([np.arange(50) % n == 0 for n in (3, 2)], [0.2, 0.1], 0.0)
    assert run.last_losses == pytest.approx(np.arange(50) + last, abs=1e-5)
    assert run.last_losses.dtype == np.float32


def test_records_that_were_never_trained_on_have_no_loss(tmp_path):
    run = trained(tmp_path, Leaves(), epochs=1)
    assert np.isnan(run.last_losses).sum() == 46
    assert np.array_equal(np.isfinite(run.last_losses), run.kept_records.last)


def test_packed_batches_tell_their_losses_too(tmp_path):
    run = trained(tmp_path, Thirds(Thirds.Params(pack=True)), epochs=1)
    assert np.array_equal(np.isfinite(run.last_losses), run.kept_records.last)


def test_noting_them_is_no_part_of_a_step_s_memory_or_work(tmp_path):
    costs = [
        trained(tmp_path / str(n), records=n, epochs=1).meter.summary(
            torch.nn.Identity()
        )
        for n in (48, 480)
    ]
    assert costs[0]["peak_memory_bytes"] == costs[1]["peak_memory_bytes"]
    assert {cost["audit"]["status"] for cost in costs} == {"passed"}


# --- the file -------------------------------------------------------------------------


def test_a_cell_that_drops_leaves_its_file_and_another_none(tiny_run):
    folder = tiny_run.cell("dbpd")
    rows = [json.loads(r) for r in (folder / "history.jsonl").read_text().splitlines()]
    with np.load(folder / "kept.npz") as arrays:
        assert arrays["kept"].sum(1).tolist() == [row["kept"] for row in rows]
        assert arrays["kept"].shape[1] == len(set(arrays["records"].tolist()))
        with np.load(folder / "predictions.npz") as predictions:
            judged = {*predictions["test_records"], *predictions["validation_records"]}
        assert not judged & set(arrays["records"].tolist())
    assert np.array_equal(
        read_kept(folder / "kept.npz").sum(1), [r["kept"] for r in rows]
    )
    assert not (tiny_run.cell("baseline") / "kept.npz").exists()


def zipped(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def claiming(size, archive):
    """The archive with another size of its member's content in its directory."""
    place = archive.index(b"PK\x01\x02") + 24
    return archive[:place] + size.to_bytes(4, "little") + archive[place + 4 :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        zipped(kept=np.ones((2, 3), bool))[:-30],
        zipped(other=np.ones(3)),
        zipped(kept=np.ones(3, bool)),
        zipped(kept=np.ones((2, 3))),
        zipped(kept=np.array([{}, {}], dtype=object)),
        claiming(0x7FFFFFFF, zipped(kept=np.ones((2, 3), bool))),
    ],
    ids=["empty", "text", "cut", "no kept", "one row", "floats", "objects", "bomb"],
)
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "kept.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_kept(path)

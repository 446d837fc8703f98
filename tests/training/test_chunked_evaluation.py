"""A record that is longer than a sample is judged by all its windows together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import SAMPLES, SmallNet, cell, splits
from small_runs import split as small_split

from harness import Strategy, hookimpl
from harness.data.windows import Chunking, window_starts
from harness.options import Budget, Chunks, DataOptions, Execution
from harness.training.evaluate import evaluate
from harness.training.run import Run

WINDOW, STRIDE, BATCH = 24, 16, 8
LENGTHS = np.array([10, 24, 25, 40, 56, 64])
"""In samples: of one window, of two and of more."""


class Onlooker(Strategy):
    """Notes what the hook `predict` is handed."""

    name = "onlooker"

    @hookimpl(wrapper=True)
    def predict(self, run, batch, outputs):
        run.seen.append(batch)
        return (yield)


def unequal(seed, task, combine):
    """Records of unequal length, cut into windows where `combine` says how."""
    whole = small_split(18, seed, task)
    lengths = np.resize(LENGTHS, len(whole))
    return replace(
        whole,
        lengths=lengths,
        window=WINDOW,
        read=lambda i: whole.read(i)[:, : lengths[i]],
        chunking=combine and Chunking(STRIDE, combine),
    )


def a_run(folder, task="multi-label", combine="mean", **budget):
    """A run that isn't started, on windows."""
    data = replace(
        splits(task=task),
        train=unequal(0, task, combine),
        validation=unequal(1, task, combine),
        test=unequal(2, task, combine),
        samples=WINDOW,
    )
    settings = Budget(**{"epochs": 1, "batch_size": BATCH, **budget})
    of = cell(settings, ["onlooker"])
    run = Run(of, data, [Onlooker()], SmallNet, folder, Execution())
    run.seen = []
    return run, data


def judged(folder, **options):
    run, data = a_run(folder, **options)
    run.set_model(run.new_model())
    return run, data.test, evaluate(run, data.test)


def one_by_one(run, split, task):
    """Probabilities of each window of each record, sent through by itself."""
    for i, length in enumerate(split.lengths):
        padded = np.zeros((2, max(length, WINDOW)), dtype=np.float32)
        padded[:, :length] = split.read(i)
        starts = window_starts(length, WINDOW, STRIDE)
        windows = np.stack([padded[:, s : s + WINDOW] for s in starts])
        with torch.no_grad():
            logits = run.model.eval()(torch.from_numpy(windows))
        yield logits.softmax(1) if task == "single-label" else logits.sigmoid()


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
@pytest.mark.parametrize("combine", ["mean", "max"])
def test_probabilities_are_those_of_windows_sent_one_by_one(tmp_path, task, combine):
    run, split, found = judged(tmp_path, task=task, combine=combine)
    assert found.probabilities.shape == (len(split), 3)
    each = list(one_by_one(run, split, task))
    assert {len(probabilities) for probabilities in each} == {1, 2, 3, 4}
    for row, windows in zip(found.probabilities, each, strict=True):
        expected = windows.mean(0) if combine == "mean" else windows.amax(0)
        if task == "single-label":
            expected = expected / expected.sum()
        np.testing.assert_allclose(row, expected.numpy(), rtol=1e-5)
    assert found.metrics["records"] == len(split)


def test_batches_of_windows_have_the_size_of_the_budget(tmp_path):
    for size, budget in ((BATCH, {}), (3, {"micro_batch": 3})):
        run, split, _ = judged(tmp_path, **budget)
        sizes = [len(batch) for batch in run.seen]
        assert sum(sizes) == sum(
            len(window_starts(n, WINDOW, STRIDE)) for n in split.lengths
        )
        assert set(sizes[:-1]) == {size}


def test_a_hook_is_told_of_which_record_a_window_is_and_no_answer(tmp_path):
    run, split, _ = judged(tmp_path)
    for batch in run.seen:
        assert batch.ids == split.ids[batch.index.numpy()].tolist()
        assert (batch.labels == -1).all()
        assert batch.signals.shape[1:] == (2, WINDOW)
    assert max(int(batch.index.max()) for batch in run.seen) == len(split) - 1


def test_without_chunks_the_middle_is_judged(tmp_path):
    run, split, found = judged(tmp_path, combine=None)
    signals = split.batch(np.arange(len(split))).signals
    with torch.no_grad():
        expected = run.model.eval()(signals).sigmoid()
    np.testing.assert_allclose(found.probabilities, expected.numpy(), rtol=1e-5)


def test_records_of_one_window_are_judged_to_the_same_bits(tmp_path):
    run, _ = a_run(tmp_path)
    run.set_model(run.new_model())
    short = small_split(18, 2, "multi-label")
    plain = evaluate(run, short)
    cut = evaluate(run, replace(short, chunking=Chunking(SAMPLES)))
    assert plain.probabilities.tobytes() == cut.probabilities.tobytes()


def test_weights_are_chosen_by_validation_in_windows(tmp_path):
    run, data = a_run(tmp_path, epochs=2, weights="last")
    run.execute()
    in_windows = evaluate(run, data.validation).metrics["macro_auroc"]
    assert run.history.rows[-1]["validation"]["macro_auroc"] == in_windows
    middle = evaluate(run, replace(data.validation, chunking=None)).metrics
    assert middle["log_loss"] != run.history.rows[-1]["validation"]["loss"]


def test_chunks_make_another_cell_only_where_they_are_set():
    plain = cell(Budget())
    told = plain.replace(options=DataOptions(chunks=None))
    cut = plain.replace(options=DataOptions(chunks=Chunks()))
    other = plain.replace(options=DataOptions(chunks=Chunks(combine="max")))
    assert plain.id == told.id
    assert "chunks" not in plain.identity["dataset"]["options"]
    assert len({plain.id, cut.id, other.id}) == 3

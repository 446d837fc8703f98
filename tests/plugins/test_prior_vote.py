"""The decision rule of CinC 2017: sections 1.1 and 1.8 of the methods' notes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from small_runs import (
    CLASSES,
    EVERY_EPOCH,
    LEADS,
    cell,
    make_run,
    outcome,
    split,
    splits,
)
from torch import nn

from harness import CellError, Outputs
from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters
from harness.metrics.metrics import evaluate_probabilities
from harness.options import Budget
from harness.training.evaluate import evaluate
from harness.training.run import Run

# Counts of the training records under the revised labels (REFERENCE-v3): section 1.1.
V3_COUNTS = {"A": 686, "N": 4590, "O": 2156, "~": 244}


class StepNet(nn.Module):
    """A decision each 8 samples; padding, as zeros, is for the first class."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv1d(LEADS, CLASSES, 8, stride=8)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([0.1, 0.0, 0.0]))

    def forward(self, signals, lengths=None):
        return self.head(signals)


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


@pytest.fixture(scope="module")
def prior_vote(catalog):
    cls = catalog.load("strategy", "prior-vote")

    def make(**params):
        return cls(cls.Params(**params))

    return make


@pytest.fixture(scope="module")
def module(plugin):
    """The plugin's module, whose functions are pure."""
    cls = plugin("strategies/prior_vote.py", "PriorVote")
    return cls.predict.__globals__


def step_run(folder, *strategies, data=None, **budget):
    """A run of a network with 8 steps a record of 64 samples."""
    settings = Budget(**{"epochs": 3, "batch_size": 16, **budget})
    names = [s.name for s in strategies]
    return Run(
        cell(settings, names),
        data or splits(),
        strategies,
        StepNet,
        folder,
        EVERY_EPOCH,
    )


def predicted(run, strategy, probabilities, mask=None):
    """What the hook makes of each step's softmax, shape (batch, classes, steps)."""
    logits = torch.tensor(probabilities).log()
    batch = run.train.batch(range(len(logits)))
    mask = None if mask is None else torch.tensor(mask)
    return strategy.predict(run=run, batch=batch, outputs=Outputs(logits, mask))


def columns(*steps):
    """One record's probabilities, from those of each step."""
    return [[list(values) for values in zip(*steps, strict=True)]]


def test_prior_of_the_revised_labels(module):
    """Section 1.1: A .154, N .663, O .346, ~ .097, which sum to 1.26."""
    counts = torch.tensor(list(V3_COUNTS.values()))
    assert int(counts.sum()) == 7676
    prior = module["smoothed_prior"](counts, 500.0)
    rounded = [round(p, 3) for p in prior.tolist()]
    assert dict(zip(V3_COUNTS, rounded, strict=True)) == {
        "A": 0.154,
        "N": 0.663,
        "O": 0.346,
        "~": 0.097,
    }
    assert float(prior.sum()) == pytest.approx(1.26, abs=5e-3)


def test_the_prior_is_that_of_the_training_records(tmp_path, prior_vote):
    """Section 1.1: softmax over the smoothed prior, with the split's own counts."""
    strategy = prior_vote(smoothing=2.0)
    run = make_run(tmp_path, strategy)
    counts = Counter(run.train.labels.tolist())
    prior = [(counts[c] + 2) / (50 + 3) for c in range(3)]
    common, rare = max(range(3), key=counts.get), min(range(3), key=counts.get)
    assert counts[common] > counts[rare]
    step = [0.02] * 3
    # Just more likely than the rare class, but not for its frequency.
    step[common] = 0.5 * prior[common] / prior[rare] * 0.99
    step[rare] = 0.5
    found = predicted(run, strategy, columns(step))
    assert int(found.argmax()) == rare
    step[common] *= 1.03
    found = predicted(run, strategy, columns(step))
    assert int(found.argmax()) == common


def test_without_a_prior_each_step_votes_for_its_largest(tmp_path, prior_vote):
    strategy = prior_vote(prior="none", probabilities="votes")
    run = make_run(tmp_path, strategy)
    steps = [(0.5, 0.3, 0.2)] * 3 + [(0.1, 0.5, 0.4)] * 1 + [(0.1, 0.2, 0.7)] * 4
    found = predicted(run, strategy, columns(*steps))
    assert found.tolist() == [[3 / 8, 1 / 8, 4 / 8]]


def test_the_majority_beats_the_mean(tmp_path, prior_vote):
    """Three hesitant steps outvote two that are sure."""
    steps = [(0.4, 0.3, 0.3)] * 3 + [(0.0, 1.0, 0.0)] * 2
    strategy = prior_vote(prior="none")
    run = make_run(tmp_path, strategy)
    assert int(predicted(run, strategy, columns(*steps)).argmax()) == 0
    assert int(torch.tensor(steps).mean(0).argmax()) == 1


def test_padded_steps_have_no_vote_unless_asked(tmp_path, prior_vote):
    """Section 1.8, pitfall 6: the published vote is over the whole padded batch."""
    signal = [(0.2, 0.7, 0.1)] * 3 + [(0.7, 0.2, 0.1)] * 2
    steps = columns(*signal, *[(0.9, 0.05, 0.05)] * 4)
    mask = [[True] * 5 + [False] * 4]
    run = make_run(tmp_path, prior_vote())
    shares = {"prior": "none", "probabilities": "votes"}
    ours = predicted(run, prior_vote(**shares), steps, mask=mask)
    published = prior_vote(**shares, padding_votes=True)
    published = predicted(run, published, steps, mask=mask)
    torch.testing.assert_close(ours, torch.tensor([[2 / 5, 3 / 5, 0.0]]))
    torch.testing.assert_close(published, torch.tensor([[6 / 9, 3 / 9, 0.0]]))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_a_tie_goes_to_the_larger_sum(tmp_path, prior_vote, order):
    """Whatever the order of classes, and however little larger it is."""
    surer, other, third = order
    steps = np.zeros((4, 3), dtype=np.float32)
    steps[:2, [surer, other, third]] = 0.6001, 0.3999, 0.0
    steps[2:, [surer, other, third]] = 0.4, 0.6, 0.0
    strategy = prior_vote(prior="none")
    run = make_run(tmp_path, strategy)
    found = predicted(run, strategy, columns(*steps.tolist()))[0]
    assert int(found.argmax()) == surer
    assert found[other] == pytest.approx(0.5, abs=5e-4)
    assert found.sum() == pytest.approx(1)


def test_a_tie_of_longest_records_is_still_one_class(module):
    """Two classes with 4,096 votes each: float32 tells the winner apart."""
    quotients = torch.zeros(1, 2, 8192)
    quotients[0, 0, :4096] = 0.6
    quotients[0, 1, 4096:] = 0.6001
    votes, winner = module["elect"](quotients, None)
    assert votes.tolist() == [[4096, 4096]]
    assert winner.tolist() == [1]
    shares = module["led_by"](winner, votes)
    assert float(shares[0, 1]) > float(shares[0, 0])


def test_softmax_is_kept_but_for_a_winner_behind(tmp_path, prior_vote):
    strategy = prior_vote(prior="none", probabilities="softmax")
    run = make_run(tmp_path, strategy)
    agreed = [(0.6, 0.3, 0.1)] * 2 + [(0.3, 0.4, 0.3)]
    split_up = [(0.4, 0.3, 0.3)] * 3 + [(0.0, 1.0, 0.0)] * 2
    mask = [[True] * 3 + [False] * 2, [True] * 5]
    padded = columns(*agreed, *[(0.0, 0.0, 1.0)] * 2) + columns(*split_up)
    found = predicted(run, strategy, padded, mask=mask)
    mean = torch.tensor(agreed).mean(0)
    torch.testing.assert_close(found[0], mean)
    assert int(found[1].argmax()) == 0
    assert found[1].sum() == pytest.approx(1)
    # 0.24, 0.58, 0.18: the winner is raised over the largest.
    raised = torch.tensor([0.58, 0.58, 0.18])
    torch.testing.assert_close(found[1], raised / raised.sum(), atol=1e-3, rtol=0)


def test_a_share_of_nothing_costs_16_nats(tmp_path, prior_vote):
    """What the docstring says of log loss and AUROC of vote shares."""
    strategy = prior_vote(prior="none", probabilities="votes")
    run = make_run(tmp_path, strategy)
    steps = [(0.5, 0.3, 0.2)] * 4
    found = predicted(run, strategy, columns(*steps) * 3).numpy()
    metrics = evaluate_probabilities(found, [1, 1, 2], "ABC", "single-label")
    assert metrics["log_loss"] == pytest.approx(15.9, abs=0.05)
    assert metrics["auroc"]["B"] == 0.5


def test_it_leaves_training_alone(tmp_path, prior_vote):
    plain = step_run(tmp_path / "a", weights="last")
    voting = step_run(tmp_path / "b", prior_vote(), weights="last")
    plain.execute()
    voting.execute()
    ours, theirs = outcome(voting), outcome(plain)
    assert ours["weights"] == theirs["weights"]
    assert ours["cost"] == theirs["cost"]


def whole(data, lengths):
    """The split with its records cut to these lengths, padded to 16 samples."""
    return replace(
        data,
        lengths=lengths,
        window=None,
        bucket=16,
        read=lambda i: data.read(i)[:, : lengths[i]],
    )


def test_a_record_is_judged_alike_alone_and_in_a_batch(tmp_path, prior_vote):
    """Section 1.8, pitfall 6; the published vote depends on the longest record."""
    lengths = np.random.default_rng(0).integers(10, 65, 50)
    data = replace(splits(), train=whole(split(50, 0), lengths))
    judged = {}
    for padding_votes in (False, True):
        for size in (1, 50):
            strategy = prior_vote(padding_votes=padding_votes)
            folder = tmp_path / f"{padding_votes}-{size}"
            run = step_run(folder, strategy, data=data, batch_size=size)
            torch.manual_seed(0)
            run.set_model(run.new_model())
            judged[padding_votes, size] = evaluate(run, run.train).probabilities
    alone, together = judged[False, 1], judged[False, 50]
    np.testing.assert_allclose(alone, together, atol=1e-6)
    assert (judged[True, 1].argmax(1) != judged[True, 50].argmax(1)).any()
    assert prior_vote().batch_independent
    assert not prior_vote(padding_votes=True).batch_independent


def test_it_composes_with_dbpd(tmp_path, catalog, prior_vote):
    dbpd = catalog.load("strategy", "dbpd")
    strategies = prior_vote(probabilities="softmax"), dbpd(dbpd.Params(confidence=0.34))
    run = step_run(tmp_path, *strategies, epochs=4)
    run.execute()
    assert 0 < run.history.rows[0]["kept"] < 50


def test_a_network_without_steps_is_refused_before_it_is_trained(tmp_path, prior_vote):
    run = make_run(tmp_path, prior_vote())
    with pytest.raises(CellError, match=r'decision per step.*head = "steps"'):
        run.execute()
    assert run.history.rows == []


def test_multi_label_tasks_are_refused(tmp_path, prior_vote):
    run = make_run(tmp_path, prior_vote(), task="multi-label")
    with pytest.raises(CellError, match="noise is multi-label here"):
        run.execute()


def test_smoothing_without_a_prior_is_refused(prior_vote):
    with pytest.raises(ValidationError, match='smoothing needs prior = "smoothed"'):
        prior_vote(prior="none", smoothing=1.0)


@pytest.mark.parametrize("smoothing", [0.0, -1.0])
def test_an_absent_class_must_have_a_prior(prior_vote, smoothing):
    with pytest.raises(ValidationError, match="greater than 0"):
        prior_vote(smoothing=smoothing)


def test_the_published_vote_is_a_preset_that_says_what_it_does(tmp_path, prior_vote):
    """Section 1.8, pitfall 6: padding votes, and shares of votes are what is told."""
    catalog = Catalog.discover()
    declaration = catalog.get("strategy", "prior-vote")
    params = declaration.presets["faithful"]["params"]
    faithful = resolve_parameters(declaration, params, "here")
    assert "padding vote" in faithful.footnotes[0]
    assert not faithful.batch_independent
    assert not resolve_parameters(declaration, {}, "here").footnotes
    signal, padding = [(0.2, 0.7, 0.1)] * 3, [(0.9, 0.05, 0.05)] * 5
    strategy = prior_vote(prior="none", **params)
    run = make_run(tmp_path, strategy)
    mask = [[True] * 3 + [False] * 5]
    found = predicted(run, strategy, columns(*signal, *padding), mask=mask)
    torch.testing.assert_close(found, torch.tensor([[5 / 8, 3 / 8, 0.0]]))

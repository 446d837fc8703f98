"""Fits of a number of samples: the last epoch is shorter, the schedule stretched."""

import pytest
from small_runs import make_run

from harness import Strategy, hookimpl


class Fits(Strategy):
    """Trains on some samples."""

    name = "fits"
    samples = 0

    @hookimpl
    def train(self, run):
        run.fit(samples=self.samples)
        return True


def fitted(folder, samples, **settings):
    strategy = Fits()
    strategy.samples = samples
    run = make_run(folder, strategy, **settings)
    run.execute()
    return run


@pytest.mark.parametrize(("samples", "epochs"), [(1, 1), (50, 1), (70, 2), (260, 6)])
def test_exactly_as_many_samples_are_trained_on(tmp_path, samples, epochs):
    run = fitted(tmp_path, samples)
    counts = run.meter.samples_of()
    assert (counts.backward_samples, counts.forward_samples) == (samples, samples)
    assert len(run.history.rows) == epochs
    assert run.history.rows[-1]["seen"] == samples - 50 * (epochs - 1)


def test_whole_epochs_are_those_of_the_standard_loop(tmp_path):
    schedule = {"use": "cosine"}
    plain = make_run(tmp_path / "a", epochs=3, schedule=schedule)
    plain.execute()
    same = fitted(tmp_path / "b", 150, epochs=3, schedule=schedule)
    assert same.history.rows == plain.history.rows


def test_the_schedule_ends_where_the_budgets_does(tmp_path):
    # 10 epochs' worth of steps in 3: 50 + 50 + 25 samples.
    schedule = {"use": "step", "gamma": 0.5, "epochs": 2}
    run = fitted(tmp_path, 125, epochs=10, schedule=schedule)
    last = run.optimizer.param_groups[0]
    steps = round(last["initial_lr"] / last["lr"]).bit_length() - 1
    # The last step is at (100 + 16) / 125 of the fit: 9.28 epochs of the budget's 10.
    assert steps == 4

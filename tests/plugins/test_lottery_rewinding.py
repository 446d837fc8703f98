"""Where lottery-ticket goes on after a pruning: section 1.5 of the methods' notes."""

import pytest
import torch
from lottery_runs import (
    Witness,
    dbpd,
    equal,
    kept,
    lottery,
    masked,
    snapshot,
    trained,
)
from small_runs import make_run
from stopping import stop_after

from harness import Strategy, hookimpl
from harness.errors import CellError, ConfigError, Interrupted


def test_survivors_are_bit_equal_to_the_initial_weights(tmp_path):
    """Frankle & Carbin 2019: biases and BatchNorm go back with the weights."""
    witness = Witness()
    run = trained(tmp_path, lottery(rounds=3), witness)
    initial = witness.starts[0]
    for number, start in enumerate(witness.starts):
        mask = kept(snapshot(run, "ticket", number))
        assert equal(start, masked(initial, mask))
    assert all(int(s["norm.num_batches_tracked"]) == 0 for s in witness.starts)


@pytest.mark.parametrize(
    ("k", "point"),
    [(1, {"rewind_steps": 1}), (6, {"rewind_steps": 6}), (6, {"rewind_epochs": 1.5})],
)
def test_survivors_are_bit_equal_to_the_weights_after_k_steps(tmp_path, k, point):
    """Frankle et al. 2020: rewinding to iteration k; 4 steps an epoch here."""
    witness = Witness()
    run = trained(tmp_path, lottery(rounds=2, rewind="iteration", **point), witness)
    number, state = witness.steps[k - 1]
    assert number == 0
    for later in (1, 2):
        mask = kept(snapshot(run, "ticket", later))
        assert equal(witness.starts[later], masked(state, mask))
        assert int(witness.starts[later]["norm.num_batches_tracked"]) == k


RATES = {"schedule": {"use": "step", "gamma": 0.5}, "epochs": 3}


def test_learning_rate_rewinding_keeps_weights_and_starts_at_the_full_rate(tmp_path):
    """Renda et al. 2020, section 2; the published fine-tuning of LTH-ECG's code."""
    witness = Witness()
    run = trained(tmp_path, lottery(rounds=2, rewind="learning-rate"), witness, **RATES)
    for number in (1, 2):
        assert equal(witness.starts[number], snapshot(run, "pruned", number))
    assert [r["learning_rate"] for r in run.history.rows] == [1e-3, 5e-4, 2.5e-4] * 3


@pytest.mark.parametrize(("given", "rate"), [(None, 2.5e-4), (0.1, 1e-4)])
def test_fine_tuning_keeps_weights_and_the_last_rate(tmp_path, given, rate):
    """Renda et al. 2020, section 2."""
    witness = Witness()
    strategy = lottery(rounds=2, rewind="fine-tuning", fine_tuning_rate=given)
    run = trained(tmp_path, strategy, witness, **RATES)
    for number in (1, 2):
        assert equal(witness.starts[number], snapshot(run, "pruned", number))
    rates = [r["learning_rate"] for r in run.history.rows]
    assert rates[:3] == [1e-3, 5e-4, 2.5e-4]
    assert rates[3:] == pytest.approx([rate] * 6)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_fine_tuning_at_a_rate_of_nothing_is_refused(tmp_path, schedule):
    strategy = lottery(rewind="fine-tuning")
    with pytest.raises(ConfigError, match="set fine_tuning_rate"):
        trained(tmp_path, strategy, schedule={"use": schedule})


def test_every_round_has_a_fresh_optimizer(tmp_path):
    built = []

    class Builds(Strategy):
        name = "builds"

        @hookimpl
        def build_optimizer(self, run):
            built.append(torch.optim.Adam(run.parameters()))
            assert not built[-1].state
            return built[-1]

    trained(tmp_path, lottery(rounds=2), Builds())
    assert len(built) == 3


def test_a_rewind_point_that_was_trained_is_found_out(tmp_path):
    """Pitfall 3 of section 1.8: checkpoints whose initial weights are trained ones."""
    run = make_run(tmp_path, lottery(rounds=2), epochs=2)
    stop_after(run, 3)
    with pytest.raises(Interrupted):
        run.execute()
    file = tmp_path / "checkpoint.pt"
    state = torch.load(file, weights_only=True)
    states = state["states"][0]
    point, model = states["tracked"]["ticket"]["point"], states["core"]["model"]
    point["conv.weight"] = model["conv.weight"] + 1
    torch.save(state, file)
    with pytest.raises(CellError, match="isn't the state that was kept"):
        trained(tmp_path, lottery(rounds=2))


def test_weights_that_another_strategy_moved_are_found_out(tmp_path):
    class Moves(Strategy):
        name = "moves"

        @hookimpl
        def setup(self, run):
            take = run.snapshot

            def moving(name, **axes):
                take(name, **axes)
                if name == "pruned":
                    load = run.model.load_state_dict
                    run.model.load_state_dict = lambda state: load(
                        {**state, "conv.bias": state["conv.bias"] + 1}
                    )

            run.snapshot = moving

    with pytest.raises(CellError, match=r"conv\.bias differs from the rewind point"):
        trained(tmp_path, lottery(rounds=2), Moves())


def test_a_step_that_the_first_training_never_takes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="takes 8 steps: there is no step 9"):
        trained(tmp_path, lottery(rewind="iteration", rewind_steps=9))


def test_a_first_training_that_ends_before_its_step_says_so(tmp_path):
    drops = dbpd(confidence=1e-9, revision_epochs=0)
    with pytest.raises(CellError, match="took 0 steps, and ended before"):
        trained(tmp_path, lottery(rewind="iteration", rewind_steps=3), drops)

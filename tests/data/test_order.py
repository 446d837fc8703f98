import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.order import (
    batches,
    bucketed_batches,
    epoch_order,
    generator,
    torch_seed,
)

seeds = st.integers(0, 2**32)
sizes = st.integers(1, 200)


@given(n=sizes, seed=seeds, epoch=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_an_epoch_uses_each_index_once_and_is_repeatable(n, seed, epoch):
    order = epoch_order(n, seed, "fit", epoch)
    assert sorted(order) == list(range(n))
    assert np.array_equal(order, epoch_order(n, seed, "fit", epoch))


def test_epochs_seeds_and_names_have_orders_of_their_own():
    orders = [
        epoch_order(1000, 0, "fit", 0),
        epoch_order(1000, 0, "fit", 1),
        epoch_order(1000, 1, "fit", 0),
        epoch_order(1000, 0, "other", 0),
        epoch_order(1000, 0, "fit", "0"),
    ]
    assert len({tuple(o) for o in orders}) == len(orders)


def test_orders_are_the_same_in_another_process():
    code = "from harness.data.order import *; print(epoch_order(9, 3, 'a', 1).tolist())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(epoch_order(9, 3, "a", 1).tolist())


def test_drawing_from_one_generator_leaves_others_alone():
    generator(0, "a").random(100)
    assert generator(0, "a").random() == generator(0, "a").random()


def test_torch_seeds_fit_a_torch_generator():
    assert 0 <= torch_seed(0, "a") < 2**63
    assert torch_seed(0, "a") != torch_seed(0, "b")


@given(n=sizes, size=st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_batches_cut_an_order_and_use_the_rest(n, size):
    order = epoch_order(n, 0)
    parts = batches(order, size)
    assert np.array_equal(np.concatenate(parts), order)
    assert all(len(part) == size for part in parts[:-1])
    assert 1 <= len(parts[-1]) <= size


@given(n=sizes, size=st.integers(1, 70), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_bucketed_batches_use_each_index_once(n, size, seed):
    lengths = generator(seed, "lengths").integers(1, 5000, 2 * n)
    order = epoch_order(2 * n, seed)[:n]
    parts = bucketed_batches(order, lengths, size, seed, 0)
    assert sorted(np.concatenate(parts)) == sorted(order)
    assert max(map(len, parts)) <= size
    again = bucketed_batches(order, lengths, size, seed, 0)
    assert all(map(np.array_equal, parts, again))


def test_bucketed_batches_pad_little_and_change_every_epoch():
    lengths = generator(0, "lengths").integers(2700, 18300, 2000)

    def epoch(e):
        return bucketed_batches(epoch_order(2000, 0, e), lengths, 64, 0, e)

    padded = sum(lengths[part].max() * len(part) for part in epoch(0))
    shuffled = batches(epoch_order(2000, 0, 0), 64)
    unbucketed = sum(lengths[part].max() * len(part) for part in shuffled)
    assert padded < 1.15 * lengths.sum() < unbucketed
    assert {frozenset(p) for p in epoch(0)}.isdisjoint({frozenset(p) for p in epoch(1)})
    means = [lengths[part].mean() for part in epoch(0)]
    assert means != sorted(means)

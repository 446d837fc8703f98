"""What an exception amounts to, and whether another attempt is worth it."""

import errno
import re

import pytest
import torch

from harness.cell import Cell, PluginChoice
from harness.errors import CheckpointError, ConfigError, DataError, PluginError
from harness.execution.failure import classify, may_retry
from harness.options import Budget, DataOptions

PLUGIN = PluginChoice("x", 1, "X", "/nowhere/x.py", "0")


def cell(**budget):
    return Cell(
        dataset=PLUGIN,
        options=DataOptions(),
        model=PLUGIN,
        strategies=(PLUGIN,),
        budget=Budget(**budget),
        seed=0,
    )


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (ConfigError("no"), "config", False),
        (DataError("no"), "data", False),
        (PluginError("no"), "plugin", False),
        (CheckpointError("no"), "checkpoint", False),
        (MemoryError("no"), "out-of-memory", True),
        (torch.OutOfMemoryError("CUDA out of memory."), "out-of-memory", True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "out-of-memory", True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out-of-memory", True),
        (OSError(errno.ENOSPC, "No space left on device"), "disk", False),
        (OSError(errno.EIO, "Input/output error"), "infrastructure", True),
        (OSError(errno.ESTALE, "Stale file handle"), "infrastructure", True),
        (FileNotFoundError(errno.ENOENT, "gone"), "error", False),
        (ZeroDivisionError("no"), "error", False),
    ],
)
def test_each_error_has_its_class(error, kind, again):
    failure = classify(error, cell())
    assert failure.kind == kind
    assert may_retry(failure.kind) is again


@pytest.mark.parametrize("kind", ["memory-limit", "time-limit", "stalled", "crash"])
def test_a_limit_or_a_crash_would_come_again(kind):
    assert not may_retry(kind)


def test_an_allocation_that_torch_refuses_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert classify(caught.value, cell()).kind == "out-of-memory"


@pytest.mark.parametrize(
    ("budget", "offer"),
    [
        ({"batch_size": 64}, "64 samples at a time; budget.micro_batch = 32"),
        ({"batch_size": 64, "micro_batch": 8}, "8 samples at a time; .* = 4"),
        ({"batch_size": 1}, "out of memory, with one sample at a time"),
    ],
)
def test_out_of_memory_offers_a_smaller_micro_batch(budget, offer):
    message = classify(MemoryError(), cell(**budget)).message
    assert re.search(offer, message)


def test_what_a_plugin_says_cannot_harm_a_terminal():
    error = RuntimeError("red \x1b[31m bell \a\n\nnext\r" + "x" * 10_000)
    message = classify(error, cell()).message
    assert message.isprintable()
    assert message.startswith(r"RuntimeError: red \x1b[31m bell \x07 next xxx")
    assert len(message) <= 1000

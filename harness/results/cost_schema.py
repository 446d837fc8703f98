"""The cost and the size of a cell, as its result tells of them."""

from __future__ import annotations

from typing import Literal

from harness.results.checked_values import (
    Counts,
    File,
    Number,
    Plain,
    Seed,
    Share,
    Whole,
)


class ModuleFlops(File):
    """Training FLOPs of one metered module."""

    forward: Number | None = None
    backward: Number | None = None


class Flops(File):
    """1 multiply-add = 2 FLOPs."""

    training: Number | None = None
    by_module: dict[str, ModuleFlops] = {}


class Finding(File):
    """FLOPs of one place, as counted in the audit and as metered."""

    where: str
    counted: Number
    metered: Number


class Audit(File):
    """Real steps, counted by a second way, against the metered figure."""

    status: Literal["passed", "flagged", "incomplete"]
    largest_difference: Number | None = None
    """As a share of the counted FLOPs."""
    findings: list[Finding] = []
    removed_hooks: list[str] = []
    """Modules that a plugin took the meter off."""


class PeakMemory(File):
    """Live tensor bytes at the peak of training."""

    total: Number | None = None


class Sparsity(File):
    """Share of weights that are zero."""

    prunable: Share | None = None
    all: Share | None = None


class Cost(File):
    """What the meter counted."""

    effective_epochs: Number | None = None
    forward_epochs: Number | None = None
    flops: Flops | None = None
    not_counted: list[Plain] = []
    audit: Audit | None = None
    peak_memory_bytes: PeakMemory | None = None
    sparsity: Sparsity | None = None


class RequiredCell(File):
    """A cell that was needed to train another one, and what it cost."""

    dataset: str
    model: str | None = None
    strategies: list[str]
    seed: Seed
    training_flops: Number | None = None
    audit: Literal["passed", "flagged", "incomplete"] | None = None
    not_counted: list[Plain] = []


class Total(File):
    """What a cell cost, with all that it requires, each once."""

    training_flops: Number | None = None


class Required(File):
    """The cells that a cell requires: ids by role, cost by id."""

    roles: dict[str, str]
    cells: dict[str, RequiredCell]
    total: Total


class Stored(File):
    """Bytes of weights and buffers, zeros of prunable weights left out."""

    values: Whole
    index: Whole
    other: Whole
    total: Whole
    dense_total: Whole


class Size(File):
    """How large a state of the network is, as `harness.cost.size` measures it."""

    parameters: Whole
    prunable: Whole
    remaining: Whole
    remaining_by_layer: Counts = {}
    layers: list[str] = []
    """The layers of `remaining_by_layer`, in the order of the network."""
    sparsity: Share | None = None
    reduction_factor: Number | None = None
    stored_bytes: Stored | None = None
    dense_macs: Number | None = None
    sparse_macs: Number | None = None

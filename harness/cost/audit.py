"""Whole real steps counted at the dispatcher, against what the meter says of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOLERANCE = 0.01
"""Largest relative difference between counted and metered FLOPs that passes."""
GROWTH = 1.02
"""How much larger than any audited batch one must be to be audited for its size."""
PATIENCE = 32
"""Steps of a phase, from its start, in which two with a backward are waited for."""


@lru_cache(maxsize=256)
def _chosen(seed: int, phase: str, window: int) -> int:
    start: int = 2 * 4**window
    width: int = 6 * 4**window
    digest = blake2b(f"{seed}/{phase}/{window}".encode(), digest_size=8).digest()
    return start + int.from_bytes(digest) % width


def is_scheduled(seed: int, phase: str, number: int) -> bool:
    """Whether the step of this number (from 0) of a phase is audited.

    The first two are, and then one of each of [2, 8), [8, 32), [32, 128), ...: 9 of
    the first 10,000.
    """
    if number < 2:
        return True
    window = ((number // 2).bit_length() - 1) // 2
    return number == _chosen(seed, phase, window)


@dataclass
class Comparison:
    """FLOPs of one place, as the dispatcher counted and as the hooks metered them."""

    counted: int = 0
    metered: int = 0

    @property
    def difference(self) -> float:
        """Relative to the larger of the two: 0 to 1."""
        larger = max(self.counted, self.metered)
        return abs(self.counted - self.metered) / larger if larger else 0.0


@dataclass
class Audit:
    """Which steps are due, and what was found in them.

    Attributes
    ----------
    steps, backwards, sizes
        Steps so far, audited ones with a backward, and the largest audited batch
        (elements), by phase.
    hooks
        Work outside of steps, by the hook that did it.
    findings
        The worst comparison by place, of those beyond the tolerance.
    removed
        Names of modules whose metering hook was taken off.
    blind
        Operations met in audited steps, and in hooks, that can't be counted.
    """

    seed: int
    audited: int = 0
    largest: float = 0.0
    steps: dict[str, int] = field(default_factory=dict)
    backwards: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    hooks: dict[str, Comparison] = field(default_factory=dict)
    findings: dict[str, Comparison] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)

    def due(self, phase: str, size: int) -> bool:
        """Count a step of the phase, and say whether to audit it.

        Besides those of the schedule: steps that are larger than all audited before;
        and, where kept samples are packed so that not every step trains, those at
        the start of the phase until two have trained.
        """
        number = self.steps.get(phase, 0)
        self.steps[phase] = number + 1
        known = self.sizes.get(phase, 0)
        waiting = number < PATIENCE and self.backwards.get(phase, 0) < 2
        larger = size > GROWTH * known
        if not (waiting or larger or is_scheduled(self.seed, phase, number)):
            return False
        self.sizes[phase] = max(size, known)
        return True

    def record_backward(self, phase: str) -> None:
        """Note that an audited step had a backward."""
        self.backwards[phase] = self.backwards.get(phase, 0) + 1

    def record_step(
        self, phase: str, counted: int, metered: int, blind: Iterable[str]
    ) -> None:
        """Compare an audited step. Where the counter is blind, less is no finding."""
        names = set(blind)
        self.audited += 1
        self.blind |= names
        if names and counted <= metered:
            return
        found = Comparison(counted, metered)
        self.largest = max(self.largest, found.difference)
        if found.difference > TOLERANCE:
            self._find(f"step of phase '{phase}'", found)

    def record_hook(
        self, hook: str, counted: int, metered: int, blind: Iterable[str]
    ) -> None:
        """Add work that was done in a hook outside of steps."""
        self.blind |= {f"{name} in hook '{hook}'" for name in blind}
        if counted or metered:
            so_far = self.hooks.setdefault(hook, Comparison())
            so_far.counted += counted
            so_far.metered += metered

    def _find(self, where: str, found: Comparison) -> None:
        worst = self.findings.get(where)
        if worst is None or found.difference > worst.difference:
            self.findings[where] = found

    def hidden(self) -> dict[str, int]:
        """FLOPs outside of steps that no watched module accounts for, by hook."""
        return {
            hook: work.counted - work.metered
            for hook, work in sorted(self.hooks.items())
            if work.counted != work.metered
        }

    def summary(self, training_flops: int, incomplete: bool) -> dict[str, Any]:
        """What the audit found.

        Hidden work of hooks is always listed; it's a finding where all of it
        together is more than the tolerance of the run's training FLOPs.
        """
        hidden = self.hidden()
        findings = dict(self.findings)
        if sum(map(abs, hidden.values())) > TOLERANCE * training_flops:
            findings |= {f"hook '{hook}'": self.hooks[hook] for hook in hidden}
        listed = [{"where": w, **asdict(c)} for w, c in sorted(findings.items())]
        flagged = bool(findings or self.removed)
        unclear = "incomplete" if self.blind or incomplete else "passed"
        return {
            "status": "flagged" if flagged else unclear,
            "steps": self.audited,
            "largest_difference": self.largest,
            "findings": listed,
            "hidden_work": hidden,
            "removed_hooks": sorted(self.removed),
            "blind_operations": sorted(self.blind),
        }

    def add(self, other: Audit) -> None:
        """Add what was found in another process of the same run."""
        self.audited += other.audited
        self.largest = max(self.largest, other.largest)
        for hook, theirs in other.hooks.items():
            mine = self.hooks.setdefault(hook, Comparison())
            mine.counted += theirs.counted
            mine.metered += theirs.metered
        for where, found in other.findings.items():
            self._find(where, found)
        self.removed |= other.removed
        self.blind |= other.blind

    def state_dict(self) -> dict[str, Any]:
        """The audit as plain data."""
        state = asdict(self)
        state["removed"] = sorted(self.removed)
        state["blind"] = sorted(self.blind)
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Audit:
        """The audit that `state_dict` described."""
        pairs = {
            key: {where: Comparison(**pair) for where, pair in state[key].items()}
            for key in ("hooks", "findings")
        }
        sets = {key: set(state[key]) for key in ("removed", "blind")}
        return cls(**{**state, **pairs, **sets})

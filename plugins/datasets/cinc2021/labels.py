"""From the SNOMED codes of a header to the labels of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .snomed import CODES, EQUIVALENT, SCORED, SUBSET_CLASSES, TIERS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Choice = Literal["challenge", "subset", "tiers"]


@dataclass(frozen=True)
class LabelSet:
    """Classes, and the codes that each stands for.

    Attributes
    ----------
    codes
        Class -> its SNOMED codes; the classes in the order of the model's outputs.
    about
        What it is, in a few words.
    """

    codes: Mapping[str, frozenset[str]]
    about: str

    def labels(self, found: Collection[str]) -> tuple[str, ...]:
        """The classes of which a header names at least one code; others are ignored."""
        return tuple(
            c for c, codes in self.codes.items() if not codes.isdisjoint(found)
        )


def label_set(choice: Choice, subset: str, merge_equivalent: bool) -> LabelSet:
    """The chosen classes; equivalent diagnoses as one class where they are merged.

    Merged, a class that a subset's own set holds under one name (LBBB) counts its
    equivalent (CLBBB) as well.
    """
    if choice == "tiers":
        tiers = {tier: frozenset(codes) for tier, codes in TIERS.items()}
        return LabelSet(tiers, "three tiers of signs of coronary disease")
    names = SCORED if choice == "challenge" else SUBSET_CLASSES[subset]
    groups = [_group(name, merge_equivalent) for name in names]
    classes = {"/".join(group): frozenset(CODES[n] for n in group) for group in groups}
    whose = "scored diagnoses" if choice == "challenge" else f"diagnoses of {subset}"
    merged = "merged" if merge_equivalent else "apart"
    return LabelSet(classes, f"{len(classes)} {whose}, equivalent ones {merged}")


def _group(name: str, merge_equivalent: bool) -> tuple[str, ...]:
    """All names of a diagnosis that count as one with it."""
    pairs = [pair for pair in EQUIVALENT if name in pair and merge_equivalent]
    return pairs[0] if pairs else (name,)

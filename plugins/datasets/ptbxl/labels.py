"""From the statements of a report to the labels of a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .table import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Rule = Literal["priority", "max-likelihood", "exactly-one"]
SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
PRIORITY = ("MI", "STTC", "CD", "HYP", "NORM")
NO_SUPERCLASS = "no diagnostic superclass"


@dataclass(frozen=True)
class Labelled:
    """The labels of a record, or why it has none."""

    labels: tuple[str, ...]
    excluded: str = ""


@dataclass(frozen=True)
class Statements:
    """What `scp_statements.csv` says, in its order.

    Attributes
    ----------
    codes
        All statements.
    superclass, subclass
        Those of the diagnostic statements, by code.
    """

    codes: tuple[str, ...]
    superclass: Mapping[str, str]
    subclass: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Statements:
        """Raises DataError where the file is missing or malformed."""
        columns = ("", "diagnostic_class", "diagnostic_subclass")
        rows = read_rows(path, required=columns, key="")
        diagnostic = [row for row in rows if row["diagnostic_class"]]
        for row in diagnostic:
            if row["diagnostic_class"] not in SUPERCLASSES:
                raise row.error("diagnostic_class", f"one of {', '.join(SUPERCLASSES)}")
        return cls(
            codes=tuple(row[""] for row in rows),
            superclass={row[""]: row["diagnostic_class"] for row in diagnostic},
            subclass={row[""]: row["diagnostic_subclass"] for row in diagnostic},
        )

    def names(self, label_set: str) -> Mapping[str, str]:
        """The label of each statement that counts in a multi-label set."""
        return {
            "multi-superclass": self.superclass,
            "subclass": self.subclass,
            "diagnostic": {code: code for code in self.superclass},
            "all": {code: code for code in self.codes},
        }[label_set]

    def classes(self, label_set: str) -> Sequence[str]:
        """The classes of a multi-label set, in the file's order."""
        if label_set == "multi-superclass":
            return SUPERCLASSES
        return tuple(dict.fromkeys(self.names(label_set).values()))

    def multi_label(self, codes: Mapping[str, float], label_set: str) -> Labelled:
        """All labels of a record, in the order of the classes."""
        names = self.names(label_set)
        present = {names[code] for code in codes if code in names}
        if not present:
            return Labelled((), "no statement" if label_set == "all" else NO_SUPERCLASS)
        return Labelled(tuple(c for c in self.classes(label_set) if c in present))


def single_label(
    codes: Mapping[str, float], statements: Statements, rule: Rule
) -> Labelled:
    """One superclass for a record.

    Parameters
    ----------
    codes
        Statement -> likelihood (%) in the report's order; 0 means unknown and counts.
    rule
        Among several superclasses: `priority` takes MI before STTC, CD, HYP and NORM;
        `max-likelihood` that of the likeliest statement, the first of equals;
        `exactly-one` leaves the record out.
    """
    found = {
        code: statements.superclass[code]
        for code in codes
        if code in statements.superclass
    }
    present = set(found.values())
    if not present:
        return Labelled((), NO_SUPERCLASS)
    if rule == "priority":
        return Labelled((min(present, key=PRIORITY.index),))
    if rule == "max-likelihood":
        return Labelled((found[max(found, key=lambda code: codes[code])],))
    if len(present) > 1:
        return Labelled((), "several diagnostic superclasses")
    return Labelled((present.pop(),))

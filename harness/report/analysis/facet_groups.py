"""Cells that learn from a teacher: what belongs together, lead by lead."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.files.atomic import canonical
from harness.suite.labels import settings_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.read import CellResult, SuiteResults

TEACHER = "teacher"
"""The role of a required cell that makes the one that requires it a taught one."""
UNTAUGHT = "no distillation"
"""The control that a taught cell is compared with: the same, without its teacher."""

_AXES = re.compile(r" \([^()]*\b(leads|split\.\w+)=[^()]*\)$")
"""What leads and splits add to the label of a data set."""
_OF_A_SPLIT = ("seed", "file")


@dataclass(frozen=True)
class Replicate:
    """A taught cell, of one seed on one split; its teacher, and its controls by name.

    `teacher` is None where the suite's list of cells lacks it.
    """

    taught: CellResult
    teacher: CellResult | None
    controls: Mapping[str, CellResult]

    @property
    def cells(self) -> list[CellResult]:
        """All of them."""
        teacher = [self.teacher] if self.teacher else []
        return [self.taught, *self.controls.values(), *teacher]


@dataclass(frozen=True)
class LeadSet:
    """The replicates that are taught on the same leads; none: on all leads."""

    leads: tuple[str, ...]
    replicates: Sequence[Replicate]


@dataclass(frozen=True)
class LeadGroup:
    """What differs in leads, splits and seeds alone.

    Attributes
    ----------
    data, model, strategy
        Labels; that of the data without leads and split.
    lead_sets
        In the order in which the teacher has the leads.
    """

    data: str
    model: str
    strategy: str
    lead_sets: Sequence[LeadSet]


def lead_groups(results: SuiteResults) -> list[LeadGroup]:
    """Every strategy of a suite whose cells require a teacher, on each data and model.

    Cells that only stand beside others, or are only required, are no groups of their
    own.
    """
    by_id = {cell.cell.id: cell for cell in results.cells}
    beside: dict[str, dict[str, CellResult]] = defaultdict(dict)
    for cell in results.cells:
        for control in cell.cell.controls:
            beside[control.of][control.name] = cell
    taught = [
        cell
        for cell in results.cells
        if cell.cell.role == "suite" and TEACHER in cell.cell.requires
    ]
    names = _data_names(taught)
    groups: dict[tuple[str, str, str], list[Replicate]] = defaultdict(list)
    for cell in taught:
        key = names[_data_key(cell)], cell.cell.model or "", cell.cell.strategy
        teacher = by_id.get(cell.cell.requires[TEACHER])
        groups[key].append(Replicate(cell, teacher, beside[cell.cell.id]))
    return [LeadGroup(*key, _lead_sets(groups[key])) for key in sorted(groups)]


def _lead_sets(replicates: Iterable[Replicate]) -> list[LeadSet]:
    by_leads: dict[tuple[str, ...], list[Replicate]] = defaultdict(list)
    order: dict[str, int] = {}
    for one in replicates:
        by_leads[_leads(one.taught)].append(one)
        if one.teacher and one.teacher.result:
            for lead in one.teacher.result.dataset.leads:
                order.setdefault(lead, len(order))

    def place(leads: tuple[str, ...]) -> list[tuple[int, str]]:
        return [(order.get(lead, len(order)), lead) for lead in leads]

    return [LeadSet(leads, by_leads[leads]) for leads in sorted(by_leads, key=place)]


def _leads(cell: CellResult) -> tuple[str, ...]:
    """The leads that a cell is trained on; none for all of them."""
    if cell.cell.data is None:
        return tuple(cell.result.dataset.leads) if cell.result else ()
    leads = cell.cell.data.options.get("leads")
    return tuple(map(str, leads)) if isinstance(leads, list) else ()


def _data_key(cell: CellResult) -> str:
    """Equal for cells whose data differ in leads and split alone."""
    if cell.cell.data is None:
        return cell.cell.dataset
    return canonical([cell.cell.data.name, _settings(cell)])


def _settings(cell: CellResult) -> dict[str, Any]:
    """What a data set was asked for, but for leads and split."""
    if cell.cell.data is None:
        return {}
    options = {k: v for k, v in cell.cell.data.options.items() if k != "leads"}
    split = options.pop("split", None)
    shares = split if isinstance(split, dict) else {}
    kept = {k: v for k, v in shares.items() if k not in _OF_A_SPLIT}
    return {**cell.cell.data.params, **options, **({"split": kept} if kept else {})}


def _data_names(cells: Iterable[CellResult]) -> dict[str, str]:
    """What data are called, by key: as the suite does, with what sets them apart."""
    members: dict[str, list[CellResult]] = defaultdict(list)
    for cell in cells:
        members[_data_key(cell)].append(cell)
    stems = {key: _stem(found) for key, found in members.items()}
    settings = {key: _settings(found[0]) for key, found in members.items()}
    names = {}
    for key, stem in stems.items():
        twins = [settings[other] for other in stems if stems[other] == stem]
        own = {
            name: value
            for name, value in settings[key].items()
            if any(twin.get(name) != value for twin in twins)
        }
        names[key] = f"{stem}{settings_suffix(own)}"
    return names


def _stem(cells: Sequence[CellResult]) -> str:
    data = cells[0].cell.data
    if data is None:
        return cells[0].cell.dataset
    labels = {_AXES.sub("", cell.cell.dataset) for cell in cells}
    return data.name if len(labels) > 1 else labels.pop()

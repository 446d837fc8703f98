"""What two rows were measured on and with, and how that differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.options import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.diff.board_schema import DataFile, DatasetFile
    from harness.report.diff.side import Placed


def same_records(before: DatasetFile, after: DatasetFile) -> bool:
    """Whether test records and their labels are the same, as far as it's written."""
    if before.about is None or after.about is None:
        return False
    alike = _tested(before.about) == _tested(after.about)
    return alike and len(before.about.fingerprints) == 1


def _tested(about: DataFile) -> tuple[Any, ...]:
    return (
        *(about.name, about.version, about.task, about.classes),
        *(about.fingerprints, about.label_rules, about.counts),
    )


def other_settings(before: Placed, after: Placed) -> Iterator[str]:
    """What isn't as it was on BASE, a few words each."""
    (data, table, row), (new_data, new_table, new_row) = before, after
    if data.about and new_data.about:
        if not same_records(data, new_data):
            yield "other test data"
        signals = [
            (about.leads, about.sampling_rate, about.seconds, about.chunks)
            for about in (data.about, new_data.about)
        ]
        if signals[0] != signals[1]:
            yield "other leads, rate or length"
    if row.versions and new_row.versions and row.versions != new_row.versions:
        yield "other strategy version"
    if not row.floor and table.model_versions and new_table.model_versions:
        if table.model_versions != new_table.model_versions:
            yield "other model version"
        if _counts_differ(table.parameters, new_table.parameters):
            yield "other model size"
    if table.budget is not None and new_table.budget is not None:
        old = _whole_budget({**table.budget, **row.own_budget})
        new = _whole_budget({**new_table.budget, **new_row.own_budget})
        names = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
        if names:
            yield f"other {', '.join(names)}"


def _whole_budget(written: dict[str, Any]) -> dict[str, Any]:
    """A budget with what held before there was a setting, which older results lack."""
    try:
        budget = Budget.model_validate_json(json.dumps(written))
    except ValidationError:
        return written
    return budget.model_dump(mode="json")


def _counts_differ(old: Any, new: Any) -> bool:
    """Whether both are known, and apart; older files hold something else there."""
    return isinstance(old, int) and isinstance(new, int) and old != new

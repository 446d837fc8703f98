"""What entries are called on a leaderboard, so that no two are called alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

_Entry = TypeVar("_Entry")


def distinct_labels(entries: Sequence[_Entry]) -> tuple[_Entry, ...]:
    """The entries, with what sets them apart added to labels that several share."""
    labels = [_label(e) for e in entries]
    found = []
    for entry, label in zip(entries, labels, strict=True):
        twins = [e for e, other in zip(entries, labels, strict=True) if other == label]
        if len(twins) > 1:
            differences = _differences(entry, twins)
            if differences:
                entry = _renamed(entry, f"{label} ({differences})")
        found.append(entry)
    return tuple(found)


def budget_suffix(own: Mapping[str, Any]) -> str:
    """What a strategy's own budget adds to its label: nobody shall overlook it."""
    settings = _flat(own)
    if not settings:
        return ""
    return f" ({', '.join(f'{k}={_short(v)}' for k, v in sorted(settings.items()))})"


def _differences(entry: Any, twins: Sequence[Any]) -> str:
    """The settings of an entry that aren't the same in all of its twins."""
    settings = [_settings(twin) for twin in twins]
    keys = sorted({key for table in settings for key in table})
    own = _settings(entry)
    differing = [k for k in keys if len({repr(s.get(k)) for s in settings}) > 1]
    return ", ".join(f"{k}={_short(own[k])}" for k in differing if k in own)


def _settings(entry: Any) -> dict[str, Any]:
    """Every resolved setting of an entry, by dotted key."""
    choices = entry.choices if hasattr(entry, "choices") else (entry.choice,)
    several = len(choices) > 1
    settings: dict[str, Any] = {}
    for choice in choices:
        settings |= _flat(choice.params, f"{choice.name}." if several else "")
    if hasattr(entry, "options"):
        settings |= _flat(entry.options.model_dump(mode="json"))
    if hasattr(entry, "own_budget"):
        settings |= _flat(entry.own_budget, "budget.")
    return settings


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(entry: Any) -> str:
    return str(entry.label)


def _renamed(entry: _Entry, label: str) -> _Entry:
    return replace(entry, label=label)  # type: ignore[type-var]

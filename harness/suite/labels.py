"""What entries are called on a leaderboard, so that no two are called alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

_Entry = TypeVar("_Entry")


def distinct_labels(entries: Sequence[_Entry]) -> tuple[_Entry, ...]:
    """The entries, with what sets them apart added to labels that several share."""
    by_label: dict[str, list[_Entry]] = {}
    for entry in entries:
        by_label.setdefault(_label(entry), []).append(entry)
    told = {label: _differing(twins) for label, twins in by_label.items()}
    found = []
    for entry in entries:
        differences = _differences(entry, told[_label(entry)])
        if differences:
            entry = _renamed(entry, f"{_label(entry)} ({differences})")
        found.append(entry)
    return tuple(found)


def settings_suffix(own: Mapping[str, Any]) -> str:
    """What settings of its own, as a budget, add to a label: nobody shall overlook
    them.
    """
    settings = _flat(own)
    if not settings:
        return ""
    return f" ({', '.join(f'{k}={_short(v)}' for k, v in sorted(settings.items()))})"


def _differing(twins: Sequence[Any]) -> list[str]:
    """The settings that aren't the same in all entries of one label."""
    if len(twins) == 1:
        return []
    settings = [_settings(twin) for twin in twins]
    keys = sorted({key for table in settings for key in table})
    return [k for k in keys if len({repr(s.get(k)) for s in settings}) > 1]


def _differences(entry: Any, keys: Sequence[str]) -> str:
    """What an entry has for the settings by which it differs from its twins."""
    own = _settings(entry) if keys else {}
    return ", ".join(f"{k}={_short(own[k])}" for k in keys if k in own)


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
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _label(entry: Any) -> str:
    return str(entry.label)


def _renamed(entry: _Entry, label: str) -> _Entry:
    return replace(entry, label=label, written=_label(entry))  # type: ignore[type-var]

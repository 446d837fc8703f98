"""The tables of a suite's entries, as far as no plugin needs to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from harness.catalog import Declaration

KEYS = ("label", "grid", "preset")
"""What every entry may hold beside `use` and its plugin's parameters."""


def take_label(table: dict[str, Any], default: str, where: str) -> str:
    """Take the entry's label out of its table.

    Raises
    ------
    ConfigError
        If it is no line of text.
    """
    label = table.pop("label", default)
    if not isinstance(label, str) or not label.strip() or not label.isprintable():
        raise ConfigError(f"{where} label: should be a line of text, got {label!r}")
    return label


def take_controls(table: dict[str, Any], where: str) -> bool | tuple[str, ...]:
    """Take out of a strategy's table which controls shall stand beside it.

    Raises
    ------
    ConfigError
        If it is neither true or false nor a list of names.
    """
    value = table.pop("controls", True)
    if isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ConfigError(
        f"{where} controls: should be true, false, or a list of names, got {value!r}"
    )


def take_preset(
    declaration: Declaration, table: dict[str, Any], where: str
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The plugin's parameters, over those of the preset that the table names; and that
    preset, empty if there is none.

    Raises
    ------
    ConfigError
        If the plugin has no such preset.
    """
    params = dict(table)
    name = params.pop("preset", None)
    if name is None:
        return params, {}
    if name not in declaration.presets:
        hint = (
            did_you_mean(str(name), declaration.presets)
            if declaration.presets
            else "it has none"
        )
        raise ConfigError(
            f"{where} preset: {declaration.name!r} has no preset {name!r}; {hint}"
        )
    preset = declaration.presets[name]
    return {**preset["params"], **params}, preset


def preset_suffix(table: Mapping[str, Any]) -> str:
    """What a preset adds to a label."""
    return f" ({table['preset']})" if table.get("preset") else ""


def merged_budget(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A budget with an entry's own values over it, table by table."""
    merged = dict(shared)
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        # Another optimizer or schedule shares no settings with the suite's.
        if both and value.get("use", merged[key].get("use")) == merged[key].get("use"):
            merged[key] = {**merged[key], **value}
        else:
            merged[key] = value
    return merged


def parameters_of(
    declared: Sequence[Declaration], table: dict[str, Any], where: str
) -> dict[str, dict[str, Any]]:
    """Each strategy's parameters: flat for one, a table by name for several.

    Raises
    ------
    ConfigError
        If composed strategies' parameters aren't in tables of their own.
    """
    if len(declared) == 1:
        return {declared[0].name: table}
    names = [d.name for d in declared]
    strays = [
        f"{where} {key}: composed strategies take a table each, as "
        f"{names[0]}.{key} = ..."
        for key, value in table.items()
        if key not in names or not isinstance(value, dict)
    ]
    if strays:
        raise ConfigError(strays)
    return {name: table.get(name, {}) for name in names}

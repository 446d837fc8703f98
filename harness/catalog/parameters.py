"""A plugin's parameters, validated by the plugin's own model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.catalog.declaration import Declaration
from harness.catalog.probe_cache import ask
from harness.cell import PluginChoice
from harness.errors import ConfigError
from harness.options.explain import explain


def resolve_parameters(
    declaration: Declaration,
    params: Mapping[str, Any],
    where: str,
    other_keys: Collection[str] = (),
) -> PluginChoice:
    """The plugin with all parameters resolved.

    A plugin that imports torch is asked in a process of its own, once for each set
    of parameters, so that planning never imports torch.

    Parameters
    ----------
    other_keys
        What else may stand in the same table: an unknown key may be meant for one.

    Raises
    ------
    ConfigError
        With every mistake in the parameters.
    """
    answer = _answer(declaration, dict(params))
    if "errors" in answer:
        known = {
            **{key: {} for key in other_keys},
            **declaration.schema.get("properties", {}),
        }
        schema = {**declaration.schema, "properties": known}
        raise ConfigError(explain(answer["errors"], schema, where))
    if "cause" in answer:
        raise ConfigError(f"{where}: {answer['cause']}")
    return PluginChoice(
        name=declaration.name,
        version=declaration.version,
        class_name=declaration.class_name,
        locator=declaration.locator,
        source_hash=declaration.source_hash,
        params=answer["params"],
        changed=answer["changed"],
        batch_independent=answer["batch_independent"],
        decision_only=declaration.attributes.get("decision_only", False),
        footnotes=_footnotes(declaration, answer["params"]),
    )


def _footnotes(declaration: Declaration, params: Mapping[str, Any]) -> tuple[str, ...]:
    """What the presets warn of whose parameters these are, by whatever way."""
    return tuple(
        preset["footnote"]
        for preset in declaration.presets.values()
        if preset["footnote"]
        and all(params[key] == value for key, value in preset["params"].items())
    )


def _answer(declaration: Declaration, params: dict[str, Any]) -> dict[str, Any]:
    locator, class_name = declaration.locator, declaration.class_name
    if declaration.light:
        from harness.catalog.probe import resolve

        return resolve(locator, class_name, params)
    request = {"locator": locator, "class_name": class_name, "params": params}
    return ask([request])[0]

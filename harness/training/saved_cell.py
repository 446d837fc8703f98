"""Finding out what saved weights are: the cell that they were trained in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from harness.catalog import Catalog
from harness.catalog.declaration import Kind
from harness.catalog.parameters import resolve_parameters
from harness.cell import Cell, PluginChoice
from harness.errors import ConfigError
from harness.files.atomic import parse_json, read_json
from harness.options import Budget, DataOptions
from harness.options.explain import explain
from harness.results.requirement import Requirement
from harness.results.state import RESULT, WEIGHTS

METADATA_KEY = "harness_cell"


class _File(BaseModel):
    # Somebody else may have written it, and a later version may say more.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SavedPlugin(_File):
    """A plugin by name, with all its parameters."""

    name: str
    version: int
    params: dict[str, Any]


class SavedDataset(SavedPlugin):
    """A data set with its options."""

    options: DataOptions


class SavedIdentity(_File):
    """What of the cell's identity is needed."""

    dataset: dict[str, Any]


class SavedCell(_File):
    """What `harness.execution.result.describe_cell` says of a cell.

    `requires` are the cells that it requires, by role.
    """

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    split_hash: str
    identity: SavedIdentity
    dataset: SavedDataset
    model: SavedPlugin | None
    strategies: list[SavedPlugin] = Field(min_length=1)
    budget: Budget
    seed: int
    requires: dict[str, SavedCell] = {}


class _SavedTuned(_File):
    thresholds: dict[str, FiniteFloat]


class _SavedMetrics(_File):
    test_tuned: _SavedTuned | None = None


class _SavedResult(_File):
    """What is needed of the `result.json` beside weights."""

    cell: str
    metrics: _SavedMetrics


@dataclass(frozen=True)
class SavedWeights:
    """Weights, and the cell that they are from."""

    path: Path
    tensors: Mapping[str, Tensor]
    cell: SavedCell


def read_weights(path: Path) -> SavedWeights:
    """Read weights and what they say of themselves; nothing in the file is executed.

    Parameters
    ----------
    path
        A cell's folder, or a file of weights as a cell leaves it.

    Raises
    ------
    ConfigError
        If there are none, or they don't say which cell they are from.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        what = f"the folder holds no {WEIGHTS}" if path.is_dir() else "no such file"
        raise ConfigError(f"{what}: give a finished cell's folder", str(path))
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"is no safetensors file: {error}", str(file)) from None
    if METADATA_KEY not in metadata:
        raise ConfigError(
            "doesn't say which cell it is from: only weights that `harness run` "
            "wrote can be scored",
            str(file),
        )
    return SavedWeights(file, tensors, _parsed(metadata[METADATA_KEY], file))


def _parsed(text: str, file: Path) -> SavedCell:
    try:
        return SavedCell.model_validate(parse_json(text))
    except ValidationError as error:
        problems = explain(error.errors(), SavedCell.model_json_schema())
        raise ConfigError(problems, f"{file}: {METADATA_KEY}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"is damaged: {error}", f"{file}: {METADATA_KEY}") from None


def rebuild(saved: SavedCell, catalog: Catalog) -> tuple[Cell, list[str]]:
    """The cell, of the plugins that there are now, and warnings about them.

    Raises
    ------
    ConfigError
        If a plugin is missing, or doesn't take its parameters any more.
    """
    warnings: list[str] = []

    def choose(kind: Kind, plugin: SavedPlugin) -> PluginChoice:
        declaration = catalog.get(kind, plugin.name)
        if declaration.version != plugin.version:
            warnings.append(
                f"{kind} {plugin.name!r} is version {declaration.version} here; the "
                f"weights were made by version {plugin.version}"
            )
        return resolve_parameters(declaration, plugin.params, f"{kind} {plugin.name}")

    dataset = choose("dataset", saved.dataset)
    model = choose("model", saved.model) if saved.model else None
    strategies = tuple(choose("strategy", s) for s in saved.strategies)
    cell = Cell(
        dataset=dataset,
        # Where recordings lie, and are generated, is for who evaluates to say.
        options=saved.dataset.options.model_copy(update={"root": None}),
        model=model,
        strategies=strategies,
        budget=saved.budget,
        seed=saved.seed,
        fingerprint=str(saved.identity.dataset.get("fingerprint", "")),
        labels={
            "dataset": dataset.name,
            "model": model.name if model else None,
            "strategy": "+".join(s.name for s in strategies),
        },
    )
    return cell, warnings


def requirements_beside(
    weights: SavedWeights, catalog: Catalog
) -> dict[str, Requirement]:
    """What the weights' cell requires, by role: from the folder of runs, if the
    weights lie in one.

    Raises
    ------
    ConfigError
        If a plugin is missing, or doesn't take its parameters any more.
    """
    found = {}
    for role, saved in weights.cell.requires.items():
        cell, _ = rebuild(saved, catalog)
        own = Path(cell.folder.with_name(f"{saved.seed}-{saved.id}"))
        runs = Path(*weights.path.resolve().parts[: -len(own.parts) - 1])
        there = (runs / own / RESULT).is_file()
        found[role] = Requirement(cell, saved.id, runs / own if there else None)
    return found


def thresholds_beside(
    weights: SavedWeights, classes: Sequence[str]
) -> dict[str, float] | None:
    """The thresholds, by class, that the weights' cell chose on its validation split:
    from its `result.json`, if the weights lie beside it; None where none are known.

    Raises
    ------
    ConfigError
        If the file is damaged.
    """
    file = weights.path.with_name(RESULT)
    if not file.is_file():
        return None
    try:
        result = _SavedResult.model_validate(read_json(file))
    except ValidationError as error:
        schema = _SavedResult.model_json_schema()
        raise ConfigError(explain(error.errors(), schema), str(file)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"can't be read: {error}", str(file)) from None
    tuned = result.metrics.test_tuned
    if result.cell != weights.cell.id or tuned is None:
        return None
    if set(tuned.thresholds) != set(classes):
        raise ConfigError("its thresholds aren't those of its classes", str(file))
    return {name: tuned.thresholds[name] for name in classes}


def mismatches(model: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    """Where weights differ from a model's in names, shapes and types, in words."""
    problems = [
        f"{name}: not in the file" for name in sorted(set(model) - set(weights))
    ]
    problems += [f"{n}: not in the model" for n in sorted(set(weights) - set(model))]
    for name in sorted(set(model) & set(weights)):
        expected, found = _form(model[name]), _form(weights[name])
        if expected != found:
            problems.append(f"{name}: {found}, the model has {expected}")
    return problems


def _form(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"shape {tuple(tensor.shape)} of {kind}"

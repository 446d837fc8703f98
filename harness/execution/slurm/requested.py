"""From what a suite and a profile say to the options of `sbatch`."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import ValidationError

from harness.cell import Cell
from harness.errors import ConfigError, did_you_mean
from harness.options import Execution, Slurm
from harness.options.execution import DEFAULT_MINUTES
from harness.options.explain import explain

MARGIN_MINUTES = 10
"""For starting a cell, reading its data and judging it."""
_USERS_DEFAULTS = ("account", "partition", "qos")


@dataclass(frozen=True)
class Resources:
    """What a suite's cells ask of SLURM."""

    slurm: Slurm
    execution: Execution

    @property
    def signal_seconds(self) -> int:
        """How long before its end a job is warned."""
        return min(self.slurm.signal_seconds, 30 * self.minutes)

    @property
    def minutes(self) -> int:
        """Time of a job."""
        if self.slurm.time_minutes is not None:
            return self.slurm.time_minutes
        limit = self.execution.time_limit_minutes
        return DEFAULT_MINUTES if limit is None else math.ceil(limit) + MARGIN_MINUTES

    def options(self, cell: Cell) -> dict[str, str | int | bool]:
        """Options of sbatch for a cell: equal ones can share an array."""
        slurm = self.slurm
        cores = cell.budget.threads * cell.processes
        options: dict[str, Any] = {name: _default(name) for name in _USERS_DEFAULTS}
        options |= {
            "time": self.minutes,
            "nodes": 1,
            "ntasks-per-node": 1,
            "cpus-per-task": slurm.cpus or cores,
            "mem": self._memory(),
            "gres": self._gpus(cell),
            "constraint": slurm.constraint,
        }
        given = slurm.model_dump(include=set(_USERS_DEFAULTS), exclude_none=True)
        options |= given | slurm.options
        return {name: value for name, value in options.items() if value is not None}

    def _memory(self) -> str | None:
        gib = self.slurm.memory_gib or self.execution.memory_limit_gib
        return None if gib is None else f"{math.ceil(gib * 1024)}M"

    def _gpus(self, cell: Cell) -> str | None:
        if not self.slurm.gpus:
            return None
        kind = f":{self.slurm.gpu_type}" if self.slurm.gpu_type else ""
        return f"gpu{kind}:{self.slurm.gpus * cell.processes}"


def _default(option: str) -> str | None:
    """What the user has told sbatch for good."""
    return os.environ.get(f"SBATCH_{option.upper()}") or None


def resources_of(execution: Execution, profile: str | None) -> Resources:
    """What the suite says, and the profile over it.

    Parameters
    ----------
    profile
        A TOML file, or the name of one in `profiles_folder()`.

    Raises
    ------
    ConfigError
        With every mistake in the profile.
    """
    suite = execution.slurm or Slurm()
    if profile is None:
        return Resources(suite, execution)
    path = _locate(profile)
    values = {**suite.model_dump(exclude_unset=True), **_read(path)}
    try:
        return Resources(Slurm.model_validate(values), execution)
    except ValidationError as error:
        messages = explain(error.errors(), Slurm.model_json_schema())
        raise ConfigError(messages, str(path)) from None


def profiles_folder() -> Path:
    """Where profiles lie that are called by their name."""
    return user_config_path("ecg-harness") / "profiles"


def _locate(profile: str) -> Path:
    path = Path(profile).expanduser()
    if path.suffix == ".toml" or path.is_file():
        return path
    folder = profiles_folder()
    named = folder / f"{profile}.toml"
    if path.name == profile and named.is_file():
        return named
    hint = did_you_mean(profile, [p.stem for p in folder.glob("*.toml")])
    raise ConfigError(
        f"no profile {profile!r}: it is neither a file nor the name of one in "
        f"{folder}; {hint}",
        "--profile",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"can't be read as TOML: {reason}", str(path)) from None

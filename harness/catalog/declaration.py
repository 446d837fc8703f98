"""What is known of a plugin without importing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["dataset", "model", "strategy", "tracker"]
KINDS: tuple[Kind, ...] = ("dataset", "model", "strategy", "tracker")


@dataclass(frozen=True)
class Declaration:
    """One plugin class, as its file declares it.

    Attributes
    ----------
    locator
        The file's path, or `module:package.name` for an installed module.
    light
        True if importing the file needs neither torch nor pandas.
    schema
        JSON schema of `Params`.
    hooks
        Hook name -> True if it is implemented as a wrapper.
    attributes
        Class attributes that planning needs (`folder`, `index_files`, `uses_model`...).
    presets
        By name: `params`, `about`, `footnote` and `budget` of each.
    """

    kind: Kind
    name: str
    version: int
    description: str
    docstring: str
    reference: str
    class_name: str
    locator: str
    origin: str
    source_hash: str
    light: bool
    schema: dict[str, Any]
    hooks: dict[str, bool]
    attributes: dict[str, Any]
    presets: dict[str, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the index file."""
        return asdict(self)


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin file that can't be used, with the reason in one line."""

    name: str
    origin: str
    locator: str
    cause: str
    traceback: str

"""The exceptions that people see: each says what, where and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class HarnessError(Exception):
    """Something that the harness can explain in one message, without a traceback."""


class ConfigError(HarnessError):
    """A mistake in what a person wrote: a suite, a parameter, a name or a path.

    Parameters
    ----------
    problems
        Every mistake found, one message each; all are shown at once.
    where
        The file or option that holds them.
    """

    def __init__(self, problems: str | Iterable[str], where: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.where = where
        super().__init__(str(self))

    def __str__(self) -> str:
        if not self.where:
            return "\n".join(self.problems)
        if len(self.problems) == 1:
            return f"{self.where}: {self.problems[0]}"
        return "\n".join([f"{self.where}:", *(f"  {p}" for p in self.problems)])


class PluginError(HarnessError):
    """A plugin can't be loaded, or broke the contract of a hook."""


class DataError(HarnessError):
    """Data that is missing, unreadable or not what its dataset declares."""


class CheckpointError(HarnessError):
    """A checkpoint that can't be trusted, or a state that can't be put in one."""


class CellError(HarnessError):
    """A cell that can't go on, for a reason that its author can act on."""


class PeerError(HarnessError):
    """Another process of the same cell failed; `failure` says of what."""

    def __init__(self, failure: Any) -> None:
        super().__init__(str(failure.message))
        self.failure = failure


class Interrupted(HarnessError):  # noqa: N818 - it tells of no error
    """The run was asked to stop; the last checkpoint stands and can be continued."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint that follows an unknown name: the nearest known one, or all of them.

    >>> did_you_mean("dpbd", ["baseline", "dbpd"])
    "did you mean 'dbpd'?"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"


def printable(text: object) -> str:
    """The text with what a terminal would obey as in Python's source; lines stay."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode()
        for c in str(text)
    )

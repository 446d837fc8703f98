"""What plots of a suite are called, and what holds them; takes nothing that draws."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

FRONT = "macro-F1 against compute"
"""What links to a table's Pareto front say."""
LEADS = "leads"
"""Ends the names of charts by lead, which are no table's."""
KINDS = (
    *("kept-share", "compute", "reduction", "front", "layers", "last-round"),
    LEADS,
)
NAME = re.compile(rf"[a-z0-9-]+\.[a-z0-9-]+\.({'|'.join(KINDS)})\.svg")
"""Every name that a plot of a suite may have."""


@dataclass
class SuitePlots:
    """Files by name; titles and names by the labels of data set and model; alternative
    texts and names of charts by lead.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[tuple[str, str | None], list[tuple[str, str]]] = field(
        default_factory=dict
    )
    leads: list[tuple[str, str]] = field(default_factory=list)

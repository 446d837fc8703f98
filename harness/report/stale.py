"""Which results another version of a plugin's source made than is installed here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.frame import CellResult, SuiteResults


def mark_stale(results: SuiteResults, installed: Mapping[str, str]) -> SuiteResults:
    """The same cells, each done one with the plugins that make it stale.

    A result names the plugins of all cells that it required too, so that an edited
    teacher makes its pupils stale.

    Parameters
    ----------
    installed
        Hashes of plugins' sources, by kind and name as in a result's provenance. What
        isn't there can't be judged, and makes nothing stale.
    """
    cells = tuple(_marked(cell, installed) for cell in results.cells)
    return replace(results, cells=cells)


def _marked(cell: CellResult, installed: Mapping[str, str]) -> CellResult:
    if cell.result is None:
        return cell
    made_by = cell.result.provenance.plugins
    edited = [
        name
        for name, digest in sorted(made_by.items())
        if installed.get(name, digest) != digest
    ]
    return replace(cell, stale=tuple(edited)) if edited else cell

"""What was measured on what: data, versions and machines of a suite's results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.board.board import BoardProvenance, DataAbout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.read import CellResult

_SHARED = frozenset(DataAbout.model_fields) - {"fingerprints", "label_rules"}
"""What cells of a data set say alike."""


def describe_dataset(cells: Iterable[CellResult]) -> DataAbout | None:
    """The data that the done cells were measured on; None where no cell is done.

    `fingerprints` and `label_rules` hold more than one entry where cells were measured
    on different data, and must then not be compared.
    """
    parts = [cell.result.dataset for cell in cells if cell.result]
    if not parts:
        return None
    first = parts[0]
    shared = {name: getattr(first, name) for name in _SHARED}
    return DataAbout(
        **shared,
        fingerprints=sorted({part.fingerprint for part in parts}),
        label_rules=sorted({part.label_rule for part in parts}),
    )


def describe_provenance(cells: Iterable[CellResult]) -> BoardProvenance:
    """Every version, precision and machine that results came from, sorted."""
    done = [cell for cell in cells if cell.result]
    runs = [cell.result.provenance for cell in done if cell.result]
    return BoardProvenance(
        **{
            key: sorted({str(getattr(run, key)) for run in runs} - {"", "None"})
            for key in (
                "harness",
                "python",
                "torch",
                "threads",
                "precision",
                "device_type",
            )
        },
        hardware=sorted({c.measured.hardware for c in done if c.measured} - {""}),
        plugins={
            name: sorted({run.plugins[name] for run in runs if name in run.plugins})
            for name in sorted({name for run in runs for name in run.plugins})
        },
    )

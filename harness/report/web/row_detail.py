"""What the page tells of one row beside its table: scores, cells, parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.board.class_scores import (
    ClassScores,
    class_scores,
    confusion_counts,
)
from harness.report.board.provenance import describe_provenance
from harness.report.read import shared_parameters
from harness.report.render.format import (
    NOT_MEASURED,
    amount,
    difference,
    duration,
    engineering,
    interval,
    plain,
    plural,
    ratio,
    score,
)
from harness.report.render.intro import provenance_lines
from harness.report.web.html import to_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from harness.report.board.board import CellOfRow, Row
    from harness.report.read import CellResult


@dataclass(frozen=True)
class ClassLine:
    """A class: its test records, and F1, precision and recall as text; the mean F1 as
    the length of a bar, in percent; its 95 % interval, and the difference to the
    baseline with its own.
    """

    name: str
    support: str
    figures: Sequence[str]
    bar: str | None
    interval: str
    to_baseline: str


@dataclass(frozen=True)
class ConfusionCell:
    """A count, and its share of the records of its true class, in percent."""

    count: str
    share: int
    right: bool


@dataclass(frozen=True)
class RowPart:
    """A row's own part of the page; all texts plain."""

    id: str
    title: str
    summary: str
    seeds: Sequence[Sequence[str]]
    classes: Sequence[ClassLine]
    class_names: Sequence[str]
    confusion: Sequence[Sequence[ConfusionCell]]
    judged: str
    parameters: Sequence[tuple[str, str]]
    provenance: Markup


SEED_HEADINGS = (
    *("seed", "state", "macro-F1", "macro AUROC", "compute", "training FLOPs"),
    *("effective epochs", "training time", "audit", "cell"),
)


def row_part(
    name: str,
    row: Row,
    cells: Sequence[CellResult],
    parameters: Callable[[CellResult], Mapping[str, str]],
) -> RowPart:
    """What there is to say of a row's cells.

    Parameters
    ----------
    name
        The id of its part of the page.
    row
        What the table says of it.
    cells
        Those of `row.seeds`, in the same order.
    parameters
        Of a cell, by name; empty where they aren't known.
    """
    results = [cell.result for cell in cells if cell.result]
    classes = class_scores(results)
    counts = confusion_counts(results)
    title = plain(row.strategy)
    return RowPart(
        id=name,
        title=title,
        summary=_summary(row),
        seeds=[_seed(seed) for seed in row.seeds],
        classes=[_class_line(one, row) for one in classes],
        class_names=[plain(one.name) for one in classes],
        confusion=_confusion(counts) if counts and classes else [],
        judged=f"added up over {plural(len(results), 'seed')}",
        parameters=[
            (plain(key), plain(value))
            for key, value in shared_parameters(map(parameters, cells))
        ],
        provenance=to_html([provenance_lines(describe_provenance(cells))], title),
    )


def _summary(row: Row) -> str:
    compute = row.figure("relative_compute")
    parts = [f"macro-F1 {score(row.figure('macro_f1'))}"]
    if compute:
        parts.append(f"{ratio(compute.mean)} the compute of the baseline")
    others = [f"{n} {state}" for state, n in sorted(row.states.items())]
    return ", ".join([*parts, *others])


def _seed(seed: CellOfRow) -> list[str]:
    state = str(seed.status)
    if seed.failure:
        kind, message = seed.failure.kind, seed.failure.message
        state = f"{state} ({plain(kind)}): {plain(message)}"
    elif seed.stale:
        state = f"stale: {plain(', '.join(seed.stale))} edited since"
    audit = seed.audit
    return [
        str(seed.seed),
        state,
        _value(seed.figure("macro_f1"), "{:.3f}".format),
        _value(seed.figure("macro_auroc"), "{:.3f}".format),
        _value(seed.figure("relative_compute"), ratio),
        _value(seed.figure("training_flops"), lambda v: engineering(v, "FLOP")),
        _value(seed.figure("effective_epochs"), amount),
        _value(seed.figure("training_seconds"), duration),
        str(audit.status) if audit else NOT_MEASURED,
        plain(seed.cell),
    ]


def _value(value: float | None, show: Callable[[float], str]) -> str:
    return NOT_MEASURED if value is None else show(value)


def _class_line(one: ClassScores, row: Row) -> ClassLine:
    f1, name = one.f1, one.name
    known = row.intervals.f1.get(name) if row.intervals else None
    gain = row.against_baseline.f1.get(name) if row.against_baseline else None
    return ClassLine(
        plain(name),
        NOT_MEASURED if one.support is None else f"{one.support:,}",
        [score(figure) for figure in (one.f1, one.precision, one.recall)],
        f"{100 * f1.mean:.1f}" if f1 else None,
        interval(known) if known else NOT_MEASURED,
        difference(gain) if gain else NOT_MEASURED,
    )


def _confusion(counts: Sequence[Sequence[int]]) -> list[list[ConfusionCell]]:
    return [
        [
            ConfusionCell(
                f"{count:,}", round(100 * count / sum(row)) if sum(row) else 0, i == j
            )
            for j, count in enumerate(row)
        ]
        for i, row in enumerate(counts)
    ]

"""The second step of a leaderboard: what takes predictions and histories."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.analysis.comparisons import compare_with_controls
from harness.report.analysis.facet_groups import lead_groups
from harness.report.analysis.facets import describe_leads
from harness.report.analysis.ranks import mean_ranks, ranks, verdicts_between
from harness.report.analysis.scored_cells import score_suite
from harness.report.analysis.uncertainty import against_baseline, row_intervals
from harness.report.board.board import Across, DatasetTables, WithoutRecords
from harness.report.board.time_to_target import goals_of, time_to_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import Read, ScoredCells
    from harness.report.board.board import Board, Row, Table
    from harness.report.board.parts import Verdict
    from harness.report.board.time_to_target import ReadHistory
    from harness.report.read import CellResult, SuiteResults

    Verdicts = Mapping[tuple[str, str], Verdict]


def judge(
    board: Board,
    results: SuiteResults,
    read: Read | None,
    history: ReadHistory | None,
) -> Board:
    """A leaderboard's outline with intervals, verdicts, ranks and the time to the
    baseline's score; what teachers bought, where there are any; mean ranks over tables.

    Parameters
    ----------
    board
        As `harness.report.board.build.outline` gives it.
    read
        Gives the predictions of a done cell on its test records, or raises OSError or
        ValueError; None: intervals hold seeds alone.
    history
        Gives the epochs of a done cell; None: they aren't known.
    """
    scored = score_suite(results.cells, read) if read else {}
    sources = _Sources(results.cells, scored, history)
    datasets: list[DatasetTables] = []
    places: list[_Ranked] = []
    for dataset in board.datasets:
        judged = [_judge_table(dataset.label, one, sources) for one in dataset.tables]
        tables = [table for table, _ in judged]
        places += [
            _Ranked(
                [dataset.label, table.model],
                [row.strategy for row in table.rows if row.rank],
                verdicts,
            )
            for table, verdicts in judged
        ]
        datasets.append(dataset.model_copy(update={"tables": tables}))
    leads = describe_leads(results, scored) if read and lead_groups(results) else []
    found = {"datasets": datasets, "leads": leads, "across": _across(places)}
    return board.model_copy(update=found)


class _Sources:
    """What is known of the cells of a suite."""

    def __init__(
        self,
        cells: Sequence[CellResult],
        scored: Mapping[str, ScoredCells],
        history: ReadHistory | None,
    ) -> None:
        self.cells = cells
        self.by_id = {cell.cell.id: cell for cell in cells}
        self.scored = scored
        self.history = history

    def of(self, row: Row) -> list[CellResult]:
        return [self.by_id[seed.cell] for seed in row.seeds]


@dataclass(frozen=True)
class _Ranked:
    """A table's data set and model, the strategies that it ranks, and the verdicts
    between them.
    """

    title: list[str | None]
    labels: Sequence[str]
    verdicts: Verdicts


def _baseline(
    label: str, table: Table, cells: Sequence[CellResult]
) -> list[CellResult]:
    """The cells that costs and scores of a table are relative to."""
    if table.baseline is None:
        return []
    place = label, table.model, table.baseline
    return [
        c
        for c in cells
        if (c.cell.dataset, c.cell.model, c.cell.strategy) == place and c.result
    ]


def _judge_table(label: str, table: Table, sources: _Sources) -> tuple[Table, Verdicts]:
    scored = sources.scored
    baseline = _baseline(label, table, sources.cells)
    members = {row.strategy: sources.of(row) for row in table.rows}
    whole = [
        row.strategy
        for row in table.rows
        if row.figures["macro_f1"] and row.done == row.cells
    ]
    verdicts = verdicts_between({label: members[label] for label in whole}, scored)
    ranked = ranks(whole, verdicts)
    goals = goals_of(baseline, table.baseline, sources.history)
    rows = []
    for row in table.rows:
        found = members[row.strategy]
        is_baseline = row.strategy == table.baseline
        judged = {
            "rank": ranked.get(row.strategy),
            "intervals": row_intervals(found, scored),
            "against_baseline": (
                None if is_baseline else against_baseline(found, baseline, scored)
            ),
            "time_to_target": time_to_target(found, goals, sources.history),
        }
        rows.append(row.model_copy(update=judged))
    every = [cell for cells in members.values() for cell in cells]
    comparisons = compare_with_controls(every, scored)
    order = {label: place for place, label in enumerate(members)}
    comparisons.sort(key=lambda one: (order[one.strategy], one.name))
    added = {
        "rows": rows,
        "comparisons": comparisons,
        "without_records": _without_records(every, scored),
    }
    return table.model_copy(update=added), verdicts


def _across(tables: Sequence[_Ranked]) -> Across | None:
    """Mean ranks over the tables that rank two rows or more."""
    several = [table for table in tables if len(table.labels) > 1]
    rows = mean_ranks([(table.labels, table.verdicts) for table in several])
    return (
        Across(tables=[table.title for table in several], rows=rows) if rows else None
    )


def _without_records(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> list[WithoutRecords]:
    """Rows of which predictions can't be used: of which seeds, and why."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for cell in cells:
        name = cell.cell.id
        if name in scored and name in scored[name].problems:
            key = cell.cell.strategy, scored[name].problems[name]
            found[key].append(cell.cell.seed)
    return [
        WithoutRecords(strategy=strategy, seeds=seeds, reason=reason)
        for (strategy, reason), seeds in found.items()
    ]

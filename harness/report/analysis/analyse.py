"""The second step of a leaderboard: what takes predictions and histories."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.report.analysis.comparisons import compare_with_controls
from harness.report.analysis.facet_groups import lead_groups
from harness.report.analysis.facets import describe_leads
from harness.report.analysis.ranks import mean_ranks, ranks, verdicts_between
from harness.report.analysis.scored_cells import score_suite
from harness.report.analysis.uncertainty import against_baseline, row_intervals
from harness.report.board.time_to_target import goals_of, time_to_target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.analysis.scored_cells import Read, ScoredCells
    from harness.report.board.time_to_target import ReadHistory
    from harness.report.read import CellResult, SuiteResults

    Part = dict[str, Any]
    Verdicts = Mapping[tuple[str, str], str]


def judge(
    board: Mapping[str, Any],
    results: SuiteResults,
    read: Read | None,
    history: ReadHistory | None,
) -> dict[str, Any]:
    """A leaderboard's outline with intervals, verdicts, ranks and the time to the
    baseline's score; `leads`, what teachers bought, where there are any; `across`, mean
    ranks over tables.

    Parameters
    ----------
    board
        As `harness.report.board.build.outline` gives it; left as it is.
    read
        Gives the predictions of a done cell on its test records, or raises OSError or
        ValueError; None: intervals hold seeds alone.
    history
        Gives the epochs of a done cell; None: they aren't known.
    """
    scored = score_suite(results.cells, read) if read else {}
    cells = {cell.cell.id: cell for cell in results.cells}
    datasets, places = [], []
    for dataset in board["datasets"]:
        tables = []
        for table in dataset["tables"]:
            baseline = _baseline(dataset["label"], table, results.cells)
            judged, verdicts = _judge_table(table, cells, baseline, scored, history)
            tables.append(judged)
            ranked = [row["strategy"] for row in judged["rows"] if row["rank"]]
            title = [dataset["label"], table["model"]]
            places.append((title, ranked, verdicts))
        datasets.append({**dataset, "tables": tables})
    leads = describe_leads(results, scored) if read and lead_groups(results) else []
    return {
        **board,
        "datasets": datasets,
        **({"leads": leads} if leads else {}),
        "across": _across(places),
    }


def _baseline(
    label: str, table: Mapping[str, Any], cells: Sequence[CellResult]
) -> list[CellResult]:
    """The cells that costs and scores of a table are relative to."""
    if table["baseline"] is None:
        return []
    place = label, table["model"], table["baseline"]
    return [
        c
        for c in cells
        if (c.cell.dataset, c.cell.model, c.cell.strategy) == place and c.result
    ]


def _judge_table(
    table: Mapping[str, Any],
    cells: Mapping[str, CellResult],
    baseline: Sequence[CellResult],
    scored: Mapping[str, ScoredCells],
    history: ReadHistory | None,
) -> tuple[Part, Verdicts]:
    members = {
        row["strategy"]: [cells[seed["cell"]] for seed in row["seeds"]]
        for row in table["rows"]
    }
    whole = [
        row["strategy"]
        for row in table["rows"]
        if row["macro_f1"] and row["done"] == row["cells"]
    ]
    verdicts = verdicts_between({label: members[label] for label in whole}, scored)
    ranked = ranks(whole, verdicts)
    goals = goals_of(baseline, table["baseline"], history)
    rows = []
    for row in table["rows"]:
        label = row["strategy"]
        found = members[label]
        is_baseline = label == table["baseline"]
        rows.append(
            {
                **row,
                "rank": ranked.get(label),
                "intervals": row_intervals(found, scored),
                "against_baseline": (
                    None if is_baseline else against_baseline(found, baseline, scored)
                ),
                "time_to_target": time_to_target(found, goals, history),
            }
        )
    every = [cell for label in members for cell in members[label]]
    comparisons = compare_with_controls(every, scored)
    order = {label: place for place, label in enumerate(members)}
    comparisons.sort(key=lambda part: (order[part["strategy"]], part["name"]))
    judged = {
        **table,
        "rows": rows,
        "comparisons": comparisons,
        "without_records": _without_records(every, scored),
    }
    return judged, verdicts


def _across(
    places: Sequence[tuple[list[Any], list[str], Verdicts]],
) -> dict[str, Any] | None:
    """Mean ranks over the tables that rank two rows or more."""
    several = [place for place in places if len(place[1]) > 1]
    rows = mean_ranks([(labels, verdicts) for _, labels, verdicts in several])
    return (
        {"tables": [title for title, _, _ in several], "rows": rows} if rows else None
    )


def _without_records(
    cells: Sequence[CellResult], scored: Mapping[str, ScoredCells]
) -> list[dict[str, Any]]:
    """Rows of which predictions can't be used: of which seeds, and why."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for cell in cells:
        name = cell.cell.id
        if name in scored and name in scored[name].problems:
            key = cell.cell.strategy, scored[name].problems[name]
            found[key].append(cell.cell.seed)
    return [
        {"strategy": strategy, "seeds": seeds, "reason": reason}
        for (strategy, reason), seeds in found.items()
    ]

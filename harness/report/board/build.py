"""Results -> the ranked tables of a suite: a pure function.

Results that another version of a plugin's source made than is installed are stale.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.report.board.board import SCHEMA_VERSION, Board, DatasetTables, Row, Table
from harness.report.board.costs import count_sharers
from harness.report.board.pareto import describe_fronts
from harness.report.board.provenance import describe_dataset, describe_provenance
from harness.report.board.row import cell_of_row, row_of, training_flops

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.analysis.scored_cells import Read
    from harness.report.board.time_to_target import ReadHistory
    from harness.report.read import CellResult, SuiteResults
    from harness.results.schema import ModelPart


def build_leaderboard(
    results: SuiteResults,
    predictions: Read | None = None,
    history: ReadHistory | None = None,
    installed: Mapping[str, str] | None = None,
) -> Board:
    """The leaderboard of a suite: per dataset and model, ranked strategies.

    Parameters
    ----------
    predictions
        Gives those of a done cell on its test records, or raises OSError or ValueError;
        without it intervals hold seeds alone, and nothing is said facet by facet.
    history
        Without it nothing is said of the time to the baseline's score.
    installed
        As in `outline`.
    """
    # It needs numpy, which an outline doesn't wait for.
    from harness.report.analysis.analyse import judge

    return judge(outline(results, installed), results, predictions, history)


def outline(results: SuiteResults, installed: Mapping[str, str] | None = None) -> Board:
    """A leaderboard without what takes more than results: see `judge`.

    Rows are sorted by the mean of test macro-F1 over seeds; rows with seeds missing
    come after. Floors, which use no model, stand in each table of their dataset.

    Parameters
    ----------
    installed
        Hashes of the sources of plugins, by kind and name: results of others are
        stale, and count all the same. None: nothing is said of that.
    """
    results = mark_stale(results, installed or {})
    ranked = [c for c in results.cells if c.cell.role != "required"]
    required = [c for c in results.cells if c.cell.role == "required"]
    by_dataset = _group(ranked, "dataset")
    sharers = count_sharers(c.cell for c in results.cells)
    return Board(
        schema_version=SCHEMA_VERSION,
        suite=results.suite,
        title=results.title,
        states=dict(Counter(c.state for c in ranked)),
        gate=dict(results.gate),
        datasets=[
            DatasetTables(
                label=label,
                about=describe_dataset(by_dataset[label]),
                tables=_tables(by_dataset[label], required, sharers),
            )
            for label in sorted(by_dataset)
        ],
        required=[cell_of_row(c, {}) for c in required if c.status != "done"],
        provenance=describe_provenance(results.cells),
    )


def _group(cells: Iterable[CellResult], attribute: str) -> dict[Any, list[CellResult]]:
    groups = defaultdict(list)
    for cell in cells:
        groups[getattr(cell.cell, attribute)].append(cell)
    return groups


def _tables(
    cells: Sequence[CellResult],
    required: Sequence[CellResult],
    sharers: Mapping[str, int],
) -> list[Table]:
    by_model = _group(cells, "model")
    floors = by_model.pop(None, [])
    if not by_model:
        return [_table(None, floors, [], sharers)]
    return [
        _table(
            model,
            [*by_model[model], *floors],
            [c for c in required if _is_of(c, cells[0].cell.dataset, model)],
            sharers,
        )
        for model in sorted(by_model)
    ]


def _is_of(cell: CellResult, dataset: str, model: str) -> bool:
    return (cell.cell.dataset, cell.cell.model) == (dataset, model)


def _table(
    model: str | None,
    cells: Sequence[CellResult],
    required: Sequence[CellResult],
    sharers: Mapping[str, int],
) -> Table:
    baseline = _baseline_label([*cells, *required])
    flops = _training_flops([*required, *cells], baseline)
    budget = _shared_budget(cells, baseline)
    rows = [
        row_of(label, members, flops, sharers, budget)
        for label, members in _group(cells, "strategy").items()
    ]
    rows.sort(key=_order)
    networks = [c.result.model for c in cells if c.result and c.result.model]
    return Table(
        model=model,
        parameters=_parameters(networks),
        model_versions=sorted({m.version for m in networks}),
        baseline=baseline,
        budget=budget,
        rows=rows,
        fronts=describe_fronts(rows),
    )


def _parameters(networks: Iterable[ModelPart]) -> int | None:
    """Weights of the network; of the largest, since pruning makes it smaller."""
    known = [m.parameters for m in networks if m.parameters is not None]
    return max(known, default=None)


def _training_flops(
    cells: Iterable[CellResult], strategy: str | None
) -> dict[int, float]:
    """Of the rows called `strategy`, by seed."""
    found = {}
    for cell in cells:
        if cell.cell.strategy == strategy and cell.result:
            found[cell.cell.seed] = training_flops(cell.result) or 0
    return {seed: flops for seed, flops in found.items() if flops >= 1}


def _baseline_label(cells: Sequence[CellResult]) -> str | None:
    """The row that costs are divided by: the one called so, or the only one."""
    labels = {
        c.cell.strategy
        for c in cells
        if c.result is not None
        and "baseline" in c.result.strategy.names
        and c.result.budget.get("match") is None
    }
    if "baseline" in labels:
        return "baseline"
    return labels.pop() if len(labels) == 1 else None


def _order(row: Row) -> tuple[bool, bool, float, str]:
    score = row.figures["macro_f1"]
    mean = score.mean if score else 0.0
    return row.done < row.cells, score is None, -mean, row.strategy


def _shared_budget(
    cells: Iterable[CellResult], baseline: str | None
) -> dict[str, Any] | None:
    """What the table's rows may spend: the baseline's budget, or else the first's."""
    done = [c for c in cells if c.result is not None]
    done.sort(key=lambda c: c.cell.strategy != baseline)
    return done[0].result.budget if done and done[0].result else None


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

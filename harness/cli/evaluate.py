"""`harness evaluate`: what saved weights are worth on a split of a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.catalog import Catalog
from harness.cli.select_dataset import ChosenDataset, choose_from
from harness.console import table
from harness.errors import ConfigError, DataError
from harness.execution.watchers import RecordsBar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.cell import Cell
    from harness.data.dataset import OpenData
    from harness.training.evaluate import Evaluation
    from harness.training.run import Run
    from harness.training.saved_cell import SavedWeights

MEMORY_BUDGET_BYTES = 8 * 2**30
WORDS = {
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "label_accuracy": "label accuracy",
    "macro_f1": "macro-F1",
}


def evaluate_weights(
    weights: Path,
    plugins: Sequence[Path],
    split: str,
    suite: Path | None,
    dataset: str | None,
    *,
    as_json: bool,
) -> int:
    """Print the metrics of saved weights.

    On the cell's own data they are those of its `result.json`. Another data set is
    prepared as its suite says; what is normalised by training statistics is normalised
    by those of that data set.

    Parameters
    ----------
    weights
        A cell's folder, or a file of weights.
    split
        `train`, `validation` or `test`.
    suite, dataset
        Score on this data set, by its label; None for the cell's own.

    Raises
    ------
    ConfigError
        If the weights can't be read, or don't suit the data set.
    DataError
        If the cell's own records aren't those that it was trained on.
    """
    from harness.training.evaluate import evaluate
    from harness.training.restored_run import restored_run
    from harness.training.saved_cell import read_weights, rebuild, requirements_beside

    if dataset is not None and suite is None:
        raise ConfigError("--dataset names a data set of a suite: give --on SUITE")
    saved = read_weights(weights)
    elsewhere = None if suite is None else choose_from(suite, dataset, plugins)
    catalog = Catalog.discover([*plugins, *_folders_of(suite)])
    cell, warnings = rebuild(saved.cell, catalog)
    required = requirements_beside(saved, catalog)
    _warn(*warnings)
    own = ChosenDataset(cell.dataset.name, cell.dataset, cell.options, "")
    chosen = elsewhere or own
    data = chosen.open()
    if elsewhere is None:
        _check_unchanged(cell, data, saved.cell.split_hash)
    else:
        _check_suits(cell, data, chosen.label)
    with RecordsBar(chosen.label, quiet=as_json) as bar:
        prepared = data.prepare(progress=bar)
    splits = data.load(prepared, MEMORY_BUDGET_BYTES)
    run = restored_run(cell, splits, saved.tensors, required)
    scored, subsets = getattr(splits, split), data.dataset.class_subsets
    judged = evaluate(run, scored, subsets)
    tuned = _tuned(saved, run, judged, scored.labels.numpy(), subsets)
    about = {"cell": saved.cell.id, "dataset": chosen.label, "split": split}
    _show(about, judged.metrics, tuned, as_json=as_json)
    return 0


def _warn(*texts: str) -> None:
    for text in texts:
        click.echo(f"{click.style('warning:', fg='yellow')} {text}", err=True)


def _tuned(
    saved: SavedWeights,
    run: Run,
    judged: Evaluation,
    labels: NDArray[Any],
    class_subsets: Mapping[str, Sequence[str]],
) -> dict[str, Any] | None:
    """Figures at the thresholds that the cell chose, where its `result.json` lies
    beside the weights.
    """
    from harness.metrics.metrics import evaluate_at_thresholds
    from harness.training.saved_cell import thresholds_beside

    if run.task == "single-label":
        return None
    try:
        chosen = thresholds_beside(saved, run.classes)
    except ConfigError as error:
        _warn(f"no tuned thresholds: {error}")
        return None
    if chosen is None:
        return None
    return evaluate_at_thresholds(judged.probabilities, labels, chosen, class_subsets)


def _show(
    about: Mapping[str, str],
    metrics: dict[str, Any],
    tuned: dict[str, Any] | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        at_thresholds = {} if tuned is None else {"tuned": tuned}
        click.echo(json.dumps({**about, "metrics": metrics, **at_thresholds}))
        return
    click.echo(f"cell {about['cell']} on {about['dataset']}, {about['split']} split\n")
    click.echo(_table(metrics))
    if tuned is not None:
        click.echo("\nat the thresholds chosen on the cell's validation split\n")
        click.echo(_tuned_table(tuned))


def _folders_of(suite: Path | None) -> list[Path]:
    """The drop-in folders that a suite names."""
    if suite is None:
        return []
    from harness.suite.file import read_suite_file

    return [suite.parent / folder for folder in read_suite_file(suite).plugins]


def _check_unchanged(cell: Cell, data: OpenData, split_hash: str) -> None:
    """Another split of other records may hold what was trained on."""
    if data.index.split_hash != split_hash:
        raise DataError(
            f"the records of {cell.dataset.name!r} aren't split as the cell's were: "
            "its test records may be among those that it was trained on"
        )
    if data.index.fingerprint != cell.fingerprint:
        raise DataError(
            f"the records of {cell.dataset.name!r} aren't those of the cell "
            f"(fingerprint {cell.fingerprint}, here {data.index.fingerprint}); "
            "--on SUITE scores on other data"
        )


def _check_suits(cell: Cell, data: OpenData, label: str) -> None:
    """Refuse a data set whose classes or signals aren't what the model was made for."""
    from harness.data.dataset import instantiate

    trained = _shape(instantiate(cell.dataset), cell.options)
    given = _shape(data.dataset, data.options)
    problems = [
        f"{key}: {given[key]}, but the weights are for {expected}"
        for key, expected in trained.items()
        if given[key] != expected
    ]
    if problems:
        raise ConfigError(problems, f"data set {label!r} doesn't suit the weights")


def _shape(dataset: Any, options: Any) -> dict[str, Any]:
    """What a model is made for, in words of a suite."""
    from harness.data.check_options import sampling_rate, window_samples

    rate = sampling_rate(dataset, options)
    samples = window_samples(dataset, options)
    return {
        "classes": list(dataset.classes),
        "task": dataset.task,
        "leads": list(options.leads or dataset.leads),
        "sampling_rate": f"{rate:g} Hz",
        "seconds": "whole" if samples is None else f"{samples / rate:g} s",
        "normalise": options.normalise,
        "filter": None if options.filter is None else options.filter.model_dump(),
        "side": sorted(options.side),
    }


def _table(metrics: dict[str, Any]) -> str:
    rows = [(name, _shown(value)) for name, value in _figures(metrics)]
    whole = table(("metric", "value"), rows)
    by_class = [
        (name, _shown(f1), _shown(metrics["auroc"][name]), metrics["support"][name])
        for name, f1 in metrics["f1"].items()
    ]
    return f"{whole}\n\n{table(('class', 'F1', 'AUROC', 'records'), by_class)}"


def _tuned_table(tuned: dict[str, Any]) -> str:
    names = ("exact_match", "label_accuracy", "macro_f1")
    rows = [(WORDS[name], _shown(tuned[name])) for name in names]
    rows += [(name, _shown(mean)) for name, mean in tuned["class_subsets"].items()]
    by_class = [
        (name, _shown(threshold), _shown(tuned["f1"][name]))
        for name, threshold in tuned["thresholds"].items()
    ]
    whole = table(("metric", "value"), rows)
    return f"{whole}\n\n{table(('class', 'threshold', 'F1'), by_class)}"


def _figures(metrics: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Metrics of the whole split; those that the task has no word for are left out."""
    yield "records", metrics["records"]
    for name in ("accuracy", "exact_match", "label_accuracy", "macro_f1"):
        if metrics[name] is not None:
            yield WORDS[name], metrics[name]
    yield "macro AUROC", metrics["macro_auroc"]
    yield from metrics["class_subsets"].items()
    yield "log loss", metrics["log_loss"]


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)

"""`harness data`: the commands on recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.options import EXISTING, plugins_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group()
def data() -> None:
    """Prepare, check and look at recordings."""


dataset_argument = click.argument("dataset")
suite_option = click.option(
    "--suite", type=EXISTING, help="Take the data set's options from this suite."
)
root_option = click.option("--root", help="Folder of the data set itself.")


@data.command()
@click.argument("suite", type=EXISTING)
@plugins_option
def prepare(suite: Path, plugins: tuple[Path, ...]) -> int:
    """Decode the recordings of every data set of SUITE into prepared files."""
    from harness.cli.data import prepare_suite

    return prepare_suite(suite, plugins)


@data.command()
@dataset_argument
@suite_option
@root_option
@plugins_option
def check(
    dataset: str, suite: Path | None, root: str | None, plugins: tuple[Path, ...]
) -> int:
    """Read every record of DATASET; list counts, splits and bad records."""
    from harness.cli.data import check_dataset

    return check_dataset(dataset, suite, root, plugins)


@data.command("show")
@dataset_argument
@click.argument("record", required=False)
@suite_option
@root_option
@plugins_option
@click.option(
    "--out", type=EXISTING, help="PNG file; default: DATASET-RECORD.png here."
)
def show_record(
    dataset: str,
    record: str | None,
    suite: Path | None,
    root: str | None,
    plugins: tuple[Path, ...],
    out: Path | None,
) -> int:
    """Draw a RECORD of DATASET (default: its first) on ECG paper, as PNG."""
    from harness.cli.data import draw

    return draw(dataset, record, suite, root, plugins, out)

"""The command line: parse, call, print. Nothing heavy is imported to show help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from harness import __version__

if TYPE_CHECKING:
    from harness.execution.pool import WorkerPool
    from harness.report.exchange import Format

EXISTING = click.Path(path_type=Path)
plugins_option = click.option(
    "--plugins",
    "plugins",
    multiple=True,
    type=EXISTING,
    help="A drop-in folder or file of plugins; may be repeated.",
)
runs_option = click.option(
    "--runs",
    type=EXISTING,
    default=Path("runs"),
    show_default=True,
    envvar="HARNESS_RUNS",
    help="Folder of results.",
)
leaderboard_option = click.option(
    "--leaderboard",
    type=EXISTING,
    default=Path("leaderboard"),
    show_default=True,
    help="Folder that the leaderboard is written to.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Measure what a training strategy for ECG classifiers really buys.

    A suite (a TOML file) declares datasets x models x strategies x seeds; `harness
    run` trains every cell that isn't done, meters its cost and writes a leaderboard.
    Recordings are looked for in the folder that HARNESS_DATA names.
    """


@cli.command()
@click.argument("suite", type=EXISTING)
@runs_option
@leaderboard_option
@plugins_option
@click.option(
    "--workers",
    default="auto",
    show_default=True,
    help="Cells at a time; auto: one a GPU, or as many as the CPU has cores for.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where cells run; auto takes the GPUs, if there are any.",
)
@click.option(
    "--per-device",
    type=click.IntRange(min=1),
    help="Cells that share a GPU, instead of --workers.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Run cells whose title, label or id fits, and what they require; `failed` "
    "stands for those that failed or are blocked; may be repeated.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    help="Further attempts at a cell that ran out of memory or was killed.",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "slurm"]),
    default="local",
    show_default=True,
    help="This machine, or jobs of a SLURM cluster.",
)
@click.option(
    "--profile",
    metavar="FILE|NAME",
    help="Resources of SLURM jobs; goes before the suite's [execution.slurm].",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the SLURM jobs that would be submitted."
)
@click.option(
    "--wait/--no-wait", default=True, help="Follow SLURM jobs to their end (default)."
)
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    metavar="NAME",
    help="Tell a tracker how the suite goes, beside the suite's own; may be repeated.",
)
@click.option("--fail-fast", is_flag=True, help="Start no cell after one has failed.")
@click.option(
    "--keep-stale", is_flag=True, help="Keep results whose plugin was edited since."
)
@click.option("-q", "--quiet", is_flag=True, help="Show failures and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="Show every epoch.")
@click.pass_obj
def run(
    pool: WorkerPool | None,
    /,
    suite: Path,
    workers: str,
    plugins: tuple[Path, ...],
    **options: Any,
) -> int:
    """Run what is missing of SUITE, and write its leaderboard.

    Ctrl-C stops after a checkpoint; the same command goes on from there. Exit code:
    0 all cells are done, 1 some failed, 2 a mistake in the suite, 75 stopped.
    """
    from harness.execution.choice import check_choice
    from harness.execution.suite_run import RunOptions, run_suite
    from harness.suite_reader import read_suite

    if workers != "auto" and not (workers.isdigit() and int(workers) > 0):
        raise click.BadParameter(
            "should be a number above 0, or auto", param_hint="--workers"
        )
    count = None if workers == "auto" else int(workers)
    if count is not None and options["per_device"] is not None:
        raise click.UsageError(
            "--per-device and --workers both say how many cells run at a time; "
            "give one of them"
        )
    check_choice(count, **options)
    chosen = RunOptions(workers=count, **options)
    return run_suite(*read_suite(suite, plugins), chosen, pool)


@cli.command()
@click.argument("suite", type=EXISTING)
@runs_option
@plugins_option
@click.option("--estimate", is_flag=True, help="Add FLOPs, memory and hours (slower).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(
    suite: Path, runs: Path, plugins: tuple[Path, ...], estimate: bool, as_json: bool
) -> int:
    """Show the cells of SUITE, which are done, and what each requires."""
    from harness.console.plan import show_plan
    from harness.plan import make_plan
    from harness.suite_reader import read_suite

    planned = make_plan(*read_suite(suite, plugins), runs)
    return show_plan(planned, runs, estimate=estimate, as_json=as_json)


@cli.command()
@click.argument("suite")
@runs_option
@leaderboard_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "latex"]),
    help="Print the rows (each figure with its spread and interval, the verdict), and "
    "write nothing.",
)
@click.option(
    "--open", "in_browser", is_flag=True, help="Show the web page in a browser."
)
@click.option(
    "--records",
    type=click.IntRange(min=0, max=50),
    default=0,
    show_default=True,
    help="Draw so many records of each table that its first row got wrong on the web "
    "page, from the recordings at hand.",
)
@plugins_option
@click.option("-q", "--quiet", is_flag=True, help="Print the file's name only.")
def report(
    suite: str,
    runs: Path,
    leaderboard: Path,
    form: Format | None,
    in_browser: bool,
    records: int,
    plugins: tuple[Path, ...],
    quiet: bool,
) -> int:
    """Write the leaderboard of SUITE (a name or a file) again, from results alone.

    Beside the markdown and JSON files that `harness run` writes there is a web page
    then, one file that needs no network; later runs keep it up to date.
    """
    from harness.console.report import print_rows, report_suite

    if form is not None:
        if in_browser or records:
            raise click.UsageError(
                "--format prints rows and writes no page, so --open and --records "
                "don't go with it"
            )
        return print_rows(suite, runs, form)
    return report_suite(
        suite,
        runs,
        leaderboard,
        quiet=quiet,
        in_browser=in_browser,
        records=records,
        plugins=plugins,
    )


@cli.command()
@click.argument("base", type=EXISTING)
@click.argument("head", type=EXISTING)
@click.option(
    "--suite",
    metavar="SUITE",
    help="Which suite of the runs folders; a TOML file also gives the thresholds.",
)
@click.option("--gate", is_flag=True, help="Exit with 1 if HEAD is a regression.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
)
def diff(
    base: Path,
    head: Path,
    suite: str | None,
    gate: bool,
    form: Literal["markdown", "json"],
) -> int:
    """Show what changed from BASE to HEAD, and what of it is noise.

    Each is a runs folder or a leaderboard's JSON file. Exit code: 0, 1 if --gate
    refuses HEAD, 2 a mistake.
    """
    from harness.console.diff import diff_sides

    return diff_sides(base, head, suite, form, gate=gate)


@cli.command()
@click.argument("suite")
@runs_option
def cancel(suite: str, runs: Path) -> int:
    """Cancel the SLURM jobs of SUITE (a name or a file); what was done is kept."""
    from harness.console.jobs import cancel_suite

    return cancel_suite(suite, runs)


@cli.command()
@click.argument("weights", type=EXISTING)
@plugins_option
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
)
@click.option(
    "--on",
    "suite",
    type=EXISTING,
    help="Score on a data set of this suite, instead of the cell's own.",
)
@click.option("--dataset", help="Which data set of that suite, by its label.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    weights: Path,
    plugins: tuple[Path, ...],
    split: str,
    suite: Path | None,
    dataset: str | None,
    as_json: bool,
) -> int:
    """Score saved WEIGHTS: a cell's folder, or a model.safetensors file."""
    from harness.console.evaluate import evaluate_weights

    return evaluate_weights(weights, plugins, split, suite, dataset, as_json=as_json)


@cli.command("list")
@plugins_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(plugins: tuple[Path, ...], as_json: bool) -> int:
    """List datasets, models, strategies, trackers, and plugins that can't be used."""
    from harness.console.plugins import list_plugins

    return list_plugins(plugins, as_json=as_json)


@cli.command()
@click.argument("name")
@plugins_option
def show(name: str, plugins: tuple[Path, ...]) -> int:
    """Show a plugin: what it does, its parameters, its source."""
    from harness.console.plugins import show_plugin

    return show_plugin(name, plugins)


@cli.command()
@plugins_option
def schema(plugins: tuple[Path, ...]) -> int:
    """Print the JSON schema of a suite, for editors."""
    from harness.console.schema import print_schema

    return print_schema(plugins)


@cli.command()
@runs_option
def doctor(runs: Path) -> int:
    """Look at devices, versions, data roots and disk."""
    from harness.console.doctor import examine

    return examine(runs)


@cli.group()
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
    from harness.console.data import prepare_suite

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
    from harness.console.data import check_dataset

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
    from harness.console.data import draw

    return draw(dataset, record, suite, root, plugins, out)


def main(pool: WorkerPool | None = None) -> None:
    """Run the command line; mistakes end in a message, never in a traceback.

    Parameters
    ----------
    pool
        Where `harness run` has its workers from, for who calls it more than once; it
        closes the pool. None: each run has a fork server of its own.
    """
    from harness.errors import HarnessError, printable

    try:
        sys.exit(cli(standalone_mode=False, obj=pool))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("stopped\n")
        sys.exit(75)
    except HarnessError as error:
        # It may quote files that somebody else has written.
        sys.stderr.write(f"error: {printable(error)}\n")
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        named = f": {error.filename}" if error.filename else ""
        sys.stderr.write(f"error: {printable(f'{error.strerror or error}{named}')}\n")
        sys.exit(2)
    except MemoryError:
        sys.stderr.write("error: there is too little memory\n")
        sys.exit(2)

"""The command line: parse, call, print. Nothing heavy is imported to show help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import __version__
from harness.cli.data_commands import data
from harness.cli.options import (
    EXISTING,
    ExecutorName,
    leaderboard_option,
    plugins_option,
    runs_option,
)
from harness.cli.report_commands import diff, report

if TYPE_CHECKING:
    from harness.execution.pool import WorkerPool


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Measure what a training strategy for ECG classifiers really buys.

    A suite (a TOML file) declares datasets x models x strategies x seeds; `harness
    run` trains every cell that isn't done, meters its cost and writes a leaderboard.
    Recordings are looked for in the folder that HARNESS_DATA names.
    """


for command in (data, diff, report):
    cli.add_command(command)


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
    type=ExecutorName(),
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
    from harness.cli.run import RunOptions, run_suite
    from harness.execution.executors import check_choices
    from harness.suite.resolve import read_suite

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
    check_choices(options["executor"], {"workers": count, **options})
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
    from harness.cli.plan import show_plan
    from harness.plan.plan import make_plan
    from harness.suite.resolve import read_suite

    planned = make_plan(*read_suite(suite, plugins), runs)
    return show_plan(planned, runs, estimate=estimate, as_json=as_json)


@cli.command()
@click.argument("suite")
@runs_option
def cancel(suite: str, runs: Path) -> int:
    """Cancel the SLURM jobs of SUITE (a name or a file); what was done is kept."""
    from harness.cli.cancel import cancel_suite

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
    from harness.cli.evaluate import evaluate_weights

    return evaluate_weights(weights, plugins, split, suite, dataset, as_json=as_json)


@cli.command("list")
@plugins_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(plugins: tuple[Path, ...], as_json: bool) -> int:
    """List datasets, models, strategies, trackers, and plugins that can't be used."""
    from harness.cli.list import list_plugins

    return list_plugins(plugins, as_json=as_json)


@cli.command()
@click.argument("name")
@plugins_option
def show(name: str, plugins: tuple[Path, ...]) -> int:
    """Show a plugin: what it does, its parameters, its source."""
    from harness.cli.show import show_plugin

    return show_plugin(name, plugins)


@cli.command()
@plugins_option
def schema(plugins: tuple[Path, ...]) -> int:
    """Print the JSON schema of a suite, for editors."""
    from harness.cli.schema import print_schema

    return print_schema(plugins)


@cli.command()
@runs_option
def doctor(runs: Path) -> int:
    """Look at devices, versions, data roots and disk."""
    from harness.cli.doctor import examine

    return examine(runs)


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

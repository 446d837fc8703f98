"""Runs that are stopped, as by a signal, and go on in a new process's stead."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import Interrupted
from harness.training.run import Run


def stop_after(run: Run, number: int) -> None:
    """Make the run end, as a signal would, after its n-th checkpoint."""
    save, count = run.saver.save, iter(range(1, 10_000))

    def counting() -> None:
        save()
        if next(count) == number:
            run.loops.stopping.set()

    run.saver.save = counting


def resumed(make: Callable[[], Run], number: int = 1) -> tuple[Run, int]:
    """A run that was stopped at each `number`-th checkpoint, and how often.

    `make` gives a new run in the same folder.
    """
    for attempt in range(200):
        run = make()
        stop_after(run, number)
        try:
            run.execute()
        except Interrupted:
            continue
        return run, attempt
    raise AssertionError("it never ended")

"""`harness` commands in the process of the tests, with workers of a kept fork server.

A command in a process of its own, and its fork server, import for seconds before they
begin. Where a test is about what a run leaves and says, and neither about the
command's own process nor about signals, that is spared.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import (
    ExitStack,
    chdir,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.execution.environment import server_environment
from harness.execution.job import Job
from harness.execution.pool import WorkerPool, WorkerProcess

HOME = Path.cwd()
AT_FIRST = {k: v for k, v in os.environ.items() if not k.startswith("HARNESS_")}


class KeptPool(WorkerPool):
    """A pool whose server outlives the commands that close it.

    The server is where the tests began, with the variables of then; each worker has
    those of the moment at which it is started as well.
    """

    def warm_up(self) -> None:
        with only_variables(AT_FIRST), chdir(HOME):
            super().warm_up()

    def start(
        self, job: Job, environment: Mapping[str, str], log: Path
    ) -> WorkerProcess:
        present = server_environment(os.environ)
        return super().start(job, {**present, **environment}, log)

    def close(self) -> None:
        self.end_workers()

    def end(self) -> None:
        """Close it for good."""
        super().close()


POOL = KeptPool()


@contextmanager
def only_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """This process without any other environment variables."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def torch_kept() -> Iterator[None]:
    """Undo what a command that trains or judges here changes for all of torch."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode("default")


def call(*arguments: object) -> int:
    """Call the command line as its entry point is called; the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main(POOL)
    return int(ended.value.code or 0)


def run(*arguments: object, cwd: Path, expect: int = 0, **environment: str) -> str:
    """Call a command; what it said."""
    said = io.StringIO()
    variables = {**os.environ, **environment}
    process = only_variables(variables), chdir(cwd), torch_kept()
    with ExitStack() as stack:
        for context in (*process, redirect_stdout(said), redirect_stderr(said)):
            stack.enter_context(context)
        code = call(*arguments)
    assert code == expect, said.getvalue()
    return said.getvalue()

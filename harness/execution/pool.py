"""Workers of this machine, started and watched through a fork server."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.execution.environment import server_environment
from harness.execution.fork_server import CHUNK_BYTES, end_session
from harness.execution.job import Job

CLOSING_SECONDS = 10.0


@dataclass
class WorkerProcess:
    """A worker as its parent sees it.

    Attributes
    ----------
    pid
        None until it is there.
    code
        Its exit code, or minus the number of the signal that ended it; None: it runs.
    cause
        Why it could not be started, if so.
    """

    key: str
    pid: int | None = None
    code: int | None = None
    cause: str = ""


class WorkerPool:
    """Starts workers, and knows how they ended.

    The fork server is started with the first of them. If it dies, its workers are
    killed, and the next worker gets a new server.
    """

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._workers: dict[str, WorkerProcess] = {}
        self._begun = 0

    def warm_up(self) -> None:
        """Start the server, so that it's ready when a worker is wanted."""
        if self._server is None:
            self._server = _Server()

    def start(
        self, job: Job, environment: Mapping[str, str], log: Path
    ) -> WorkerProcess:
        """Start a worker; what it prints is appended to `log`."""
        self.warm_up()
        assert self._server is not None
        self._begun += 1
        worker = WorkerProcess(str(self._begun))
        self._workers[worker.key] = worker
        self._server.ask(
            start=worker.key,
            job=job.to_json(),
            environment=dict(environment),
            log=str(log.resolve()),
        )
        return worker

    def ask_to_stop(self, worker: WorkerProcess) -> None:
        """Let a worker end after a checkpoint."""
        if self._server is not None:
            self._server.ask(signal=worker.key, number=int(signal.SIGTERM))

    def kill(self, worker: WorkerProcess) -> None:
        """End a worker now, with all that it has started."""
        if self._server is not None:
            self._server.ask(signal=worker.key, number=int(signal.SIGKILL))

    def wait(self, seconds: float) -> None:
        """Until something is heard of a worker, but not longer than `seconds`."""
        if self._server is None:
            select.select([], [], [], seconds)
            return
        for news in self._server.news(seconds):
            self._note(news)
        if self._server.is_over:
            self._bury()

    def _note(self, news: Mapping[str, Any]) -> None:
        if "started" in news:
            self._workers[news["started"]].pid = news["pid"]
        elif "ended" in news:
            self._workers.pop(news["ended"]).code = news["code"]

    def _bury(self) -> None:
        """The server is gone: its workers, which nobody can wait for, end with it."""
        assert self._server is not None
        cause = self._server.bury()
        self._server = None
        for worker in self._workers.values():
            if worker.pid is not None:
                _kill_with_session(worker.pid)
            worker.code = -signal.SIGKILL
            worker.cause = cause
        self._workers.clear()

    def close(self) -> None:
        """End every worker now, and the server."""
        self.end_workers()
        if self._server is not None:
            self._server.kill()
            self._bury()

    def end_workers(self) -> None:
        """End every worker now; the server stays, and can start others."""
        for worker in list(self._workers.values()):
            self.kill(worker)
        if self._server is not None and self._server.is_ready:
            with suppress(TimeoutError):
                self._await_all()

    def _await_all(self) -> None:
        rounds = 0
        while self._workers:
            self.wait(0.1)
            rounds += 1
            if rounds > CLOSING_SECONDS / 0.1:
                raise TimeoutError


class _Server:
    """The process at the other end of the socket."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see bury
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m"),
                    *("harness.execution.fork_server", str(number)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[number],
                env=server_environment(os.environ),
                start_new_session=True,
            )
        self._unread = b""
        self.is_ready = False
        self.is_over = False

    def ask(self, **request: Any) -> None:
        """Send a request; if the server is gone, the next look tells."""
        with suppress(OSError):
            self._socket.sendall(json.dumps(request).encode() + b"\n")

    def news(self, seconds: float) -> list[dict[str, Any]]:
        """What it has told, waiting for it no longer than `seconds`."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        if not ready:
            return []
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except OSError:
            chunk = b""
        self.is_over = not chunk
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        told = [json.loads(line) for line in lines]
        self.is_ready |= any("ready" in news for news in told)
        return told

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    def bury(self) -> str:
        """Forget the process; why it died before it could start anything, if so."""
        self._process.kill()
        code = self._process.wait()
        self._socket.close()
        with self._errors as stream:
            stream.seek(0)
            said = stream.read().decode(errors="replace").strip().splitlines()
        if self.is_ready or code == -signal.SIGKILL:
            return ""
        last = said[-1] if said else f"exit code {code}"
        return f"workers can't be started here: {last}"


def _kill_with_session(pid: int) -> None:
    """Kill a worker whose parent is gone, if the number is still a worker's."""
    with suppress(OSError):
        if os.getsid(pid) == pid:
            end_session(pid)
            os.kill(pid, signal.SIGKILL)

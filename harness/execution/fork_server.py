"""The process that workers are forked from: `python -m harness.execution.fork_server`.

Importing what a cell needs takes seconds, a fork milliseconds. A fork takes along
neither threads nor a CUDA context, so that the server has none. Its one argument is the
number of a socket, on which it reads requests and tells what became of them, a line of
JSON each:

    {"start": KEY, "job": ..., "environment": ..., "log": ...}
    {"signal": KEY, "number": 15}
        {"ready": true}
        {"started": KEY, "pid": 4711}
        {"ended": KEY, "code": 0}

It ends when the socket is closed. Its workers then stop after a checkpoint.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from harness.execution.stop_signals import ASKING

PRELOADED = (
    "torch",
    # The first step of an optimizer imports it, for a second.
    "torch._dynamo",
    "accelerate",
    "harness.cost.machine",
    "harness.data.dataset",
    "harness.execution.prepare_cell",
    "harness.execution.hardware",
    "harness.execution.result",
    "harness.execution.worker",
    "harness.report.plots.cell_curves",
    "harness.training.train_cell",
    "harness.training.checkpoint",
)
CHUNK_BYTES = 2**16


class ForkServer:
    """Forks workers when asked to, and tells how they end."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._unread = b""
        self._keys: dict[int, str] = {}
        self._wakened, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Until the other end of the socket is closed."""
        self._wakened.setblocking(False)
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._tell(ready=True)
        while True:
            ready, _, _ = select.select([self._channel, self._wakened], [], [])
            if self._wakened in ready:
                self._wakened.recv(CHUNK_BYTES)
                self._reap()
            if self._channel in ready and not self._read():
                return

    def _read(self) -> bool:
        """Do what is asked; False once nobody asks any more."""
        try:
            chunk = self._channel.recv(CHUNK_BYTES)
        except OSError:
            return False
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "start" in request:
                self._start(request)
            else:
                self._signal(request["signal"], request["number"])
        return bool(chunk)

    def _start(self, request: Mapping[str, Any]) -> None:
        key, server = request["start"], os.getpid()
        try:
            pid = os.fork()
        except OSError:
            # No memory or no process number is left: as if the kernel had killed it.
            self._tell(ended=key, code=-signal.SIGKILL)
            return
        if pid == 0:
            self._become_worker(request, server)
        self._keys[pid] = key
        self._tell(started=key, pid=pid)

    def _become_worker(self, request: Mapping[str, Any], server: int) -> None:
        """Never returns."""
        from harness.execution.streams import leave

        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Its own session: Ctrl-C reaches the parent alone, which asks it to stop,
            # and what it leaves running can be found.
            os.setsid()
            for end in (self._channel, self._wakened, self._waker):
                end.close()
            code = _work(request, server)
        except BaseException:  # noqa: BLE001 - nothing may come back to the server
            with suppress(Exception):
                traceback.print_exc()
        finally:
            leave(code)

    def _signal(self, key: str, number: int) -> None:
        for pid, known in self._keys.items():
            if known == key:
                if number == signal.SIGKILL:
                    end_session(pid)
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _reap(self) -> None:
        for pid, key in list(self._keys.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._keys[pid]
                end_session(pid)
                self._tell(ended=key, code=os.waitstatus_to_exitcode(status))

    def _tell(self, **news: Any) -> None:
        with suppress(OSError):
            self._channel.sendall(json.dumps(news).encode() + b"\n")


def end_session(pid: int) -> None:
    """Kill what a worker has started and left running, in its session."""
    for other in psutil.pids():
        with suppress(OSError):
            if other != pid and os.getsid(other) == pid:
                os.kill(other, signal.SIGKILL)


def _work(request: Mapping[str, Any], server: int) -> int:
    """Run the job in this process, which was forked for it."""
    import numpy as np

    from harness.execution.job import Job
    from harness.execution.streams import redirect
    from harness.execution.worker import work

    redirect(Path(request["log"]))
    os.environ.update(request["environment"])
    # Workers are what the kernel should take when memory runs out, not their parent.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    # Else all workers would draw the same where a plugin seeds nothing.
    np.random.seed()  # noqa: NPY002 - it is that state which was copied
    return work(Job.from_json(request["job"]), server)


def main() -> None:
    """Serve the socket of which the number is given."""
    # Who runs the suite asks workers to stop, and closes the socket last of all. A
    # worker lets the signals in once it has handlers for them.
    for number in ASKING:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)
    channel = socket.socket(fileno=int(sys.argv[1]))
    # To look for garbage among what is imported takes a quarter of the time.
    gc.disable()
    for name in PRELOADED:
        # What can't be imported fails in each worker, and is told there.
        with suppress(Exception):
            importlib.import_module(name)
    # What is there already is never garbage: workers share its memory.
    gc.collect()
    gc.freeze()
    gc.enable()
    ForkServer(channel).serve()


if __name__ == "__main__":
    main()

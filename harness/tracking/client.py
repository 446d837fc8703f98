"""A tracker's process, as the run of which it is told sees it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.cell import PluginChoice
from harness.tracking.process import CHUNK_BYTES, LOG

ENDING_SECONDS = 2.0
"""How long a process may take to end once it has closed its output."""
_TOLD_NO_MORE = "it is told no more; the next run tells it the rest"


class Listener:
    """A tracker in its process.

    Attributes
    ----------
    is_over
        Whether it is told no more; `problem` says why, if not all is told.
    """

    def __init__(self, choice: PluginChoice, request: dict[str, Any]) -> None:
        self.name = choice.name
        self.problem = ""
        self.is_over = False
        self._unread = b""
        self._heard_at = time.monotonic()
        folder = Path(request["runs"], "trackers", request["suite"], choice.name)
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / LOG
        asked = {**request, "tracker": asdict(choice), "folder": str(folder)}
        with tempfile.TemporaryFile("w+") as stream, self._log.open("ab") as log:
            json.dump(asked, stream)
            stream.flush()
            stream.seek(0)
            number = stream.fileno()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m"),
                    *("harness.tracking.process", str(number)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[number],
                # No GPU, and no core that a cell could have.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
                # Ctrl-C is for the run, which tells its trackers to the end.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._news, self._answers = self._process.stdin, self._process.stdout
        for pipe in (self._news, self._answers):
            os.set_blocking(pipe.fileno(), False)

    @property
    def idle_seconds(self) -> float:
        """Since it was last heard of, or was told that the run is over."""
        return time.monotonic() - self._heard_at

    def tell(self, news: dict[str, Any]) -> None:
        """Say something, without waiting: who doesn't listen is told no more."""
        line = json.dumps(news).encode() + b"\n"
        try:
            # So few bytes are written whole or not at all.
            os.write(self._news.fileno(), line)
        except BlockingIOError:
            self.give_up("it doesn't listen")
        except OSError:
            # It has ended; what it said last tells why.
            return

    def say_no_more(self) -> None:
        """Let it tell what it knows, and end."""
        self._news.close()
        self._heard_at = time.monotonic()

    def listen(self, seconds: float) -> None:
        """Hear what it has said, after waiting for it no longer than `seconds`."""
        if self.is_over:
            return
        # What it has left running may hold the pipe open.
        has_ended = self._process.poll() is not None
        if not select.select([self._answers], [], [], seconds)[0]:
            if has_ended:
                self._conclude()
            return
        chunk = os.read(self._answers.fileno(), CHUNK_BYTES)
        self._heard_at = time.monotonic()
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        for answer in map(json.loads, lines):
            if "error" in answer:
                self.problem = f"{answer['error']}; {_TOLD_NO_MORE} ({self._log})"
        if not chunk:
            self._conclude()

    def give_up(self, why: str) -> None:
        """Wait for it no longer."""
        self.problem = f"{why}; {_TOLD_NO_MORE} ({self._log})"
        self.is_over = True

    def _conclude(self) -> None:
        if not self.problem:
            self.problem = self._cause()
        self.is_over = True

    def _cause(self) -> str:
        """Why it ended without a word; empty if it had nothing left to say."""
        try:
            code = self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it says no more; {_TOLD_NO_MORE} ({self._log})"
        if code == 0:
            return ""
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else "ended"
        return f"its process {how}; {_TOLD_NO_MORE} ({self._log})"

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._news, self._answers):
            with suppress(OSError):
                pipe.close()

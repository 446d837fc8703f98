"""The process of one tracker: `python -m harness.tracking.process REQUEST`.

REQUEST is the number of an open file (JSON). On standard input it hears how the run
goes, on standard output it answers, a line of JSON each:

    {"started": ID}
    {"ended": ID, "state": "done", "message": ""}
        {"told": 1}
        {"error": "ValueError: ..."}

It ends when standard input does: everything that is there has been told then. What the
tracker prints goes to a log.
"""

from __future__ import annotations

import json
import math
import os
import select
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.catalog.modules import load_plugin_class
from harness.cell import Cell, PluginChoice
from harness.errors import ConfigError, HarnessError
from harness.execution.failure import one_line
from harness.execution.heartbeat import Heart
from harness.execution.streams import leave, redirect
from harness.plugin import Tracker
from harness.results.claim import Claim, Observer, take_claim
from harness.tracking.events import TrackedSuite
from harness.tracking.flatten import described
from harness.tracking.notify import Teller

LOOK_SECONDS = 0.5
CLAIM_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
"""How long a tracker may take for one thing that it is told, once the run is over."""
CHUNK_BYTES = 2**16
LOG = "log.txt"
ELSEWHERE = "another run of the suite is telling it"


class _Run:
    """The other end: the run of which is told."""

    def __init__(self, news: int, answers: int) -> None:
        self._news = news
        self._answers = answers
        self._heard = b""
        self._told_at = time.monotonic()
        self._alone_since = math.inf
        self.is_over = False

    def hear(self, seconds: float) -> None:
        """Take in what is said, waiting for it no longer than `seconds`."""
        ready, _, _ = select.select([self._news], [], [], seconds)
        if ready:
            chunk = os.read(self._news, CHUNK_BYTES)
            self._heard += chunk
            self.is_over = not chunk

    def news(self, seconds: float) -> list[dict[str, Any]]:
        """What has been heard since it was last asked for."""
        self.hear(seconds)
        *lines, self._heard = self._heard.split(b"\n")
        return [json.loads(line) for line in lines]

    def answer(self, **answer: Any) -> None:
        """Say something, if anybody still listens."""
        self._told_at = time.monotonic()
        with suppress(OSError):
            os.write(self._answers, json.dumps(answer).encode() + b"\n")

    def end_if_stuck(self) -> None:
        """End this process if the tracker doesn't return; asked again and again once
        nobody waits for it any more.
        """
        now = time.monotonic()
        self._alone_since = min(self._alone_since, now)
        if now - max(self._told_at, self._alone_since) > PATIENCE_SECONDS:
            leave(1)


def main() -> int:
    """Tell a tracker of a suite; the exit code is 1 if it could not be told all."""
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as stream:
        request = json.load(stream)
    folder = Path(request["folder"])
    # A tracker that prints, or reads, must not take part in what is said.
    run = _Run(os.dup(0), os.dup(1))
    redirect(folder / LOG)
    # Cells go first.
    os.nice(10)
    try:
        _tell(request, folder, run)
    except BaseException as error:  # noqa: BLE001 - as a plugin may raise
        traceback.print_exc()
        run.answer(error=_in_words(error))
        return 1
    return 0


def _in_words(error: BaseException) -> str:
    said = str(error) or "no reason given"
    name = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    return one_line(f"{name}{said}")


def _tell(request: Mapping[str, Any], folder: Path, run: _Run) -> None:
    teller = _teller(request, run)
    claim = _claimed(folder, run)
    if claim is None:
        raise ConfigError(ELSEWHERE)
    heart = Heart(claim, run.end_if_stuck, os.getppid())
    heart.start()
    try:
        while not run.is_over and claim.is_held:
            for news in run.news(0.0 if teller.is_behind else LOOK_SECONDS):
                teller.hear(news)
            teller.look()
        if not claim.is_held:
            raise ConfigError(ELSEWHERE)
        teller.finish()
    finally:
        heart.stop()
        claim.release()


def _claimed(folder: Path, run: _Run) -> Claim | None:
    """The sole right to tell this tracker of the suite; None if another run kept it."""
    observer = Observer()
    while True:
        claim = take_claim(folder, observer.is_stale)
        if claim is not None or run.is_over:
            return claim
        run.hear(CLAIM_SECONDS)


def _teller(request: Mapping[str, Any], run: _Run) -> Teller:
    choice = PluginChoice(**request["tracker"])
    plugin: Any = load_plugin_class(choice.locator, choice.class_name)
    params = plugin.Params.model_validate_json(json.dumps(choice.params))
    tracker: Tracker = plugin(params)
    runs = Path(request["runs"])
    suite = TrackedSuite(request["suite"], request["title"], runs)
    cells = [
        (described(Cell.from_dict(cell), runs), state)
        for cell, state in request["cells"]
    ]
    return Teller(tracker, suite, cells, lambda: run.answer(told=1))


if __name__ == "__main__":
    leave(main())

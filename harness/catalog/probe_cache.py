"""Asking the probe, and keeping its answers by the hash of what was asked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cache import cache_root, recall, remember
from harness.catalog.modules import source_hash
from harness.errors import PluginError
from harness.files.atomic import canonical

INDEX_VERSION = 2


def ask(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The probe's answer to each request; those known by source hash ask no process.

    A request holds `locator`, for resolving parameters `class_name` and `params`, and
    for cells that go with others `hook` and `cells` as well. An answer holds `plugins`,
    `params` and `changed`, `errors`, `cells`, or `cause` and `traceback`.
    """
    files = [_answer_file(request) for request in requests]
    answers = [recall(file) for file in files]
    missing = [i for i, answer in enumerate(answers) if answer is None]
    fresh = _probe([requests[i] for i in missing])
    for i, answer in zip(missing, fresh, strict=True):
        answers[i] = answer
        # What failed may work next time (a missing import installed): ask again.
        if "cause" not in answer:
            _remember(files[i], answer)
    return [answer for answer in answers if answer is not None]


def _answer_file(request: dict[str, Any]) -> Path:
    key = canonical(
        [
            INDEX_VERSION,
            sys.version_info[:2],
            _harness_hash(),
            source_hash(request["locator"]),
            request,
        ]
    )
    digest = hashlib.sha256(key.encode()).hexdigest()[:24]
    return cache_root() / "catalog" / f"{digest}.json"


def _harness_hash() -> str:
    """Changes with the contracts that a plugin is checked against."""
    package = Path(__file__).parent.parent
    sources = (
        *("hooks.py", "plugin.py", "cell.py", "options/dropping.py"),
        *("catalog/probe.py", "catalog/dependencies.py"),
    )
    content = b"".join((package / name).read_bytes() for name in sources)
    return hashlib.sha256(content).hexdigest()[:16]


def _remember(file: Path, answer: dict[str, Any]) -> None:
    try:
        remember(file, answer)
    except (OSError, ValueError):
        return  # a read-only cache costs time, not results


def _probe(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The probe's answers, in order."""
    if not requests:
        return []
    with tempfile.TemporaryDirectory() as folder:
        reply = Path(folder) / "reply"
        reply.touch()
        process = subprocess.run(
            [sys.executable, "-P", "-m", "harness.catalog.probe", str(reply)],
            input="".join(json.dumps(r) + "\n" for r in requests),
            text=True,
            capture_output=True,
            check=False,
        )
        lines = reply.read_text(encoding="utf-8").splitlines()
    if len(lines) != len(requests):
        last = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PluginError(f"plugins could not be read: {last[0]}")
    return [json.loads(line) for line in lines]

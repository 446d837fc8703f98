"""What a plan needs to know of a data set, without importing pandas where it's cached.

Run as a module it indexes one data set in a process of its own: a request on
standard input, the summary on standard output.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.cache import cache_root, recall, remember
from harness.data.roots import find_root
from harness.errors import ConfigError, DataError
from harness.files.atomic import canonical
from harness.files.paths import expanded
from harness.options import DataOptions

Request = dict[str, Any]
Answer = dict[str, Any] | DataError

INDEX_VERSION = 2
"""Raised when the core's own part in making an index changes."""


def dataset_fingerprints(requests: Sequence[Request]) -> list[Answer]:
    """Summaries of data sets' record indices, from the cache where nothing changed.

    Requests for one data set with several options are indexed together, so that its
    records are listed once.

    Parameters
    ----------
    requests
        Each with `plugin_file` (what `load_plugin_class` takes), `class`, `name`,
        `version`, `params`, `options` (a dumped `DataOptions`), `suite_folder` (or
        None), `source_hash`, `folder`, `index_files` and, for messages, `source`.

    Returns
    -------
    list of dict or DataError
        As `harness.data.record_index.summarise`; why a data set can't be indexed.

    Raises
    ------
    ConfigError
        If a data set can't serve its options.
    """
    answers: list[Answer | None] = []
    unknown: dict[str, list[int]] = {}
    for i, request in enumerate(requests):
        try:
            answers.append(recall(_path(request)))
        except DataError as error:
            answers.append(error)
        if answers[i] is None:
            alike = {key: request[key] for key in request if key != "options"}
            root = _options(request).root
            unknown.setdefault(canonical([alike, root]), []).append(i)
    for places in unknown.values():
        told = _ask_process([requests[i] for i in places])
        for i, answer in zip(places, told, strict=True):
            answers[i] = answer
            if isinstance(answer, dict):
                remember(_path(requests[i]), answer)
    return [answer for answer in answers if answer is not None]


def _path(request: Request) -> Path:
    return cache_root() / "index" / f"{request['name']}-{_key(request)}.json"


def _key(request: Request) -> str:
    root = _root(request)
    files = [root / name for name in request["index_files"]]
    split_file = _options(request).split.file
    if split_file is not None:
        files.append(_suite_folder(request) / expanded(split_file))
    # The suite's folder says where these are, and nothing else.
    known = {key: value for key, value in request.items() if key != "suite_folder"}
    stamps = [[str(file.resolve()), *_stamp(file)] for file in files]
    parts = [INDEX_VERSION, known, str(root.resolve()), stamps]
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:24]


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _options(request: Request) -> DataOptions:
    return DataOptions.model_validate(request["options"])


def _suite_folder(request: Request) -> Path:
    return Path(request["suite_folder"] or "")


def _root(request: Request) -> Path:
    return find_root(
        name=request["name"],
        version=request["version"],
        params=request["params"],
        folder=request["folder"],
        source=request.get("source", ""),
        source_hash=request["source_hash"],
        chosen=_options(request).root,
        suite_folder=_suite_folder(request),
    )


def _ask_process(requests: Sequence[Request]) -> list[Answer]:
    """Index one data set with the options of each request."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.data.fingerprint"],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        assert len(told) == len(requests)
    except (IndexError, ValueError):
        last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        name = requests[0]["name"]
        error = DataError(f"dataset {name!r}: its records can't be listed: {last}")
        return [error] * len(requests)
    problems = [p for answer in told for p in answer.get("problems", ())]
    if problems:
        (where, *_) = [answer["where"] for answer in told if "problems" in answer]
        raise ConfigError(list(dict.fromkeys(problems)), where)
    return [DataError(a["error"]) if "error" in a else a for a in told]


def _answers(requests: Sequence[Request]) -> Iterator[dict[str, Any]]:
    from harness.catalog import load_plugin_class
    from harness.data.record_index import index_records, summarise
    from harness.plugin import Dataset

    first = requests[0]
    dataset_class = load_plugin_class(first["plugin_file"], first["class"])
    assert issubclass(dataset_class, Dataset)
    params = dataset_class.Params.model_validate_json(json.dumps(first["params"]))
    dataset = dataset_class(params, _root(first))
    listed = None
    for request in requests:
        try:
            listed = dataset.records() if listed is None else listed
            options, folder = _options(request), _suite_folder(request)
            yield summarise(index_records(dataset, options, folder, listed))
        except ConfigError as error:
            yield {"problems": error.problems, "where": error.where}
        except DataError as error:
            yield {"error": str(error)}


if __name__ == "__main__":
    # A plugin may print: only the last line is the answer.
    told = list(_answers(json.loads(sys.stdin.read())))
    sys.stdout.write("\n" + json.dumps(told) + "\n")

"""What a plan needs to know of a data set, without importing pandas where it's cached.

Run as a module it indexes one data set in a process of its own: a request on
standard input, the summary on standard output.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.data.cache import cache_root, recall, remember
from harness.data.roots import find_root
from harness.errors import ConfigError, DataError
from harness.options import DataOptions
from harness.paths import expanded
from harness.results.files import canonical

Request = dict[str, Any]

INDEX_VERSION = 2
"""Raised when the core's own part in making an index changes."""


def dataset_fingerprint(request: Request) -> dict[str, Any]:
    """The summary of a data set's record index, from the cache where nothing changed.

    Parameters
    ----------
    request
        `plugin_file` (what `load_plugin_class` takes), `class`, `name`, `version`,
        `params`, `options` (a dumped `DataOptions`), `suite_folder` (or None),
        `source_hash`, `folder`, `index_files` and, for messages, `source`.

    Returns
    -------
    dict
        As `harness.data.index.summarise`.

    Raises
    ------
    DataError, ConfigError
        What indexing the data set raises.
    """
    path = cache_root() / "index" / f"{request['name']}-{_key(request)}.json"
    summary = recall(path)
    if summary is None:
        summary = _ask_process(request)
        remember(path, summary)
    return summary


def _key(request: Request) -> str:
    root = _root(request)
    files = [root / name for name in request["index_files"]]
    split_file = _options(request).split.file
    if split_file is not None:
        files.append(_suite_folder(request) / expanded(split_file))
    parts = [INDEX_VERSION, request, str(root.resolve()), [_stamp(f) for f in files]]
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


def _ask_process(request: Request) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "harness.data.fingerprint"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise DataError(
            f"dataset {request['name']!r}: its records can't be listed: {last}"
        ) from None
    if "problems" in answer:
        raise ConfigError(answer["problems"], answer["where"])
    if "error" in answer:
        raise DataError(answer["error"])
    return answer


def _answer(request: Request) -> dict[str, Any]:
    from harness.catalog import load_plugin_class
    from harness.data.index import index_records, summarise
    from harness.plugin import Dataset

    dataset_class = load_plugin_class(request["plugin_file"], request["class"])
    assert issubclass(dataset_class, Dataset)
    params = dataset_class.Params.model_validate_json(json.dumps(request["params"]))
    dataset = dataset_class(params, _root(request))
    try:
        index = index_records(dataset, _options(request), _suite_folder(request))
    except ConfigError as error:
        return {"problems": error.problems, "where": error.where}
    except DataError as error:
        return {"error": str(error)}
    return summarise(index)


if __name__ == "__main__":
    # A plugin may print: only the last line is the answer.
    sys.stdout.write("\n" + json.dumps(_answer(json.loads(sys.stdin.read()))) + "\n")

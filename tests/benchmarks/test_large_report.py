"""A report of a thousand finished cells: its time, its memory, and that it's the same.

Run with `make bench`, on a machine of two cores or more that has nothing else to do.
"""

import os
import subprocess
import sys
from time import perf_counter

from finished_suite import SMALL, WHOLE, fill

MOST_SECONDS, MOST_BYTES = 5.0, 1 << 30
ROUNDS = 2


def report(runs, out):
    """Run the command; its seconds of wall clock and of CPU, and peak bytes of memory.

    Processes of its own are in all but the memory, of which the largest one's counts.
    """
    command = [sys.executable, "-m", "harness", "report", "large", "--quiet"]
    began = perf_counter()
    process = subprocess.Popen(
        [*command, "--runs", str(runs), "--leaderboard", str(out)],
        stdout=subprocess.DEVNULL,
    )
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    wall = perf_counter() - began
    assert process.returncode == 0
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_markdown_plots_json_and_web_page(benchmark, tmp_path):
    size = WHOLE if benchmark.enabled else SMALL
    runs = fill(tmp_path / "runs", size)
    found = []

    def timed():
        found.append(report(runs, tmp_path / f"out-{len(found)}"))

    timed()
    benchmark.pedantic(timed, rounds=ROUNDS)

    walls, seconds, peaks = zip(*found, strict=True)
    assert max(peaks) < MOST_BYTES
    first, *others = [content(tmp_path / f"out-{i}") for i in range(len(found))]
    assert all(other == first for other in others)
    kinds = [name.rpartition(".")[2] for name in first]
    tables = size.datasets * size.models
    assert sorted(kinds) == ["html", "json", "md", "md", *["svg"] * 3 * tables]
    if benchmark.enabled:
        benchmark.extra_info |= {
            "cells": size.cells,
            "seconds of wall clock": min(walls),
            "seconds of CPU": min(seconds),
            "peak MiB": max(peaks) / (1 << 20),
        }
        assert min(walls) < MOST_SECONDS

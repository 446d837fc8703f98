"""`HARNESS_REQUIRE_ALL=1`: a test that is skipped has failed.

Elsewhere tests that need SLURM, a file system of their own or the recordings skip and
say why; where all of it is installed, a skip would hide that it isn't.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def all_is_required() -> bool:
    """Whether a skipped test is a failure here."""
    return os.environ.get("HARNESS_REQUIRE_ALL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    return _required(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    report = yield
    return _required(report)


def _required(report: Report) -> Report:
    if all_is_required() and report.skipped:
        reason = report.longrepr
        text = reason[2] if isinstance(reason, tuple) else str(reason)
        report.outcome = "failed"
        report.longrepr = f"{text}, and HARNESS_REQUIRE_ALL is set"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the recordings, so that it can be left out by name."""
    for item in items:
        if "real_data" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")

"""The suites that come with the harness."""

from pathlib import Path

import pytest

SUITES = sorted((Path(__file__).parents[2] / "suites").glob("*.toml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_each_can_be_planned_without_recordings(harness, path):
    planned = harness("plan", path)
    assert planned.code == 0, planned.err
    assert f"suite {path.stem}:" in planned.out

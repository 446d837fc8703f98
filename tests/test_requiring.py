"""Where everything is installed, a test that is skipped has failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPS = {
    "in-a-test": "import pytest\n\n\ndef test_a():\n    pytest.skip('no cluster')\n",
    "in-a-module": (
        "import pytest\n\npytest.skip('no cluster', allow_module_level=True)\n"
    ),
}


@pytest.mark.parametrize("where", SKIPS)
@pytest.mark.parametrize("required", ["1", ""])
def test_a_skip_fails_only_where_all_is_required(tmp_path, where, required):
    (tmp_path / "test_it.py").write_text(SKIPS[where])
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "requiring", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={
            **os.environ,
            "HARNESS_REQUIRE_ALL": required,
            "PYTHONPATH": str(Path(__file__).parent),
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
    )
    assert "no cluster" in ended.stdout or not required
    assert (ended.returncode in (1, 2)) == bool(required), ended.stdout

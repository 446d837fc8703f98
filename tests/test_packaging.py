"""Installed away from a checkout, the harness finds what comes with it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(folder),
    ]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = folder.glob("ecg_harness-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def harness(installed, *arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness", *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_builtin_plugins_are_in_the_wheel(installed):
    listed = harness(installed, "list")
    for name in ("synthetic", "ptbxl", "cinc2017", "resnet1d", "cnn1d", "dbpd"):
        assert name in listed
    assert str(CHECKOUT) not in harness(installed, "show", "dbpd")


def test_the_suites_are_found_by_name(installed):
    assert "36 cells" in harness(installed, "plan", "quick")


def test_the_parts_of_the_web_page_are_in_the_wheel(installed):
    parts = CHECKOUT / "harness" / "report" / "web" / "templates"
    there = {p.name for p in (installed / parts.relative_to(CHECKOUT)).iterdir()}
    assert there == {p.name for p in parts.iterdir()}
    assert "page.html.j2" in there


def test_nothing_else_is(installed):
    names = {path.name for path in installed.iterdir()}
    assert names == {"harness", next(n for n in names if n.endswith(".dist-info"))}


def test_pytest_finds_the_plugin_by_itself(installed):
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "--help"],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "--harness-suite" in shown

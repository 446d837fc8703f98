"""The page's strategies, dropped into a folder outside of the repository."""

import json

import pytest
from desks import run_harness
from pages import DOCS, files_of, write_files

PAGE = DOCS / "write-a-strategy.md"
SMALLER = {
    "records = 600": "records = 60",
    "epochs = 6": "epochs = 2",
    "seeds = [0, 1, 2]": "seeds = [0]",
    "batch_size = 64": "batch_size = 16",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files of the page, its suites made smaller."""
    folder = tmp_path_factory.mktemp("desk")
    files = files_of(PAGE)
    for name in [n for n in files if n.endswith(".toml")]:
        for text, smaller in SMALLER.items():
            assert text in files[name]
            files[name] = files[name].replace(text, smaller)
    write_files(files, folder)
    return folder


def test_the_strategy_is_short():
    assert files_of(PAGE)["my_plugins/easy_sample_dropout.py"].count("\n") <= 20


def test_the_strategy_is_listed(desk):
    listed = run_harness(desk, "list", "--plugins", "my_plugins")
    assert "easy-sample-dropout" in listed
    assert "Skip samples that the model already gets right" in listed


def test_the_strategy_is_on_the_leaderboard(desk):
    run_harness(desk, "run", "dropout.toml")
    page = (desk / "leaderboard" / "dropout.md").read_text()
    assert "5 of 5 cells done" in page
    assert "| easy-sample-dropout " in page
    assert "**Beside their controls**" in page
    assert "⚠" not in page.split("## What the columns mean")[0]


def test_the_composed_strategies_run_in_rounds(desk):
    run_harness(desk, "run", "rounds.toml")
    (file,) = (desk / "runs/synthetic/cnn1d").glob("rounds+easy*/*/result.json")
    result = json.loads(file.read_text())
    assert [s["axes"]["round"] for s in result["snapshots"]] == [0, 1]
    assert result["cost"]["forward_epochs"] > 4


def test_the_distilled_network_has_a_teacher_that_counts(desk):
    run_harness(desk, "run", "distil.toml")
    page = (desk / "leaderboard" / "distil.md").read_text()
    assert "2 of 2 cells done" in page
    assert "cells that it requires (baseline:" in page
    (file,) = (desk / "runs/synthetic/cnn1d").glob("distil/*/result.json")
    result = json.loads(file.read_text())
    assert result["cost"]["forward_epochs"] == 2 * result["cost"]["effective_epochs"]
    assert result["cost"]["audit"]["status"] == "passed"


def test_controls_presets_and_other_leads_are_as_the_page_says(desk):
    suite = (desk / "rounds.toml").read_text().split("[[strategy]]")[0]
    suite = suite.replace("records = 60", 'records = 60\nleads = ["II"]')
    suite += '[[strategy]]\nuse = "all-leads"\n'
    suite += '[[strategy]]\nuse = "focal"\n'
    suite += '[[strategy]]\nuse = "threshold"\npreset = "faithful"\ncontrols = false\n'
    (desk / "claims.toml").write_text(suite)
    run_harness(desk, "run", "claims.toml")
    page = (desk / "leaderboard" / "claims.md").read_text()
    for control in ("gamma 0", "baseline at equal epochs", "baseline at equal FLOPs"):
        assert f"| focal: {control} " in page
    assert "- **threshold (faithful)**: † scores in train mode, as published" in page
    (cell,) = (desk / "runs/synthetic/cnn1d").glob("all-leads/*")
    rows = (cell / "history.jsonl").read_text().splitlines()
    assert all(json.loads(row)["divergence"] > 0 for row in rows)
    cost = json.loads((cell / "result.json").read_text())["cost"]
    assert cost["forward_epochs"] == 2 * cost["effective_epochs"]
    assert cost["audit"]["status"] == "passed"

"""The README's leaderboard is that of the last real run."""

import runpy

import pytest
from pages import REPOSITORY

SCRIPT = runpy.run_path(str(REPOSITORY / "scripts" / "readme_leaderboard.py"))
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGE = """# real

## ptbxl

Measured on 216 test records.

### ptbxl · resnet1d

Budget: epochs 20.

|   # | strategy | macro-F1 |   sparsity | seeds done   |
|----:|:---------|---------:|-----------:|:-------------|
|   1 | a&#124;b |    0.500 |        0 % | 3/3          |

- a note

## What the columns mean

- **#**: rank.

| split | records |
|:------|--------:|
| train |       1 |
"""


def test_an_excerpt_has_the_ranked_tables_only():
    excerpt = SCRIPT["excerpt"](PAGE)
    assert excerpt.startswith(
        "Measured on 216 test records.\n\n**ptbxl · resnet1d**\n\n"
        "|   # | strategy | macro-F1 |\n"
        "|----:|:---------|---------:|\n"
        "|   1 | a&#124;b |    0.500 |\n\n"
    )
    assert "train" not in excerpt
    assert "note" not in excerpt


def test_filling_in_twice_changes_nothing():
    once = SCRIPT["filled"](README, PAGE)
    assert SCRIPT["filled"](once, PAGE) == once
    assert once.startswith(README.split("<!--")[0])


def test_the_readme_shows_the_leaderboard():
    if not SCRIPT["PAGE"].is_file():
        pytest.skip("leaderboard/real.md has not been written yet")
    page = SCRIPT["PAGE"].read_text(encoding="utf-8")
    assert SCRIPT["filled"](README, page) == README, (
        "run: python scripts/readme_leaderboard.py"
    )

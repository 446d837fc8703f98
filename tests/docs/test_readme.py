"""The README shows what the committed leaderboards of the small suites say."""

import runpy

from pages import REPOSITORY

SCRIPT = runpy.run_path(str(REPOSITORY / "scripts" / "readme_leaderboard.py"))
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGE = """# Small, on real records

## ptbxl

Measured on 216 test records.

### ptbxl · resnet1d

|   # | strategy | macro-F1 |
|----:|:---------|---------:|
|   1 | a&#124;b |    0.500 |

- a note

**Beside their controls**

What is compared.

| strategy | control | verdict |
|:---------|:--------|:--------|
| a&#124;b | chance  | better  |

![quality against compute](small/ptbxl.resnet1d.compute.svg)

## What the columns mean

- **#**: rank.
"""


def test_an_excerpt_has_the_comparisons_and_a_picture():
    assert SCRIPT["excerpt"]("small", PAGE) == (
        "**Small, on real records**\n\n"
        "Measured on 216 test records.\n\n"
        "| strategy | control | verdict |\n"
        "|:---------|:--------|:--------|\n"
        "| a&#124;b | chance  | better  |\n\n"
        "![quality against compute](leaderboard/small/ptbxl.resnet1d.compute.svg)\n\n"
        "From [leaderboard/small.md](leaderboard/small.md), which has all rows and "
        "their cost."
    )


def test_filling_in_twice_changes_nothing():
    once = SCRIPT["filled"](README, {"small": PAGE})
    assert SCRIPT["filled"](once, {"small": PAGE}) == once
    assert once.startswith(README.split("<!--")[0])


def test_the_readme_shows_the_leaderboards():
    pages = {
        name: path.read_text(encoding="utf-8") for name, path in SCRIPT["PAGES"].items()
    }
    assert SCRIPT["filled"](README, pages) == README, (
        "run: python scripts/readme_leaderboard.py"
    )

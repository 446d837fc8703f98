"""Put what the small suites found into the README, between its markers.

python scripts/readme_leaderboard.py
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
PAGES = {
    name: REPOSITORY / "leaderboard" / f"{name}.md"
    for name in ("dbpd-small", "lottery-small", "distillation-small")
}
BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"
COMPARED = "**Beside their controls**"
LEAD_BY_LEAD = "| leads "
PICTURES = ("leads.svg", "reduction.svg", "front.svg", "compute.svg")
"""The first of them that a page has."""
IMAGE = re.compile(r"!\[(.*?)\]\((\S+\.svg)\)")


def excerpt(name: str, page: str) -> str:
    """What rows are worth beside their controls, and a picture.

    Parameters
    ----------
    name
        Of the suite.
    page
        Its leaderboard.
    """
    ranked = page.split("\n## What the columns mean", 1)[0].split("\n\n")
    blocks = [f"**{ranked[0].removeprefix('# ')}**"]
    blocks += [block for block in ranked if block.startswith("Measured on ")][:1]
    by_lead = [block for block in ranked if block.startswith(LEAD_BY_LEAD)]
    if by_lead:
        blocks += by_lead[:1]
    elif COMPARED in ranked:
        blocks.append(ranked[ranked.index(COMPARED) + 2])
    blocks += picture(ranked)
    source = f"[leaderboard/{name}.md](leaderboard/{name}.md)"
    return "\n\n".join([*blocks, f"From {source}, which has all rows and their cost."])


def picture(blocks: list[str]) -> list[str]:
    """The page's picture, as seen from the README."""
    images = [image for block in blocks for image in IMAGE.findall(block)]
    for ending in PICTURES:
        for text, path in images:
            if path.endswith(ending):
                return [f"![{text}](leaderboard/{path})"]
    return []


def filled(readme: str, pages: Mapping[str, str]) -> str:
    """The README with fresh excerpts of the leaderboards, by the suite's name."""
    before, rest = readme.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    blocks = [excerpt(name, page) for name, page in pages.items()]
    meanings = "[What each number means](docs/numbers.md)."
    inside = "\n\n".join([*blocks, meanings])
    return f"{before}{BEGIN}\n\n{inside}\n\n{END}{after}"


def main() -> None:
    """Rewrite the README."""
    readme = README.read_text(encoding="utf-8")
    pages = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
    README.write_text(filled(readme, pages), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Put the tables of `leaderboard/real.md` into the README, between its markers.

python scripts/readme_leaderboard.py
"""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
PAGE = REPOSITORY / "leaderboard" / "real.md"
BEGIN, END = "<!-- leaderboard:begin -->", "<!-- leaderboard:end -->"

LEFT_OUT = {"macro AUROC", "training FLOPs", "sparsity", "seeds done"}
"""Columns that the README has no room for."""


def excerpt(page: str) -> str:
    """The ranked tables of a leaderboard, with the line on what each was measured."""
    ranked = page.split("\n## What the columns mean", 1)[0]
    blocks: list[str] = []
    for block in ranked.split("\n\n"):
        if block.startswith("|"):
            blocks.append(narrowed(block))
        elif block.startswith("### "):
            blocks.append(f"**{block.removeprefix('### ')}**")
        elif block.startswith("Measured on "):
            blocks.append(block)
    source = "[leaderboard/real.md](leaderboard/real.md)"
    meanings = "[what each number means](docs/numbers.md)"
    blocks.append(
        f"Excerpt of {source}, which says what was measured on what; {meanings}."
    )
    return "\n\n".join(blocks)


def narrowed(table: str) -> str:
    """A markdown table without the columns that are left out."""
    rows = [line.strip("|").split("|") for line in table.splitlines()]
    kept = [i for i, heading in enumerate(rows[0]) if heading.strip() not in LEFT_OUT]
    return "\n".join("|" + "|".join(row[i] for i in kept) + "|" for row in rows)


def filled(readme: str, page: str) -> str:
    """The README with a fresh excerpt of the leaderboard."""
    before, rest = readme.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n\n{excerpt(page)}\n\n{END}{after}"


def main() -> None:
    """Rewrite the README."""
    readme = README.read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    README.write_text(filled(readme, page), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The pages that people read, and the files that they show."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted(DOCS.glob("*.md")),
]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, in the order of the page."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [body for name, body in found if name == language]


def files_of(page: Path) -> dict[str, str]:
    """The blocks that begin with `# <path>`: whole files, by that path."""
    blocks = [*blocks_of(page, "python"), *blocks_of(page, "toml")]
    heads = [(re.match(r"# (\S+\.(?:py|toml))\n", body), body) for body in blocks]
    return {head[1]: body for head, body in heads if head}


def write_files(files: dict[str, str], folder: Path) -> None:
    """Lay the files of a page out below a folder."""
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")

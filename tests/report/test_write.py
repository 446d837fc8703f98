"""The files of a leaderboard: the same bytes from the same files."""

import json
import random
import shutil
import subprocess
import sys

import pytest
from pruning_rows import history, write_history

from harness.errors import ConfigError
from harness.report.board.build import build_leaderboard
from harness.report.plots.suite_plots import draw_tables
from harness.report.read import read_history, read_suite
from harness.report.write import write_leaderboard


@pytest.fixture
def filled(runs):
    for seed in range(3):
        runs.done("baseline", seed, 0.7 + seed / 100)
        runs.done("dbpd", seed, 0.69 + seed / 100)
        runs.done("majority", seed, 0.2, model=None)
    runs.failed("broken")
    return runs


def test_the_same_files_give_the_same_bytes(filled, tmp_path):
    first = write_leaderboard(filled.suite(), "demo", tmp_path / "a")
    assert [path.name for path in first] == ["demo.md", "demo.json"]
    random.Random(0).shuffle(filled.cells)
    moved = tmp_path / "elsewhere"
    shutil.copytree(filled.suite(), moved)
    second = write_leaderboard(moved, "demo", tmp_path / "b")
    again = write_leaderboard(moved, "demo", tmp_path / "b")
    assert again == second
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_json_file_holds_the_rows(filled, tmp_path):
    _, data = write_leaderboard(filled.suite(), "demo", tmp_path)
    table = json.loads(data.read_text())["datasets"][0]["tables"][0]
    ranks = [(row["strategy"], row["rank"]) for row in table["rows"]]
    assert ranks == [("baseline", 1), ("dbpd", 1), ("majority", 1), ("broken", None)]


def test_nothing_but_the_two_files_and_the_plots_is_left(filled, tmp_path):
    out = tmp_path / "out"
    write_leaderboard(filled.suite(), "demo", out)
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert found == ["demo.json", "demo.md", "demo/ptbxl.resnet1d.front.svg"]


def test_a_suite_name_cannot_lead_out_of_the_folder(filled, tmp_path):
    filled.suite()
    with pytest.raises(ConfigError):
        write_leaderboard(filled.root, "../demo", tmp_path / "out")


def test_a_report_needs_neither_torch_nor_pandas(filled, tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from harness.report.write import write_leaderboard\n"
        f"write_leaderboard(Path({str(filled.suite())!r}), 'demo', Path('out'))\n"
        "import harness.report.render.terminal, harness.report.plots.cell_curves\n"
        "heavy = {'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "heavy |= {'matplotlib.pyplot'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert (tmp_path / "out" / "demo.md").exists()


def test_many_cells_are_drawn_beside_and_look_the_same(runs, tmp_path):
    for seed in range(100):
        for strategy in ("baseline", "dbpd"):
            folder = runs.done(strategy, seed, 0.7)
            write_history(folder, history(2, kept_share=0.5))
    folder = runs.suite()
    where = ("--runs", folder, "--leaderboard", tmp_path / "out")
    command = [sys.executable, "-m", "harness", "report", "demo", "-q", *where]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    results = read_suite(folder, "demo")
    cells = {cell.cell.id: cell for cell in results.cells}
    here = draw_tables(
        build_leaderboard(results), lambda cell: read_history(folder, cells[cell])
    )
    found = {p.name: p.read_bytes() for p in (tmp_path / "out" / "demo").iterdir()}
    assert found == here.files
    assert len(found) == 3

"""Rows for other tools say what the leaderboard says."""

import csv
import io
import json

import pandas as pd
import pytest

from harness.report.board.build import build_leaderboard
from harness.report.read import read_suite
from harness.report.render.export import formatted_rows

HOSTILE = r"100% a_b & $x^2 # {c} ~ \d <e>, 'f' \"g\""


@pytest.fixture
def board(runs):
    for seed, score in enumerate((0.6, 0.8)):
        runs.done("baseline", seed, score)
    subset = {"metrics.test.class_subsets": {"CinC score": 0.5}}
    runs.done(HOSTILE, 0, 0.5, changes=subset)
    runs.failed("dbpd", 0)
    return build_leaderboard(read_suite(runs.suite(), "demo"))


def test_csv_has_a_row_each_with_mean_spread_and_n(board):
    table = pd.read_csv(io.StringIO(formatted_rows(board, "csv")))

    assert list(table["strategy"]) == ["baseline", HOSTILE, "dbpd"]
    best = table.iloc[0]
    assert best["macro_f1_mean"] == pytest.approx(0.7)
    assert best["macro_f1_spread"] == pytest.approx(0.2 / 2**0.5)
    assert (best["macro_f1_n"], best["rank"], best["done"]) == (2, 1, 2)
    other = table.iloc[1]
    assert other["verdict"] == "too few seeds"
    assert pd.isna(best["verdict"])
    assert other["to_baseline_mean"] == pytest.approx(-0.1)
    assert other["class_subsets.CinC score_mean"] == 0.5
    assert pd.isna(other["macro_f1_spread"])
    assert table.iloc[2][["rank", "macro_f1_mean", "macro_f1_n"]].isna().all()


def test_all_lines_of_csv_have_as_many_fields(board):
    lines = list(csv.reader(io.StringIO(formatted_rows(board, "csv"))))

    assert len({len(line) for line in lines}) == 1
    assert len(set(lines[0])) == len(lines[0])


def test_json_has_the_same_rows(board):
    first, second, third = json.loads(formatted_rows(board, "json"))

    assert (first["dataset"], first["model"]) == ("ptbxl", "resnet1d")
    assert first["figures"]["macro_f1"] == {
        "mean": pytest.approx(0.7),
        "spread": pytest.approx(0.2 / 2**0.5),
        "n": 2,
        # Of two seeds: Student's would go from -0.57 to 1.97, which no score is.
        "low": 0.0,
        "high": 1.0,
    }
    assert (first["verdict"], first["to_baseline"]) == (None, None)
    assert (second["verdict"], second["to_baseline"]["low"]) == ("too few seeds", None)
    assert second["strategy"] == HOSTILE
    assert third["figures"]["macro_f1"] is None


def test_latex_is_a_table_in_which_everything_is_escaped(board):
    table = formatted_rows(board, "latex")
    lines = table.splitlines()

    assert lines[0].startswith(r"\begin{tabular}{llrl")
    assert lines[-1] == r"\end{tabular}"
    assert r"0.700 $\pm$ 0.141" in table
    escaped = (
        r"100\% a\_b \& \$x\^{}2 \# \{c\} \textasciitilde{} \textbackslash{}d "
        r"\ensuremath{<}e\ensuremath{>}, 'f' "
    )
    (row,) = [line for line in lines if "100" in line]
    assert escaped in row
    columns = lines[0].removeprefix(r"\begin{tabular}{").removesuffix("}")
    for line in lines:
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == len(columns) - 1
    # Nobody has a match in exact labels here.
    assert "exact match" not in table

"""Records that every seed of a row got wrong, and how a page shows them."""

import base64
import re

import numpy as np
import pytest
from taught_rows import add_judged, multi_label, predictions

from harness.report.board.misclassified import shared_mistakes
from harness.report.read import read_suite
from harness.report.write import write_leaderboard
from harness.results.predictions import read_test_predictions


def found(runs, most=100):
    cells = read_suite(runs.suite(), "demo").cells

    def read(cell):
        return read_test_predictions(runs.root / cell.cell.folder)

    return shared_mistakes(cells, read, most)


def arrays(seed):
    return predictions(0.5, np.random.default_rng(seed))


def wrong(one):
    return one["test_probabilities"].argmax(axis=1) != one["test_labels"]


def test_they_are_those_that_no_seed_got_right(runs):
    both = [arrays(seed) for seed in range(2)]
    for seed, one in enumerate(both):
        add_judged(runs, "baseline", one, seed=seed)
    expected = both[0]["test_records"][wrong(both[0]) & wrong(both[1])]
    shown = found(runs)
    assert shown.seeds == 2
    assert shown.total == len(expected) > 5
    assert {one.record for one in shown.worst} == set(expected)
    assert len(found(runs, 3).worst) == 3


def test_the_surest_stand_first(runs):
    one = arrays(0)
    places = np.flatnonzero(wrong(one))[:2]
    for place, value in zip(places, (0.02, 0.01), strict=True):
        one["test_probabilities"][place, one["test_labels"][place]] = value
    add_judged(runs, "baseline", one)
    worst = found(runs).worst
    assert [w.record for w in worst[:2]] == one["test_records"][places[::-1]].tolist()
    assert worst[0].probability == pytest.approx(0.01)
    rest = [w.record for w in worst[2:]]
    assert rest == sorted(rest)


def test_each_answer_of_the_seeds_is_told_once(runs):
    for seed, answer in enumerate((1, 2, 1)):
        one = arrays(0)
        one["test_labels"][0] = 0
        one["test_probabilities"][0] = 0.1
        one["test_probabilities"][0, answer] = 0.6
        add_judged(runs, "baseline", one, seed=seed)
    first = next(w for w in found(runs).worst if w.record == "00000")
    assert first.truth == ("NORM",)
    assert first.predicted == (("MI",), ("STTC",))


def test_of_several_labels_the_least_sure_counts(runs):
    one = multi_label(arrays(0))
    one["test_labels"][0] = [1, 1, 0, 0, 0]
    one["test_probabilities"][0] = [0.9, 0.2, 0.3, 0.6, 0.1]
    add_judged(runs, "baseline", one)
    first = next(w for w in found(runs).worst if w.record == "00000")
    assert first.truth == ("NORM", "MI")
    assert first.predicted == (("NORM", "CD"),)
    assert first.probability == pytest.approx(0.2)


def test_nothing_is_said_where_predictions_are_missing_or_of_other_records(runs):
    add_judged(runs, "baseline", arrays(0))
    add_judged(
        runs,
        "baseline",
        predictions(0.5, np.random.default_rng(1), split=1, patients=90),
        seed=1,
    )
    assert found(runs) is None
    next(runs.root.rglob("predictions.npz")).unlink()
    assert found(runs) is None


def pictures(page):
    return re.findall(r'src="data:image/png;base64,([^"]+)"', page)


def test_a_page_draws_them_from_the_recordings_at_hand(harness, tiny_run, tmp_path):
    at = ["--runs", tiny_run.runs, "--leaderboard", tmp_path]
    done = harness("report", tiny_run.suite, *at, "--records", 2)
    assert done.code == 0, done.err
    page = (tmp_path / "tiny.html").read_text()
    shown = pictures(page)
    assert 0 < len(shown) <= 2
    assert all(base64.b64decode(one).startswith(b"\x89PNG") for one in shown)
    assert "gets wrong" in page
    assert "probability of the truth" in page


def test_a_page_shows_no_record_unless_it_is_asked_for(harness, tiny_run, tmp_path):
    at = ["--runs", tiny_run.runs, "--leaderboard", tmp_path]
    assert harness("report", tiny_run.suite, *at).code == 0
    page = (tmp_path / "tiny.html").read_text()
    assert pictures(page) == []
    assert "gets wrong" not in page


def test_other_recordings_than_those_judged_are_not_shown(harness, tiny_run, tmp_path):
    suite = tmp_path / "tiny.toml"
    changed = re.sub(r"records = \d+", "records = 61", tiny_run.suite.read_text())
    suite.write_text(changed)
    at = ["--runs", tiny_run.runs, "--leaderboard", tmp_path]
    assert harness("report", suite, *at, "--records", 1).code == 0
    page = (tmp_path / "tiny.html").read_text()
    assert pictures(page) == []
    assert "Its recording isn't at hand." in page.replace("&#39;", "'")


def test_a_damaged_file_leaves_the_rest_of_the_page(runs, tmp_path):
    add_judged(runs, "baseline", arrays(0))
    (runs.root / runs.cells[0]["folder"] / "predictions.npz").write_bytes(b"no archive")
    write_leaderboard(
        runs.suite(), "demo", tmp_path, web=True, records=2, draw=lambda *_: None
    )
    assert "gets wrong" not in (tmp_path / "demo.html").read_text()

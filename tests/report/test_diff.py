"""Two leaderboards of a suite: what changed, what is noise, what is refused."""

import json
from itertools import count

import numpy as np
import pytest
from runs_folder import RunsFolder
from scipy.stats import ttest_ind
from taught_rows import add_judged, predictions

from harness.errors import ConfigError
from harness.options import Gate
from harness.report.diff.comment import diff_page
from harness.report.diff.pairs import compare_sides
from harness.report.diff.sides import open_side
from harness.report.write import write_leaderboard

FLOPS = "cost.flops.training"


@pytest.fixture
def sides(tmp_path):
    """Compares two runs folders, each filled by a function; or their JSON files."""

    numbers = count()

    def compare(fill_base, fill_head, gate=None, *, as_json=False):
        found = []
        for fill in (fill_base, fill_head):
            name = f"runs-{next(numbers)}"
            runs = RunsFolder(tmp_path / name)
            fill(runs)
            path = runs.suite()
            if as_json:
                board = tmp_path / f"{name}-board"
                _, path = write_leaderboard(path, "demo", board)
            found.append(open_side(path, None))
        return compare_sides(*found, gate)

    return compare


def scores(*values, first=0, strategy="dbpd", changes=None):
    def fill(runs):
        for seed, value in enumerate(values, start=first):
            changed = changes(seed) if callable(changes) else changes
            runs.done(strategy, seed, value, changes=changed)

    return fill


def judged(right, *, seeds=(0, 1, 2), salt=0, split=0):
    """Cells of which so many of the records are right; their predictions lie there."""

    def fill(runs):
        for seed in seeds:
            draw = np.random.default_rng([seed, salt])
            add_judged(runs, "dbpd", predictions(right, draw, split), seed=seed)

    return fill


def only(diff):
    (row,) = diff.rows
    return row


def test_the_same_again_is_no_change(sides):
    diff = sides(scores(0.7, 0.72, 0.71), scores(0.7, 0.72, 0.71))

    assert only(diff).verdict == "same"
    assert not diff.changed
    assert not diff.regressions
    page = diff_page(diff)
    assert "no measurable change in 1 row" in page
    assert len(page.splitlines()) == 3


@pytest.mark.parametrize("as_json", [False, True])
def test_what_fell_in_every_seed_is_worse_and_refused(sides, as_json):
    diff = sides(scores(0.7, 0.72, 0.71), scores(0.6, 0.63, 0.61), as_json=as_json)

    row = only(diff)
    found = row.scores["macro_f1"]
    assert (row.verdict, found.paired, found.noise) == ("worse", True, "seeds")
    assert found.change == pytest.approx(-0.29 / 3, abs=1e-5)
    # Student's t of two degrees of freedom, of the three differences.
    spread = np.std([-0.1, -0.09, -0.1], ddof=1)
    assert found.reach == pytest.approx(4.302653 * spread / 3**0.5, abs=1e-5)
    ((_, text),) = diff.regressions
    assert "macro-F1 fell by 0.097 ± 0.014, from 0.710 to 0.613" in text
    assert "1 regression" in diff_page(diff)


def test_what_rose_is_better_and_let_pass(sides):
    diff = sides(scores(0.6, 0.63, 0.61), scores(0.7, 0.72, 0.71))

    assert only(diff).verdict == "better"
    assert diff.changed
    assert not diff.regressions


def test_other_seeds_are_taken_as_independent_trainings(sides):
    diff = sides(scores(0.6, 0.7, 0.8), scores(0.58, 0.69, 0.79, first=7))

    found = only(diff).scores["macro_f1"]
    assert (found.verdict, found.paired) == ("within noise", False)
    welch = ttest_ind([0.58, 0.69, 0.79], [0.6, 0.7, 0.8], equal_var=False)
    high = welch.confidence_interval(0.95).high
    assert found.change + found.reach == pytest.approx(high, abs=1e-5)
    assert not diff.changed


def test_a_few_more_seeds_leave_the_others_paired(sides):
    diff = sides(scores(0.7, 0.72, 0.71), scores(0.7, 0.72, 0.71, 0.3))

    found = only(diff).scores["macro_f1"]
    assert (found.verdict, found.seeds) == ("same", (3, 3))


def test_two_seeds_are_too_few_to_judge(sides):
    diff = sides(scores(0.7, 0.72), scores(0.5, 0.51))

    assert only(diff).verdict == "too few seeds"
    assert not diff.regressions
    assert "no measurable change in 0 rows, too few seeds in 1" in diff_page(diff)


def test_predictions_bring_the_records_into_the_noise(sides):
    worse = sides(judged(0.9), judged(0.5, salt=1))

    found = only(worse).scores["macro_f1"]
    assert (found.verdict, found.noise) == ("worse", "seeds and records")
    assert worse.regressions
    assert worse.problems == ()


@pytest.mark.parametrize("seeds", [(0, 1, 2), (5, 6, 7)])
def test_a_rerun_is_within_the_noise_of_seeds_and_records(sides, seeds):
    diff = sides(judged(0.7), judged(0.7, seeds=seeds, salt=1))

    found = only(diff).scores["macro_f1"]
    assert (found.verdict, found.noise) == ("within noise", "seeds and records")
    assert found.paired is (seeds == (0, 1, 2))
    assert not diff.changed


def test_predictions_that_are_gone_leave_the_spread_of_seeds(sides):
    def without(runs):
        judged(0.7, salt=1)(runs)
        next(runs.root.rglob("predictions.npz")).unlink()

    diff = sides(judged(0.7), without)

    assert only(diff).scores["macro_f1"].noise == "seeds"
    (problem,) = diff.problems
    assert problem.startswith("HEAD: ptbxl, dbpd, seed ")
    assert "predictions.npz is missing" in problem
    assert "Predictions that were not used" in diff_page(diff)


def test_other_test_data_are_not_compared(sides):
    changes = {"dataset.fingerprint": "00", FLOPS: 10**15}
    other = scores(0.1, 0.1, 0.1, changes=changes)
    diff = sides(scores(0.7, 0.72, 0.71), other)

    row = only(diff)
    assert row.verdict == "other data"
    assert row.scores == {}
    assert "other test data" in row.notes
    assert row.costs["training_flops"].verdict == "higher"
    assert diff.changed
    assert not diff.regressions


def test_a_counter_that_all_seeds_share_is_compared_exactly(sides):
    before = scores(0.7, 0.7, 0.7, changes={FLOPS: 1_000_000})
    after = scores(0.7, 0.7, 0.7, changes={FLOPS: 1_000_001})
    diff = sides(before, after)

    cost = only(diff).costs["training_flops"]
    assert (cost.exact, cost.verdict) == (True, "higher")
    ((_, text),) = diff.regressions
    assert "training FLOPs rose by 0.0001 %" in text
    assert not sides(after, before).regressions


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.005, "within noise"), (1.05, "higher"), (0.9, "lower")],
)
def test_a_counter_that_seeds_differ_in_has_a_tolerance(sides, factor, verdict):
    def counted(by):
        return lambda seed: {FLOPS: int(by * (1_000_000 + 1000 * seed))}

    diff = sides(
        scores(0.7, 0.7, 0.7, changes=counted(1)),
        scores(0.7, 0.7, 0.7, changes=counted(factor)),
    )

    assert only(diff).costs["training_flops"].verdict == verdict
    assert bool(diff.regressions) is (verdict == "higher")


def test_a_cost_that_varies_with_the_seed_is_no_rise_with_others(sides):
    def counted(seed):
        return {FLOPS: 1_000_000 + [0, 90_000, 50_000, 40_000, 120_000, 70_000][seed]}

    diff = sides(
        scores(0.7, 0.7, 0.7, changes=counted),
        scores(0.7, 0.7, 0.7, first=3, changes=counted),
    )

    assert only(diff).costs["training_flops"].verdict == "within noise"


def test_times_are_not_compared(sides):
    def slow(runs):
        scores(0.7, 0.7, 0.7)(runs)
        for path in runs.root.rglob("measured.json"):
            path.write_text(json.dumps({"seconds": {"training": 1e6}}))

    assert not sides(scores(0.7, 0.7, 0.7), slow).changed


def test_rows_come_and_go(sides):
    diff = sides(scores(0.7, 0.72, strategy="old"), scores(0.6, 0.62, strategy="newer"))

    assert {row.strategy: row.verdict for row in diff.rows} == {
        "newer": "new",
        "old": "gone",
    }
    assert diff.changed
    assert not diff.regressions
    assert "macro-F1 0.610 ± 0.014 over 2 seeds" in diff_page(diff)


def test_a_row_that_fails_now_is_refused(sides):
    def failing(runs):
        scores(0.7, 0.72)(runs)
        runs.failed("dbpd", 2)

    diff = sides(scores(0.7, 0.72, 0.71), failing)

    ((_, text),) = diff.regressions
    assert text == "2 of 3 cells are done (failed)"
    assert not sides(failing, failing).regressions


def test_of_a_row_that_is_not_done_no_settings_are_known(sides):
    def failing(runs):
        runs.failed("dbpd", 0)

    changes = {"budget.epochs": 21}
    row = only(sides(scores(0.7, changes=changes), failing))
    assert (row.verdict, row.notes) == ("not done", [])
    row = only(sides(failing, scores(0.7, changes=changes)))
    assert (row.verdict, row.regressions) == ("first result", [])


def test_a_row_whose_meter_was_gone_round_is_refused(sides):
    flagged = scores(0.7, 0.7, changes={"cost.audit": {"status": "flagged"}})

    assert "flagged" in sides(scores(0.7, 0.7), flagged).regressions[0][1]


def test_other_settings_are_told(sides):
    changes = {"budget.epochs": 21, "strategy.versions": {"dbpd": 2}}
    diff = sides(scores(0.7, 0.7), scores(0.7, 0.7, changes=changes))

    assert set(only(diff).notes) == {"other epochs", "other strategy version"}


def test_settings_that_older_results_lack_are_the_defaults(sides):
    optimizer = {"use": "adamw", "lr": 0.005, "weight_decay": 0.01, "decay": "all"}
    later = {"budget.optimizer": optimizer, "budget.micro_batch": None}
    diff = sides(scores(0.7, 0.7), scores(0.7, 0.7, changes=later))

    assert not diff.changed


def test_thresholds_are_those_that_are_given(sides):
    before, after = scores(0.7, 0.72, 0.71), scores(0.6, 0.63, 0.61)

    for gate in (Gate(macro_f1=0.2), Gate(macro_f1=False)):
        diff = sides(before, after, gate)
        assert only(diff).verdict == "worse"
        assert not diff.regressions
    assert sides(before, after, Gate(macro_f1=False, accuracy=0.0)).regressions


def test_a_change_cannot_loosen_its_own_gate(tmp_path):
    found = []
    for name, values, gate in (
        ("base", (0.7, 0.72, 0.71), {}),
        ("head", (0.6, 0.63, 0.61), {"macro_f1": False}),
    ):
        runs = RunsFolder(tmp_path / name)
        scores(*values)(runs)
        path = runs.suite() / "suites" / "demo.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "gate": gate}))
        found.append(open_side(runs.root, "demo"))
    base, head = found

    assert compare_sides(base, head).regressions
    assert not compare_sides(head, base).regressions
    assert compare_sides(head, base).gate.macro_f1 is False


def test_floors_stand_once(tmp_path):
    found = []
    for name in ("base", "head"):
        runs = RunsFolder(tmp_path / name)
        runs.done("majority", 0, 0.1, model=None)
        for model in ("cnn1d", "resnet1d"):
            runs.done("baseline", 0, 0.7, model=model)
        found.append(open_side(runs.suite(), None))

    keys = [(row.model, row.strategy) for row in compare_sides(*found).rows]
    assert keys == [
        (None, "majority"),
        ("cnn1d", "baseline"),
        ("resnet1d", "baseline"),
    ]


def test_names_cannot_break_the_page(sides):
    hostile = "a|b <script> [x](y)"
    diff = sides(scores(0.7, strategy="dbpd"), scores(0.7, strategy=hostile))

    page = diff_page(diff)
    assert "<script>" not in page
    assert "a|b" not in page
    assert "[x](y)" not in page


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param("", "is no leaderboard: no JSON", id="empty"),
        pytest.param("[1, 2]", "is no leaderboard", id="list"),
        pytest.param('{"name": "x"}', "schema_version: Field required", id="foreign"),
        pytest.param(
            '{"schema_version": 9, "suite": "demo", "datasets": []}',
            "schema_version is 9; 1 can be read",
            id="later",
        ),
        pytest.param(b"\xff\xfe\x00", "is no leaderboard: no JSON", id="binary"),
    ],
)
def test_what_is_no_leaderboard_is_told(tmp_path, content, problem):
    path = tmp_path / "board.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ConfigError) as caught:
        open_side(path, None)

    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_folders_and_suites_that_are_not_there_are_told(tmp_path):
    runs = RunsFolder(tmp_path / "runs")
    scores(0.7)(runs)
    runs.suite("one")
    (tmp_path / "empty").mkdir()
    for path, suite, problem in (
        (tmp_path / "nowhere", None, "no such runs folder or file"),
        (tmp_path / "empty", None, "is no runs folder: it has no suites/*.json"),
        (runs.root, "onne", "did you mean 'one'?"),
        (runs.root, "../one", "a suite's name is letters"),
    ):
        with pytest.raises(
            ConfigError, match=problem.replace("*", ".").replace("?", ".")
        ):
            open_side(path, suite)
    one = open_side(runs.root, None)
    runs.suite("two")
    with pytest.raises(ConfigError, match="choose one with --suite: one, two"):
        open_side(runs.root, None)
    with pytest.raises(ConfigError, match="only leaderboards of one suite"):
        compare_sides(one, open_side(runs.root, "two"))


@pytest.mark.parametrize(
    ("gate", "problem"),
    [
        ({"macro_f2": 0.1}, "gate macro_f2: unknown key; did you mean 'macro_f1'?"),
        ({"macro_f1": 2}, "should be false, or a number from 0 to 1, got 2"),
        ({"macro_f1": True}, "should be false, or a number from 0 to 1, got True"),
        ({"macro_f1": "a"}, "should be false, or a number from 0 to 1, got 'a'"),
    ],
)
def test_thresholds_that_make_no_sense_are_told(tmp_path, gate, problem):
    runs = RunsFolder(tmp_path)
    scores(0.7)(runs)
    path = runs.suite() / "suites" / "demo.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "gate": gate}))
    side = open_side(runs.root, None)

    with pytest.raises(ConfigError) as caught:
        compare_sides(side, side)

    assert problem in str(caught.value)

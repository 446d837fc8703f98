"""Naming trackers, on the command line and in a suite."""

import pytest
from suites_to_run import BASELINE, write_suite
from telling import diary

ABSENT = '''
from harness import Tracker


class Absent(Tracker):
    """Imports what nobody has."""

    name = "absent"
    packages = {"nowhere_to_be_found": "pip install nowhere"}
'''


def test_an_unknown_tracker_is_told_with_the_nearest(harness, tmp_path):
    suite = write_suite(tmp_path, BASELINE)
    ended = harness("run", suite, "--tracker", "tensorbord")

    assert ended.code == 2
    assert "unknown tracker 'tensorbord'; did you mean 'tensorboard'?" in ended.err
    assert not (tmp_path / "runs").exists()


def test_a_tracker_whose_package_is_missing_says_how_to_get_it(harness, tmp_path):
    suite = write_suite(tmp_path, BASELINE, absent=ABSENT)
    ended = harness("run", suite, "--tracker", "absent")

    assert ended.code == 2
    assert "tracker 'absent' needs nowhere_to_be_found" in ended.err
    assert "pip install nowhere" in ended.err
    assert harness("plan", suite).code == 0


@pytest.mark.parametrize(
    ("trackers", "message"),
    [
        ('["mlfow"]', "trackers[1] (mlfow): unknown tracker 'mlfow'; did you mean"),
        ('["diary", { use = "diary" }]', "trackers[2]: 'diary' stands there twice"),
        (
            '[{ use = "diary", fil = "x" }]',
            "trackers[1] (diary) fil: unknown key; did you mean 'file'?",
        ),
        ("[1]", "trackers[1]: should be a name, or a table"),
        ('"diary"', "execution.trackers: should be a list"),
    ],
)
def test_mistakes_in_a_suite_are_told(harness, tmp_path, trackers, message):
    execution = f"trackers = {trackers}"
    suite = write_suite(tmp_path, BASELINE, execution, diary=diary())
    ended = harness("plan", suite)

    assert ended.code == 2
    assert message in ended.err


def test_trackers_are_listed_and_shown(harness):
    listed = harness("list").out
    assert "tracker   tensorboard" in listed
    shown = harness("show", "mlflow").out
    assert shown.startswith("tracker mlflow, version 1\n")
    assert "needs: mlflow, sqlalchemy" in shown
    row = next(line for line in shown.splitlines() if line.startswith("store "))
    assert "MLFLOW_TRACKING_URI" in row


def test_a_misspelt_hook_of_a_tracker_is_an_error(harness, tmp_path):
    plugins = tmp_path / "plugins"
    source = diary().replace("def epoch_finished", "def epoch_finish")
    write_suite(tmp_path, BASELINE, diary=source)

    assert "epoch_finish" in harness("list", "--plugins", plugins).out

"""The tracker of the page, told of a suite that is done."""

import csv
import shutil

from pages import DOCS, files_of, write_files


def test_the_tracker_of_the_page_is_told(harness, tiny_run, tmp_path):
    write_files(files_of(DOCS / "write-a-tracker.md"), tmp_path)
    shutil.copytree(tiny_run.runs, tmp_path / "runs")
    named = ("--plugins", tmp_path / "my_plugins", "--tracker", "scores")
    ended = harness("run", tiny_run.suite, *named)

    assert (ended.code, "tracker" in ended.err) == (0, False)
    with (tmp_path / "scores.csv").open(newline="") as stream:
        found = {(title, epoch) for title, epoch, score in csv.reader(stream)}
    assert found == {
        (f"synthetic / cnn1d / {strategy} / seed 0", str(epoch))
        for strategy in ("baseline", "dbpd")
        for epoch in (0, 1)
    }

"""The web page of a suite as a file: whole, harmless, and the same each time."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from pruning_rows import add_dropping, add_plain, add_pruned
from runs_folder import write
from web_rows import HOSTILE, by_class, fill

from harness.report.write import write_leaderboard


def page_of(runs, out, **options):
    write_leaderboard(runs.suite(), "demo", out, web=True, **options)
    return (out / "demo.html").read_text()


class Reader(HTMLParser):
    """Elements with their attributes, and all text that isn't script or style."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text, self._raw = [], "", False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._raw = False

    def handle_data(self, data):
        self.text += "" if self._raw else data

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


def test_the_same_files_give_the_same_bytes(runs, tmp_path):
    first = page_of(fill(runs), tmp_path / "a")
    moved = tmp_path / "elsewhere"
    shutil.copytree(runs.root, moved)
    write_leaderboard(moved, "demo", tmp_path / "b", web=True)
    assert (tmp_path / "b" / "demo.html").read_text() == first


def test_the_page_has_no_address(runs, tmp_path):
    add_plain(runs)
    add_dropping(runs)
    add_pruned(runs)
    page = page_of(fill(runs), tmp_path)
    assert "http" not in page.replace("http-equiv", "")
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert {link for link in links if not link.startswith("#")} == {"data:,"}


def test_every_reference_leads_somewhere(runs, tmp_path):
    add_pruned(runs)
    reader = Reader(page_of(fill(runs), tmp_path))
    ids = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(ids) == len(set(ids))
    text = json.dumps([a for _, a in reader.elements])
    wanted = re.findall(r"url\(#([^)]+)\)", text)
    wanted += [
        a[key].removeprefix("#")
        for _, a in reader.elements
        for key in ("href", "aria-labelledby")
        if a.get(key) and a[key] != "data:,"
    ]
    assert set(wanted) <= set(ids)


def test_hostile_names_are_shown_and_do_nothing(runs, tmp_path):
    expected = Reader(page_of(fill(runs), tmp_path / "a"))
    runs.done(HOSTILE, 0, 0.9, changes=by_class(5))
    classes = [HOSTILE, "MI", "STTC", "CD", "HYP"]
    folder = runs.done(
        "other",
        0,
        0.3,
        dataset=HOSTILE,
        model=HOSTILE,
        changes=by_class(5)
        | {"dataset.classes": classes, "dataset.citation": HOSTILE}
        | {"metrics.test.f1": dict.fromkeys(classes, 0.5)},
    )
    write(
        folder / "cell.json",
        {
            "dataset": {HOSTILE: HOSTILE},
            "model": None,
            "strategies": [{"name": HOSTILE, "params": {HOSTILE: [HOSTILE]}}],
            "budget": {},
        },
    )
    runs.failed(HOSTILE + "2", 0, kind=HOSTILE, message=HOSTILE)
    page = page_of(runs, tmp_path / "b")
    reader = Reader(page)
    assert reader.count("script") == expected.count("script") == 1
    assert reader.count("b") > 0
    assert not any(k.startswith("on") for _, a in reader.elements for k in a)
    assert not any("javascript" in (a.get("href") or "") for _, a in reader.elements)
    assert reader.text.count(HOSTILE) >= 10


def test_only_the_pages_own_script_may_run(runs, tmp_path):
    reader = Reader(page_of(fill(runs), tmp_path))
    (policy,) = [
        a["content"]
        for tag, a in reader.elements
        if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[^']+';", policy)


def test_scores_by_class_are_those_of_the_results(runs, tmp_path):
    for seed, right in enumerate((6, 8)):
        runs.done("baseline", seed, 0.7, changes=by_class(right))
    page = page_of(runs, tmp_path)
    assert "0.700 ± 0.141" in page
    rows = re.findall(
        r'<th scope="row">NORM</th>((?:<td class="(?:right|wrong)-one.*?</td>)+)', page
    )
    counts = [re.findall(r">(\d+)</td>", row) for row in rows]
    assert counts == [["14", "6", "0", "0", "0"]]


def test_results_without_scores_by_class_have_no_table_of_them(runs, tmp_path):
    runs.done("baseline")
    text = Reader(page_of(runs, tmp_path)).text
    assert "F1 by class" not in text
    assert "predicted class" not in text


@pytest.mark.parametrize("damage", ["no json", {"budget": 3}, {}])
def test_a_cell_file_that_cannot_be_read_leaves_the_rest(runs, tmp_path, damage):
    folder = runs.done("baseline")
    write(folder / "cell.json", damage)
    text = Reader(page_of(runs, tmp_path)).text
    assert "Provenance" in text
    assert "Every parameter" not in text


def test_a_suite_of_which_nothing_is_done_has_a_page(runs, tmp_path):
    runs.cell("baseline", 0)
    runs.failed("dbpd", 0)
    text = " ".join(Reader(page_of(runs, tmp_path)).text.split())
    assert "0 of 2 cells done, 1 failed, 1 planned" in text


def test_a_page_that_is_there_is_kept_up_to_date(runs, tmp_path):
    runs.done("baseline")
    write_leaderboard(runs.suite(), "demo", tmp_path)
    assert not (tmp_path / "demo.html").exists()
    page_of(runs, tmp_path)
    runs.done("dbpd")
    write_leaderboard(runs.suite(), "demo", tmp_path, anew=False)
    assert "dbpd" in (tmp_path / "demo.html").read_text()


def test_a_page_that_is_asked_for_is_written_though_figures_are_the_same(
    runs, tmp_path
):
    runs.done("baseline")
    write_leaderboard(runs.suite(), "demo", tmp_path)
    page_of(runs, tmp_path, anew=False)
    assert (tmp_path / "demo.html").exists()


def test_results_of_several_sources_of_a_plugin_are_told(runs, tmp_path):
    runs.done("baseline", 0)
    hashes = {"provenance.plugins": {"strategy baseline": "f" * 64}}
    runs.done("baseline", 1, changes=hashes)
    runs.done("baseline", 2, changes={"provenance.plugins": {"strategy baseline": "0"}})
    text = " ".join(Reader(page_of(runs, tmp_path)).text.split())
    assert "strategy baseline: 2 versions" in text
    assert "some may be stale" in text


def report(runs, out, *arguments, **environment):
    runs.suite()
    command = [sys.executable, "-m", "harness", "report", "demo", *arguments]
    return subprocess.run(
        [*command, "--runs", str(runs.root), "--leaderboard", str(out)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_the_page_is_written_by_a_command_and_shown_in_a_browser(runs, tmp_path):
    runs.done("baseline")
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o755)
    done = report(runs, tmp_path, "--open", BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "demo.html"
    assert f"as a web page: {page}" in done.stdout
    assert told.read_text().strip() == page.as_uri()


def test_where_there_is_no_browser_a_message_says_so(runs, tmp_path):
    runs.done("baseline")
    nowhere = str(tmp_path / "nowhere")
    done = report(runs, tmp_path, "--open", PATH=nowhere, BROWSER="", DISPLAY="")
    assert done.returncode == 2
    assert "no browser could be started" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "demo.html").exists()


def test_rows_for_another_tool_cannot_be_opened(runs, tmp_path):
    runs.done("baseline")
    done = report(runs, tmp_path, "--open", "--format", "csv")
    assert done.returncode == 2
    assert "--format" in done.stderr

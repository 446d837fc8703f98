"""Whatever stands in the files of results: a leaderboard, with what can't be read as
failed cells, and nothing in it that a page or a terminal would take for its own.
"""

import json
import re
import shutil

import pytest
from hypothesis import example, given
from mutations import (
    HOSTILE_TEXTS,
    SECONDS,
    fuzzed,
    mutated_bytes,
    mutated_value,
    outcome,
    put_no_file,
)

from harness.errors import ConfigError
from harness.files.atomic import to_json
from harness.report.board.build import build_leaderboard
from harness.report.read import read_parameters, read_suite
from harness.report.render.markdown import to_markdown
from harness.report.render.terminal import summary_lines
from harness.report.write import write_leaderboard

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

STRATEGIES = ("baseline", "dbpd", "majority")


@pytest.fixture(scope="module")
def original(tiny_run):
    """The folder of a finished suite."""
    return tiny_run.runs


@pytest.fixture
def runs(original, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(original, tmp_path / "runs")


def cell(runs, strategy="dbpd"):
    (found,) = runs.glob(f"synthetic/*/{strategy}/*/result.json")
    return found.parent


def leaderboard(runs, name="tiny"):
    """The page, JSON and summary of a suite, or None where there is a message."""
    results, message = outcome(ConfigError, read_suite, runs, name)
    if results is None:
        assert str(runs) in message
        return None
    board = build_leaderboard(results)
    page, data = to_markdown(board), board.to_json()
    assert json.loads(data) == json.loads(to_json(json.loads(data)))
    assert_harmless(page, "\n".join(summary_lines(board)))
    return board


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def assert_harmless(page, summary):
    """No HTML but the page's own, no control characters, no cells that a name adds to
    a table.
    """
    own = r"br>|/?details>|/?summary>"
    assert not re.search(rf"<(?!{own})[a-zA-Z/!]", page)
    assert page.count("<details>\n<summary>") == page.count("</details>")
    assert not re.search(r"(?<!\\)\]\(", page)
    for text in (page, summary):
        page.encode()
        assert all(c.isprintable() or c in "\n\N{NO-BREAK SPACE}" for c in text)
    tables = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    for lines in map(str.splitlines, tables):
        assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("name", ["result.json", "measured.json", "failure.json"])
def test_a_cells_damaged_files_make_no_more_than_a_failed_cell(runs, name):
    folder = cell(runs)
    file = folder / name
    if name == "failure.json":
        (folder / "result.json").unlink()
        file.write_text(
            '{"kind": "plugin", "message": "it broke", "traceback": "", "attempts": 1}'
        )
    value = json.loads(file.read_text())
    raw = file.read_bytes()

    @fuzzed(100)
    @given(mutated_value(value).map(json.dumps).map(str.encode) | mutated_bytes(raw))
    @example(b"[" * 100_000)
    @example(b'{"a":' * 100_000)
    @example(raw.replace(b"{", b'{"cell": "0", "cell": "1", ', 1))
    @example(json.dumps(value | {"budget": {"a": float("nan")}}).encode())
    @example(json.dumps(value | {"budget": {"a": "\ud800"}}).encode())
    @example(json.dumps(value | {"budget": {"a": 10**4000}}).encode())
    @example(json.dumps(value | {"seed": 10**4000, "message": "\x1b[2J"}).encode())
    @example(json.dumps(value | {"budget": nested(300)}).encode())
    @example(json.dumps(value | {"cost": {"not_counted": [nested(300)]}}).encode())
    def run(damaged):
        file.write_bytes(damaged)
        board = leaderboard(runs)
        if board is None:
            return
        assert sum(board.model_dump()["states"].values()) == 3
        assert board.model_dump()["states"]["done"] >= 2

    run()


def test_a_damaged_list_of_cells_ends_in_a_leaderboard_or_a_message(runs):
    file = runs / "suites" / "tiny.json"
    value = json.loads(file.read_text())
    raw = file.read_bytes()

    @fuzzed(150)
    @given(mutated_value(value).map(json.dumps).map(str.encode) | mutated_bytes(raw))
    @example(b"[" * 100_000)
    @example(raw.replace(b'"folder": "', b'"folder": "../../'))
    @example(raw.replace(b'"folder": "', b'"folder": "/'))
    @example(raw.replace(b'"title": "', b'"title": "\\u001b[31m<b>'))
    def run(damaged):
        file.write_bytes(damaged)
        leaderboard(runs)

    run()


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_hostile_text_anywhere_is_shown_as_text(runs, text):
    result = json.loads((cell(runs) / "result.json").read_text())
    for key in ("label", "label_rule", "license", "citation", "fingerprint"):
        result["dataset"][key] = text
    result["dataset"]["classes"] = [text, "b"]
    result["dataset"]["leads"] = [text]
    result["dataset"]["excluded"] = {text: 3}
    result["dataset"]["bad_records"] = [{"record": text, "reason": text}]
    result["cost"]["not_counted"] = [text, {text: [text]}]
    result["cost"]["audit"] = {
        "status": "flagged",
        "findings": [{"where": text, "counted": 1, "metered": 2}],
        "removed_hooks": [text],
    }
    result["metrics"]["test"]["class_subsets"] = {text: 0.5}
    result["budget"][text] = text
    result["provenance"]["plugins"] = {text: text}
    (cell(runs) / "result.json").write_text(json.dumps(result))
    (cell(runs) / "measured.json").write_text(json.dumps({"hardware": text}))
    folder = cell(runs, "baseline")
    (folder / "result.json").unlink()
    (folder / "failure.json").write_text(json.dumps({"kind": text, "message": text}))
    file = runs / "suites" / "tiny.json"
    manifest = json.loads(file.read_text())
    manifest["title"] = text
    for row in manifest["cells"]:
        for key in ("dataset", "model", "strategy"):
            row[key] = row[key] and f"{row[key]}{text}"
    file.write_text(json.dumps(manifest))
    board = leaderboard(runs)
    assert board.model_dump()["states"] == {"done": 2, "failed": 1}


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop", "secret", "huge"])
def test_what_is_no_file_of_results_is_not_read(runs, tmp_path, kind):
    file = cell(runs) / "result.json"
    file.unlink()
    match kind:
        case "secret":
            (tmp_path / "secret").write_text("the secret")
            file.symlink_to(tmp_path / "secret")
        case "huge":
            with file.open("wb") as stream:
                stream.truncate(1 << 40)
        case _:
            put_no_file(file, kind)
    board = leaderboard(runs)
    assert board.model_dump()["states"] == {"done": 2, "failed": 1}
    assert "the secret" not in to_markdown(board)


def test_a_damaged_history_makes_no_more_than_a_plot_less(runs, tmp_path):
    file = cell(runs) / "history.jsonl"
    raw = file.read_bytes()
    rows = [json.loads(line) for line in raw.splitlines()]
    rows[0]["loops"] = {"round": 1}

    def lines(damaged):
        return "".join(json.dumps(row) + "\n" for row in damaged).encode()

    @fuzzed(25)
    @given(mutated_value(rows).map(lines) | mutated_bytes(raw))
    @example(b"[" * 100_000)
    @example(lines([rows[0] | {"flops": 1e308}]))
    @example(
        lines([rows[0] | {"kept_share_by_class": dict.fromkeys(HOSTILE_TEXTS, 0)}])
    )
    def run(damaged):
        file.write_bytes(damaged)
        page, _ = write_leaderboard(runs, "tiny", tmp_path / "out")
        for link in re.findall(r"(?<!\\)\]\(([^)]*)\)", page.read_text()):
            assert (tmp_path / "out" / link).is_file()

    run()


def test_damaged_parameters_are_told_as_text_or_not_at_all(runs):
    (one,) = (
        c for c in read_suite(runs, "tiny").cells if c.cell.strategy == "baseline"
    )
    file = runs / one.cell.folder / "cell.json"
    value = json.loads(file.read_text())
    raw = file.read_bytes()
    assert read_parameters(runs, one)["budget.epochs"]

    @fuzzed(200)
    @given(mutated_value(value).map(json.dumps).map(str.encode) | mutated_bytes(raw))
    @example(b"[" * 100_000)
    @example(json.dumps(value | {"budget": nested(300)}).encode())
    @example(json.dumps(value | {"budget": {"a": 10**4000}}).encode())
    @example(json.dumps(value | {"strategies": [{"name": ["a"]}, {}]}).encode())
    def run(damaged):
        file.write_bytes(damaged)
        for name, text in read_parameters(runs, one).items():
            assert isinstance(name, str)
            assert isinstance(text, str)

    run()


@pytest.mark.parametrize(
    "name", ["../tiny", "/etc/passwd", "", "a\0b", "\x1b[31m", "-"]
)
def test_a_suites_name_is_no_path(runs, name):
    with pytest.raises(ConfigError):
        read_suite(runs, name)

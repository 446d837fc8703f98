"""Damaged files of a cell at work or done: it is in one of the states there are, nobody
waits for ever, and nothing outside its folder is touched.
"""

import json
import shutil

import pytest
from hypothesis import example, given
from mutations import SECONDS, fuzzed, mutated_bytes, mutated_value, put_no_file

from harness.cache import recall, remember
from harness.plan.plan import make_plan
from harness.results.claim import Observer, highest_claim, progress_of, take_claim
from harness.results.state import failure_of, state_of
from harness.suite.resolve import read_suite

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

STATES = {"planned", "running", "done", "failed", "blocked", "stale"}


@pytest.fixture(scope="module")
def cell(tiny_run):
    """A cell of a finished suite."""
    plan = make_plan(*read_suite(tiny_run.suite), tiny_run.runs)
    return next(p.cell for p in plan.cells if p.cell.strategy_name == "dbpd")


@pytest.fixture
def runs(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.runs, tmp_path / "runs")


def damaged(value):
    raw = json.dumps(value).encode()
    return mutated_value(value).map(json.dumps).map(str.encode) | mutated_bytes(raw)


def test_a_damaged_result_is_another_cells_or_of_this_one(cell, runs):
    file = runs / cell.folder / "result.json"
    value = json.loads(file.read_text())
    assert state_of(cell, runs) == "done"

    @fuzzed(100)
    @given(damaged(value))
    @example(b"[" * 100_000)
    @example(json.dumps(value | {"provenance": []}).encode())
    @example(json.dumps(value | {"provenance": {"plugins": None}}).encode())
    @example(json.dumps(value)[:-1].encode() + b', "cell": "0"}')
    def run(content):
        file.write_bytes(content)
        state = state_of(cell, runs)
        assert state in STATES
        if state in ("done", "stale"):
            assert json.loads(content)["cell"] == cell.id

    run()


def test_a_damaged_failure_still_is_one_or_nothing(cell, runs):
    (runs / cell.folder / "result.json").unlink()
    file = runs / cell.folder / "failure.json"

    @fuzzed(80)
    @given(damaged({"kind": "plugin", "message": "it broke", "traceback": "a\nb"}))
    def run(content):
        file.write_bytes(content)
        assert state_of(cell, runs) in ("failed", "blocked", "planned")
        assert isinstance(failure_of(cell, runs), str)

    run()


def test_damaged_claims_and_heartbeats_hold_nobody_up_for_ever(cell, runs):
    folder = runs / cell.folder
    (folder / "result.json").unlink()
    claim = take_claim(folder, Observer().is_stale)
    claim.beat(3, "epoch 2 of 5")
    (held,) = folder.glob("claim-*.json")
    (beat,) = folder.glob("heartbeat-*.json")
    holder, said = json.loads(held.read_text()), json.loads(beat.read_text())

    @fuzzed(80)
    @given(damaged(holder), damaged(said))
    @example(json.dumps(holder | {"pid": 10**40}).encode(), b"{}")
    @example(json.dumps(holder | {"pid": -1}).encode(), b"{}")
    @example(json.dumps(holder | {"pid": 0}).encode(), b"{}")
    @example(json.dumps(holder | {"started": None}).encode(), b'{"progress": [1]}')
    @example(b"[" * 100_000, b"[" * 100_000)
    def run(holder, said):
        held.write_bytes(holder)
        beat.write_bytes(said)
        number = highest_claim(folder)
        assert number == claim.number
        assert isinstance(progress_of(folder), str)
        assert state_of(cell, runs) in ("running", "planned", "failed")
        # Who can't be seen counts as dead once its heart has stood still.
        patient = Observer(standstill_seconds=0.0)
        patient.is_stale(folder, number)
        assert patient.is_stale(folder, number) in (True, False)

    run()
    held.write_bytes(b"{}")
    observer = Observer(standstill_seconds=-1.0)
    observer.is_stale(folder, claim.number)
    assert observer.is_stale(folder, claim.number)


@pytest.mark.parametrize(
    "name",
    [
        "claim-" + "9" * 200 + ".json",
        "claim-\N{ARABIC-INDIC DIGIT ONE}.json",
        "claim--1.json",
        "claim-1.json\n",
        ".released-" + "9" * 200,
    ],
)
def test_odd_names_of_claims_are_nobodys(tmp_path, name):
    (tmp_path / name).write_text("{}")
    assert highest_claim(tmp_path) == 0
    claim = take_claim(tmp_path, Observer().is_stale)
    assert claim.is_held
    claim.release()
    assert highest_claim(tmp_path) == 0


@pytest.mark.parametrize("name", ["result.json", "failure.json", "claim-1.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop"])
def test_what_is_no_file_is_not_waited_for(cell, runs, name, kind):
    folder = runs / cell.folder
    (folder / "result.json").unlink()
    file = folder / name
    put_no_file(file, kind)
    assert state_of(cell, runs) in ("planned", "running")


def test_a_claim_that_leads_elsewhere_writes_nothing_there(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "cell"
    outside.mkdir()
    folder.mkdir()
    (outside / "precious.json").write_text("precious")
    for name in ("claim-1.json", "heartbeat-1.json"):
        (folder / name).symlink_to(outside / "precious.json")
    (folder / "claim-2.json").symlink_to(outside / "new.json")
    claim = take_claim(folder, lambda *_: True)
    assert claim is not None
    claim.beat(1, "here")
    claim.release()
    assert (outside / "precious.json").read_text() == "precious"
    assert [path.name for path in outside.iterdir()] == ["precious.json"]


def test_a_hostile_reason_is_shown_as_text(harness, tiny_run, cell, runs):
    (runs / cell.folder / "result.json").unlink()
    failure = {
        "kind": "plugin",
        "message": "\x1b[2J[red]<b>\nTraceback",
        "traceback": "",
    }
    (runs / cell.folder / "failure.json").write_text(json.dumps(failure))
    for command in ("plan", "report"):
        ended = harness(
            *(command, tiny_run.suite, "--runs", runs),
            *(("--leaderboard", runs / "out") if command == "report" else ()),
        )
        assert ended.code == 0
        assert all(c.isprintable() or c == "\n" for c in ended.out + ended.err)
    assert "<b>" not in (runs / "out" / "tiny.md").read_text()


CACHED = {"fingerprint": "0" * 16, "counts": {}, "excluded": {}}


def test_damaged_caches_are_made_again(tiny_run, cell, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    plan = make_plan(*read_suite(tiny_run.suite), tiny_run.runs)
    expected = [p.cell.id for p in plan.cells]
    files = [p for p in (tmp_path / "cache").rglob("*.json") if p.is_file()]
    assert len(files) > 3
    contents = {file: file.read_bytes() for file in files}
    swapped = contents[files[0]].replace(b'"', b"'")
    damages = [b"", b"{}", b"[" * 100_000, b'{"fingerprint": 3}', swapped]
    for i, file in enumerate(files):
        file.write_bytes(damages[i % len(damages)])
    plan = make_plan(*read_suite(tiny_run.suite), tiny_run.runs)
    assert [p.cell.id for p in plan.cells] == expected
    assert all(json.loads(f.read_text()) == json.loads(contents[f]) for f in files)


def test_no_changed_byte_of_a_cache_is_believed(tmp_path):
    file = tmp_path / "cache.json"
    remember(file, CACHED)
    raw = file.read_bytes()
    assert recall(file) == CACHED

    @fuzzed(150)
    @given(damaged(json.loads(raw)))
    def run(content):
        file.write_bytes(content)
        assert recall(file) in (None, CACHED)

    run()

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.files.atomic import write_atomically, write_stream_atomically
from harness.files.process_id import is_alive, machine, this_process
from harness.results.claim import Observer, highest_claim, progress_of, take_claim

FORK = multiprocessing.get_context("fork")


def living(folder, number):
    return False


def dead(folder, number):
    return True


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_claim(folder, number=1, **holder):
    content = {"machine": "elsewhere", "pid": os.getpid(), "started": 0.0, **holder}
    (folder / f"claim-{number}.json").write_text(json.dumps(content))


def claim_and_end(folder):
    """Another process that takes a claim and is gone."""
    process = FORK.Process(target=take_claim, args=(folder, living))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_only_one_can_hold_a_folder(tmp_path):
    first = take_claim(tmp_path, Observer().is_stale)
    assert first is not None
    assert first.is_held
    assert take_claim(tmp_path, Observer().is_stale) is None
    assert names(tmp_path) == ["claim-1.json", "heartbeat-1.json"]


def test_a_released_folder_is_free(tmp_path):
    first = take_claim(tmp_path, living)
    first.beat(1, "epoch 3")
    assert progress_of(tmp_path) == "epoch 3"
    first.release()
    assert not first.is_held
    assert highest_claim(tmp_path) == 0
    assert not list(tmp_path.glob("claim-*"))
    assert not list(tmp_path.glob("heartbeat-*"))
    assert take_claim(tmp_path, living) is not None


def test_no_number_is_used_twice(tmp_path):
    numbers = []
    for _ in range(4):
        claim = take_claim(tmp_path, living)
        numbers.append(claim.number)
        claim.release()
    assert numbers == [1, 2, 3, 4]
    assert names(tmp_path) == [".released-4"]


def test_the_claim_of_a_dead_process_is_overtaken(tmp_path):
    claim_and_end(tmp_path)
    assert highest_claim(tmp_path) == 1
    second = take_claim(tmp_path, Observer().is_stale)
    assert second.number == 2
    assert names(tmp_path) == ["claim-2.json", "heartbeat-2.json"]


def test_who_slept_while_others_came_and_went_holds_nothing(tmp_path):
    sleeper = take_claim(tmp_path, living)
    second = take_claim(tmp_path, dead)
    assert not sleeper.is_held
    second.release()
    third = take_claim(tmp_path, living)

    assert not sleeper.is_held
    sleeper.release()
    assert third.is_held


def test_who_slept_while_judging_a_claim_gets_none(tmp_path):
    claim_and_end(tmp_path)

    def slow(folder, number):
        # While this process looks at the dead one's claim, others come and go.
        take_claim(folder, dead).release()
        return True

    assert take_claim(tmp_path, slow) is None
    assert highest_claim(tmp_path) == 0
    assert names(tmp_path) == [".released-2"]


def test_who_slept_while_judging_leaves_the_present_holder_alone(tmp_path):
    claim_and_end(tmp_path)
    holders = []

    def slow(folder, number):
        take_claim(folder, dead).release()
        holders.append(take_claim(folder, dead))
        return True

    assert take_claim(tmp_path, slow) is None
    assert holders[0].is_held


def test_another_machine_is_judged_by_its_heartbeat_alone(tmp_path):
    write_claim(tmp_path)
    beat = tmp_path / "heartbeat-1.json"
    observer = Observer(standstill_seconds=0.0)

    beat.write_text('{"counter": 1, "progress": ""}')
    observer.is_stale(tmp_path, 1)
    beat.write_text('{"counter": 2, "progress": ""}')
    assert not observer.is_stale(tmp_path, 1)
    assert observer.is_stale(tmp_path, 1)


def test_an_observer_that_slept_itself_has_seen_nothing(tmp_path, monkeypatch):
    write_claim(tmp_path)
    observer, clock = Observer(), iter([0.0, 3600.0, 3601.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert [observer.is_stale(tmp_path, 1) for _ in range(3)] == [False] * 3


def test_a_heart_that_stands_still_for_a_minute_is_dead(tmp_path, monkeypatch):
    write_claim(tmp_path)
    observer, clock = Observer(), iter(range(0, 80, 2))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    looks = [observer.is_stale(tmp_path, 1) for _ in range(40)]
    assert looks == [False] * 31 + [True] * 9


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', "\0" * 50, '{"pid": 1}'])
def test_a_damaged_claim_is_nobodys_until_it_stands_still(tmp_path, content):
    (tmp_path / "claim-1.json").write_text(content)
    observer = Observer(standstill_seconds=0.0)
    assert not observer.is_stale(tmp_path, 1)
    assert observer.is_stale(tmp_path, 1)


def test_a_later_process_of_the_same_number_is_not_taken_for_the_holder(tmp_path):
    write_claim(tmp_path, **{**this_process(), "started": 1.0})
    assert Observer().is_stale(tmp_path, 1)


def test_a_process_that_nobody_has_asked_about_is_over():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    start = os.pread(os.open(f"/proc/{child.pid}/stat", os.O_RDONLY), 4096, 0)
    ticks = float(start.decode().rpartition(")")[2].split()[19])
    holder = {"machine": machine(), "pid": child.pid, "started": ticks}
    assert is_alive(holder)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(holder) is False
    child.wait()
    assert is_alive(holder) is False


def test_containers_of_one_machine_are_machines_of_their_own():
    space = str(Path("/proc/self/ns/pid").readlink())
    elsewhere = machine().replace(space, "pid:[1]")
    assert elsewhere != machine()
    # The number says nothing there: whether it's in use here must not be asked.
    assert is_alive({**this_process(), "machine": elsewhere}) is None
    assert is_alive({"machine": elsewhere, "pid": 2**22 - 1, "started": 0}) is None


def test_a_beat_needs_no_room_and_brings_no_file_back(tmp_path):
    claim = take_claim(tmp_path, living)
    beat = tmp_path / "heartbeat-1.json"
    size, place = beat.stat().st_size, beat.stat().st_ino
    for counter in range(3):
        claim.beat(counter, "ä" * 1000)
    assert (beat.stat().st_size, beat.stat().st_ino) == (size, place)
    assert progress_of(tmp_path).startswith("ää")
    beat.unlink()
    with pytest.raises(FileNotFoundError):
        claim.beat(4, "")


def test_no_claim_is_ever_seen_without_its_holder(tmp_path):
    """Not even by who kills the process as soon as the claim appears."""
    for turn in range(10):
        folder = tmp_path / str(turn)
        process = FORK.Process(target=take_claim, args=(folder, living))
        process.start()
        while not (folder / "claim-1.json").exists():
            assert process.is_alive() or process.exitcode == 0
        process.kill()
        process.join()
        holder = json.loads((folder / "claim-1.json").read_text())
        assert holder["pid"] == process.pid
        assert take_claim(folder, Observer().is_stale).number == 2


def write_and_die(path):
    write_stream_atomically(path, lambda stream: os.kill(os.getpid(), signal.SIGKILL))


def write_slowly(path, begun, go_on):
    def write(stream):
        begun.set()
        go_on.wait()
        stream.write(b"slow")

    write_stream_atomically(path, write)


def test_the_next_writer_of_a_file_removes_what_killed_ones_left(tmp_path):
    path = tmp_path / "board.md"
    for _ in range(2):
        process = FORK.Process(target=write_and_die, args=(path,))
        process.start()
        process.join()
    assert len(names(tmp_path)) == 1
    begun, go_on = FORK.Event(), FORK.Event()
    slow = FORK.Process(target=write_slowly, args=(path, begun, go_on))
    slow.start()
    begun.wait()
    # A writer that lives is left alone, whoever is faster.
    write_atomically(path, "fast")
    assert len(names(tmp_path)) == 2
    assert path.read_text() == "fast"
    go_on.set()
    slow.join()
    assert slow.exitcode == 0
    assert names(tmp_path) == ["board.md"]
    assert path.read_text() == "slow"

import json
import multiprocessing
import os
import subprocess
import sys

from harness.results.claim import (
    Observer,
    highest_claim,
    machine,
    progress_of,
    take_claim,
)


def living(folder, number):
    return False


def test_only_one_can_hold_a_folder(tmp_path):
    first = take_claim(tmp_path, Observer().is_stale)
    assert first is not None
    assert first.is_held
    assert take_claim(tmp_path, Observer().is_stale) is None


def test_a_released_folder_is_free(tmp_path):
    first = take_claim(tmp_path, living)
    first.beat(1, "epoch 3")
    assert progress_of(tmp_path) == "epoch 3"
    first.release()
    assert list(tmp_path.iterdir()) == []
    assert take_claim(tmp_path, living) is not None


def test_the_claim_of_a_dead_process_is_overtaken(tmp_path):
    code = (
        "import sys; from pathlib import Path;"
        "from harness.results.claim import take_claim;"
        "take_claim(Path(sys.argv[1]), lambda f, n: False)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert highest_claim(tmp_path) == 1
    second = take_claim(tmp_path, Observer().is_stale)
    assert second.number == 2
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_another_machine_is_judged_by_its_heartbeat_alone(tmp_path):
    holder = {"machine": "elsewhere", "pid": os.getpid(), "started": 0}
    (tmp_path / "claim-1.json").write_text(json.dumps(holder))
    beat = tmp_path / "heartbeat-1.json"
    observer = Observer(standstill_seconds=0.0)

    beat.write_text('{"counter": 1, "progress": ""}')
    observer.is_stale(tmp_path, 1)
    beat.write_text('{"counter": 2, "progress": ""}')
    assert not observer.is_stale(tmp_path, 1)
    assert observer.is_stale(tmp_path, 1)


def test_a_claim_half_written_is_nobodys_until_it_stands_still(tmp_path):
    (tmp_path / "claim-1.json").write_text("")
    assert not Observer().is_stale(tmp_path, 1)


def test_a_later_process_of_the_same_number_is_not_taken_for_the_holder(tmp_path):
    holder = {"machine": machine(), "pid": os.getpid(), "started": 1.0}
    (tmp_path / "claim-1.json").write_text(json.dumps(holder))
    assert Observer().is_stale(tmp_path, 1)


def _race(folder, barrier, winners):
    barrier.wait()
    if take_claim(folder, Observer().is_stale) is not None:
        winners.put(os.getpid())
        barrier.wait()
    else:
        barrier.wait()


def test_of_two_that_reach_for_it_at_once_one_gets_it(tmp_path):
    context = multiprocessing.get_context("fork")
    for turn in range(20):
        barrier, winners = context.Barrier(2), context.SimpleQueue()
        folder = tmp_path / str(turn)
        both = [
            context.Process(target=_race, args=(folder, barrier, winners))
            for _ in range(2)
        ]
        for process in both:
            process.start()
        for process in both:
            process.join()
        assert not winners.empty()
        winners.get()
        assert winners.empty()

"""Cells with rounds, as a strategy that prunes leaves them."""

import json

from runs_folder import MEASURED, write

LAYERS = ["stem", "blocks.10.conv", "blocks.9.conv", "head"]
BUILT = 1000
ROUNDS = 3


def size(remaining, built=BUILT):
    """Figures of a network with so many weights left, most of them in its head."""
    by_layer = dict.fromkeys(LAYERS, remaining // 10)
    by_layer["head"] = remaining - 3 * (remaining // 10)
    return {
        "parameters": built + 50,
        "prunable": built,
        "remaining": remaining,
        "remaining_by_layer": dict(sorted(by_layer.items())),
        "sparsity": 1 - remaining / built,
        "reduction_factor": BUILT / remaining,
        "stored_bytes": {
            "values": 4 * remaining,
            "index": 2 * remaining,
            "other": 200,
            "total": 6 * remaining + 200,
            "dense_total": 4 * built + 200,
        },
        "dense_macs": 64 * built,
        "sparse_macs": 64 * remaining,
    }


def snapshot(name, macro_f1, figures=None, **axes):
    file = "-".join([name, *(f"{k}={v}" for k, v in sorted(axes.items()))])
    test = {"macro_f1": macro_f1, "accuracy": macro_f1}
    return {
        "name": name,
        "axes": axes,
        "file": f"{file}.safetensors",
        "test": test,
        "size": figures,
    }


def snapshots(quality):
    """Three rounds that halve the network each; a little worse before retraining."""
    found = []
    for number in range(ROUNDS):
        if number:
            figures = size(BUILT >> number)
            found.append(snapshot("pruned", quality - 0.3, figures, round=number))
        found.append(snapshot("ticket", quality, size(BUILT >> number), round=number))
    return found


def epoch(number, **changes):
    return {
        "epoch": number,
        "loops": {},
        "phase": "train",
        "training": {"macro_f1": 0.5 + number / 100, "accuracy": 0.6},
        "validation": {"loss": 1.0, "macro_f1": 0.4 + number / 100},
        "kept_share": 1.0,
        "kept_share_by_class": {"NORM": 1.0, "MI": 1.0},
        "flops": 1_000_000_000_000 * (number + 1),
        **changes,
    }


def history(epochs=4, rounds=1, **changes):
    """Rows of so many epochs a round."""
    places = [(r, e) for r in range(rounds) for e in range(epochs)]
    return [
        epoch(e, **({"loops": {"round": r} if rounds > 1 else {}} | changes))
        for r, e in places
    ]


def write_history(folder, rows):
    lines = [json.dumps(row, sort_keys=True) + "\n" for row in rows]
    write(folder / "history.jsonl", "".join(lines))


def add_pruned(runs, strategy="ticket", seed=0, quality=0.7, **place):
    """A done cell of three rounds, with history and latencies; returns its folder."""
    found = snapshots(quality)
    changes = {
        "snapshots": found,
        "size": {**size(BUILT >> (ROUNDS - 1)), "layers": LAYERS},
        "cost.flops.training": 36_900_000_000_000,
    }
    folder = runs.done(strategy, seed, quality, changes=changes, **place)
    latency = {
        "final": 0.002,
        "snapshots": {one["file"]: 0.002 + seed / 1000 for one in found},
    }
    write(folder / "measured.json", {**MEASURED, "latency_seconds": latency})
    write_history(folder, history(rounds=ROUNDS))
    return folder


def add_plain(runs, strategy="baseline", seed=0, quality=0.72, rows=None, **place):
    """A done cell with a history."""
    folder = runs.done(strategy, seed, quality, **place)
    write_history(folder, history() if rows is None else rows)
    return folder


def add_dropping(runs, strategy="dbpd", seed=0, quality=0.71):
    """A done cell that keeps less and less, revised at the end."""
    around = [snapshot("before-revision", quality - 0.1, size(BUILT))]
    around += [snapshot("after-revision", quality, size(BUILT))]
    folder = runs.done(strategy, seed, quality, changes={"snapshots": around})
    rows = [
        epoch(i, kept_share=s, kept_share_by_class={"NORM": s / 2, "MI": s})
        for i, s in enumerate([1.0, 0.6, 0.4 + seed / 10, 1.0])
    ]
    write_history(folder, rows)
    return folder

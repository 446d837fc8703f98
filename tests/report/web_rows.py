"""Cells of a suite whose web page has something of everything."""

from pruning_rows import history, write_history
from runs_folder import write

CLASSES = ["NORM", "MI", "STTC", "CD", "HYP"]
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}</script><!-- [x](javascript:alert(2))"


def by_class(right):
    """Scores by class of a cell that has so many of ten records of a class right."""
    f1 = dict.fromkeys(CLASSES, right / 10)
    counts = [[right if i == j else 0 for j in range(5)] for i in range(5)]
    for i in range(5):
        counts[i][(i + 1) % 5] = 10 - right
    return {
        "metrics.test.f1": f1,
        "metrics.test.precision": f1,
        "metrics.test.recall": f1,
        "metrics.test.support": dict.fromkeys(CLASSES, 10),
        "metrics.test.confusion": counts,
    }


def flops(total):
    return {"cost.flops.training": total}


def cell_file(confidence):
    return {
        "dataset": {"name": "ptbxl", "params": {}, "options": {"leads": None}},
        "model": {"name": "resnet1d", "params": {"width": 16}},
        "strategies": [{"name": "dbpd", "params": {"confidence": confidence}}],
        "budget": {"epochs": 20, "optimizer": {"use": "adamw", "lr": 0.005}},
    }


def fill(runs):
    """Rows that are done, cheaper, dearer, partly done, failed, blocked, planned."""
    for seed in range(3):
        folder = runs.done(
            "baseline", seed, 0.7 + seed / 100, changes=by_class(7) | flops(100)
        )
        write_history(folder, history(6, loss=0.5))
        folder = runs.done(
            "dbpd", seed, 0.68 + seed / 100, changes=by_class(6) | flops(40)
        )
        write_history(folder, history(6, loss=0.4))
        write(folder / "cell.json", cell_file(0.3))
        runs.done("dear", seed, 0.5, changes=flops(900))
        runs.done("majority", seed, 0.2, model=None, changes=flops(0))
    runs.done("uncounted", 0, 0.66, changes={"cost.flops": None})
    runs.done("half", 0, 0.6, changes=flops(50))
    runs.cell("half", 1)
    runs.failed("broken", 0, message="it broke <b>badly</b>")
    runs.failed("stuck", 0, kind="blocked", message="its teacher failed")
    _, folder = runs.cell("busy", 0)
    write(folder / "claim-1.json", {})
    return runs

"""A suite with a cell in every state there is."""

from runs_folder import write

INSTALLED = {"dataset ptbxl": "11", "strategy dbpd": "22", "strategy teacher": "33"}
STATES = {"done": 4, "stale": 2, "running": 1, "planned": 1, "blocked": 1, "failed": 1}


def made_by(**strategies):
    """The provenance of a result, by plugins of these sources."""
    hashes = {f"strategy {name}": digest for name, digest in strategies.items()}
    return {"provenance.plugins": {"dataset ptbxl": "11", **hashes}}


def fill(runs):
    """Rows whose figures are whole, stale or missing; `INSTALLED` is what is there."""
    for seed in range(3):
        # What isn't installed can't be judged.
        runs.done("baseline", seed, 0.7, changes=made_by(baseline="99"))
    for seed, source in enumerate(("22", "00")):
        runs.done("dbpd", seed, 0.68, changes=made_by(dbpd=source))
    runs.done("pupil", 0, 0.66, changes=made_by(pupil="44", teacher="00"))
    runs.failed("broken", 0, message="it broke")
    runs.failed("stuck", 0, kind="blocked", message="its teacher failed")
    runs.cell("waiting", 0)
    _, folder = runs.cell("busy", 0)
    write(folder / "claim-1.json", {})
    return runs.suite()

"""`python filling.py FOLDER COMMAND...`: runs a command on a disk that gets full.

The disk is mounted on FOLDER/runs for this process and its children alone. It is filled
up as soon as a checkpoint is there, and the command runs to its end; then there is room
again, and the command runs once more. What it left is copied to FOLDER/after-1 and
FOLDER/after-2; its exit codes and outputs are printed as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SIZE = 300 * 2**20
TIMEOUT_SECONDS = 120


def fill(runs: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = runs / "ballast"
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    for size in (2**20, 2**12):
        try:
            while True:
                os.posix_fallocate(handle, os.fstat(handle).st_size, size)
        except OSError:
            continue
    os.close(handle)
    return ballast


def main(folder: Path, command: list[str]) -> None:
    runs = folder / "runs"
    runs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(runs)]
    subprocess.run(mount, check=True)
    told = []
    for turn in (1, 2):
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ballast = None
        if turn == 1:
            end = time.monotonic() + TIMEOUT_SECONDS
            while not list(runs.rglob("checkpoint.pt")) and time.monotonic() < end:
                time.sleep(0.005)
            ballast = fill(runs)
        output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        told.append([process.returncode, output])
        if ballast is not None:
            ballast.unlink()
        shutil.copytree(runs, folder / f"after-{turn}")
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

"""The environment variables of a worker: its devices and threads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def worker_environment(gpus: Sequence[str], threads: int) -> dict[str, str]:
    """What is to be set over the variables that are there.

    Parameters
    ----------
    gpus
        Indices of the GPUs that the worker is pinned to; none: it runs on the CPU.
    """
    places = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    if not gpus:
        places["ACCELERATE_USE_CPU"] = "true"
    return {
        **places,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # NumPy's own threads are set when it's imported, which a fork comes after.
        "OPENBLAS_NUM_THREADS": "1",
        # Without it some CUDA products give other bits each time.
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }


_OTHERS = re.compile(
    "ACCELERATE_.*|RANK|WORLD_SIZE|LOCAL_RANK|LOCAL_WORLD_SIZE|MASTER_.*|TORCHELASTIC_.*"
)
"""What tells torch and accelerate how to run; a caller's must not change a cell."""


def server_environment(present: Mapping[str, str]) -> dict[str, str]:
    """All variables of the process that workers are forked from: one thread, no CUDA.

    Parameters
    ----------
    present
        The variables of who starts it.
    """
    kept = {k: v for k, v in present.items() if not _OTHERS.fullmatch(k)}
    return {
        **kept,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Else the mere question for a GPU makes a context, which no fork survives.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }

"""The environment variables of a worker: its devices and threads."""

from __future__ import annotations

from collections.abc import Sequence


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


def server_environment() -> dict[str, str]:
    """The same for the process that workers are forked from: one thread, no CUDA."""
    return {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Else the mere question for a GPU makes a context, which no fork survives.
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }

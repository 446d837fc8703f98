"""What a run is computed on, in words."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import psutil


def describe_hardware() -> str:
    """Processor, cores, memory and GPUs, in one line."""
    memory = psutil.virtual_memory().total / 2**30
    cores = os.cpu_count() or 1
    parts = [f"{_processor()}, {cores} cores, {memory:.0f} GiB"]
    return "; ".join([*parts, *gpu_names()])


def usable_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may be set to, to pin a process to one of the GPUs."""
    names = gpu_names()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(i) for i in range(len(names))]
    return [gpu.strip() for gpu in visible.split(",")][: len(names)]


def gpu_names() -> list[str]:
    """The NVIDIA GPUs that this process may use, without importing torch."""
    if (
        shutil.which("nvidia-smi") is None
        or os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    ):
        return []
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.strip().splitlines() if done.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return names if visible is None else names[: len(visible.split(","))]

"""What the machine itself counts: energy of a GPU by NVML, memory of this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class EnergyMeter:
    """Joules that GPUs draw between `start` and `stop`.

    The counter is the whole device's, other processes included. Without CUDA, the
    package `nvidia-ml-py` or a GPU that has the counter, nothing is measured, and
    nothing is estimated.
    """

    def __init__(self, devices: Sequence[torch.device]) -> None:
        on_gpus = bool(devices) and all(d.type == "cuda" for d in devices)
        self._nvml = _nvml() if on_gpus else None
        self._handles = [self._find(d) for d in devices] if self._nvml else []
        self._started: float | None = None

    def start(self) -> None:
        """Begin, or begin again."""
        self._started = self._joules()

    def stop(self) -> float | None:
        """Joules since `start`; None: not measured."""
        now = self._joules()
        if now is None or self._started is None:
            return None
        return now - self._started

    def _find(self, device: torch.device) -> Any:
        assert self._nvml is not None
        # By UUID: CUDA_VISIBLE_DEVICES renumbers torch's devices, not NVML's.
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        try:
            return self._nvml.nvmlDeviceGetHandleByUUID(uuid)
        except self._nvml.NVMLError:
            return None

    def _joules(self) -> float | None:
        if self._nvml is None or None in self._handles:
            return None
        try:
            millijoules = [
                self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
                for handle in self._handles
            ]
        except self._nvml.NVMLError:
            return None
        return float(sum(millijoules)) / 1000


def _nvml() -> ModuleType | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    nvml: ModuleType = pynvml
    return nvml


def peak_rss_bytes() -> int | None:
    """Largest resident set of this process so far, in bytes; None where unknown.

    For information only: allocators keep freed memory, so it can't tell a method
    that needs little from one that needs much.
    """
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

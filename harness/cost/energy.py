"""Energy of a GPU, from NVML's own counter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from types import ModuleType


class EnergyMeter:
    """Joules that a GPU draws between `start` and `stop`.

    The counter is the whole device's, other processes included. Without CUDA, the
    package `nvidia-ml-py` or a GPU that has the counter, nothing is measured, and
    nothing is estimated.
    """

    def __init__(self, device: torch.device) -> None:
        self._nvml = _nvml() if device.type == "cuda" else None
        self._handle = self._find(device) if self._nvml else None
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
        if self._nvml is None or self._handle is None:
            return None
        try:
            millijoules = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except self._nvml.NVMLError:
            return None
        return float(millijoules) / 1000


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

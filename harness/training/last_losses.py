"""The loss of each training record when it was last trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.training.processes import Processes


class LastLosses:
    """What the training passes themselves told of each record: no pass is made for it.

    Parameters
    ----------
    records
        Size of the training split.

    Attributes
    ----------
    values
        float32, shape (records,), extra losses included, before sample weights; NaN
        until a record is trained on. During an epoch each process of a cell knows
        its own, after it all know the same.
    """

    def __init__(self, records: int, device: torch.device) -> None:
        self.values = torch.full((records,), torch.nan, device=device)
        self._is_new = torch.zeros(records, dtype=torch.bool, device=device)

    def note(self, index: Tensor, losses: Tensor) -> None:
        """The losses of some records, by position in the split; both shape (n,)."""
        self.values[index] = losses.float()
        self._is_new[index] = True

    def share(self, processes: Processes) -> None:
        """Tell the others at the end of an epoch, and learn theirs."""
        if processes.count > 1:
            mine = self._is_new.nonzero().squeeze(1)
            told = processes.gather((mine.cpu(), self.values[mine].cpu()))
            for index, losses in told:
                at = index.to(self.values.device)
                self.values[at] = losses.to(self.values.device)
        self._is_new.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Tensors."""
        return {"values": self.values, "is_new": self._is_new}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        self.values.copy_(state["values"])
        self._is_new.copy_(state["is_new"])

"""Which training records each epoch trained on, and the last loss of each."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.files.atomic import read_limited
from harness.results.state import KEPT
from harness.training.distributed import Processes

LARGEST_KEPT = 1 << 30
"""Bytes of its arrays: ten times a hundred epochs of a million records."""

Mask = NDArray[np.bool_]


class KeptRecords:
    """Of each finished epoch of a run, the training records that it trained on.

    A record counts as kept once it is chosen, whether it is trained on at once or
    packed into a later batch. Epochs that kept everything take no room.

    Parameters
    ----------
    records
        Size of the training split.
    """

    def __init__(self, records: int) -> None:
        self._records = records
        self._rows: list[dict[str, Any]] = []

    @property
    def last(self) -> Mask | None:
        """What the last finished epoch kept, of all processes of the cell: shape
        (records,), by position in `run.train`. None before the first has ended.
        """
        return self._mask(self._rows[-1]) if self._rows else None

    @property
    def all_kept(self) -> bool:
        """Whether no epoch dropped any record."""
        return all(row["bits"] is None for row in self._rows)

    def append(self, epoch: int, loops: Mapping[str, int], kept: Mask) -> None:
        """Close an epoch.

        Parameters
        ----------
        epoch, loops
            As in its row of the history.
        kept
            Shape (records,).
        """
        bits = None if kept.all() else torch.from_numpy(np.packbits(kept))
        self._rows.append({"epoch": epoch, "loops": dict(loops), "bits": bits})

    def to_npz(self, ids: NDArray[np.str_]) -> bytes:
        """The content of `kept.npz`.

        Its arrays: `records` (str, shape (records,)), `kept` (bool, shape (epochs,
        records)), and of each row `epoch` (int64) and `loops` (str: JSON).

        Parameters
        ----------
        ids
            Of the training records, shape (records,).
        """
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            allow_pickle=False,
            records=np.asarray(ids, dtype=np.str_),
            kept=np.array([self._mask(row) for row in self._rows], dtype=bool),
            epoch=np.array([row["epoch"] for row in self._rows], dtype=np.int64),
            loops=np.array(
                [json.dumps(row["loops"], sort_keys=True) for row in self._rows],
                dtype=np.str_,
            ),
        )
        return stream.getvalue()

    def _mask(self, row: Mapping[str, Any]) -> Mask:
        bits: Tensor | None = row["bits"]
        if bits is None:
            return np.ones(self._records, dtype=bool)
        return np.unpackbits(bits.numpy(), count=self._records).astype(bool)

    def state_dict(self) -> dict[str, Any]:
        """Plain data and tensors."""
        return {"rows": list(self._rows)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As `state_dict` gave it."""
        self._rows = [dict(row) for row in state["rows"]]


def read_kept(path: Path) -> Mask:
    """The array `kept` of a `kept.npz`, shape (epochs, records).

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is no such file, or larger than any could be.
    """
    content = read_limited(path, LARGEST_KEPT)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            # A few bytes can unfold into more than there is memory.
            if sum(part.file_size for part in archive.infolist()) > LARGEST_KEPT:
                raise ValueError(f"{KEPT} unfolds into too much")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            kept = arrays["kept"]
    except (BadZipFile, KeyError, EOFError, NotImplementedError) as error:
        raise ValueError(f"{KEPT} can't be read: {error}") from None
    if kept.dtype != np.bool_ or kept.ndim != 2:
        raise ValueError(f"{KEPT} holds no mask of records")
    return np.asarray(kept, dtype=np.bool_)


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

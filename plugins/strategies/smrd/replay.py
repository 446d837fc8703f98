"""Another cell's epochs, to be repeated: which is which, and what each has kept."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness import CellError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from harness import Run

COUNTS = "counts"
"""The role of the cell whose counts are repeated."""
Row = dict[str, Any]


class Replay:
    """The epochs of the cell that `run` requires under `COUNTS`.

    Epochs are matched by their outer loops and number, so that they are found inside
    the rounds of another strategy, too.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._other = run.required(COUNTS)
        self._under_way: tuple[tuple[str, int], np.ndarray | None] | None = None

    def __str__(self) -> str:
        return f"the cell whose counts are repeated ({self._other.id})"

    @property
    def samples(self) -> int:
        """Kept in all epochs together."""
        return sum(row["kept"] for row in self._other.history)

    def phase(self, epoch: int) -> str:
        """Of an epoch of the fit under way.

        Raises
        ------
        CellError
            If the other cell had no such epoch.
        """
        row = self.row(epoch)
        if row is None:
            raise CellError(
                f"smrd: {self} has no epoch {epoch} in {self._loops or 'its fit'}: its "
                "epochs aren't those of this cell"
            )
        return str(row["phase"])

    def row(self, epoch: int) -> Row | None:
        """The other cell's epoch at this place; None where it had none."""
        number = self._number(epoch)
        return None if number is None else self._other.history[number]

    def kept(self) -> np.ndarray | None:
        """What the other cell kept of the epoch under way: bool, shape (records,).

        None where that can't be repeated batch by batch: it didn't see every record
        once.
        """
        # Each batch asks, and to look it up takes as long as the history has become.
        key = _place(self._loops, self._run.epoch), len(self._run.history.rows)
        if self._under_way is None or self._under_way[0] != key:
            self._under_way = key, self._read_kept()
        return self._under_way[1]

    def count(self, number: Any, records: np.ndarray) -> int:
        """A count of the other cell's, as far as it can be drawn from these records.

        Raises
        ------
        CellError
            If it can't: labels were mixed, or it has other records.
        """
        if type(number) is not int or not 0 <= number <= len(records):
            raise CellError(
                f"smrd: {self} kept {number} of {len(records)} records; a whole number "
                "of these can be drawn alone"
            )
        return number

    def _read_kept(self) -> np.ndarray | None:
        import numpy as np

        number, records = self._number(self._run.epoch), len(self._run.train)
        if number is None or self._other.history[number]["seen"] != records:
            return None
        of_epochs = self._other.kept
        if of_epochs is None:
            return np.ones(records, dtype=bool)
        kept: np.ndarray = of_epochs[number]
        # As many, but not one by one, where records were drawn with replacement.
        counted = self._other.history[number]["kept"]
        return kept if len(kept) == records and int(kept.sum()) == counted else None

    def _number(self, epoch: int) -> int | None:
        """Of the row in the other cell's history."""
        place = _place(self._loops, epoch)
        # Where fits follow one another within a loop, the same place comes again.
        before = sum(_place_of(row) == place for row in self._run.history.rows)
        numbers = self._numbers.get(place, [])
        return numbers[before] if before < len(numbers) else None

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        """The numbers of the other cell's epochs, by place."""
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(self._other.history):
            if not {"loops", "epoch", "phase", "seen", "kept"} <= row.keys():
                raise CellError(f"smrd: {self} has a history without counts")
            numbers[_place_of(row)].append(number)
        return numbers

    @property
    def _loops(self) -> dict[str, int]:
        """The loops round the epoch under way, as its row of the history has them."""
        indices = self._run.loops.indices
        return {k: v for k, v in indices.items() if k not in ("epoch", "batch")}


def _place(loops: Mapping[str, int], epoch: int) -> str:
    return f"{sorted(loops.items())} {epoch}"


def _place_of(row: Row) -> str:
    return _place(row["loops"], row["epoch"])

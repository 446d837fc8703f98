"""Synthetic 12-lead ECGs of a moving heart dipole: the data set that needs no data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import Dataset, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd


class Synthetic(Dataset):
    """Generated 12-lead ECGs with five superclasses, AF, noise and a difficulty knob.

    A heart dipole, a sum of Gaussian waves in three dimensions (Sameni et al. 2007,
    after McSharry et al. 2003, doi 10.1109/TBME.2003.808805), is projected on the
    leads by the Dower matrix; noise is added to the eight independent leads, and the
    others follow from I and II. Findings change the waves as they do in people:

    - MI: Q waves and ST elevation over an anterior, inferior or lateral territory
    - STTC: ST depression and flat or inverted T waves
    - CD: wide QRS, as in left or right bundle branch block
    - HYP: high voltage to the left and backwards, with strain
    - AF: no P waves, irregular RR intervals, fibrillation waves

    A patient has one to four records, which share anatomy and findings; heart rate and
    AF vary between them. In the single-label task each patient has one superclass, and
    AF, which is no class there, comes with any of them in 8 % of the records. In the
    multi-label task findings are independent, NORM is the absence of MI, STTC, CD and
    HYP, and AF is a class.

    Everything is a pure function of the parameters and the record's number; records
    are written as WFDB files and read like real ones. Scores on them say nothing about
    patients.
    """

    name = "synthetic"
    reference = "Sameni et al. 2007, doi 10.1155/2007/43407"
    license = "Apache-2.0"
    synthetic = True

    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

    class Params(Dataset.Params):
        """The population and how hard it is."""

        records: int = Field(1500, ge=1, le=100_000)
        task: Literal["single-label", "multi-label"] = Field(
            "single-label", description="one superclass, or all findings and AF"
        )
        difficulty: float = Field(
            0.5, ge=0, le=1, description="shrinks findings, enlarges noise"
        )
        label_noise: float = Field(
            0.0,
            ge=0,
            lt=1,
            description="share of patients whose superclass is replaced by another, in "
            "every split alike (the test labels too)",
        )
        recorded_rate: float = Field(
            100.0, ge=50, le=1000, description="sampling rate of the files, Hz"
        )
        duration: float = Field(10.0, ge=1, le=120, description="length of a record, s")
        seed: int = Field(0, ge=0, description="of the whole population")

    @property
    def task(self) -> Literal["single-label", "multi-label"]:
        """As the parameter says."""
        return self.params.task

    @property
    def classes(self) -> Sequence[str]:
        """The superclasses of PTB-XL, and AF in the multi-label task."""
        superclasses = ("NORM", "MI", "STTC", "CD", "HYP")
        return superclasses if self.task == "single-label" else (*superclasses, "AF")

    @property
    def sampling_rate(self) -> float:
        """As the parameter says, in Hz."""
        return self.params.recorded_rate

    @property
    def seconds(self) -> float:
        """As the parameter says, in s."""
        return self.params.duration

    @property
    def label_rule(self) -> str:
        """What the labels are."""
        noise = self.params.label_noise
        noisy = f", wrong for {noise:.0%} of the patients" if noise else ""
        return f"findings that were generated{noisy}"

    def records(self) -> pd.DataFrame:
        """The population, without writing any record."""
        from .population import index

        return index(self.params, self._folder())

    def generate(self, record: pd.Series) -> None:
        """Draw one record and write its .dat and .hea."""
        from .population import Patient, has_af
        from .recording import draw, write

        patient = Patient.draw(self.params, int(record["patient"]))
        number = int(record.name)
        af = has_af(self.params, number)
        signal = draw(self.params, patient, number, af)
        write(self.root / record["files"][0], signal, self.leads, self.sampling_rate)

    def read(self, record: pd.Series) -> np.ndarray:
        """All 12 leads, shape (12, samples), in mV."""
        from harness import read_wfdb

        path = self.root / Path(record["files"][0]).with_suffix("")
        return read_wfdb(path, self.leads, self.sampling_rate)

    def _folder(self) -> str:
        """A name of all that a record's content depends on."""
        p = self.params
        return (
            f"v{self.version}-{p.task}-seed{p.seed}-difficulty{p.difficulty:g}"
            f"-{p.recorded_rate:g}hz-{p.duration:g}s"
        )

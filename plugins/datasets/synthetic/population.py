"""Patients, their findings and their records."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness import generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Synthetic

FINDINGS = ("MI", "STTC", "CD", "HYP")
SHARES = {"NORM": 0.34, "MI": 0.18, "STTC": 0.18, "CD": 0.16, "HYP": 0.14}
"""Of patients, in the single-label task: PTB-XL's order, less extreme."""
INDEPENDENT = {"MI": 0.2, "STTC": 0.22, "CD": 0.18, "HYP": 0.16}
"""Of patients, in the multi-label task; some 42 % are left with none."""
AF_SHARE = {"single-label": 0.08, "multi-label": 0.15}
"""Of records."""
RECORDS_OF_A_PATIENT = (0.6, 0.25, 0.1, 0.05)
MEAN_AGE = {"NORM": 52.0, "MI": 66.0, "STTC": 63.0, "CD": 68.0, "HYP": 66.0}


@dataclass(frozen=True)
class Patient:
    """What a patient's records share.

    Attributes
    ----------
    findings
        Of MI, STTC, CD and HYP: what the heart has.
    superclasses
        What the labels say, NORM if nothing; another thing where label noise struck.
    """

    number: int
    records: int
    findings: tuple[str, ...]
    superclasses: tuple[str, ...]
    age: float
    sex: float

    @classmethod
    def draw(cls, params: Synthetic.Params, number: int) -> Patient:
        """The patient of this number."""
        rng = generator(params.seed, "patient", number)
        records = 1 + int(rng.choice(4, p=RECORDS_OF_A_PATIENT))
        findings = _findings(params, rng)
        true = findings or ("NORM",)
        age = float(np.clip(rng.normal(MEAN_AGE[true[0]], 13), 18, 95).round())
        sex = float(rng.random() < 0.48)
        labels = _noisy(params, true, number)
        return cls(number, records, findings, labels, age, sex)


def index(params: Synthetic.Params, folder: str) -> pd.DataFrame:
    """The record index, with files below `folder`; see `Dataset.records`."""
    drawn = list(islice(_patient_of_each_record(params), params.records))
    ids = [f"{number:05d}" for number in range(len(drawn))]
    paths = [f"{folder}/{i[:-3]}/{i}" for i in ids]
    columns = {
        "patient": [f"{p.number:05d}" for p in drawn],
        "labels": [_labels(params, p, n) for n, p in enumerate(drawn)],
        "files": [(f"{path}.dat", f"{path}.hea") for path in paths],
        "age": [p.age for p in drawn],
        "sex": [p.sex for p in drawn],
    }
    return pd.DataFrame(columns, index=pd.Index(ids, name="record", dtype=str))


def has_af(params: Synthetic.Params, record: int) -> bool:
    """Whether the atria fibrillate in the record of this number."""
    return bool(
        generator(params.seed, "rhythm", record).random() < AF_SHARE[params.task]
    )


def _patient_of_each_record(params: Synthetic.Params) -> Iterator[Patient]:
    for number in count():
        patient = Patient.draw(params, number)
        for _ in range(patient.records):
            yield patient


def _labels(params: Synthetic.Params, patient: Patient, record: int) -> tuple[str, ...]:
    with_af = params.task == "multi-label" and has_af(params, record)
    return (*patient.superclasses, "AF") if with_af else patient.superclasses


def _findings(params: Synthetic.Params, rng: np.random.Generator) -> tuple[str, ...]:
    if params.task == "multi-label":
        return tuple(f for f in FINDINGS if rng.random() < INDEPENDENT[f])
    superclass = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return () if superclass == "NORM" else (superclass,)


def _noisy(
    params: Synthetic.Params, true: tuple[str, ...], patient: int
) -> tuple[str, ...]:
    """The true superclasses, or another one for a share of the patients."""
    rng = generator(params.seed, "label noise", patient)
    if rng.random() >= params.label_noise:
        return true
    return (str(rng.choice([name for name in SHARES if (name,) != true])),)

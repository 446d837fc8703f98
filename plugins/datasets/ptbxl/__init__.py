"""PTB-XL: 12-lead ECGs of 10 s with up to 71 statements each."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from harness import Dataset, Field

from .labels import PRIORITY, SUPERCLASSES, Labelled, Rule, Statements, single_label
from .table import Row, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
LabelSet = Literal["superclass", "multi-superclass", "subclass", "diagnostic", "all"]


class PTBXL(Dataset):
    """NORM, MI, STTC, CD or HYP from 12-lead ECGs of 10 s (PTB-XL 1.0.x).

    The folder holds `ptbxl_database.csv`, `scp_statements.csv`, `records100/` and
    `records500/` as published; versions 1.0.1 to 1.0.3 are read alike. Folds are the
    official ones: 1-8 train, 9 validation, 10 test. Records without a label of the
    chosen set are left out and counted; they are never taken for NORM.

    Classes of the multi-label sets are all that `scp_statements.csv` lists, in its
    order: 23 subclasses, 44 diagnostic statements or all 71 statements. A statement
    counts whatever its likelihood, 0 (unknown) included.

    Side features are age and sex. The infarction stadium is never read: it would give
    the label away.
    """

    name = "ptbxl"
    reference = "Wagner et al. 2020, doi 10.1038/s41597-020-0495-6"
    citation = (
        "Wagner P, Strodthoff N, Bousseljot RD, Samek W, Schaeffter T. PTB-XL, a large "
        "publicly available electrocardiography dataset. Scientific Data 2020;7:154. "
        "doi 10.1038/s41597-020-0495-6. Data: doi 10.13026/x4td-x982"
    )
    license = "CC BY 4.0"
    source = "https://physionet.org/content/ptb-xl/"
    folder = "ptbxl"
    index_files = (DATABASE, STATEMENTS)

    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    seconds = 10.0
    official_folds = {  # noqa: RUF012 (as Dataset has it)
        "train": tuple(range(1, 9)),
        "validation": (9,),
        "test": (10,),
    }

    class Params(Dataset.Params):
        """Which files are read, and what their labels are."""

        records: Literal[100, 500] = Field(
            100, description="sampling rate of the files that are read, Hz"
        )
        labels: LabelSet = Field(
            "superclass", description="superclass is single-label, the rest multi-label"
        )
        rule: Rule = Field(
            "priority",
            description="which superclass a record of several gets: the first of "
            + " > ".join(PRIORITY)
            + "; that of its likeliest statement; or none (it is left out)",
        )

        @model_validator(mode="after")
        def _rule_has_a_use(self) -> PTBXL.Params:
            if self.labels != "superclass" and self.rule != "priority":
                raise ValueError(
                    f'rule = "{self.rule}" picks one of several superclasses: it needs '
                    f'labels = "superclass", not "{self.labels}"'
                )
            return self

    @property
    def sampling_rate(self) -> float:
        """Sampling rate of the files that are read, in Hz."""
        return float(self.params.records)

    @property
    def task(self) -> Literal["single-label", "multi-label"]:
        """Single-label for the superclasses under a rule, multi-label otherwise."""
        return "single-label" if self.params.labels == "superclass" else "multi-label"

    @property
    def classes(self) -> Sequence[str]:
        """The chosen label set; all but the superclasses in the file's order."""
        if self.params.labels in ("superclass", "multi-superclass"):
            return SUPERCLASSES
        return self._statements.classes(self.params.labels)

    @property
    def label_rule(self) -> str:
        """How statements become labels, in one sentence."""
        if self.task == "multi-label":
            kind = self.params.labels.removeprefix("multi-")
            return f"{kind} statements of any likelihood; records with none left out"
        return f"superclass by {self.params.rule}; records without one left out"

    def records(self) -> pd.DataFrame:
        """One row a record of `ptbxl_database.csv`, in its order."""
        import pandas as pd

        rows = read_rows(self.root / DATABASE, required=COLUMNS, key="ecg_id")
        records = [self._record(row) for row in rows]
        ids = pd.Index([row["ecg_id"] for row in rows], name="record", dtype=str)
        return pd.DataFrame(records, index=ids)

    def read(self, record: pd.Series) -> np.ndarray:
        """All 12 leads, shape (12, samples), in mV."""
        from harness import read_wfdb

        path = self.root / Path(record["files"][0]).with_suffix("")
        return read_wfdb(path, self.leads, self.sampling_rate)

    @cached_property
    def _statements(self) -> Statements:
        return Statements.read(self.root / STATEMENTS)

    def _record(self, row: Row) -> dict[str, object]:
        found = self._labels(row)
        signal = self._signal(row)
        excluded = found.excluded
        # Copies without the large half of the set are common.
        if self.params.records == 500 and not (self.root / f"{signal}.dat").is_file():
            excluded = excluded or "no 500 Hz file"
        return {
            "patient": str(row.integer("patient_id")),
            "labels": found.labels,
            "files": (f"{signal}.dat", f"{signal}.hea"),
            "fold": row.integer("strat_fold"),
            "excluded": excluded,
            "age": age(row),
            "sex": sex(row),
        }

    def _signal(self, row: Row) -> str:
        """The path of a record's signal; one that is another record's is refused."""
        column, end = (
            ("filename_lr", "lr")
            if self.params.records == 100
            else ("filename_hr", "hr")
        )
        expected = f"{row.integer('ecg_id'):05d}_{end}"
        if row[column].rpartition("/")[2] != expected:
            raise row.error(column, f"a path that ends in {expected}")
        return row[column]

    def _labels(self, row: Row) -> Labelled:
        likelihoods = row.likelihoods("scp_codes")
        unknown = [code for code in likelihoods if code not in self._statements.codes]
        if unknown:
            raise row.error("scp_codes", f"statements that {STATEMENTS} lists")
        if self.params.labels == "superclass":
            return single_label(likelihoods, self._statements, self.params.rule)
        return self._statements.multi_label(likelihoods, self.params.labels)


COLUMNS = (
    "ecg_id",
    "patient_id",
    "age",
    "sex",
    "scp_codes",
    "strat_fold",
    "filename_lr",
    "filename_hr",
)


def age(row: Row) -> float:
    """Years: versions after 1.0.1 write 300 for all ages above 89, here 90."""
    published = row.number("age")
    if published < 0 or published > 300:
        raise row.error("age", "0 to 300 years")
    return 90.0 if published == 300 else published


def sex(row: Row) -> float:
    """0 male, 1 female, NaN where unknown."""
    published = row.number("sex")
    if published not in (0, 1) and not math.isnan(published):
        raise row.error("sex", "0 or 1")
    return published

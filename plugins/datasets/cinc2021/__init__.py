"""PhysioNet/CinC Challenge 2021: 12-lead ECGs of several hospitals, SNOMED codes."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from harness import DataError, Dataset, Field

from .headers import read_comments
from .labels import Choice, LabelSet, label_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

Subset = Literal["chapman-shaoxing", "ningbo", "g12ec", "ptb-xl", "cpsc"]
FOLDERS: dict[Subset, tuple[str, str]] = {
    "chapman-shaoxing": ("training/chapman_shaoxing", "WFDB_ChapmanShaoxing"),
    "ningbo": ("training/ningbo", "WFDB_Ningbo"),
    "g12ec": ("training/georgia", "WFDB_Ga"),
    "ptb-xl": ("training/ptb-xl", "WFDB_PTBXL"),
    "cpsc": ("training/cpsc_2018", "WFDB_CPSC2018"),
}
"""Where a subset lies in version 1.0.3, and where it lay as first distributed."""
MOST_GROUPS = 40
"""Version 1.0.3 has groups of about 1000 records: g1 to g35 in the largest subset."""

NO_DIAGNOSIS = "no diagnosis in the header"
NO_CLASS = "no diagnosis of the label set"


class CinC2021(Dataset):
    """Diagnoses from 12-lead ECGs of five sets at 500 Hz (CinC Challenge 2021).

    The folder holds `training/chapman_shaoxing/`, `ningbo/`, `georgia/`, `ptb-xl/` and
    `cpsc_2018/` with their groups `g1`, `g2`, ... as in version 1.0.3; or
    `WFDB_ChapmanShaoxing/`, `WFDB_Ningbo/`, `WFDB_Ga/`, `WFDB_PTBXL/` and
    `WFDB_CPSC2018/`, as first distributed. Headers of both styles are read. Only what
    a suite uses need be there. The Challenge's further sets (PTB, St. Petersburg,
    CPSC-Extra) are not read.

    The scored diagnoses are 30, or 26 with the equivalent ones merged. A subset's own
    label set are the scored diagnoses of more than 200 of its records, counted over
    the whole set (16 for Chapman-Shaoxing, 23 Ningbo, 18 G12EC, 19 PTB-XL), and the
    nine that CPSC 2018 was made with. The tiers gather signs of coronary disease:
    ischaemia, infarction and ST shifts; abnormal QRS, unspecific ST-T changes and
    coronary heart disease; T waves and poor R progression.

    A diagnosis of a header that no class stands for is ignored. A record whose header
    names none at all is left out and counted; it is never taken for healthy.

    The Challenge publishes no patients: each record counts as a patient of its own.
    PTB-XL has several records of some patients, which splits can't hold together here;
    the data set `ptbxl` does.
    """

    name = "cinc2021"
    reference = "Reyna et al. 2021, doi 10.23919/CinC53138.2021.9662687"
    citation = (
        "Reyna MA, et al. Will Two Do? Varying Dimensions in Electrocardiography: the "
        "PhysioNet/Computing in Cardiology Challenge 2021. Computing in Cardiology "
        "2021;48. doi 10.23919/CinC53138.2021.9662687. Data: doi 10.13026/34va-7q14"
    )
    license = "CC BY 4.0"
    source = "https://physionet.org/content/challenge-2021/1.0.3/"
    folder = "cinc2021"
    # A folder's time changes when a file comes or goes.
    index_files = tuple(
        path
        for present, former in FOLDERS.values()
        for path in (
            present,
            *(f"{present}/g{n}" for n in range(1, MOST_GROUPS + 1)),
            former,
        )
    )

    task = "multi-label"
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    sampling_rate = 500.0

    class Params(Dataset.Params):
        """Which records are read, and what their labels are."""

        subset: Literal[Subset, "all"] = Field(
            "all", description="the set that records are from; all: of all five"
        )
        labels: Choice = Field(
            "challenge",
            description="the Challenge's scored diagnoses, those of the subset, or "
            "three tiers of signs of coronary disease",
        )
        merge_equivalent: bool = Field(
            True,
            description="CLBBB and LBBB, CRBBB and RBBB, PAC and SVPB, PVC and VPB are "
            "one class each, as the Challenge scores them; tiers hold none of them",
        )
        unlabelled: Literal["keep", "exclude"] = Field(
            "keep",
            description="records with other diagnoses only: negative in all classes, "
            "or left out",
        )

        @model_validator(mode="after")
        def _subset_has_labels(self) -> CinC2021.Params:
            if self.labels == "subset" and self.subset == "all":
                raise ValueError(
                    'labels = "subset" needs one subset, such as subset = "g12ec", '
                    'not "all"'
                )
            return self

    @property
    def classes(self) -> Sequence[str]:
        """The chosen label set; merged diagnoses as `CLBBB/LBBB`."""
        return tuple(self._label_set.codes)

    @property
    def label_rule(self) -> str:
        """How codes become labels and what is known of patients, in one sentence."""
        none = {"keep": "kept as negative", "exclude": "left out"}
        rule = (
            f"{self._label_set.about}; records with none {none[self.params.unlabelled]}"
        )
        if self.params.subset in ("ptb-xl", "all"):
            return f"{rule}; patients of PTB-XL unknown, who may be in several splits"
        return f"{rule}; each record taken for a patient"

    def records(self) -> pd.DataFrame:
        """One row a header of the chosen subsets, in the order of the ids."""
        import pandas as pd

        chosen = self.params.subset
        subsets = FOLDERS if chosen == "all" else (chosen,)
        headers = [path for subset in subsets for path in self._headers(subset)]
        headers.sort(key=lambda path: path.stem)
        ids = pd.Index([path.stem for path in headers], name="record", dtype=str)
        return pd.DataFrame([self._record(path) for path in headers], index=ids)

    def read(self, record: pd.Series) -> np.ndarray:
        """All 12 leads, shape (12, samples), in mV."""
        from harness import read_wfdb

        path = self.root / Path(record["files"][0]).with_suffix("")
        return read_wfdb(path, self.leads, self.sampling_rate)

    @cached_property
    def _label_set(self) -> LabelSet:
        params = self.params
        return label_set(params.labels, params.subset, params.merge_equivalent)

    def _headers(self, subset: Subset) -> list[Path]:
        """The headers of a subset, in its folder and the groups below that."""
        places = [self.root / folder for folder in FOLDERS[subset]]
        for place in places:
            if place.is_dir():
                found = [*place.glob("*.hea"), *place.glob("g*/*.hea")]
                if not found:
                    raise DataError(
                        f"{place}: no headers (.hea), there or in g1, g2..."
                    )
                return found
        raise DataError(
            f"{self.root}: no folder {' or '.join(FOLDERS[subset])}, which hold the "
            f"subset {subset!r}"
        )

    def _record(self, header: Path) -> dict[str, object]:
        comments = read_comments(header)
        labels = self._label_set.labels(comments.codes)
        excluded = ""
        if not comments.codes:
            excluded = NO_DIAGNOSIS
        elif not labels and self.params.unlabelled == "exclude":
            excluded = NO_CLASS
        signal = header.relative_to(self.root).with_suffix("").as_posix()
        return {
            "patient": header.stem,
            "labels": labels,
            "files": (f"{signal}.mat", f"{signal}.hea"),
            "excluded": excluded,
            "age": comments.age,
            "sex": comments.sex,
        }

"""SNOMED CT codes of the Challenge's diagnoses, and the sets that are made of them.

Names, codes and equivalences are those of `dx_mapping_scored.csv`,
`dx_mapping_unscored.csv` and `weights.csv` of the Challenge's evaluation code.
"""

from __future__ import annotations

SCORED = {
    "AF": "164889003",
    "AFL": "164890007",
    "BBB": "6374002",
    "Brady": "426627000",
    "CLBBB": "733534002",
    "CRBBB": "713427006",
    "IAVB": "270492004",
    "IRBBB": "713426002",
    "LAD": "39732003",
    "LAnFB": "445118002",
    "LBBB": "164909002",
    "LQRSV": "251146004",
    "NSIVCB": "698252002",
    "NSR": "426783006",
    "PAC": "284470004",
    "PR": "10370003",
    "PRWP": "365413008",
    "PVC": "427172004",
    "LPR": "164947007",
    "LQT": "111975006",
    "QAb": "164917005",
    "RAD": "47665007",
    "RBBB": "59118001",
    "SA": "427393009",
    "SB": "426177001",
    "STach": "427084000",
    "SVPB": "63593006",
    "TAb": "164934002",
    "TInv": "59931005",
    "VPB": "17338001",
}
"""The 30 scored diagnoses, in the order of `dx_mapping_scored.csv`."""

UNSCORED = {"STD": "429622005", "STE": "164931005", "VEB": "164884008"}
"""Those unscored diagnoses that are classes of CPSC 2018."""

CODES = SCORED | UNSCORED

EQUIVALENT = (("CLBBB", "LBBB"), ("CRBBB", "RBBB"), ("PAC", "SVPB"), ("PVC", "VPB"))
"""Diagnoses that the Challenge scores as one, in the order of `weights.csv`."""

_OF_SUBSETS = {
    "chapman-shaoxing": (
        "AF AFL IAVB LAD LBBB LQRSV NSIVCB NSR PAC QAb RAD RBBB SB STach TAb VPB"
    ),
    "ningbo": (
        "AFL BBB CLBBB CRBBB IAVB IRBBB LAD LAnFB LQRSV NSIVCB NSR PAC PR PRWP PVC LQT "
        "QAb RAD SA SB STach TAb TInv"
    ),
    "g12ec": (
        "AF IAVB IRBBB LAD LBBB LQRSV NSIVCB NSR PAC LQT QAb RBBB SA SB STach TAb TInv "
        "VPB"
    ),
    "ptb-xl": (
        "AF CRBBB IAVB IRBBB LAD LAnFB LBBB NSIVCB NSR PAC PR LPR QAb RAD SA SB STach "
        "TAb TInv"
    ),
    "cpsc": "NSR AF IAVB LBBB RBBB PAC VEB STD STE",
}
SUBSET_CLASSES = {subset: names.split() for subset, names in _OF_SUBSETS.items()}
"""The scored diagnoses of more than 200 records of a subset, by the columns of
`dx_mapping_scored.csv`, as H-Tuning and AdaGrad-Fusion choose them; for CPSC 2018 all
nine that occur, scored or not."""

TIERS = {
    "tier1": (
        "429622005",  # ST depression
        "164931005",  # ST elevation
        "704997005",  # inferior ST depression
        "57054005",  # acute myocardial infarction
        "413444003",  # acute myocardial ischaemia
        "426434006",  # anterior ischaemia
        "54329005",  # anterior myocardial infarction
        "413844008",  # chronic myocardial ischaemia
        "425419005",  # inferior ischaemia
        "425623009",  # lateral ischaemia
        "164865005",  # myocardial infarction
        "164861001",  # myocardial ischaemia
        "164867002",  # old myocardial infarction
    ),
    "tier2": (
        "164951009",  # abnormal QRS
        "428750005",  # nonspecific ST-T abnormality
        "53741008",  # coronary heart disease
    ),
    "tier3": (
        "59931005",  # T wave inversion
        "164934002",  # T wave abnormal
        "365413008",  # poor R wave progression
    ),
}
"""Signs of coronary disease, grouped as in the distillation from 12 leads to one of
`kd_ecg_urop`, of which there is no paper."""

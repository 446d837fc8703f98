"""A damaged table of labels ends in a message that names the file, in records that are
left out with a reason, or in records whose labels are those of their own line.
"""

import csv
import io
import sys
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mutations import SECONDS, fuzzed, mutated_bytes, mutated_lines, outcome

from harness import DataError
from harness.catalog import load_plugin_class
from harness.data.record_index import index_records
from harness.errors import HarnessError
from harness.options import DataOptions

pytestmark = pytest.mark.timeout(SECONDS, method="thread")

PLUGINS = Path(__file__).parents[2] / "plugins" / "datasets"
CODES = ["{'NORM': 100.0, 'SR': 0.0}", "{'IMI': 15.0, 'LVH': 35.0}", "{'SR': 0.0}"]
SUPERCLASS = {"NORM": "NORM", "IMI": "MI", "LVH": "HYP"}
PRIORITY = ("MI", "STTC", "CD", "HYP", "NORM")
STATEMENTS = """,diagnostic,diagnostic_class,diagnostic_subclass
NORM,1.0,NORM,NORM
IMI,1.0,MI,IMI
LVH,1.0,HYP,LVH
SR,,,
"""


def database():
    """PTB-XL's table, in little: 30 records of 30 patients, 3 in each fold."""
    stream = io.StringIO()
    columns = "ecg_id,patient_id,age,sex,scp_codes,strat_fold,filename_lr,filename_hr"
    writer = csv.DictWriter(stream, columns.split(","), lineterminator="\n")
    writer.writeheader()
    for i in range(1, 31):
        row = {
            "ecg_id": i,
            "patient_id": f"{1000 + i}.0",
            "age": "56.0",
            "sex": i % 2,
            "scp_codes": CODES[i // 10 % 3 if i % 10 else 0],
            "strat_fold": i % 10 + 1,
            "filename_lr": f"records100/00000/{i:05d}_lr",
            "filename_hr": f"records500/00000/{i:05d}_hr",
        }
        writer.writerow(row)
    return stream.getvalue()


DATABASE = database()
REFERENCE = "".join(f"A{i:05d},{'NAO~'[i % 4]}\n" for i in range(1, 25))


@pytest.fixture(scope="module")
def ptbxl():
    return load_plugin_class(str(PLUGINS / "ptbxl" / "__init__.py"), "PTBXL")


@pytest.fixture(scope="module")
def cinc2017():
    return load_plugin_class(str(PLUGINS / "cinc2017.py"), "CinC2017")


def indexed(dataset):
    """The records that a suite would use, or None where there is a message."""
    index, message = outcome(HarnessError, index_records, dataset, DataOptions())
    assert (index is None) == bool(message)
    return index and index.records


def lines_by(key, text):
    """The lines of a table as a second reader sees them."""
    return {row[key]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


def test_the_undamaged_tables_are_taken(ptbxl, cinc2017, tmp_path):
    (tmp_path / "ptbxl_database.csv").write_text(DATABASE)
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    (tmp_path / "REFERENCE.csv").write_text(REFERENCE)
    assert len(indexed(ptbxl(root=tmp_path))) == 21
    assert len(indexed(cinc2017(root=tmp_path))) == 24


def test_a_damaged_data_base_of_ptbxl_gives_no_record_anothers_label(ptbxl, tmp_path):
    (tmp_path / "scp_statements.csv").write_text(STATEMENTS)
    path = tmp_path / "ptbxl_database.csv"

    @fuzzed(100)
    @given(mutated_lines(DATABASE, ",") | mutated_bytes(DATABASE.encode()))
    @example(DATABASE.encode("utf-8-sig"))
    # Evaluated as Python, these nest until the parser gives up, or win over the first.
    @example(DATABASE.replace(CODES[0], "(" * 10_000).encode())
    @example(DATABASE.replace(CODES[0], "-" * 100_000 + "1").encode())
    @example(DATABASE.replace("'SR': 0.0", "'SR': 0.0, 'SR': 100.0").encode())
    @example(DATABASE.replace("'SR': 0.0", "'SR': 1e999").encode())
    @example(DATABASE.replace("'SR': 0.0", "'SR': '100'").encode())
    # One record's line with another's signal.
    @example(DATABASE.replace("00002_lr", "00003_lr").encode())
    @example(DATABASE.replace("records100/", "../../").encode())
    @example(DATABASE.replace("records100/", "/").encode())
    @example(DATABASE.replace("\n2,", "\n2\x1b[31m,").encode())
    @example(DATABASE.replace("1002.0", "1_002").encode())
    @example(DATABASE.replace("age", "sex").encode())
    def run(damaged):
        path.write_bytes(damaged)
        records = indexed(ptbxl(root=tmp_path))
        if records is None:
            return
        rows = lines_by("ecg_id", damaged.decode("utf-8-sig"))
        for record, found in records.iterrows():
            row = rows[record]
            present = {
                SUPERCLASS[c] for c in SUPERCLASS if f"'{c}'" in row["scp_codes"]
            }
            assert found["labels"] == (min(present, key=PRIORITY.index),)
            assert found["files"][0] == f"{row['filename_lr']}.dat"
            assert found["files"][0].endswith(f"/{int(float(record)):05d}_lr.dat")
            assert found["patient"] == str(int(float(row["patient_id"])))
            assert found["fold"] == int(float(row["strat_fold"]))

    run()


@pytest.mark.parametrize("labels", ["superclass", "all", "subclass"])
def test_a_damaged_list_of_statements_gives_its_own_classes(ptbxl, tmp_path, labels):
    (tmp_path / "ptbxl_database.csv").write_text(DATABASE)
    path = tmp_path / "scp_statements.csv"
    params = ptbxl.Params(labels=labels)

    @fuzzed(60)
    @given(mutated_lines(STATEMENTS, ",") | mutated_bytes(STATEMENTS.encode()))
    @example(STATEMENTS.replace("SR", "S\x1bR").encode())
    @example(STATEMENTS.replace("LVH\n", "\n").encode())
    def run(damaged):
        path.write_bytes(damaged)
        dataset = ptbxl(params, tmp_path)
        records = indexed(dataset)
        if records is not None:
            assert len(records) <= 30
            assert all(c.isprintable() and c for c in dataset.classes)
            used = {c for labels in records["labels"] for c in labels}
            assert used <= set(dataset.classes)

    run()


def test_a_damaged_reference_gives_no_record_anothers_label(cinc2017, tmp_path):
    path = tmp_path / "REFERENCE.csv"

    @fuzzed(100)
    @given(mutated_lines(REFERENCE, ",") | mutated_bytes(REFERENCE.encode()))
    @example(REFERENCE.encode("utf-8-sig"))
    @example(REFERENCE.encode("utf-16"))
    @example(REFERENCE.replace("A00001", "../A00001").encode())
    @example(REFERENCE.replace("A00001", "\x1b[31m").encode())
    @example(REFERENCE.replace("A00001", '"A00001\n').encode())
    @example(("A" * 200_000 + ",N\n").encode())
    def run(damaged):
        path.write_bytes(damaged)
        records = indexed(cinc2017(root=tmp_path))
        if records is None:
            return
        lines = damaged.decode("utf-8-sig").split()
        for record, found in records.iterrows():
            assert f"{record},{found['labels'][0]}".replace('"', "") in [
                line.replace('"', "") for line in lines
            ]
            assert found["files"] == (f"{record}.mat", f"{record}.hea")

    run()


@fuzzed(100)
@given(st.text(max_size=60))
@example("{'NORM': 100.0, }")
@example("{'NORM': 100.0}\n")
@example("{}")
def test_statements_are_matched_and_never_evaluated(ptbxl, tmp_path_factory, text):
    assume('"' not in text and "\n" not in text.strip("\n") and "\r" not in text)
    assume("\0" not in text)
    folder = tmp_path_factory.getbasetemp()
    path = folder / "one.csv"
    path.write_text(f'ecg_id,scp_codes\n1,"{text}"\n', encoding="utf-8")
    table = sys.modules[f"{ptbxl.__module__}.table"]
    (row,) = table.read_rows(path, required=["scp_codes"], key="ecg_id")
    found, message = outcome(DataError, row.likelihoods, "scp_codes")
    if found is None:
        assert "one.csv, line " in message
    else:
        assert all(f"'{code}':" in text for code in found)

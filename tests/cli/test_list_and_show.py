import json

import pytest

BROKEN = "import nowhere_to_be_found\n"

TWIN = """
from harness import Strategy

class Twin(Strategy):
    "Shares its name with a model."
    name = "cnn1d"
"""


def test_every_built_in_plugin_is_listed(harness):
    ended = harness("list")

    assert ended.code == 0
    for name in ("synthetic", "ptbxl", "cinc2017", "resnet1d", "baseline", "dbpd"):
        assert name in ended.out
    assert "built-in" in ended.out
    assert "can't be used" not in ended.out


def test_the_list_can_be_had_as_json(harness, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)

    found = json.loads(harness("list", "--json", "--plugins", tmp_path).out)

    kinds = {p["kind"] for p in found["plugins"]}
    assert kinds == {"dataset", "model", "strategy", "tracker"}
    (broken,) = found["broken"]
    assert broken["name"] == "broken"
    assert "nowhere_to_be_found" in broken["cause"]


def test_a_strategy_is_shown_with_its_parameters(harness):
    out = harness("show", "dbpd").out

    assert out.startswith("strategy dbpd, version 1\n")
    assert "arXiv 2505.22342" in out
    assert "select_samples" in out
    row = next(line for line in out.splitlines() if line.startswith("confidence "))
    assert row.split()[1:3] == ["float", "0.3"]
    assert ">= 0, <= 1" in row
    assert '"eval" | "train"' in out


def test_a_data_set_is_shown_with_the_options_of_all(harness):
    out = harness("show", "ptbxl").out

    assert "physionet.org" in out
    assert "license:" in out
    assert "Every data set also takes these options" in out
    assert "split.validation" in out
    assert "list of text | none" in out


def test_a_broken_plugin_is_shown_with_its_traceback(harness, tmp_path):
    (tmp_path / "my_plugin.py").write_text(BROKEN)

    out = harness("show", "my-plugin", "--plugins", tmp_path).out

    assert "Traceback (most recent call last)" in out
    assert "nowhere_to_be_found" in out
    assert str(tmp_path / "my_plugin.py") in out


def test_a_name_of_several_kinds_shows_all(harness, tmp_path):
    (tmp_path / "twin.py").write_text(TWIN)

    out = harness("show", "cnn1d", "--plugins", tmp_path).out

    assert "model cnn1d, version 1" in out
    assert "strategy cnn1d, version 1" in out
    assert "It takes no parameters." in out


@pytest.mark.parametrize(("name", "near"), [("resnet", "resnet1d"), ("dpbd", "dbpd")])
def test_an_unknown_name_is_told_with_the_nearest(harness, name, near):
    ended = harness("show", name)

    assert ended.code == 2
    assert ended.err == f"error: unknown plugin '{name}'; did you mean '{near}'?\n"

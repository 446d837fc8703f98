import json

import pytest


@pytest.fixture
def schema(harness):
    return json.loads(harness("schema").out)


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_every_reference_is_defined(schema):
    found = set(references(schema))

    assert found
    for reference in found:
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


def test_unknown_keys_are_refused_everywhere(schema):
    assert schema["additionalProperties"] is False
    for kind in ("dataset", "model", "strategy"):
        for choice in schema["properties"][kind]["items"]["oneOf"]:
            entry = schema["$defs"][choice["$ref"].removeprefix("#/$defs/")]
            assert entry["additionalProperties"] is False
            assert entry["required"] == ["use"]


def test_entries_hold_parameters_options_and_grid(schema):
    dataset = schema["$defs"]["dataset synthetic"]["properties"]
    assert dataset["use"]["const"] == "synthetic"
    assert {"records", "leads", "split", "label", "grid"} <= set(dataset)
    strategy = schema["$defs"]["strategy dbpd"]["properties"]
    assert {"confidence", "budget", "min_keep"} <= set(strategy)
    assert strategy["confidence"]["maximum"] == 1
    assert "confidence" in strategy["grid"]["properties"]
    assert "budget" not in schema["$defs"]["model cnn1d"]["properties"]
    composed = schema["$defs"]["composed strategies"]["properties"]
    assert {"dbpd", "baseline", "use"} <= set(composed)


def test_the_budget_is_described(schema):
    assert schema["properties"]["budget"]["$ref"] == "#/$defs/budget"
    budget = schema["$defs"]["budget"]["properties"]
    assert {"epochs", "optimizer", "schedule", "augment"} <= set(budget)
    assert "mixup" in budget["augment"]["items"]["anyOf"][0]["enum"]


def test_plugins_of_ones_own_are_in_it(harness, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from harness import Model\nclass Mine(Model):\n    name = 'mine'\n"
    )

    schema = json.loads(harness("schema", "--plugins", tmp_path).out)

    assert "model mine" in schema["$defs"]


def test_a_tracker_is_a_name_or_a_table(schema):
    execution = schema["$defs"]["suite Execution"]["properties"]
    names, *tables = execution["trackers"]["items"]["anyOf"]

    assert {"mlflow", "tensorboard"} <= set(names["enum"])
    assert {"$ref": "#/$defs/tracker mlflow"} in tables
    tracker = schema["$defs"]["tracker mlflow"]
    assert {"use", "store"} <= set(tracker["properties"])
    assert tracker["additionalProperties"] is False

"""A plugin's parameters, whatever they are: resolved to plain values, or told what is
wrong with them.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import EXTREME_VALUES, HOSTILE_TEXTS, SECONDS, fuzzed, outcome

from harness.catalog import Catalog, load_plugin_class
from harness.catalog.parameters import resolve_parameters
from harness.catalog.probe import resolve
from harness.errors import ConfigError, printable
from harness.options.explain import explain

pytestmark = pytest.mark.timeout(SECONDS, method="thread")


values = st.recursive(
    st.sampled_from([v for v in EXTREME_VALUES if not isinstance(v, list | dict)])
    | st.integers(-2, 70)
    | st.floats(-2, 70),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", *HOSTILE_TEXTS]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("dataset", "synthetic"),
        ("dataset", "ptbxl"),
        ("dataset", "cinc2017"),
        ("model", "resnet1d"),
        ("model", "cnn1d"),
        ("strategy", "dbpd"),
    ],
)
def test_any_parameters_are_resolved_or_explained(catalog, kind, name):
    declaration = catalog.get(kind, name)
    known = sorted(declaration.schema.get("properties", {}))
    plugin = load_plugin_class(declaration.locator, declaration.class_name)

    @fuzzed(50)
    @given(st.dictionaries(st.sampled_from([*known, "x"]), values, max_size=3))
    def run(params):
        answer = resolve(declaration.locator, declaration.class_name, params)
        if "errors" in answer:
            told = explain(answer["errors"], declaration.schema, f"[[{kind}]] 1")
            assert told
            for message in told:
                assert message.startswith(f"[[{kind}]] 1")
                assert len(message) < 8000
                printable(message).encode()
            return
        text = json.dumps(answer["params"], allow_nan=False)
        assert (
            plugin.Params.model_validate_json(text).model_dump(mode="json")
            == (answer["params"])
        )
        assert set(answer["changed"]) <= set(answer["params"])

    run()


@fuzzed(60)
@given(values)
def test_a_light_plugin_ends_in_a_choice_or_a_message(catalog, value):
    declaration = catalog.get("strategy", "dbpd")
    params = {"confidence": value}
    choice, message = outcome(
        ConfigError, resolve_parameters, declaration, params, "[[strategy]] 1"
    )
    if choice is None:
        assert message.startswith("[[strategy]] 1 confidence")
    else:
        assert 0 <= choice.params["confidence"] <= 1

"""Whether a plugin treats each sample by itself may hang on its parameters."""

import pytest

from harness.catalog import Catalog
from harness.catalog.parameters import resolve_parameters

PLUGIN = '''
{heavy}
from harness import Strategy


class Halves(Strategy):
    """Keeps the harder half of a batch, or none of it."""

    name = "halves"

    class Params(Strategy.Params):
        compare: bool = False

    @property
    def batch_independent(self):
        return {answer}
'''
SUITE = """
plugins = ["halves.py"]
[[dataset]]
use = "synthetic"
records = 60
[[model]]
use = "cnn1d"
[[strategy]]
use = "halves"
"""


def write(folder, answer="not self.params.compare", heavy=""):
    path = folder / "halves.py"
    path.write_text(PLUGIN.format(answer=answer, heavy=heavy))
    return path


@pytest.mark.parametrize("heavy", ["", "import torch"])
def test_a_property_is_asked_with_the_parameters(tmp_path, clean_environment, heavy):
    catalog = Catalog.discover([write(tmp_path, heavy=heavy)])
    declaration = catalog.get("strategy", "halves")
    assert declaration.light is not bool(heavy)
    for compare in (False, True):
        choice = resolve_parameters(declaration, {"compare": compare}, "here")
        assert choice.batch_independent is not compare


@pytest.mark.parametrize("heavy", ["", "import torch"])
def test_one_that_fails_is_told_without_a_traceback(tmp_path, harness, heavy):
    write(tmp_path, "self.params.compares", heavy)
    (tmp_path / "suite.toml").write_text(SUITE)
    outcome = harness("plan", tmp_path / "suite.toml")
    assert outcome.code != 0
    assert "Halves.batch_independent: AttributeError" in outcome.err
    assert "Traceback" not in outcome.err

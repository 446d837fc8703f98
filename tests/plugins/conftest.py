from pathlib import Path

import pytest
import torch

from harness.catalog import load_plugin_class

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def plugin():
    """A built-in plugin's class, as `plugin("models/cnn1d/__init__.py", "CNN1d")`."""
    return lambda file, name: load_plugin_class(PLUGINS / file, name)

"""Finding plugins, whatever state their files are in."""

import subprocess
import sys

import pytest

from harness.catalog import Catalog, load_plugin_class
from harness.errors import ConfigError

STRATEGY = '''
from harness import Strategy, hookimpl


class Quiet(Strategy):
    """Does nothing in particular.

    At length.
    """

    name = "{name}"
    version = 3

    @hookimpl
    def {hook}:
        pass
'''
GOOD = STRATEGY.format(name="quiet", hook="after_step(self, run)")


def catalog_of(folder, **files):
    for name, source in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return Catalog.discover([folder])


def broken(catalog):
    return {plugin.name: plugin.cause for plugin in catalog.broken}


def test_the_builtin_plugins_are_all_there_and_light():
    catalog = Catalog.discover()
    assert catalog.names("dataset") == ["cinc2017", "cinc2021", "ptbxl", "synthetic"]
    names = ["cnn1d", "efficientnetv2", "resnet1d", "se_resnet"]
    assert catalog.names("model") == names
    assert catalog.names("strategy") == [
        *("baseline", "dbpd", "distillation", "infobatch", "linear", "lottery-ticket"),
        *("majority", "prior-vote", "smrd", "srd", "structured-pruning", "untrained"),
    ]
    assert catalog.names("tracker") == ["mlflow", "tensorboard"]
    assert all(declaration.light for declaration in catalog.all())
    assert catalog.broken == []


def test_a_dropped_in_file_declares_itself(tmp_path):
    found = catalog_of(tmp_path, mine=GOOD).get("strategy", "quiet")
    assert (found.version, found.description) == (3, "Does nothing in particular.")
    assert found.hooks == {"after_step": False}
    assert found.origin == str(tmp_path)
    assert load_plugin_class(found.locator, found.class_name).name == "quiet"


def test_a_folder_of_kinds_a_package_and_a_single_file_are_found(tmp_path):
    kinds = tmp_path / "kinds" / "strategies"
    package = tmp_path / "flat" / "packaged"
    kinds.mkdir(parents=True)
    package.mkdir(parents=True)
    (kinds / "one.py").write_text(GOOD)
    (package / "__init__.py").write_text(
        "from .inner import Packaged as _P\n"
        + (STRATEGY.format(name="packaged", hook="after_step(self, run)"))
    )
    (package / "inner.py").write_text("class Packaged:\n    pass\n")
    single = tmp_path / "single.py"
    single.write_text(STRATEGY.format(name="single", hook="setup(self, run)"))
    catalog = Catalog.discover([tmp_path / "kinds", tmp_path / "flat", single])
    assert {"quiet", "packaged", "single"} <= set(catalog.names("strategy"))


def test_the_environment_names_folders_too(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(GOOD)
    monkeypatch.setenv("HARNESS_PLUGINS", str(tmp_path))
    assert "quiet" in Catalog.discover().names("strategy")


def test_an_entry_point_of_an_installed_package_is_found(tmp_path):
    package = tmp_path / "site" / "someones_plugins"
    metadata = tmp_path / "site" / "someones_plugins-1.0.dist-info"
    package.mkdir(parents=True)
    metadata.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('not to be imported')\n")
    (package / "__init__.py").write_text("")
    (package / "strategies.py").write_text(GOOD)
    (metadata / "METADATA").write_text("Name: someones-plugins\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[harness]\nanything = someones_plugins.strategies\n"
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import os; os.environ['PYTHONPATH'] = sys.path[0]\n"
        "from harness.catalog import Catalog\n"
        "found = Catalog.discover().get('strategy', 'quiet')\n"
        "print(found.origin, found.locator)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == (
        "package someones-plugins module:someones_plugins.strategies"
    ), done.stderr


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("def oh(:\n", "SyntaxError: invalid syntax (line 1)"),
        ("\nimport nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("x = 1\n", "no public subclass of Dataset, Model, Strategy or Tracker"),
        ("import sys\nsys.exit(4)\n", "SystemExit: 4"),
        ("import os\nos._exit(4)\n", "ended the interpreter (exit code 4)"),
        ("import os\nos.kill(os.getpid(), 11)\n", "crashed the interpreter (SIGSEGV)"),
        (
            STRATEGY.format(name="x", hook="select_sample(self, run, batch)"),
            "select_sample",
        ),
        (STRATEGY.format(name="x", hook="after_step(self, runs)"), "runs"),
        (
            STRATEGY.format(name="a b", hook="after_step(self, run)"),
            "may hold no space",
        ),
        (GOOD.replace('    name = "quiet"\n', ""), "has no `name`"),
        (
            GOOD.replace(
                "    version = 3",
                "    class Params(Strategy.Params):\n        budget: int = 1\n",
            ),
            "'budget' is a key of the suite",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_listed_with_its_cause(tmp_path, source, cause):
    catalog = catalog_of(tmp_path, bad=source, good=GOOD)
    assert cause in broken(catalog)["bad"]
    assert "quiet" in catalog.names("strategy")


def test_what_a_plugin_prints_is_no_harm(tmp_path):
    assert "quiet" in catalog_of(tmp_path, mine="print('{}')\n" + GOOD).names(
        "strategy"
    )


def test_two_of_one_name_are_an_error_that_names_both_files(tmp_path):
    with pytest.raises(ConfigError) as error:
        catalog_of(tmp_path, first=GOOD, second=GOOD + "# other\n")
    assert "first.py" in str(error.value)
    assert "second.py" in str(error.value)


def test_copies_of_one_plugin_are_one(tmp_path):
    copies = [tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"]
    for path in copies:
        path.parent.mkdir()
        path.write_text(GOOD)
    catalog = Catalog.discover([path.parent for path in copies])
    assert catalog.get("strategy", "quiet").locator == str(copies[0])


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        Catalog.discover([tmp_path / "nowhere"])


def test_an_unknown_name_has_a_neighbour(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'dbpd'"):
        Catalog.discover().get("strategy", "dpbd")


def test_a_broken_file_is_named_when_its_plugin_is_asked_for(tmp_path):
    catalog = catalog_of(tmp_path, my_method="def oh(:\n")
    with pytest.raises(ConfigError, match=r"my_method\.py: SyntaxError"):
        catalog.get("strategy", "my-method")


def test_an_edited_file_is_read_anew(tmp_path):
    before = catalog_of(tmp_path, mine=GOOD).get("strategy", "quiet")
    after = catalog_of(tmp_path, mine=GOOD.replace("version = 3", "version = 4"))
    found = after.get("strategy", "quiet")
    assert found.version == 4
    assert found.source_hash != before.source_hash


def test_a_module_may_discover_its_plugins_itself(tmp_path):
    source = GOOD.replace("class Quiet", "class _Quiet") + (
        "\n\n@hookimpl\ndef harness_plugins():\n    return [_Quiet]\n"
    )
    assert "quiet" in catalog_of(tmp_path, mine=source).names("strategy")


def test_a_plugin_that_imports_torch_is_described_without_it_here(tmp_path):
    (tmp_path / "mine.py").write_text("import torch\n" + GOOD)
    code = (
        "import sys; from pathlib import Path; from harness.catalog import Catalog\n"
        f"found = Catalog.discover([Path({str(tmp_path)!r})])"
        ".get('strategy', 'quiet')\n"
        "print(found.light, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False False", done.stderr

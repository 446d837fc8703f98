"""What the pages say is there is there, and what is there is said."""

import ast
import inspect
import re

import click
import pytest
from pages import DOCS, PAGES, REPOSITORY, blocks_of, files_of, write_files

from harness import options
from harness.cli.main import cli
from harness.suite.file import SuiteFile
from harness.suite.resolve import read_suite
from harness.training.run import Run

STRATEGY_PAGE = (DOCS / "write-a-strategy.md").read_text(encoding="utf-8")
TRACKER_PAGE = (DOCS / "write-a-tracker.md").read_text(encoding="utf-8")
TUTORIAL = (DOCS / "tutorial.md").read_text(encoding="utf-8")
SECTIONS = (
    *(SuiteFile, options.Budget, options.DataOptions, options.Execution),
    *(options.Split, options.Filter, options.Chunks, options.Gate),
)
USED = (
    *(options.AdamW, options.Adam, options.SGD),
    *(options.Constant, options.Step, options.Cosine, options.OneCycle),
    *(options.Plateau, options.RandomCrop, options.Mixup, options.CutMix),
)


def hook_signatures():
    """`name(arguments) -> answer` of every hook, as its specification is written."""
    tree = ast.parse((REPOSITORY / "harness" / "hooks.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.args.args.pop(0)
            assert node.returns is not None
            arguments, answer = ast.unparse(node.args), ast.unparse(node.returns)
            yield f"{node.name}({arguments}) -> {answer}"


@pytest.mark.parametrize("signature", list(hook_signatures()))
def test_every_hook_is_documented(signature):
    pages = f"{STRATEGY_PAGE}\n{TRACKER_PAGE}"
    assert f"`{signature}`" in pages.replace("\\|", "|")


def test_every_verb_of_a_run_is_documented():
    members = inspect.getmembers(Run, lambda m: callable(m) or isinstance(m, property))
    verbs = [name for name, _ in members if not name.startswith("_")]
    assert "fit" in verbs
    missing = [v for v in verbs if not re.search(rf"`run\.{v}\b", STRATEGY_PAGE)]
    assert not missing


def test_every_setting_of_dropping_is_documented():
    for key in options.Dropping.model_fields:
        assert f"| `{key}` |" in STRATEGY_PAGE


@pytest.mark.parametrize("model", SECTIONS, ids=lambda m: m.__name__)
def test_every_key_of_a_suite_is_in_the_tutorial(model):
    for key in model.model_fields:
        written = rf"`(\[+)?{key}(\]+)?`"
        assert re.search(written, TUTORIAL), f"{model.__name__}.{key}"


@pytest.mark.parametrize("model", USED, ids=lambda m: m.__name__)
def test_every_optimizer_schedule_and_augmentation_is_in_the_tutorial(model):
    for key, field in model.model_fields.items():
        (name,) = getattr(field.annotation, "__args__", [""]) if key == "use" else [key]
        assert re.search(rf'`"?{name}"?`|\b{name} =', TUTORIAL), f"{name}"


def command_names(group, path=("harness",)):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from command_names(command, (*path, name))
        else:
            yield " ".join((*path, name))


@pytest.mark.parametrize("name", list(command_names(cli)))
def test_every_command_is_in_the_tutorial(name):
    assert name in TUTORIAL


def test_the_schema_is_the_one_that_the_harness_prints(harness):
    committed = (DOCS / "suite.schema.json").read_text(encoding="utf-8")
    assert harness("schema").out == committed, (
        "run: harness schema > docs/suite.schema.json"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_suites_on_pages_are_valid(page, tmp_path, clean_environment):
    files = files_of(page)
    write_files(files, tmp_path)
    for name in [n for n in files if n.endswith(".toml")]:
        suite, _ = read_suite(tmp_path / name)
        assert suite.strategies


def test_the_strategy_of_the_readme_is_found(harness, tmp_path):
    (example,) = blocks_of(REPOSITORY / "README.md", "python")
    assert example.count("\n") <= 20
    (tmp_path / "example.py").write_text(example)
    listed = harness("list", "--plugins", tmp_path).out
    assert "easy-sample-dropout" in listed
    assert "can't be used" not in listed


def anchors(page):
    """The fragments that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        yield kept.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        name, _, fragment = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert linked.is_relative_to(REPOSITORY), target
        if fragment:
            assert fragment in anchors(linked), target


def test_pages_name_no_place_on_a_machine():
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(?:home|work|tmp|root)/", page.read_text())

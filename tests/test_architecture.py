"""The walls of the house: who may import whom, and what a file may be called."""

import ast
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import harness

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "architecture.md"
RUN_TIME, LAZY, TYPES = "run time", "lazy", "types"
KINDS = (RUN_TIME, LAZY, TYPES)
"""When an import happens: with the module, inside a function, for a type checker."""

NAMED_AFTER_WHAT_THEY_CALL = {"cli"}
NAMED_AFTER_WHAT_THEY_DRAW = {"report/plots"}


class Import(NamedTuple):
    """A module of the harness that imports another one, and when."""

    importer: str
    imported: str
    kind: str


def module_of(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules():
    """The file of each module of the harness."""
    folder = REPOSITORY / "harness"
    return {module_of(path, REPOSITORY): path for path in folder.rglob("*.py")}


def imports_in(node, kind=RUN_TIME):
    """(statement, when it is executed) of all imports in a syntax tree."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, kind
        elif isinstance(child, ast.If) and is_for_types(child):
            yield from imports_in(ast.Module(child.body, []), TYPES)
            yield from imports_in(ast.Module(child.orelse, []), kind)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            later = LAZY if inside and kind == RUN_TIME else kind
            yield from imports_in(child, later)


def is_for_types(node):
    return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def targets_of(statement):
    """What a statement imports of the harness, modules where they are ones."""
    if isinstance(statement, ast.Import):
        return [a.name for a in statement.names if is_ours(a.name)]
    if statement.level or not is_ours(statement.module or ""):
        return []
    inner = [f"{statement.module}.{a.name}" for a in statement.names]
    return [name if name in modules() else statement.module for name in inner]


def is_ours(name):
    return name.split(".")[0] == "harness"


@cache
def imports():
    """All imports between modules of the harness."""
    return [
        Import(name, target, kind)
        for name, path in modules().items()
        for statement, kind in imports_in(ast.parse(path.read_text(encoding="utf-8")))
        for target in targets_of(statement)
    ]


def package_of(module):
    """The part of the house that a module stands in: the first name below the top."""
    return module.split(".")[1] if "." in module else module


@cache
def table():
    """Who may import whom, as `docs/architecture.md` says: of each package what it
    imports at run time, what inside functions only, and what for types only.
    """
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|(.*)\|$", page, re.MULTILINE)
    return {
        package: {
            kind: set(re.findall(r"`(\w+)`", cell))
            for kind, cell in zip(KINDS, cells, strict=True)
        }
        for package, *cells in rows
    }


def allowed(package, kind):
    """What may be imported when something is may be imported later as well."""
    found = table()[package]
    return set.union(*(found[k] for k in KINDS[: KINDS.index(kind) + 1]))


def cycles(graph):
    """Groups of nodes that reach one another (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1:
                found.append(sorted(group))

    for node in list(graph):
        if node not in index:
            visit(node)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_packages_import_what_the_table_of_the_docs_allows(kind):
    found = {
        (package_of(one.importer), package_of(one.imported), one.importer)
        for one in imports()
        if one.kind == kind and package_of(one.importer) != package_of(one.imported)
    }
    assert (
        sorted(
            f"{importer} imports {imported}"
            for package, imported, importer in found
            if imported not in allowed(package, kind)
        )
        == []
    )


def test_the_table_has_every_package_once_and_no_other():
    assert set(table()) == {package_of(name) for name in modules()}


def test_the_table_has_nothing_that_nobody_imports():
    used = {
        (package_of(one.importer), package_of(one.imported), one.kind)
        for one in imports()
    }
    unused = [
        f"{package} needn't import {other} ({kind})"
        for package, found in table().items()
        for kind in KINDS
        for other in found[kind]
        if (package, other, kind) not in used
    ]
    assert unused == []


def test_dependencies_between_packages_point_one_way():
    graph = {
        package: found[RUN_TIME] | found[LAZY] for package, found in table().items()
    }
    assert cycles(graph) == []


def test_no_modules_import_one_another_when_they_run():
    graph = defaultdict(set)
    for one in imports():
        if one.kind == RUN_TIME:
            graph[one.importer].add(one.imported)
    assert cycles(graph) == []


PLUGIN_FILES = sorted((REPOSITORY / "plugins").rglob("*.py"))


@pytest.mark.parametrize(
    "path", PLUGIN_FILES, ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_plugins_import_public_names_of_the_harness_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = [
        f"line {statement.lineno}: {alias.name}"
        for statement, _ in imports_in(tree)
        for alias in statement.names
        if is_private(statement, alias)
    ]
    assert private == []


def is_private(statement, alias):
    if isinstance(statement, ast.Import):
        return is_ours(alias.name) and alias.name != "harness"
    if statement.level or not is_ours(statement.module or ""):
        return False
    return statement.module != "harness" or alias.name not in harness.__all__


def test_file_names_are_unique():
    free = NAMED_AFTER_WHAT_THEY_CALL | NAMED_AFTER_WHAT_THEY_DRAW
    names = Counter(
        path.name
        for path in modules().values()
        if path.parent.relative_to(REPOSITORY / "harness").as_posix() not in free
        and path.name != "__init__.py"
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager", "base"])
def test_there_are_no_drawers(name):
    assert [m for m in modules() if name in m.split(".")] == []

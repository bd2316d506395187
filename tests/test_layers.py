"""The import contracts' twin at run time: what a layer pulls in when it is really imported."""

from __future__ import annotations

import ast
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]
LAYERS = [
    tuple(name.strip() for name in line.split("|"))
    for line in next(one for one in CONTRACTS if one["type"] == "layers")["layers"]
]
"""From the top down; layers on one line do not import each other."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys
name = sys.argv[1]
top = importlib.import_module(f"mimir_migrate.{name}")
if name != "__main__" and hasattr(top, "__path__"):
    for found in pkgutil.walk_packages(top.__path__, top.__name__ + "."):
        importlib.import_module(found.name)
print(json.dumps(sorted(sys.modules)))
"""

SCREEN = {"app", "screens", "widgets"}
NETWORK = {"adapters", "bridge", "sandbox", "bootstrap", "cli", "__main__"}
HEAVY = frozenset({"boto3", "botocore", "kubernetes", "moto", "aiohttp", "hcl2", "ruamel"})
"""Third parties that stand inside functions, so that `--help` stays fast."""


def imported_by(layer: str) -> set[str]:
    """Every module that is there once all of a layer's own modules were imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, layer], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def layers_not_below(layer: str) -> set[str]:
    """The layers above one, and those beside it."""
    place = next(number for number, line in enumerate(LAYERS) if layer in line)
    return {name for line in LAYERS[: place + 1] for name in line} - {layer}


@pytest.mark.parametrize("layer", [name for line in LAYERS for name in line if name != "__main__"])
def test_a_layer_brings_nothing_from_above_it(layer: str) -> None:
    """Importing every module of a layer loads no layer above it, and no third party it must not know."""
    modules = imported_by(layer)

    ours = {name.split(".")[1] for name in modules if name.startswith("mimir_migrate.")}
    assert ours & layers_not_below(layer) == set()
    tops = {name.partition(".")[0] for name in modules}
    if layer not in SCREEN:
        assert not {"textual", "rich"} & tops
    if layer not in NETWORK:
        assert not HEAVY & tops


def test_every_package_is_a_layer() -> None:
    """A new top-level module is given its place."""
    there = {
        path.stem
        for path in (ROOT / "src" / "mimir_migrate").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.stem.startswith("__init__")
    } - {"__pycache__"}

    assert there == {name for line in LAYERS for name in line}


PACKAGE = ROOT / "src" / "mimir_migrate"
HOUSE = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """What a module imports: at its head, inside a function, or for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor inside a function, nor for their types only; a package's `__init__` counts as its own module."""
    names = {
        ".".join(("mimir_migrate", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in HOUSE
    }
    graph = {
        name: {
            one if one in names else f"{one}.__init__"
            for one in imports_of(path)
            if one in names or f"{one}.__init__" in names
        }
        - {f"{name.rpartition('.')[0]}.__init__", name}
        for name, path in names.items()
    }

    assert len(tuple(graphlib.TopologicalSorter(graph).static_order())) >= len(names)


WITH_A_CLOCK = ("adapters", "sandbox", "cli/sandbox", "bridge")
"""Where the machine's own time is read: behind the port, by who starts and times processes, and in the
bridge, which is a service of its own and has it handed in with the machine's as default."""
CLOCKS = {
    "time": {"time", "monotonic", "sleep", "perf_counter", "time_ns", "monotonic_ns"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}


def test_time_comes_through_its_port() -> None:
    """So that a test owns all of it: nothing but an adapter asks the machine what time it is, or waits."""
    found = []
    for path in HOUSE:
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(tuple(f"{folder}/" for folder in WITH_A_CLOCK)):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                names = {alias.name for alias in node.names} & CLOCKS["time"]
                found += [f"{name}:{node.lineno} imports {one}" for one in names]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                of = node.value.id
                found += [f"{name}:{node.lineno} {of}.{node.attr}"] * (
                    node.attr in CLOCKS.get(of, ())
                )

    assert found == []


MOST_LINES = 400
MOST_FILES = 20
REASON = "# Longer than 400 lines. "


@pytest.mark.parametrize(
    "module", [path for path in HOUSE if path.read_text().count("\n") > MOST_LINES], ids=str
)
def test_a_long_module_says_why_it_is_one(module: Path) -> None:
    """Right under its docstring."""
    docstring_and_rest = module.read_text().split('"""\n', 1)[1]

    assert docstring_and_rest.lstrip().startswith(REASON)


def test_no_folder_holds_more_than_twenty_files_flat() -> None:
    """What is looked for among more than that is not found by reading their names."""
    folders = {path.parent for path in [*HOUSE, *(ROOT / "tests").rglob("test_*.py")]}

    full = {
        str(folder.relative_to(ROOT)): len(files)
        for folder in folders
        if len(files := [one for one in folder.iterdir() if one.is_file()]) > MOST_FILES
    }
    assert full == {}


SILENCED = re.compile(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\])(.*)$", re.MULTILINE)


def test_what_a_check_is_told_to_let_pass_has_a_reason() -> None:
    """On its line, behind it."""
    without = [
        f"{path.relative_to(PACKAGE)}: {found[0]}"
        for path in HOUSE
        for found in SILENCED.finditer(path.read_text())
        if not found[1].strip(" -#")
    ]

    assert without == []


def test_every_method_of_a_port_is_asked_by_the_core() -> None:
    """One that only adapters and fakes have is dead, and vulture cannot tell: they call it by its name."""
    source = ROOT / "src" / "mimir_migrate"
    outside = ("adapters", "sandbox", "ports.py")
    core = {
        node.attr
        for path in source.rglob("*.py")
        if path.relative_to(source).parts[0] not in outside
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    methods = {
        f"{port.name}.{method.name}"
        for port in ast.parse((source / "ports.py").read_text(encoding="utf-8")).body
        if isinstance(port, ast.ClassDef)
        for method in port.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
    }
    assert len(methods) > 30
    assert {name for name in methods if name.partition(".")[2] not in core} == set()


def test_ruff_reads_every_module() -> None:
    """An exclusion by a folder's name hides every folder of that name, packages among them."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--show-files",
            "src",
            "tests",
            "bench",
            "scripts",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    read = {Path(line).resolve() for line in done.stdout.splitlines()}
    modules = {
        path.resolve()
        for folder in ("src", "tests", "bench", "scripts")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert modules - read == set()

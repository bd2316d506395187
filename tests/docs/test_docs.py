"""The documents name everything that the code has, and their links lead somewhere."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mimir_migrate.cli.parsing.parser import build_parser
from mimir_migrate.errors import ExitCode
from mimir_migrate.flags import FLAGS
from mimir_migrate.inspection.findings import RULES
from mimir_migrate.model.plan import Gate
from mimir_migrate.sandbox.kubernetes.api_faults import API_FAULTS
from mimir_migrate.sandbox.kubernetes.cluster_faults import CLUSTER_FAULTS
from mimir_migrate.sandbox.simulation.faults import KNOWN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "mimir_migrate"
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
PAGES = sorted(
    path
    for path in (*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")))
    if path.exists() and path.read_text(encoding="utf-8").strip()
)


def heads(page: str) -> set[str]:
    """The names that a page has a heading of its own for."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return set(re.findall(r"^#+ `([^`]+)`", text, re.MULTILINE))


@cache
def findings() -> dict[str, set[str]]:
    """The severities that each id is given where the source makes a `Finding(…)` of it."""
    found: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if "id" not in given:
                continue
            severities = {
                part.attr.lower()
                for part in ast.walk(given["severity"])
                if isinstance(part, ast.Attribute) and getattr(part.value, "id", "") == "Severity"
            }
            for id_ in literals(given["id"]):
                found.setdefault(id_, set()).update(severities)
    return found


def literals(value: ast.expr) -> Iterator[str]:
    """The texts that an expression can be; a name is not followed."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from literals(one)
            yield from literals(other)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), _]):
            # The one f-string there is: iam-missing-… and iam-unknown-…, of actions or of a key.
            yield from (f"{text}{kind}" for kind in ("actions", "kms"))
        case _:
            pass


def commands(parser: argparse.ArgumentParser, above: str = "") -> Iterator[str]:
    """Every command of a parser with the words before it, those for the tool's own use left out."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                if not name.startswith("_"):
                    yield f"{above}{name}"
                    yield from commands(below, f"{above}{name} ")


def options(parser: argparse.ArgumentParser, above: str = "") -> Iterator[tuple[str, str]]:
    """Every option of every command, the target and its entries left out."""
    targets = {"--target", "--trust-target", *(f"--{flag}" for flag in FLAGS)}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                if not name.startswith("_"):
                    yield from options(below, f"{above}{name} ")
        elif above:
            of_target = "target" in str(action.dest)
            for option in action.option_strings:
                known = option == "--help" or (of_target and option in targets)
                if option.startswith("--") and not known:
                    yield above.strip(), option


def section(page: str, name: str) -> str:
    """The text under one heading, up to the next of the same or a higher rank."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(
        rf"^(#+) `{re.escape(name)}`.*?$(.*?)(?=^#{{1,3}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"{page} has no heading for {name}"
    return found.group(0)


def test_every_gate_has_a_heading() -> None:
    """An operator whose run is held finds the gate by its name, in both documents."""
    gates = {gate.value for gate in Gate}

    assert gates <= heads("gates-and-findings.md")
    assert gates <= heads("runbook-holds.md")


def test_every_finding_has_a_heading() -> None:
    """An operator who is blocked finds the finding by its id, and nothing that is not a finding."""
    ids = {*RULES, *findings()}
    gates = {gate.value for gate in Gate}

    assert heads("gates-and-findings.md") - gates == ids


def test_every_rule_is_seen_by_the_search() -> None:
    """The search through the source finds at least what the rules are registered under."""
    assert set(RULES) - set(findings()) == set()


@pytest.mark.parametrize("id_", sorted(findings()))
def test_every_severity_is_said(id_: str) -> None:
    """How gravely a finding is taken stands under its heading."""
    text = section("gates-and-findings.md", id_).lower()

    assert {severity for severity in findings()[id_] if severity not in text} == set()


def test_every_command_has_a_heading() -> None:
    """Each command of the parser is described, and no other is."""
    assert heads("commands.md") == set(commands(build_parser()))


@pytest.mark.parametrize("command", sorted(set(commands(build_parser()))))
def test_every_option_is_described(command: str) -> None:
    """Each option stands under the heading of its command, besides the target's entries."""
    wanted = {option for owner, option in options(build_parser()) if owner == command}
    text = section("commands.md", command)

    assert {option for option in wanted if f"`{option}" not in text} == set()


def test_every_exit_code_is_described() -> None:
    """The table of exit codes has a row for each."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}

    assert rows == {int(code) for code in ExitCode}


def test_every_entry_of_the_target_is_described() -> None:
    """Each flag, and each entry of target.toml, stands in the target's document."""
    text = (DOCS / "target.md").read_text(encoding="utf-8")

    for flag, (part, key, _) in FLAGS.items():
        assert f"`--{flag}" in text
        assert f"`{key}`" in text
        assert f"[{part}]" in text


def test_every_fault_is_described() -> None:
    """Each fault that the sandbox can be told to have stands in its document."""
    text = (DOCS / "sandbox.md").read_text(encoding="utf-8")
    known = {*KNOWN, *CLUSTER_FAULTS, *API_FAULTS}

    assert {fault for fault in known if f"`{fault}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository names one, and its anchor a heading in it."""
    broken = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "comparison.md"],  # it names other projects' files
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_modules_that_are_named_are_there(page: Path) -> None:
    """By a path within the package, the tests, the scripts or the repository."""
    named = set(
        re.findall(r"`([a-z][a-z0-9_]*(?:/[a-z0-9_]+)*/[a-z0-9_]+\.py)\b", page.read_text())
    )
    within = (SOURCE, ROOT, ROOT / "tests", ROOT / "scripts")

    assert {one for one in named if not any((place / one).is_file() for place in within)} == set()


def anchors(path: Path) -> set[str]:
    """The anchors that a Markdown page's headings become."""
    text = path.read_text(encoding="utf-8")
    return {
        re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }

"""One word for one thing: what operators read says rollback, switch, follows, misses, again and only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mimir_migrate"
PAGES = sorted((SOURCE.parents[1] / "docs").glob("*.md"))
WORDS = {
    "rollback, roll back": re.compile(r"\bways? back\b", re.IGNORECASE),
    "follows the runtime configuration": re.compile(r"\bhears?\b", re.IGNORECASE),
    "switch": re.compile(r"\bcross(es|ed) (to|over)\b|\bcrosses\b", re.IGNORECASE),
    "misses": re.compile(r"\bnoes\b", re.IGNORECASE),
    "is not a": re.compile(r"(?<!there )(?<!There )\bis no (?!longer|more|less|use\b|need\b)"),
    "again": re.compile(r"\banew\b", re.IGNORECASE),
    "only": re.compile(r"(?<!starts )(?<!stays )(?<!left )\balone\b(?! stays)", re.IGNORECASE),
}
"""The word to use, and the one that it stands in place of."""
ALLOWED = {"hears"}
"""Texts that are no prose: a field of the JSON that scripts may rely on."""


@cache
def texts() -> tuple[tuple[str, int, str], ...]:
    """Every text of the program that is not a docstring, with its file and line; the sandbox left out."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        if not name.startswith("sandbox/"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [(name, line, text) for line, text in _texts(tree)]
    return tuple(found)


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    described = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        for statement in node.body
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in described:
            continue
        if isinstance(node.value, str) and node.value not in ALLOWED:
            yield node.lineno, node.value


@pytest.mark.parametrize("instead", WORDS)
def test_what_operators_read_has_one_word_for_one_thing(instead: str) -> None:
    """Screens, commands, report, findings and gates."""
    wrong = [
        f"{name}:{line}: {text[:80]!r}"
        for name, line, text in texts()
        if WORDS[instead].search(text)
    ]
    assert wrong == [], f"say {instead!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_documents_use_the_same_words(page: Path) -> None:
    """For the words that have no other meaning; code and names in backticks are left out."""
    text = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
    for instead in ("rollback, roll back", "misses", "again"):
        assert WORDS[instead].search(text) is None, f"{page.name}: say {instead!r}"


def test_there_are_texts_to_judge() -> None:
    """The scan finds what it is meant to find."""
    assert len(texts()) > 3000
    assert any("rollback" in text for _, _, text in texts())

"""One word for one thing, in sentences that a person wrote: rollback, switch, follows, misses, again, only.

Read are all texts of the program, adapters, documents, settings and the sandbox among them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mimir_migrate"
ROOT = SOURCE.parents[1]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
]
WORDS = {
    "rollback, roll back": re.compile(r"\bways? back\b", re.IGNORECASE),
    "follows the runtime configuration": re.compile(r"\bhears?\b", re.IGNORECASE),
    "switch": re.compile(r"\bcross(es|ed) (to|over)\b|\bcrosses\b", re.IGNORECASE),
    "misses": re.compile(r"\bnoes\b", re.IGNORECASE),
    "is not a": re.compile(r"(?<!there )(?<!There )\bis no (?!longer|more|less|use\b|need\b)"),
    "again": re.compile(r"\banew\b", re.IGNORECASE),
    "does not have": re.compile(r"\bhas not (the|an?)\b"),
    "succeeded": re.compile(r"\bended well\b"),
    "belong in": re.compile(r"\bbelongs? into\b"),
    "only": re.compile(
        r"(?<!starts )(?<!stays )(?<!left )(?<!ring )\balone\b(?! stays)", re.IGNORECASE
    ),
}
"""The word to use, and the one that it stands in place of."""
ALLOWED = {"hears"}
"""Texts that are not prose: a field of the JSON that scripts may rely on."""
NEVER_ONE = {
    "bytes",
    "clients",
    "digits",
    "flags",
    "mistakes",
    "observations",
    "places",
    "pods",
    "rows",
    "runs",
    "rings",
}
"""Nouns after a number that is never one, or said otherwise where it is, or that is the second of `3 of 7`."""
COUNTERS = {
    *("misses", "observations", "restarts", "good_samples", "events", "clients"),
    *("failed_pushes", "failed_queries", "pushes", "queries"),
}
"""Names that hold a number, besides what `len` and `sum` make."""
IN_SECONDS = {
    "durations.py",  # where durations are written
    "bridge/replica.py",  # knows nothing of this package but errors and ring items
    "sandbox/inprocess.py",  # what a test reads
    "sandbox/real.py",  # a table of seconds, for the page of `make real`
    "sandbox/walking.py",
    "sandbox/bridging/faults.py",  # what was typed
    "screens/tour/guide.py",  # counts the seconds of the clock beside those of the simulation
    "sandbox/kubernetes/api_faults.py",  # what was typed, `inf` among it
    "sandbox/simulation/injector.py",
    "cli/sandbox/rehearsing.py",
}
"""Files that may write a number of seconds as it is."""


LEFT_ALONE = re.compile(
    r"(?i)\bleft alone\b|\b(leaves?|lets?)\b[\w ']* alone\b|starts its gossip alone"
)
"""What is let be, or is by itself."""
COMMENT = re.compile(r"(?:^\s*|  )# (.+)$")


@cache
def texts() -> tuple[tuple[str, int, str], ...]:
    """Every text of the program that is not a docstring, with its file and line."""
    return tuple((name, line, text) for name, tree in trees() for line, text in _texts(tree))


@cache
def trees() -> tuple[tuple[str, ast.AST], ...]:
    """Every module of the program, by its path."""
    return tuple(
        (str(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(SOURCE.rglob("*.py"))
    )


def glued() -> Iterator[tuple[str, int, str, str]]:
    """Every number and what follows it in a text that the program puts together."""
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                for value, behind in pairwise(node.values):
                    if isinstance(value, ast.FormattedValue) and isinstance(behind, ast.Constant):
                        yield name, node.lineno, ast.unparse(value.value), str(behind.value)


@cache
def described() -> tuple[tuple[str, int, str], ...]:
    """Every docstring and comment of the program, code and names in backticks left out."""
    found = []
    for name, tree in trees():
        lines = (SOURCE / name).read_text(encoding="utf-8").split("\n")
        found += [
            (name, number, comment[1])
            for number, line in enumerate(lines, 1)
            if "#" in line and (comment := COMMENT.search(line))
        ]
        found += [
            (name, node.lineno, str(node.value.value))
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ]
    return tuple(
        (name, line, LEFT_ALONE.sub("", re.sub(r"`[^`]*`", "", text)))
        for name, line, text in found
    )


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


def test_a_counted_noun_is_plural_only_where_it_is() -> None:
    """`words.counted` writes both; a machine writes `1 tables have names`."""
    wrong = [
        f"{name}:{line}: {{{value}}}{behind[:30]}"
        for name, line, value, behind in glued()
        if (value.startswith(("len(", "sum(")) or value.rpartition(".")[2] in COUNTERS)
        and (noun := re.match(r" (?:[a-z]+ )?([a-z]{3,}(?<![aius])s)\b", behind))
        and noun[1] not in NEVER_ONE
        and not name.startswith("bridge/")
    ]
    assert wrong == []


def test_durations_are_written_as_people_write_them() -> None:
    """`durations.spoken` says 2 min 17 s; a machine says 137 s."""
    wrong = [
        f"{name}:{line}: {{{value}}}{behind[:30]}"
        for name, line, value, behind in glued()
        if re.match(r" s\b", behind) and name not in IN_SECONDS
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_documents_use_the_same_words(page: Path) -> None:
    """Code and names in backticks are left out; to leave alone is what it is."""
    text = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
    text = LEFT_ALONE.sub("", text)
    for instead in sorted(set(WORDS) - {"is not a"}):
        found = WORDS[instead].search(text)
        assert found is None, f"{found[0]!r}: say {instead!r}"


@pytest.mark.parametrize("instead", ["rollback, roll back", "misses", "again", "only"])
def test_docstrings_and_comments_use_the_same_words(instead: str) -> None:
    """Whoever reads the code meets the words that operators read."""
    wrong = [
        f"{name}:{line}: {text[:80]!r}"
        for name, line, text in described()
        if WORDS[instead].search(text)
    ]
    assert wrong == [], f"say {instead!r}"


def test_there_are_texts_to_judge() -> None:
    """The scan finds what it is meant to find."""
    assert len(texts()) > 3000
    assert any("rollback" in text for _, _, text in texts())

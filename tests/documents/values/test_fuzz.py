"""Garbage in any form ends in an error with a place, never in a traceback."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from helm_texts import texts
from hypothesis import given, settings
from hypothesis import strategies as st
from wishes import make_wanted

from mimir_migrate.documents import edits
from mimir_migrate.documents.undo_record import read_record
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.rings import Product
from mimir_migrate.plans.files.edited import edited_paths
from mimir_migrate.sandbox.charts.values import load_values

EXAMPLES = Path(__file__).parents[3] / "examples"
PIECES = (
    "mimir:", "config:", "  structuredConfig:", "    ruler:", "      ring:", "        kvstore:",
    "          store: multi", "runtimeConfig:", "  multi_kv_config:", "    primary: memberlist",
    "apiVersion: v1", "kind: HelmRelease", "kind: ConfigMap", "data:", "  values.yaml: |", "spec:",
    "  values:", "metadata: {name: x}", "---", "...", "{{- if .x }}", "{{- end }}", "{{ .y", "  }}",
    "%{ if a }", "%{ endif }", "${a}", "a: &a", "b: *a", "<<: *a", "- ", "? ", ": ", "|", ">-", "'", '"',
    "[", "]", "{", "}", ",", "#", "\t", "\r\n", "\ufeff", "\x00", "\x85", "\u2028", "é", "0x_",
    "9" * 5000, "!!binary a", "!!int x", ".nan", "~: 1", "sops: {mac: x}", "%YAML 1.2", "{}", "extraArgs:",
)  # fmt: skip
ROOTS = (
    "",
    "spec.values",
    "a.b",
    '"',
    "[0]",
    "x:y",
    "a[",
    "data.'values.yaml'.mimir",
    "[1].a",
    "0.1",
)


def survives(content: bytes, root: str = "", product: Product | None = None) -> None:
    """Read and edit; what comes out, if anything, is what was asked for."""
    file = SourceFile(path="values.yaml", content=content)
    for wish in (make_wanted("memberlist+dynamodb"), make_wanted("memberlist")):
        made: tuple[FileEdit, ...] = ()
        with contextlib.suppress(MigrateError):
            before = ValuesFiles([file], root=root, product=product)
            made = before.edit(wish)
        for each in made:
            after = edits.apply(each, content)
            assert edits.apply(edits.inverse(each, content), after) == content
            before.changes_to(before.after([each]))
    edited_paths(content, content + b"\n# x")
    with contextlib.suppress(MigrateError):
        load_values(content, "v")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=16),
    st.sampled_from(ROOTS),
    st.sampled_from([None, *Product]),
)
def test_pieces_in_any_order_never_end_in_a_traceback(
    pieces: list[str], root: str, product: Product | None
) -> None:
    """Keys, markers, template and YAML signs in any order, on lines of their own or not."""
    survives("\n".join(pieces).encode("utf-8", "replace"), root, product)
    survives(" ".join(pieces).encode("utf-8", "replace"), root, product)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_never_end_in_a_traceback(content: bytes) -> None:
    """Not as values, and not as an undo record."""
    survives(content)
    with pytest.raises(MigrateError):
        read_record(content, path="v.undo")


def test_texts_that_helm_was_asked_about_never_end_in_a_traceback() -> None:
    """Below the configuration, where an edit goes."""
    for text in texts()[::7]:
        inside = "".join(f"    {line}" for line in text.splitlines(keepends=True))
        survives(("mimir:\n  structuredConfig:\n" + inside).encode())


def damaged(content: bytes, dice: random.Random) -> Iterator[bytes]:
    """A real file cut, doubled, with a bit turned, with lines out of order."""
    at = dice.randrange(len(content))
    yield content[:at]
    yield content[at:]
    yield content + content
    yield content[:at] + content[at:][: dice.randint(1, 200)] + content[at:]
    yield content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
    yield content[:at] + content[at + dice.randint(1, 30) :]
    lines = content.splitlines(keepends=True)
    first, second = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    yield b"".join(lines)


def real_files() -> list[Path]:
    shared = Path(os.environ.get("MIMIR_MIGRATE_SHARED", EXAMPLES.parent.parent / "shared"))
    real = sorted((shared / "corpus" / "values").glob("*.yaml"))
    return [
        *sorted(EXAMPLES.glob("*.yaml")),
        *(path for path in real if path.stat().st_size < 6000),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_never_end_in_a_traceback(seed: int) -> None:
    """The examples and, where they are here, real files; a few of each by the seed."""
    dice = random.Random(seed)
    for path in dice.sample(real_files(), 2):
        for content in damaged(path.read_bytes(), dice):
            survives(content)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_many_damaged_files_never_end_in_a_traceback(seed: int) -> None:
    """The same for every file."""
    dice = random.Random(seed)
    for path in real_files():
        for content in damaged(path.read_bytes(), dice):
            survives(content)

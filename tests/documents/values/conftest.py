"""Fixtures of the tests of values files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from wishes import edit, make_wanted

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile, Wanted


@pytest.fixture
def wanted() -> Callable[..., Wanted]:
    """Makes a wish for rings: state, rings, and the rest by keyword."""
    return make_wanted


@pytest.fixture
def changed() -> Callable[..., str]:
    """Edits one file given as text and returns the text after the edit, having undone it too."""

    def change(text: str, wish: Wanted, *, path: str = "values.yaml", root: str = "") -> str:
        content = dedent(text).encode()
        made = edit([SourceFile(path=path, content=content)], wish, root=root)
        if not made:
            return dedent(text)
        after = edits.apply(made[0], content)
        back = edits.apply(edits.inverse(made[0], content), after)

        assert back == content
        return after.decode()

    return change


@pytest.fixture
def shared_files() -> Path:
    """The folder of real files; the test is skipped where it is absent."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("MIMIR_MIGRATE_SHARED", root.parent / "shared"))
    if not (folder / "corpus").is_dir():
        pytest.skip("the folder of real files is not here")
    return folder


@pytest.fixture
def examples() -> Path:
    """The folder of this project's example values."""
    return Path(__file__).parents[3] / "examples"

"""What the tests of the inspection share."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    """A module beside this file; the import mode of the tests puts none of them on the path."""
    known = sys.modules.get(f"inspection_tests_{name}")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(f"inspection_tests_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The small cluster that answers like a real one."""
    return _load("small_cluster")


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """Builders of inspections."""
    return _load("builders")


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder with what real pods answered; skips where it is absent."""
    default = HERE.parents[1].parent / "shared"
    folder = Path(os.environ.get("MIMIR_MIGRATE_SHARED", default)) / "captures"
    if not folder.is_dir():
        pytest.skip("the captures of real pods are not here")
    return folder

"""What the tests of the inspection share."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import builders
import pytest
import small_cluster

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def small() -> ModuleType:
    """The small cluster that answers like a real one."""
    return small_cluster


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """Builders of inspections."""
    return builders


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder with what real pods answered; skips where it is absent."""
    default = HERE.parents[1].parent / "shared"
    folder = Path(os.environ.get("MIMIR_MIGRATE_SHARED", default)) / "captures"
    if not folder.is_dir():
        pytest.skip("the captures of real pods are not here")
    return folder

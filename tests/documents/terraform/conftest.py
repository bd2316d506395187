"""Where the folder of real files is, and Terraform files in the shapes that people write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(
        os.environ.get("MIMIR_MIGRATE_SHARED", Path(__file__).resolve().parents[4] / "shared")
    )
    if not folder.is_dir():
        pytest.skip("no folder of real files here")
    return folder

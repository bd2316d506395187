"""A stand-in for a binary, and a place for pods of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stand_in import STAND_IN


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program that passes for a Cortex binary."""
    path = tmp_path / "cortex"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _linux_only() -> None:
    if sys.platform != "linux":
        pytest.skip("real processes as pods need Linux")

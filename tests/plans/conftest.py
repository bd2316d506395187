"""What the tests of the planning share."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return HERE.parents[1]

"""What the tests of the planning share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (str(HERE.parent / "fakes"), str(HERE)):
    if folder not in sys.path:  # the import mode of the tests puts no folder on the path
        sys.path.append(folder)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return HERE.parents[1]

"""What the tests of dying, going on and going back share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "fakes", HERE.parent / "e2e"):
    if str(folder) not in sys.path:  # the import mode of the tests puts no folder on the path
        sys.path.append(str(folder))


@pytest.fixture
def brisk() -> Iterator[None]:
    """Migrations in virtual time that take a moment."""
    from brisk_world import brisk

    with brisk():
        yield


# The operators of the end-to-end tests and their sandboxes, whose folder is no package either.
_spec = importlib.util.spec_from_file_location(
    "operators_of_sandboxes", HERE.parent / "e2e" / "conftest.py"
)
assert _spec is not None
assert _spec.loader is not None
_operators = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _operators
_spec.loader.exec_module(_operators)
pool = _operators.pool
mimir = _operators.mimir
cortex = _operators.cortex
operator = _operators.operator
outside = _operators.outside

"""What the tests of dying, going on and going back share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from operators import cortex, mimir, operator, outside, pool

__all__ = ["brisk", "cortex", "mimir", "operator", "outside", "pool"]


@pytest.fixture
def brisk() -> Iterator[None]:
    """Migrations in virtual time that take a moment."""
    from brisk_world import brisk

    with brisk():
        yield

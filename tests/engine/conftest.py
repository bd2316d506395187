"""What the tests of the engine share."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder with what real pods answered; skips where it is absent."""
    default = HERE.parents[1].parent / "shared"
    folder = Path(os.environ.get("MIMIR_MIGRATE_SHARED", default)) / "captures"
    if not folder.is_dir():
        pytest.skip("the captures of real pods are not here")
    return folder


@pytest.fixture
def steady() -> Iterator[None]:
    """Spares everything but samples: a fault of half a minute is to be seen."""
    import brisk_world

    from mimir_migrate.engine import watch

    usual = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    # Undone inside of `brisk`, whose values would else be taken for the usual ones and stay for good.
    with brisk_world.brisk(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "SAMPLES_PER_WINDOW", 3)
        patch.setattr(watch, "LONGEST_PAUSE", 15.0)
        yield
    gc.set_threshold(*usual)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares what a test in virtual time spends most on: parsing the same page again, and samples."""
    from mimir_migrate.engine import watch
    from mimir_migrate.inspection import pods
    from mimir_migrate.inspection.pages import config as config_page

    monkeypatch.setattr(pods, "read_yaml", functools.lru_cache(256)(config_page.read_yaml))
    monkeypatch.setattr(watch, "SAMPLES_PER_WINDOW", 3)
    monkeypatch.setattr(watch, "LONGEST_PAUSE", 15.0)

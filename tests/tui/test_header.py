"""The permanent line says of the rollback what is true of the run that was followed, on every page."""

from __future__ import annotations

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.screens.session import Session


@pytest.fixture
def done() -> tuple[QuickWorld, RunStatus]:
    """A run that moved everything."""
    world = QuickWorld()
    world.run(world.start())
    return world, status_of("run-1", world.journal.events(), now=world.clock.now())


def test_after_a_run_no_page_says_that_nothing_was_changed(
    done: tuple[QuickWorld, RunStatus],
) -> None:
    """Also a page about the target, not about the run."""
    world, status = done
    session = Session(None, clock=lambda: 0.0, target=world.target)  # type: ignore[arg-type]
    session.status = status
    assert session.where(of_run=False).way_back == session.where(of_run=True).way_back != ""


def test_a_run_of_another_release_says_nothing_of_this_one(
    done: tuple[QuickWorld, RunStatus],
) -> None:
    """Nor does a page claim anything where no run is followed."""
    world, status = done
    session = Session(None, clock=lambda: 0.0, target=world.target)  # type: ignore[arg-type]
    assert session.where(of_run=False).way_back == ""
    session.status = msgspec.structs.replace(status, release="another")
    assert session.where(of_run=False).way_back == ""
    assert session.where(of_run=True).way_back != ""

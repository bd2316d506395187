"""Journals that version 0.1.0 wrote are read, gone on with and taken back.

They stand in `tests/fixtures/journals-0.1.0`, each with what the world looked like at that moment.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from journalled_world import JournalledWorld
from virtual_world import VALUES

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import UsageError
from mimir_migrate.model.events import (
    Event,
    Held,
    LegStarted,
    RequestKind,
    RequestVoid,
    RunnerStarted,
    RunState,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.runs import report
from mimir_migrate.runs.status import status_of

pytestmark = pytest.mark.usefixtures("brisk")

FOLDER = Path(__file__).parents[1] / "fixtures" / "journals-0.1.0"
INTERRUPTED = {
    "held-at-approval-cortex": RunState.DONE,
    "held-at-approval-mimir": RunState.DONE,
    "dead-before-a-deploy-cortex": RunState.DONE,
    "dead-in-a-deploy-cortex": RunState.DONE,
    "going-back-cortex": RunState.ROLLED_BACK,
    "going-back-mimir": RunState.ROLLED_BACK,
    "requests-pending-cortex": RunState.DONE,
}
"""What `resume` makes of each. All chosen rings are then on DynamoDB, or again where they were."""
OVER = {"done-cortex": RunState.DONE, "rolled-back-cortex": RunState.ROLLED_BACK}


class Kept:
    """A fixture, its journal copied into a state folder of its own.

    Args:
        name: The fixture's folder.
        state: The state folder to make.
    """

    def __init__(self, name: str, state: Path) -> None:
        self._folder = FOLDER / name
        self.state = state
        self.told: dict[str, Any] = json.loads(self.file("world.json"))
        self.run: str = self.told["run"]
        self.start = self.file("start-values.yaml")
        (state / "runs").mkdir(parents=True)
        shutil.copyfile(self._folder / "journal.db", state / "runs" / f"{self.run}.db")
        self.worlds: list[JournalledWorld] = []

    def file(self, name: str) -> bytes:
        """A file of the fixture."""
        return (self._folder / name).read_bytes()

    def world(self) -> JournalledWorld:
        """The world that the run was interrupted in, once what was under way in it is over."""
        sandbox = self.told["sandbox"]
        world = JournalledWorld(
            Product(self.told["product"]),
            self.file("deployed-values.yaml"),
            self.state,
            seed=sandbox["seed"],
            speed=sandbox["speed"],
            client=sandbox["client"],
            tables=self.told["tables"],
        )
        self.worlds.append(world)
        world.files.contents[VALUES] = self.file("values.yaml")
        world.sandbox.run_for(max(0.0, self.told["now"] - world.clock.now()))
        assert rings_of(world, self.told["rings"]) == self.told["rings"]
        world.listeners.append(continuing(world))
        return world


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[[str], Kept]]:
    """Opens fixtures; what their worlds left open is closed."""
    found: list[Kept] = []

    def keep(name: str) -> Kept:
        found.append(Kept(name, tmp_path / name))
        return found[-1]

    yield keep
    for one in found:
        for world in one.worlds:
            world.store.close()


def continuing(world: JournalledWorld) -> Callable[[str, Event], None]:
    """An operator who says `continue` where a hold, that was asked for before, holds the run.

    Version 0.1.0 acts on requests that were left for a runner that is dead: on the hold of
    `requests-pending`, for one. This one takes them for void, so nothing is held by them.
    """

    def hear(run: str, event: Event) -> None:
        if isinstance(event, Held) and not event.approval and event.gate is None:
            world.ask(run, RequestKind.CONTINUE)

    return hear


def rings_of(world: JournalledWorld, names: dict[str, Any]) -> dict[str, Any]:
    """The stores that each ring has and reads, as the fixtures tell them."""
    return {
        ring.ring: {
            "states": sorted(state.value for state in ring.states),
            "primaries": sorted(store.value for store in ring.primaries),
        }
        for ring in world.inspect().rings
        if ring.ring in names
    }


def check(world: JournalledWorld, kept: Kept, wanted: RunState) -> None:
    """The run is over as it should be, nobody was lost sight of, and the lease is free."""
    ended = world.ending(kept.run)
    assert ended.state is wanted, ended
    world.settle()
    store = "dynamodb" if wanted is RunState.DONE else "memberlist"
    rings = rings_of(world, kept.told["rings"])
    assert rings == {ring: {"states": [store], "primaries": [store]} for ring in rings}
    if wanted is RunState.ROLLED_BACK:
        assert world.values == kept.start
    assert not world.missed
    assert world.lost_sight == 0
    assert world.leases.holder(f"mimir-migrate-{kept.told['product']}") is None


@pytest.mark.parametrize("name", [*INTERRUPTED, *OVER])
def test_it_is_read_whole(name: str, kept: Callable[[str], Kept]) -> None:
    """Also where the folder cannot be written: each event, its checksum verified, by status and report."""
    one = kept(name)
    runs = one.state / "runs"
    runs.chmod(0o500)
    try:
        store = JournalStore(one.state, redactor=Redactor({}))
        with store.open(one.run) as journal:
            events, asked, problem = journal.events(), journal.open_requests(), journal.problem
        (listed,) = store.list_runs()
    finally:
        runs.chmod(0o700)
    assert not problem
    assert len(events) == one.told["events"] == listed.events
    assert events[-1].event.__struct_config__.tag == one.told["last_event"] == listed.last_kind
    assert listed.unfinished == (name in INTERRUPTED)
    assert not listed.problem
    status = status_of(one.run, events, now=one.told["now"] + 1.0, runner_alive=False, asked=asked)
    assert status.state is OVER.get(name, RunState.DEAD)
    assert status.product == one.told["product"]
    assert set(status.rings) == set(one.told["rings"])
    assert status.started_at
    for suffix in (".md", ".json", ".html"):
        assert one.run in report.render(one.run, events, suffix)


def test_what_was_asked_is_read(kept: Callable[[str], Kept]) -> None:
    """Requests that no runner read: of which kind, by whom, with the gate and the reason."""
    one = kept("requests-pending-cortex")
    with JournalStore(one.state, redactor=Redactor({})).open(one.run) as journal:
        found = {request.id: request for request in journal.open_requests()}
    for told in one.told["open_requests"]:
        request = found.pop(told["id"])
        said = (request.kind.value, request.by, request.reason, request.gate)
        assert said == (told["kind"], told["by"], told["reason"], told["gate"])
    assert not found


@pytest.mark.parametrize(("name", "wanted"), INTERRUPTED.items(), ids=list(INTERRUPTED))
def test_it_is_gone_on_with(name: str, wanted: RunState, kept: Callable[[str], Kept]) -> None:
    """`resume` comes to the end that the run was on its way to."""
    one = kept(name)
    world = one.world()
    world.resume(one.run)
    check(world, one, wanted)
    later = world.events(one.run)[one.told["events"] :]
    assert [event.purpose for event in later if isinstance(event, RunnerStarted)] == ["resume"]
    # They do not say which question they answer, so none of them acts.
    void = {one for event in later if isinstance(event, RequestVoid) for one in event.answers}
    assert void >= {told["id"] for told in one.told.get("open_requests", ())}
    back = wanted is RunState.ROLLED_BACK
    legs = {event.purpose for event in later if isinstance(event, LegStarted)}
    assert legs == {"rollback" if back else "resume"}


@pytest.mark.parametrize("name", [*INTERRUPTED, "done-cortex"])
def test_it_is_taken_back(name: str, kept: Callable[[str], Kept]) -> None:
    """`rollback` comes to the start, and to the byte in the values file."""
    one = kept(name)
    assert one.file("values.yaml") != one.start
    world = one.world()
    world.rollback(one.run)
    check(world, one, RunState.ROLLED_BACK)


@pytest.mark.parametrize("name", OVER)
def test_a_run_that_is_over_is_not_gone_on_with(name: str, kept: Callable[[str], Kept]) -> None:
    """`resume` says so, and nothing is written."""
    one = kept(name)
    world = one.world()
    with pytest.raises(UsageError, match="is over"):
        world.resume(one.run)
    assert len(world.events(one.run)) == one.told["events"]


def test_the_fixtures_are_all_tried() -> None:
    """None is left out, and none was opened in its place: nothing stands beside a journal."""
    assert {path.parent.name for path in FOLDER.glob("*/journal.db")} == {*INTERRUPTED, *OVER}
    assert not list(FOLDER.glob("*/journal.db-*"))

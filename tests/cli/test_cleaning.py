"""`clean` at work: under the lease, journaled, never past somebody else's run, and nothing is ever lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import planning
import pytest
import release as fake
from quick_world import Dead, FakeClock

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import BlockedError, DocumentError, LeaseError, UsageError
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    DeleteItem,
    DeleteTable,
    ExportItems,
    LeaseClaim,
    Outcome,
    ReleaseLease,
    RemoveFile,
    RenewLease,
    TableSpec,
    TakeLease,
)
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    RunFinished,
    RunStarted,
    RunState,
)
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodRing, Table, TableItems
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import AwsTarget, KubernetesTarget, TableTarget, Target
from mimir_migrate.operations import Environment
from mimir_migrate.operations.cleaning import Cleaning
from mimir_migrate.ports import World

TARGET = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="cortex"),
    aws=AwsTarget(region="eu-west-1"),
    dynamodb=TableTarget(table=fake.TABLE),
)
ITEMS = f"items/{fake.TABLE}/ruler"
TABLE = f"table/{fake.TABLE}"


@cache
def a_plan() -> Plan:
    """A plan to DynamoDB; whose it is stands in its identity."""
    return planning.plan(
        planning.start(Product.CORTEX), Store.DYNAMODB, (planning.example(Product.CORTEX),)
    )


class LeftWorld:
    """A release on memberlist, a table with old items of its rulers, one operator and their state folder."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.store = JournalStore(folder, redactor=Redactor({}), now=self.clock.now)
        self.state = StoreState.MEMBERLIST
        self.table: dict[str, Member] | None = {
            f"cortex-ruler-{number}": self.item(number) for number in range(3)
        }
        self.exported: dict[str, Member] = {}
        self.written: set[str] = set()
        self.holder: LeaseClaim | None = None
        self.abandoned: LeaseClaim | None = None
        self.performed: list[Change] = []
        self.dies_at = 0
        self.before_change: Callable[[Change], None] = lambda _change: None
        self.spoil: Callable[[Inspection], Inspection] = lambda seen: seen
        self.asked: set[str] = set()
        """Keys of rings whose items were read."""
        self.pid = 7
        self.uid = fake.release().identity.cluster_uid

    def item(self, number: int) -> Member:
        return Member(
            id=f"cortex-ruler-{number}",
            address=f"10.0.0.{number}:9095",
            state=MemberState.ACTIVE,
            timestamp=int(fake.NOW) - 7200,
            version=7,
        )

    def heartbeat(self, name: str) -> None:
        """Somebody writes an item."""
        if self.table is None or name not in self.table:
            return
        old = self.table[name]
        self.written.add(name)
        self.table[name] = msgspec.structs.replace(
            old, timestamp=int(self.clock.now()), version=(old.version or 0) + 1
        )

    def made_the_table(self, run: str = "20260101-000000-aaaa", namespace: str = "") -> None:
        """A run of before made the table, and was rolled back."""
        with self.store.create(run) as journal:
            identity = self.inspect(None, TARGET).identity
            if namespace:
                identity = msgspec.structs.replace(identity, namespace=namespace)
            plan = msgspec.structs.replace(a_plan(), identity=identity)
            journal.append(
                RunStarted(run=journal.run, by="a", host="b", tool_version="1", plan=plan)
            )
            spec = TableSpec(name=fake.TABLE, region="eu-west-1")
            journal.append(ChangeIntended(step="tables", change=CreateTable(table=spec)))
            journal.append(ChangeDone(step="tables", outcome=Outcome(detail="active")))

    def finish(self, state: RunState) -> None:
        run = self.store.list_runs()[0].run
        with self.store.open_for_runner(run) as journal:
            journal.append(RunFinished(state=state, reason="so", exit_code=0))

    # --- ports

    def inspect(self, world: Any, target: Target) -> Inspection:
        del world, target
        seen = fake.release(state=self.state, at=self.clock.now())
        return self.spoil(msgspec.structs.replace(seen, items=()))

    def account(self) -> str:
        return "123456789012"

    def region(self) -> str:
        return "eu-west-1"

    def table_of(self, name: str) -> Table | None:
        if self.table is None or name != fake.TABLE:
            return None
        return msgspec.structs.replace(fake.ring_table(), deletion_protection=False)

    def head(self, table: str, ring: str, ring_key: str) -> None:
        return None

    def items(self, table: str, ring: str, ring_key: str) -> TableItems:
        self.asked.add(ring_key)
        mine = ring == "ruler" and self.table is not None
        members = tuple(self.table.values()) if mine and self.table else ()
        return TableItems(
            table=table, ring=ring, ring_key=ring_key, members=members, at=self.clock.now()
        )

    def is_empty(self, table: str) -> bool:
        return not self.table

    def read(self, path: str) -> bytes:
        raise DocumentError("no such file", path=path)

    def exists(self, path: str) -> bool:
        return False

    def server(self) -> str:
        return "kubernetes.test:6443"

    def cluster_uid(self) -> str:
        return self.uid

    def lease(self, name: str) -> LeaseClaim | None:
        return self.holder

    def abandoned_lease(self, name: str) -> LeaseClaim | None:
        return self.abandoned

    def perform(self, change: Change) -> Outcome:
        self.before_change(change)
        match change:
            case TakeLease(claim=claim):
                if self.holder is not None and self.holder.holder != claim.holder:
                    raise LeaseError("held")
                self.holder, self.abandoned = claim, None
                return Outcome(detail="taken")
            case RenewLease():
                return Outcome(detail="renewed")
            case ReleaseLease():
                self.holder = None
                return Outcome(detail="free")
        self.performed.append(change)
        self.dies_at -= 1
        outcome = self._perform(change)
        if self.dies_at == 0:
            raise Dead
        return outcome

    def _perform(self, change: Change) -> Outcome:
        assert self.holder is not None
        table = self.table if self.table is not None else {}
        match change:
            case ExportItems(items=items):
                for one in items:
                    self._refuse_moved(one.instance, one.version, one.timestamp)
                self.exported.update({one.instance: table[one.instance] for one in items})
                return Outcome(detail="exported")
            case DeleteItem(item=one):
                if one.instance not in table:
                    return Outcome(detail="gone", already=True)
                self._refuse_moved(one.instance, one.version, one.timestamp)
                assert self.exported[one.instance] == table[one.instance]
                del table[one.instance]
                return Outcome(detail="deleted")
            case DeleteTable():
                if table:
                    raise BlockedError("holds items")
                self.table = None
                return Outcome(detail="deleted")
            case RemoveFile():
                return Outcome(detail="removed")
            case _:
                raise AssertionError(change)

    def _refuse_moved(self, name: str, version: int | None, timestamp: int) -> None:
        found = self.table.get(name) if self.table else None
        if found is None or (found.version, found.timestamp) != (version, timestamp):
            raise BlockedError("written since")

    def cleaning(self) -> Cleaning:
        class Tables:
            account, region, items, is_empty = self.account, self.region, self.items, self.is_empty
            table = self.table_of

        ports = World(
            clock=self.clock,
            cluster=self,  # type: ignore[arg-type]
            pages=self,  # type: ignore[arg-type]
            tables=Tables(),
            files=self,
            renderer=self,  # type: ignore[arg-type]
        )
        environment = Environment(
            store=self.store,
            clock=self.clock,
            world_for=lambda _target: ports,
            changes_for=lambda _target, _run: self,
            recorder=lambda files: (self, files, lambda: ()),
            spawn=lambda _run, _purpose, _options: 0,
            who="olga@laptop",
            host="laptop",
            pid=self.pid,
        )
        return Cleaning(environment, self, TARGET)

    def remove(self, *names: str, takeover: bool = False) -> list[Outcome]:
        return list(self.cleaning().remove(names, takeover=takeover))


@pytest.fixture
def world(tmp_path: Path) -> LeftWorld:
    made = LeftWorld(tmp_path / "state")
    made.made_the_table()
    made.finish(RunState.ROLLED_BACK)
    return made


def with_views(seen: Inspection, change: Callable[[PodRing], PodRing]) -> Inspection:
    """Every pod's view of every ring, changed."""
    pods = tuple(
        msgspec.structs.replace(facts, rings=tuple(change(view) for view in facts.rings))
        for facts in seen.pods
    )
    return msgspec.structs.replace(seen, pods=pods)


def test_only_runs_of_this_place_say_what_was_made_and_which_journals_are_left(
    world: LeftWorld,
) -> None:
    """Whatever else lies in the state folder, before it and after it, also what cannot be read."""
    (world.store.runs_folder / "20280101-000000-aaaa.db").write_bytes(b"torn")
    for run in ("20250101-000000-aaaa", "20270101-000000-aaaa"):
        world.made_the_table(run, namespace="elsewhere")
    found = world.cleaning().look()
    assert TABLE in found.removable
    journals = found.named("journals")
    assert journals is not None
    assert journals.by_hand == (f"rm {world.store.folder}/runs/20260101-000000-aaaa.*",)


def test_items_are_watched_for_a_minute_where_no_pod_says_how_often_it_writes(
    world: LeftWorld,
) -> None:
    """Four times the longest default of either product, and the second that heartbeats are whole by."""
    world.spoil = lambda seen: with_views(
        seen, lambda view: msgspec.structs.replace(view, heartbeat_period=None)
    )
    assert world.cleaning().look().watched == 61.0


def test_the_key_of_a_ring_has_the_prefix_that_pods_say(world: LeftWorld) -> None:
    """Also where one pod says nothing of it."""

    def prefixed(view: PodRing) -> PodRing:
        assert view.config is not None
        own = msgspec.structs.replace(view.config, prefix="own/")
        return msgspec.structs.replace(view, config=own)

    def spoiled(seen: Inspection) -> Inspection:
        first, *others = with_views(seen, prefixed).pods
        silent = tuple(msgspec.structs.replace(view, config=None) for view in first.rings)
        pods = (msgspec.structs.replace(first, rings=silent), *others)
        return msgspec.structs.replace(seen, pods=pods)

    world.spoil = spoiled
    world.cleaning().look()
    assert {"own/ring", "own/compactor", "own/store-gateway"} <= world.asked
    assert "collectors/ring" not in world.asked


def test_items_and_the_table_go_by_name_with_every_intent_in_a_journal_before(
    world: LeftWorld,
) -> None:
    """And the journal is not one of a run: nothing can be resumed or rolled back by mistake."""
    found = world.cleaning().look()
    assert set(found.removable) == {ITEMS, TABLE}
    assert found.watched >= 2 * fake.HEARTBEAT

    world.remove(ITEMS, TABLE)

    assert world.table is None
    assert set(world.exported) == {f"cortex-ruler-{number}" for number in range(3)}
    assert world.holder is None
    assert len(world.store.list_runs()) == 1
    (line,) = world.cleaning().history()
    assert "olga@laptop" in line
    assert ITEMS in line
    world.uid = "another"
    assert not list(world.cleaning().history()), "a release of the same name in another cluster"
    journal = world.store.cleanings().open(world.store.cleanings().list_runs()[0].run)
    events = [one.event for one in journal.events()]
    intended = [one.change for one in events if isinstance(one, ChangeIntended)]
    assert intended == world.performed
    assert isinstance(events[-1], RunFinished)
    journal.close()


def test_a_name_that_is_not_there_changes_nothing(world: LeftWorld) -> None:
    """What there is is named."""
    with pytest.raises(UsageError, match="items/rings/nobody"):
        world.remove("items/rings/nobody")
    assert world.performed == []
    assert world.holder is None


def test_a_table_goes_only_together_with_what_is_in_it(world: LeftWorld) -> None:
    """Naming the table does not name its items."""
    with pytest.raises(BlockedError, match=f"after {ITEMS}"):
        world.remove(TABLE)
    assert world.performed == []


def test_nothing_is_removed_while_a_run_is_not_over(tmp_path: Path) -> None:
    """It may still need what looks left."""
    world = LeftWorld(tmp_path / "state")
    world.made_the_table()
    with pytest.raises(BlockedError, match="is not over"):
        world.remove(ITEMS)
    world.finish(RunState.STOPPED)
    with pytest.raises(BlockedError, match="is not over"):
        world.remove(ITEMS)
    world.spoil = lambda seen: msgspec.structs.replace(
        seen, identity=msgspec.structs.replace(seen.identity, account="999999999999")
    )
    with pytest.raises(BlockedError, match="is not over"):
        world.remove(ITEMS)
    assert world.performed == []


@pytest.mark.parametrize("is_held", [True, False])
def test_a_lease_of_a_run_keeps_it_out_from_wherever(world: LeftWorld, *, is_held: bool) -> None:
    """A run of another machine is in no journal here; its lease says that it is not over."""
    claim = LeaseClaim(
        name="mimir-migrate-cortex",
        holder="ana@bastion r pid 3",
        run="r",
        store="dynamodb",
        rings=("ruler",),
        step="switch",
    )
    world.holder, world.abandoned = (claim, None) if is_held else (None, claim)
    with pytest.raises(LeaseError, match="ana@bastion"):
        world.remove(ITEMS, takeover=True)
    assert world.performed == []


def test_what_is_in_use_by_now_stays_though_it_was_listed(world: LeftWorld) -> None:
    """It is looked at again under the lease."""
    world.cleaning().look()
    world.state = StoreState.MEMBERLIST_DYNAMODB
    with pytest.raises(BlockedError, match="stays"):
        world.remove(ITEMS)
    assert world.performed == []
    assert world.holder is None


@pytest.mark.parametrize("at", range(1, 6))
def test_death_after_any_change_loses_nothing_and_the_next_call_ends_the_work(
    world: LeftWorld, at: int
) -> None:
    """Each item is in the table or in an export; the lease that was left is taken over when asked."""
    all_items: Mapping[str, Member] = dict(world.table or {})
    world.dies_at = at
    with pytest.raises(Dead):
        world.remove(ITEMS, TABLE)
    for name, one in all_items.items():
        assert (world.table or {}).get(name) == one or world.exported.get(name) == one

    world.holder, world.abandoned = None, world.holder
    world.pid = 8
    left = world.cleaning().look().removable
    if not left:
        return
    if world.abandoned is not None:
        with pytest.raises(LeaseError, match="--takeover"):
            world.remove(*left)
    world.remove(*left, takeover=True)
    assert world.table is None


@pytest.mark.parametrize("seed", range(30))
def test_whoever_writes_an_item_at_any_moment_keeps_it(world: LeftWorld, seed: int) -> None:
    """Writes fall anywhere: in the window, between lease and look, between export and delete."""
    chance = random.Random(seed)
    world.clock.after(chance.uniform(0, 120), lambda: world.heartbeat("cortex-ruler-1"))
    when = chance.randrange(8)
    count = 0

    def meanwhile(change: Change) -> None:
        nonlocal count
        del change
        count += 1
        if count == when:
            world.heartbeat(f"cortex-ruler-{chance.randrange(3)}")

    world.before_change = meanwhile
    try:
        world.remove(ITEMS)
    except BlockedError:
        assert world.table
    deleted = {f"cortex-ruler-{n}" for n in range(3)} - set(world.table or {})
    assert not deleted & world.written
    assert world.holder is None

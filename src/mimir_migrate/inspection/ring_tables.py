"""What DynamoDB holds: the tables that the target or the pods name, and the items of each ring."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.pages.copies import shared
from mimir_migrate.model.facts import (
    Member,
    PodFacts,
    PodRing,
    RingHead,
    Table,
    TableItems,
    Unanswered,
)
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.ports import World

_WHOLE_SECOND = 1.0
"""Heartbeats are whole seconds: two reads must lie one heartbeat and this much apart."""
_NOBODY_SAYS = 60.0
"""Seconds between heartbeats where no pod tells: four times the longest default of either product."""


class TableRead(msgspec.Struct, frozen=True, kw_only=True):
    """Everything read of DynamoDB."""

    tables: dict[str, Table | None] = {}
    items: tuple[TableItems, ...] = ()
    earlier_items: tuple[TableItems, ...] = ()
    heads: tuple[RingHead, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()


class RingTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where one ring's items are, or will be."""

    ring: str
    table: str
    ring_key: str


def ring_tables(
    product: Product, pods: Sequence[PodFacts], target: Target
) -> tuple[RingTable, ...]:
    """The table of every movable ring that is on.

    That is the table which the pods write to now; where none does, and where they reach it through the
    ring bridge, the target's.
    """
    found = []
    for ring in rings_of(product):
        views = [view for facts in pods if (view := facts.ring(ring.name)) and view.enabled]
        if not ring.movable or not views:
            continue
        table = (
            "" if target.through_bridge else _table_in_use(views)
        ) or target.dynamodb.table_for(ring.name)
        if table:
            found.append(RingTable(ring=ring.name, table=table, ring_key=_ring_key(ring, views)))
    return tuple(found)


def ring_keys(product: Product, pods: Sequence[PodFacts], rings: Sequence[str]) -> dict[str, str]:
    """The key of each of these rings in its stores, with the prefix that pods have for it."""
    found = {}
    for ring in rings_of(product):
        views = [view for facts in pods if (view := facts.ring(ring.name)) and view.enabled]
        if ring.name in rings and views:
            found[ring.name] = _ring_key(ring, views)
    return found


def uses_dynamodb(view: PodRing) -> bool:
    """Whether the pod's static configuration of the ring names DynamoDB as one of its stores."""
    state = view.state
    return state is not None and Store.DYNAMODB in state.stores


def read_tables(
    world: World,
    product: Product,
    pods: Sequence[PodFacts],
    target: Target,
    *,
    rings: Sequence[str] | None = None,
    wait_for_heartbeat: bool = False,
) -> TableRead:
    """Read every table that the target or the pods name, and the rings' items in them."""
    unanswered: list[Unanswered] = []
    places = ring_tables(product, pods, target)
    names = {place.table for place in places} | {
        target.dynamodb.table_for(place.ring) for place in places if target.dynamodb.table
    }
    tables: dict[str, Table | None] = {}
    for name in sorted(names):
        try:
            tables[name] = world.tables.table(name)
        except MigrateError as error:
            source = f"DynamoDB DescribeTable {name} in {world.tables.region()}"
            unanswered.append(Unanswered(source=source, reason=str(error)))
    wanted = [
        place
        for place in places
        if (rings is None or place.ring in rings) and _holds_items(tables.get(place.table))
    ]
    items = _read_items(world, wanted, unanswered)
    earlier: tuple[TableItems, ...] = ()
    if wait_for_heartbeat and _foreign(items, pods):
        earlier = items
        world.clock.sleep(all_write_within(pods))
        items = _read_items(world, wanted, unanswered)
    return TableRead(
        tables=tables,
        items=items,
        earlier_items=earlier,
        heads=_read_heads(world, wanted, unanswered) if rings is None else (),
        unanswered=tuple(unanswered),
    )


def all_write_within(pods: Sequence[PodFacts]) -> float:
    """Seconds in which every living member of any ring writes its item, by its heartbeat's whole seconds."""
    periods = [
        view.heartbeat_period
        for facts in pods
        for view in facts.rings
        if view.enabled and view.heartbeat_period
    ]
    return max(periods, default=_NOBODY_SAYS) + _WHOLE_SECOND


def _table_in_use(views: Sequence[PodRing]) -> str:
    for view in views:
        if uses_dynamodb(view) and view.config and view.config.dynamodb:
            return view.config.dynamodb.table_name
    return ""


def _ring_key(ring: Ring, views: Sequence[PodRing]) -> str:
    prefix = next((view.config.prefix for view in views if view.config), None)
    return ring.ring_key(prefix)


def _holds_items(table: Table | None) -> bool:
    return table is not None and table.is_ring_table


def _read_items(
    world: World, places: Sequence[RingTable], unanswered: list[Unanswered]
) -> tuple[TableItems, ...]:
    found = []
    for place in places:
        try:
            items = world.tables.items(place.table, place.ring, place.ring_key)
            found.append(
                msgspec.structs.replace(items, members=tuple(map(_sharing, items.members)))
            )
        except MigrateError as error:
            source = f"DynamoDB Query {place.table} RingKey={place.ring_key}"
            unanswered.append(Unanswered(source=source, reason=str(error)))
    return tuple(found)


def _read_heads(
    world: World, places: Sequence[RingTable], unanswered: list[Unanswered]
) -> tuple[RingHead, ...]:
    """Whose rings a ring bridge keeps there, also where this target goes through none."""
    found = []
    for place in places:
        try:
            head = world.tables.head(place.table, place.ring, place.ring_key)
        except MigrateError as error:
            source = f"DynamoDB Query {place.table} RingKey=bridge:{place.ring_key}"
            unanswered.append(Unanswered(source=source, reason=str(error)))
            continue
        if head is not None:
            found.append(head)
    return tuple(found)


def _sharing(member: Member) -> Member:
    """With the tuple of tokens that pods' copies of the member have, where they are the same."""
    return msgspec.structs.replace(member, tokens=shared(member.tokens))


def _foreign(items: Sequence[TableItems], pods: Sequence[PodFacts]) -> bool:
    """Whether an item has an address of no pod here, so that it matters whether it moves."""
    ips = {facts.pod.ip for facts in pods if facts.pod.ip}
    return any(member.ip not in ips for each in items for member in each.members)

"""What is left after a rollback or a migration, and what of it may go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import release as fake
from hypothesis import given
from hypothesis import strategies as st

from mimir_migrate.model.changes import DeleteItem, DeleteTable, ExportItems, TableSpec
from mimir_migrate.model.facts import Member, MemberState, Table, TableItems, TableKey, Unanswered
from mimir_migrate.model.leftovers import LeftKind, Leftover
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import AwsTarget, KubernetesTarget, TableTarget, Target
from mimir_migrate.runs.leftovers import ItemPlace, Seen, leftovers, removals

MADE = TableSpec(name=fake.TABLE, region="eu-west-1")
TARGET = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="cortex"),
    aws=AwsTarget(region="eu-west-1"),
    dynamodb=TableTarget(table=fake.TABLE),
)
OLD = 3600
"""Seconds since the last heartbeat of an item that nobody writes any more."""


def open_table(**fields: Any) -> Table:
    return msgspec.structs.replace(fake.ring_table(), **{"deletion_protection": False, **fields})


def item(name: str = "cortex-ruler-0", *, age: float = OLD, version: int = 7) -> Member:
    return Member(
        id=name,
        address="10.0.0.9:9095",
        state=MemberState.ACTIVE,
        timestamp=int(fake.NOW - age),
        tokens=(1, 2),
        version=version,
    )


def items(*members: Member, at: float = fake.NOW) -> TableItems:
    return TableItems(
        table=fake.TABLE, ring="ruler", ring_key="rulers/ring", members=members, at=at
    )


def place(before: tuple[Member, ...], after: tuple[Member, ...] | None = None) -> ItemPlace:
    return ItemPlace(
        ring="ruler",
        table=fake.TABLE,
        ring_key="rulers/ring",
        before=items(*before),
        after=items(*(before if after is None else after)),
    )


def seen(state: StoreState = StoreState.MEMBERLIST, **fields: Any) -> Seen:
    inspection = msgspec.structs.replace(fake.release(state=state), items=())
    given = {
        "inspection": inspection,
        "target": TARGET,
        "tables": {fake.TABLE: open_table()},
        "places": (place((item(),)),),
        "empty": {fake.TABLE: False},
        "made": (MADE,),
    }
    return Seen(**{**given, **fields})


def named(found: tuple[Leftover, ...], kind: LeftKind) -> Leftover:
    return next(one for one in found if one.kind is kind)


def test_after_a_rollback_quiet_items_and_the_table_behind_them_may_go() -> None:
    """The items first, each exported, then the table that this tool made."""
    found = leftovers(seen())

    left, table = named(found, LeftKind.ITEMS), named(found, LeftKind.TABLE)
    assert (left.kept_because, table.kept_because) == ("", "")
    assert table.needs == (left.name,)
    assert [type(one) for one in removals(left, exports="/state/x")] == [ExportItems, DeleteItem]
    assert list(removals(table, exports="")) == [DeleteTable(table=fake.TABLE, region="eu-west-1")]


def test_items_are_exported_in_batches_that_one_call_writes_back() -> None:
    """BatchWriteItem takes 25."""
    many = tuple(item(f"cortex-ruler-{number}") for number in range(60))
    left = named(leftovers(seen(places=(place(many),))), LeftKind.ITEMS)

    made = list(removals(left, exports="/state/x"))

    exports = [one for one in made if isinstance(one, ExportItems)]
    assert [len(one.items) for one in exports] == [25, 25, 10]
    assert len({one.path for one in exports}) == 3
    assert sum(isinstance(one, DeleteItem) for one in made) == 60


def test_a_table_without_the_ring_schema_is_never_listed() -> None:
    """The same product keeps its index in a table with metric_name and timestamp."""
    index = Table(
        name="cortex-index",
        status="ACTIVE",
        keys=(
            TableKey(name="metric_name", role="HASH", type="S"),
            TableKey(name="timestamp", role="RANGE", type="N"),
        ),
    )
    made = TableSpec(name="cortex-index", region="eu-west-1")
    found = leftovers(seen(tables={"cortex-index": index}, places=(), empty={}, made=(made,)))

    assert "cortex-index" not in repr(found)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"made": ()}, "no journal here says that this tool made it"),
        ({"tables": {fake.TABLE: open_table(deletion_protection=True)}}, "protected"),
        ({"made": (TableSpec(name=fake.TABLE, region="us-east-1"),)}, "us-east-1"),
        ({"empty": {}, "places": ()}, "whether it is empty is not known"),
        ({"places": ()}, "items of other keys"),
        ({"tables": {fake.TABLE: open_table(status="UPDATING")}}, "UPDATING"),
        ({"values_on_dynamodb": frozenset({"ruler"})}, "values files"),
        ({"values_on_dynamodb": None}, "could not be understood"),
        (
            {"target": msgspec.structs.replace(TARGET, terraform={"dir": "infra"})},
            "Terraform",
        ),
    ],
)
def test_a_table_stays_unless_everything_about_it_is_known(
    fields: dict[str, Any], why: str
) -> None:
    """And where it stays for a reason of its own, the command for whoever deletes it is printed."""
    if "target" in fields:
        from mimir_migrate.model.target import TerraformTarget

        fields = {
            "target": msgspec.structs.replace(TARGET, terraform=TerraformTarget(dir="infra"))
        }
    table = named(leftovers(seen(**fields)), LeftKind.TABLE)

    assert why in table.kept_because


def test_a_protected_table_is_told_with_the_commands_and_not_touched() -> None:
    """Whoever owns the protection lifts it."""
    tables = {fake.TABLE: open_table(deletion_protection=True)}
    table = named(
        leftovers(seen(tables=tables, places=(), empty={fake.TABLE: True})), LeftKind.TABLE
    )

    assert "--no-deletion-protection-enabled" in table.by_hand[0]
    assert "delete-table" in table.by_hand[1]


@pytest.mark.parametrize("state", [one for one in StoreState if one is not StoreState.MEMBERLIST])
def test_nothing_in_dynamodb_goes_while_a_pod_is_configured_for_it(state: StoreState) -> None:
    """Whether it reads or only mirrors."""
    found = leftovers(seen(state))

    assert "has dynamodb in its configuration" in named(found, LeftKind.ITEMS).kept_because
    assert "has dynamodb in its configuration" in named(found, LeftKind.TABLE).kept_because
    assert not any(one.name == "permissions" for one in found)


def with_pod(found: Seen, **fields: Any) -> Seen:
    """The same with something else in the last pod."""
    pods = found.inspection.pods
    last = msgspec.structs.replace(pods[-1], **fields)
    inspection = msgspec.structs.replace(found.inspection, pods=(*pods[:-1], last))
    return msgspec.structs.replace(found, inspection=inspection)


def test_nothing_goes_while_one_pod_is_silent() -> None:
    """Unknown is not absent."""
    silent = Unanswered(source="pod x GET /config", reason="no route")
    found = leftovers(with_pod(seen(), unanswered=(silent,)))

    assert "did not answer pod x GET /config" in named(found, LeftKind.ITEMS).kept_because
    assert "did not answer pod x GET /config" in named(found, LeftKind.TABLE).kept_because


def test_nothing_goes_while_a_runtime_block_names_dynamodb() -> None:
    """A pod that comes up with both stores would read it at once."""
    before = seen()
    runtime = before.inspection.pods[-1].runtime
    assert runtime is not None
    block = RuntimeBlock(primary=Store.DYNAMODB.value, mirror_enabled=True)
    found = leftovers(with_pod(before, runtime=msgspec.structs.replace(runtime, block=block)))

    assert "runtime configuration" in named(found, LeftKind.ITEMS).kept_because
    left = next(one for one in found if one.name == "runtime-block")
    assert left.by_hand == ("mimir-migrate plan --to memberlist",)
    assert left.kept_because


def test_no_pod_at_all_proves_nothing() -> None:
    """A release that is scaled to nothing says nothing about what it will use."""
    empty = msgspec.structs.replace(seen().inspection, pods=())
    assert "no pod" in named(leftovers(seen(inspection=empty)), LeftKind.ITEMS).kept_because


def test_items_that_are_named_like_nobody_here_stay() -> None:
    """Another release may share the table and the key, and be down for the night."""
    left = named(leftovers(seen(places=(place((item("other-ruler-0"),)),))), LeftKind.ITEMS)

    assert "other-ruler-0" in left.kept_because


def test_undo_records_may_go_and_say_what_ends_with_them() -> None:
    """The exact rollback of that edit."""
    found = leftovers(seen(records=(("/w/values.yaml.undo", "ab" * 32),), journals=("/s/r.*",)))

    undo = named(found, LeftKind.UNDO)
    assert undo.name == "undo/values.yaml.undo"
    assert "exact rollback" in undo.consequence
    journals = next(one for one in found if one.name == "journals")
    assert journals.kept_because
    assert list(removals(journals, exports="")) == []


ages = st.integers(min_value=-100, max_value=2000)
members = st.lists(
    st.tuples(ages, st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=6
)


@given(members)
def test_an_item_that_was_written_in_the_window_or_is_young_is_never_in_a_removal(
    given_members: list[tuple[int, int, int, bool]],
) -> None:
    """Whatever mix of items a ring has: version, heartbeat or anything else that moved keeps it."""
    before, after, must_stay = [], [], False
    for number, (age, version, moves, gone) in enumerate(given_members):
        one = item(f"cortex-ruler-{number}", age=age, version=version)
        before.append(one)
        if gone and moves == 0:
            continue
        if moves == 1:
            must_stay = True
            one = msgspec.structs.replace(one, version=version + 1)
        if moves == 2:
            must_stay = True
            one = msgspec.structs.replace(one, timestamp=one.timestamp + 15)
        must_stay = must_stay or fake.NOW - one.timestamp <= 10 * 60
        after.append(one)
    found = leftovers(seen(places=(place(tuple(before), tuple(after)),)))

    changes = [
        change
        for left in found
        for change in removals(left, exports="/x")
        if not left.kept_because
    ]

    deleted = [one for one in changes if isinstance(one, DeleteItem)]
    if must_stay:
        assert deleted == []
    else:
        assert {one.item.instance for one in deleted} == {one.id for one in after}

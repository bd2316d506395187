"""What a migration or a rollback left, and what of it may be removed: pure, from two looks and journals.

Whatever is not known keeps a thing where it is. A table without the keys of a ring table is not
even listed: an index table of the same product lies in the same account.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.documents.journal_copy import secret_names
from mimir_migrate.documents.permissions import pod_actions, pod_policy, table_arn
from mimir_migrate.inspection.ring_tables import uses_dynamodb
from mimir_migrate.model.changes import (
    DeleteItem,
    DeleteTable,
    ExportItems,
    ItemSeen,
    Removal,
    RemoveFile,
    TableSpec,
)
from mimir_migrate.model.facts import Inspection, Member, PodRing, Table, TableItems
from mimir_migrate.model.leftovers import LeftKind, Leftover
from mimir_migrate.model.rings import Ring, rings_of
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.plans.hand import left_commands
from mimir_migrate.words import counted

QUIET_TIMEOUTS = 10
"""How many of a ring's heartbeat timeouts an item must have been without a heartbeat. After one a
member counts as unhealthy; ten leave room for a clock that is wrong and a cluster that is down."""

AT_ONCE = 25
"""Items in one export: what one BatchWriteItem takes (DynamoDB API reference, BatchWriteItem)."""


class ItemPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One ring's items in one table, as two looks found them."""

    ring: str
    table: str
    ring_key: str
    before: TableItems | None
    """None: they could not be read."""
    after: TableItems | None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one release."""

    inspection: Inspection
    target: Target
    tables: Mapping[str, Table | None]
    """By name; None: there is none, or it was not told."""
    places: tuple[ItemPlace, ...] = ()
    empty: Mapping[str, bool] = {}
    """By table, where it was told."""
    made: tuple[TableSpec, ...] = ()
    """Tables that journals of this place say were made."""
    records: tuple[tuple[str, str], ...] = ()
    """Undo records beside the values files: path and sha256."""
    values_on_dynamodb: frozenset[str] | None = frozenset()
    """Rings whose values name DynamoDB; None: the values files could not be understood."""
    journals: tuple[str, ...] = ()
    """Files of journals of runs of this place that are over."""


def leftovers(seen: Seen) -> tuple[Leftover, ...]:
    """Everything that is left, in the order in which it would be removed."""
    if seen.target.through_bridge is not None:
        return (*_records(seen), *_of_bridge(seen), *_others(seen))
    items = tuple(_items(seen))
    return (
        *items,
        *_tables(seen, items),
        *_records(seen),
        *_others(seen),
    )


def items_to_watch(places: Sequence[TableItems]) -> bool:
    """Whether any item is there, so that it matters whether it moves."""
    return any(one.members for one in places)


def removals(left: Leftover, *, exports: str) -> Iterator[Removal]:
    """The changes that remove it, in order.

    Args:
        left: What is to go.
        exports: The beginning of the paths of the files that items are exported to.
    """
    match left.kind:
        case LeftKind.ITEMS:
            for number, start in enumerate(range(0, len(left.items), AT_ONCE), 1):
                batch = left.items[start : start + AT_ONCE]
                path = f"{exports}-{left.ring_key.replace('/', '-')}-{number}.json"
                place = {"table": left.table, "region": left.region, "ring_key": left.ring_key}
                yield ExportItems(**place, items=batch, path=path)
                for one in batch:
                    yield DeleteItem(**place, item=one, export=path)
        case LeftKind.TABLE:
            yield DeleteTable(table=left.table, region=left.region)
        case LeftKind.UNDO:
            yield RemoveFile(path=left.path, sha256=left.sha256)
        case LeftKind.OTHER:
            return


def quiet_after(views: Sequence[PodRing]) -> float | None:
    """Seconds without a heartbeat after which an item is nobody's; None: no pod says the timeout."""
    timeouts = [view.heartbeat_timeout for view in views if view.heartbeat_timeout]
    return QUIET_TIMEOUTS * max(timeouts) if timeouts else None


# --- items ---------------------------------------------------------------------------------------


def _items(seen: Seen) -> Iterator[Leftover]:
    rings = {ring.name: ring for ring in rings_of(seen.inspection.product)}
    for place in seen.places:
        table = seen.tables.get(place.table)
        if table is None or not table.is_ring_table:
            continue
        if place.after is not None and not (place.after.members or place.after.undecodable):
            continue
        members = place.after.members if place.after else ()
        why = _why_items_stay(seen, place, rings[place.ring])
        count = counted(len(members), "item")
        yield Leftover(
            name=f"items/{place.table}/{place.ring}",
            kind=LeftKind.ITEMS,
            what=f"{count} of the ring {place.ring} ({place.ring_key}) in the table {place.table}",
            kept_because=why,
            consequence="exported first; `aws dynamodb batch-write-item` writes them back",
            by_hand=()
            if not why
            else (f"# {count} of RingKey {place.ring_key}: see whose they are first",),
            table=place.table,
            region=seen.target.aws.region or seen.inspection.identity.region,
            ring_key=place.ring_key,
            items=() if why else tuple(_seen(member) for member in members),
        )


def _seen(member: Member) -> ItemSeen:
    return ItemSeen(instance=member.id, version=member.version, timestamp=member.timestamp)


def _why_items_stay(seen: Seen, place: ItemPlace, ring: Ring) -> str:
    """Why a ring's items stay; empty: each is nobody's any more."""
    if why := _why_in_use(seen, place.table, (ring.name,)):
        return why
    if place.before is None or place.after is None:
        return "they could not be read twice, so whether somebody writes them is not known"
    if place.after.undecodable:
        return f"{place.after.undecodable[0]} is not an item that a ring client wrote"
    views = _views(seen.inspection, ring.name)
    quiet = quiet_after(views)
    if quiet is None:
        return "no pod says the ring's heartbeat timeout"
    before = {member.id: member for member in place.before.members}
    for member in place.after.members:
        if before.get(member.id) != member:
            return f"{member.id} was written while they were watched: somebody uses them"
        age = place.after.at - member.timestamp
        if age <= quiet:
            return (
                f"the last heartbeat of {member.id} is {seen.target.scale.words(max(age, 0))} old; "
                f"all must be older than {seen.target.scale.words(quiet)}"
            )
        if not _is_of_release(seen.inspection, member.id):
            return (
                f"{member.id} is not named like a pod of this release: it may be somebody else's"
            )
    return ""


def _is_of_release(inspection: Inspection, instance: str) -> bool:
    return any(instance.startswith(f"{one.name}-") for one in inspection.workloads)


def _views(inspection: Inspection, ring: str) -> tuple[PodRing, ...]:
    views = (facts.ring(ring) for facts in inspection.pods)
    return tuple(view for view in views if view is not None and view.enabled)


def _why_in_use(seen: Seen, table: str, rings: Sequence[str]) -> str:
    """Which pod or file still names the table for one of the rings, or may; empty: none."""
    inspection = seen.inspection
    if not inspection.pods:
        return "no pod of the release is there to say what it uses"
    for facts in inspection.pods:
        name = facts.pod.name
        if facts.unanswered:
            return f"the pod {name} did not answer {facts.unanswered[0].source}"
        if facts.runtime is not None and facts.runtime.block.primary == Store.DYNAMODB.value:
            return f"the runtime configuration of the pod {name} makes dynamodb the primary store"
        for view in facts.rings:
            if view.ring in rings and view.enabled and (why := _uses(view, table)):
                return f"the pod {name} {why}"
    if seen.values_on_dynamodb is None:
        return "the values files could not be understood, and a deploy of them may use it"
    if named := sorted(seen.values_on_dynamodb & set(rings)):
        return f"the values files name dynamodb for the ring {named[0]}: the next deploy uses it"
    return ""


def _uses(view: PodRing, table: str) -> str:
    if view.config is None:
        return f"gave no usable answer about its configuration of the ring {view.ring}"
    settings = view.config.dynamodb
    other = settings is not None and settings.table_name not in {"", table}
    if uses_dynamodb(view) and not other:
        return f"has dynamodb in its configuration of the ring {view.ring}"
    if view.primary == Store.DYNAMODB.value and not other:
        return f"reads the ring {view.ring} from dynamodb"
    if any(client.primary == Store.DYNAMODB.value for client in view.clients) and not other:
        return f"reads the ring {view.ring} from dynamodb"
    return ""


# --- tables --------------------------------------------------------------------------------------


def _tables(seen: Seen, items: Sequence[Leftover]) -> Iterator[Leftover]:
    made = {spec.name: spec for spec in seen.made}
    rings = tuple(ring.name for ring in rings_of(seen.inspection.product))
    region = seen.target.aws.region or seen.inspection.identity.region
    for name, table in sorted(seen.tables.items()):
        if table is None or not table.is_ring_table:
            continue
        own = tuple(one for one in items if one.table == name)
        why = _why_table_stays(seen, table, own, made.get(name), rings, region)
        spec = TableSpec(name=name, region=region, deletion_protection=table.deletion_protection)
        in_use = bool(_why_in_use(seen, name, rings))
        yield Leftover(
            name=f"table/{name}",
            kind=LeftKind.TABLE,
            what=f"the table {name} in {region}",
            kept_because=why,
            needs=() if why else tuple(one.name for one in own),
            consequence="a later move to DynamoDB makes it again; its CloudWatch metrics end",
            by_hand=_table_by_hand(seen, spec) if why and not in_use else (),
            table=name,
            region=region,
        )


def _why_table_stays(
    seen: Seen,
    table: Table,
    own: Sequence[Leftover],
    made: TableSpec | None,
    rings: Sequence[str],
    region: str,
) -> str:
    if why := _why_in_use(seen, table.name, rings):
        return why
    if seen.target.terraform.dir:
        return "the target names a Terraform folder: what Terraform made, Terraform deletes"
    if made is None:
        return "no journal here says that this tool made it"
    if made.region != region:
        return f"the one that this tool made is in {made.region}"
    if table.status != "ACTIVE":
        return f"it is {table.status}"
    if table.deletion_protection:
        return "it is protected against deletion, and this tool lifts no protection"
    if kept := next((one for one in own if one.kept_because), None):
        return f"it is not empty: {kept.name} stays, {kept.kept_because}"
    empty = seen.empty.get(table.name)
    if empty is None:
        return "whether it is empty is not known"
    if not empty and not own:
        return "it holds items of other keys than this release's rings"
    return ""


def _table_by_hand(seen: Seen, spec: TableSpec) -> tuple[str, ...]:
    if seen.target.terraform.dir:
        return (
            f"# take the table {spec.name} out of {seen.target.terraform.dir}, then:",
            "terraform plan && terraform apply",
        )
    return left_commands((spec,), seen.target)


# --- files and what is never removed -------------------------------------------------------------


def _records(seen: Seen) -> Iterator[Leftover]:
    for path, sha256 in seen.records:
        yield Leftover(
            name=f"undo/{path.rsplit('/', 1)[-1]}",
            kind=LeftKind.UNDO,
            what=f"the undo record {path}",
            consequence="`edit --undo` cannot give the file its bytes back any more: the exact "
            "rollback of that edit ends with it",
            path=path,
            sha256=sha256,
        )


def _of_bridge(seen: Seen) -> Iterator[Leftover]:
    """The ring bridge's table, which nobody but the bridge may write to."""
    for name, table in seen.tables.items():
        if table is not None:
            yield Leftover(
                name=f"bridge-table/{name}",
                kind=LeftKind.OTHER,
                what=f"the table {name} of the ring bridge, with its rings",
                kept_because="only the bridge may write to it: an item that went away under it would be a "
                "member lost; remove the bridge first, which a plan's step `unbridge` proves unused",
                by_hand=left_commands(
                    (TableSpec(name=name, region=seen.target.aws.region),), seen.target
                ),
            )


def _others(seen: Seen) -> Iterator[Leftover]:
    inspection = seen.inspection
    if seen.journals:
        count = len(seen.journals)
        yield Leftover(
            name="journals",
            kind=LeftKind.OTHER,
            what=f"{counted(count, 'journal')} of runs that are over, with the bytes "
            "that files had before each edit",
            kept_because="the exact rollback of those runs, their reports, and the proof of which "
            "tables were made would end with them",
            by_hand=tuple(f"rm {path}" for path in seen.journals),
        )
    if seen.target.journal.in_cluster:
        where = seen.target.kubernetes
        names = " ".join(secret_names(where.release))
        yield Leftover(
            name="journal-copy",
            kind=LeftKind.OTHER,
            what=f"the copy of the newest run's journal, in Secrets of the namespace {where.namespace}",
            kept_because="another machine takes a run over from it; the next run overwrites it",
            by_hand=(f"kubectl --namespace {where.namespace} delete secret {names}",),
        )
    if why := _runtime_block(inspection):
        stores = {ring.state.value for ring in inspection.rings if ring.state and ring.enabled}
        to = next(iter(stores)) if len(stores) == 1 else "STORE"
        yield Leftover(
            name="runtime-block",
            kind=LeftKind.OTHER,
            what=f"the runtime block multi_kv_config, {why}",
            kept_because="a plan takes it out, with its gates",
            by_hand=(f"mimir-migrate plan --to {to}",),
        )
    if seen.target.through_bridge is not None:
        return  # no pod has a right to take away
    tables = [one for one in seen.tables.values() if one is not None and one.is_ring_table]
    rings = tuple(ring.name for ring in rings_of(inspection.product))
    if tables and not any(_why_in_use(seen, one.name, rings) for one in tables):
        arns = [
            one.arn or table_arn(one.name, region=inspection.identity.region) for one in tables
        ]
        policy = pod_policy(arns, pod_actions(""))
        yield Leftover(
            name="permissions",
            kind=LeftKind.OTHER,
            what="what the role of the pods may still do with the ring tables, where it was given that",
            kept_because="roles are changed by whoever gave them",
            by_hand=(
                "# take a statement like this out of the pods' role:",
                *json.dumps(policy["Statement"][0], indent=1).splitlines(),
            ),
        )


def _runtime_block(inspection: Inspection) -> str:
    """Where a block is loaded that no ring needs; empty: nowhere."""
    both = any(
        view.config is not None and view.config.store == "multi"
        for facts in inspection.pods
        for view in facts.rings
        if view.enabled
    )
    if both:
        return ""
    loaded = [
        facts.pod.name
        for facts in inspection.pods
        if facts.runtime is not None and facts.runtime.block.is_set
    ]
    more = f" and {len(loaded) - 1} more" if len(loaded) > 1 else ""
    return f"which the pod {loaded[0]}{more} has loaded" if loaded else ""

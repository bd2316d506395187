"""Findings about what a ring's table holds: who else writes to it, and what is left over in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from mimir_migrate.inspection.question import Question, listed, shown_of_each
from mimir_migrate.inspection.ring_tables import RingTable
from mimir_migrate.inspection.rules.tables import places_by_table, unread_about
from mimir_migrate.model.facts import Evidence, Member, TableItems
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted


def table_in_use(question: Question) -> Iterator[Finding]:
    """`table-in-use`: items that no pod here writes. Those that move are another live cluster's.

    Rings of one table that say the same are one finding.
    """
    for name, places in places_by_table(question).items():
        table = question.inspection.tables.get(name)
        if table is not None and table.is_ring_table:
            looks = [_look(question, place) for place in places]
            yield from _unread_items(question, name, looks)
            yield from _undecodable_items(question, name, looks)
            yield from _unwatched_items(question, name, looks)
            yield from _moving_items(question, name, looks)
            yield from _standing_items(question, name, looks)


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one ring's part of a table holds beside the items of this cluster's pods."""

    place: RingTable
    source: str
    items: TableItems | None
    """None: they were not read."""
    unwatched: tuple[Member, ...] = ()
    """Members of no pod here, read once only."""
    moving: tuple[Member, ...] = ()
    standing: tuple[Member, ...] = ()
    before: dict[str, int] = {}
    """Heartbeats of the first read, by member."""


def _look(question: Question, place: RingTable) -> _Look:
    items = question.inspection.table_items(place.ring)
    look = _Look(
        place=place,
        source=f"DynamoDB Query {place.table} RingKey={place.ring_key}",
        items=items,
    )
    if items is None:
        return look
    ips = {facts.pod.ip for facts in question.inspection.pods if facts.pod.ip}
    foreign = tuple(member for member in items.members if member.ip not in ips)
    earlier = next(
        (each for each in question.inspection.earlier_items if each.ring == place.ring), None
    )
    if earlier is None:
        return msgspec.structs.replace(look, unwatched=foreign)
    before = {member.id: member.timestamp for member in earlier.members}
    moving = tuple(member for member in foreign if member.timestamp > before.get(member.id, -1))
    # A ring bridge's items stand still while its members live: `bridge-table-taken` judges those.
    bridged = any(head.ring == place.ring for head in question.inspection.heads)
    standing = () if bridged else tuple(member for member in foreign if member not in moving)
    return msgspec.structs.replace(look, moving=moving, standing=standing, before=before)


def _unread_items(question: Question, table: str, looks: Sequence[_Look]) -> Iterator[Finding]:
    unread = [look for look in looks if look.items is None]
    if unread:
        yield _unclear(
            unread,
            f"What the table {table} holds of {_of_rings(unread)} is not known",
            shown_of_each(
                unread_about(question, f"Query {table} RingKey={look.place.ring_key}")
                or (question.evidence(look.source, "it was not read"),)
                for look in unread
            ),
            "Allow dynamodb:Query on it, then inspect again.",
        )


def _undecodable_items(
    question: Question, table: str, looks: Sequence[_Look]
) -> Iterator[Finding]:
    odd = [
        (look, look.items.undecodable) for look in looks if look.items and look.items.undecodable
    ]
    if odd:
        yield _unclear(
            [look for look, _ in odd],
            f"{counted(sum(len(keys) for _, keys in odd), 'item')} of "
            f"{_of_keys([look for look, _ in odd])} in {table} cannot be read",
            shown_of_each(
                [question.evidence(look.source, f"{key}: no instance") for key in keys]
                for look, keys in odd
            ),
            "Find out who wrote them; another program uses this table.",
        )


def _unwatched_items(question: Question, table: str, looks: Sequence[_Look]) -> Iterator[Finding]:
    found = [look for look in looks if look.unwatched]
    if found:
        yield _unclear(
            found,
            f"{counted(sum(len(look.unwatched) for look in found), 'item')} of {_of_keys(found)} in "
            f"{table} belong to no pod here; whether somebody still writes them is not known",
            _of_members(question, found, lambda look: look.unwatched),
            "Inspect with two reads a heartbeat apart (`inspect` does so by itself).",
        )


def _moving_items(question: Question, table: str, looks: Sequence[_Look]) -> Iterator[Finding]:
    found = [look for look in looks if look.moving]
    if found:
        yield Finding(
            id="table-in-use",
            severity=Severity.BLOCKS,
            title=f"Another live cluster writes {_of_keys(found)} in {table}: "
            f"{listed(member.id for look in found for member in look.moving)}",
            evidence=shown_of_each(
                [
                    question.evidence(
                        look.source,
                        f"{_words(member)}, before {look.before.get(member.id, 'absent')}",
                    )
                    for member in look.moving
                ]
                for look in found
            ),
            fix="Name another table, or another prefix: two clusters on one table and prefix delete "
            "each other's members.",
            rings=tuple(look.place.ring for look in found),
        )


def _standing_items(question: Question, table: str, looks: Sequence[_Look]) -> Iterator[Finding]:
    found = [look for look in looks if look.standing]
    if found:
        yield Finding(
            id="table-in-use",
            severity=Severity.WARNS,
            title=f"{counted(sum(len(look.standing) for look in found), 'item')} of "
            f"{_of_keys(found)} in {table} are left over from before",
            evidence=_of_members(question, found, lambda look: look.standing),
            fix="Mirroring deletes them with the first write; or delete them before the migration.",
            rings=tuple(look.place.ring for look in found),
        )


def _of_members(
    question: Question, looks: Sequence[_Look], members: Callable[[_Look], tuple[Member, ...]]
) -> tuple[Evidence, ...]:
    return shown_of_each(
        [question.evidence(look.source, _words(member)) for member in members(look)]
        for look in looks
    )


def _of_keys(looks: Sequence[_Look]) -> str:
    """The ring's key in the table; of several rings their number."""
    return looks[0].place.ring_key if len(looks) == 1 else counted(len(looks), "ring")


def _of_rings(looks: Sequence[_Look]) -> str:
    return f"the ring {looks[0].place.ring}" if len(looks) == 1 else counted(len(looks), "ring")


def _unclear(
    looks: Sequence[_Look], title: str, evidence: tuple[Evidence, ...], fix: str
) -> Finding:
    return Finding(
        id="table-in-use",
        severity=Severity.BLOCKS,
        title=title,
        evidence=evidence,
        fix=fix,
        rings=tuple(look.place.ring for look in looks),
        unknown=True,
    )


def _words(member: Member) -> str:
    return f"{member.id} at {member.address}, heartbeat {member.timestamp}"


RULES = {
    "table-in-use": table_in_use,
}

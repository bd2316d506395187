"""Versions of a ring: what one is, and how the next one is written over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from mimir_migrate.bridge.head import Head, Mark
from mimir_migrate.bridge.ring_value import Entry, RingValue
from mimir_migrate.bridge.table import MOST_MEMBERS, Stored, Write

_MOST_BYTES: Final = 3 * 1024 * 1024
"""Bytes of members in one transaction; DynamoDB takes 4 MB."""
_WRITER: Final = 8
"""Bytes that are drawn for each write."""


class Version(msgspec.Struct, frozen=True):
    """One version of a ring, whole."""

    head: Head
    entries: Mapping[str, Entry]

    @property
    def index(self) -> int:
        """Consul's `ModifyIndex`."""
        return self.head.index

    @property
    def value(self) -> RingValue:
        """The ring."""
        return RingValue(self.entries, self.head.rest)


def next_index(over: int, now: float) -> int:
    """The index of a version after the one of `over`: never lower, not even where a table was lost.

    Args:
        over: The highest index that is known of.
        now: Seconds since the epoch.
    """
    return max(over + 1, int(now * 1000))


def matches(mark: Mark, stored: Stored | None) -> bool:
    """Whether a member's item is the one that the head names.

    Head and items are read one after the other; what was written between would make a version that
    never was, and a compare-and-set on it loses what others wrote.
    """
    return stored is not None and stored.since == mark.since


def assembled(head: Head, shapes: Mapping[str, bytes]) -> Version:
    """A version of its head and its members' shapes."""
    return Version(
        head, {id_: Entry(shapes[id_], mark.beat) for id_, mark in head.members.items()}
    )


def writes_of(
    key: str, base: Version, wanted: RingValue, flags: int, now: Callable[[], float]
) -> Iterator[tuple[Write, Version]]:
    """The writes that lead from a version to a value, each with the version that it makes.

    One, unless more members change their shape than one transaction takes. Then each version on the
    way is a ring between the two: members are put first and removed last.
    """
    changed = {
        id_: entry
        for id_, entry in wanted.members.items()
        if id_ not in base.entries or base.entries[id_].shape != entry.shape
    }
    gone = [id_ for id_ in base.entries if id_ not in wanted.members]
    for puts, deletes in _cut(changed, gone):
        index = next_index(base.index, now())
        marks = {
            id_: Mark(mark.since, wanted.members[id_].beat)
            if id_ in wanted.members and id_ not in changed
            else mark
            for id_, mark in base.head.members.items()
            if id_ not in deletes
        }
        marks |= {id_: Mark(index, entry.beat) for id_, entry in puts.items()}
        head = Head(
            index=index,
            changed=index
            if puts or deletes or not base.head.exists or wanted.rest != base.head.rest
            else base.head.changed,
            exists=True,
            flags=flags,
            rest=wanted.rest,
            writer=os.urandom(_WRITER),
            members=marks,
        )
        shapes = {id_: entry.shape for id_, entry in {**base.entries, **puts}.items()}
        write = Write(
            key=key,
            over=base.index,
            head=head,
            puts=puts,
            deletes=deletes,
            replaced={
                id_: base.head.members[id_].since
                for id_ in [*puts, *deletes]
                if id_ in base.head.members
            },
        )
        base = assembled(head, shapes)
        yield write, base


def lifts_of(
    key: str, there: Head | None, known: Version | None, floor: int, now: Callable[[], float]
) -> Iterator[tuple[Write, Version | None]]:
    """The writes that bring a table which lost versions back above an index that was served.

    What this replica knows is written again; one that knows nothing keeps what is there.

    Args:
        key: The ring's.
        there: The head in the table; None: there is none.
        known: The newest version that this replica served.
        floor: The highest index that anybody was seen to have.
        now: Seconds since the epoch.

    Yields:
        Each write with the version that it makes, which is None where the members are not known.
    """
    empty = Head(index=0, changed=0, exists=False)
    head = there or empty
    wanted = head if known is None else known.head
    changed = (
        {}
        if known is None
        else {
            id_: entry
            for id_, entry in known.entries.items()
            if id_ not in head.members or head.members[id_].since != wanted.members[id_].since
        }
    )
    gone = [id_ for id_ in head.members if id_ not in wanted.members]
    over = None if there is None else there.index
    marks = dict(head.members)
    for puts, deletes in _cut(changed, gone):
        index = next_index(max(floor, over or 0), now())
        marks = {id_: mark for id_, mark in marks.items() if id_ not in deletes}
        if known is not None:
            marks = {
                id_: Mark(
                    mark.since, wanted.members[id_].beat if id_ in wanted.members else mark.beat
                )
                for id_, mark in marks.items()
            }
        marks |= {id_: Mark(index, entry.beat) for id_, entry in puts.items()}
        made = msgspec.structs.replace(
            wanted,
            index=index,
            changed=index,
            writer=os.urandom(_WRITER),
            members=dict(marks),
        )
        write = Write(key=key, over=over, head=made, puts=puts, deletes=deletes)
        whole = known is not None and set(marks) == set(wanted.members)
        yield (
            write,
            assembled(made, {id_: one.shape for id_, one in known.entries.items()})
            if known is not None and whole
            else None,
        )
        over = index


def _cut(
    changed: Mapping[str, Entry], gone: list[str]
) -> Iterator[tuple[dict[str, Entry], list[str]]]:
    """Changes in parts that one transaction takes; one empty part where only heartbeats changed."""
    puts: dict[str, Entry] = {}
    size = 0
    for id_, entry in changed.items():
        if len(puts) == MOST_MEMBERS or size + len(entry.shape) > _MOST_BYTES:
            yield puts, []
            puts, size = {}, 0
        puts[id_] = entry
        size += len(entry.shape)
    room = MOST_MEMBERS - len(puts)
    yield puts, gone[:room]
    for start in range(room, len(gone), MOST_MEMBERS):
        yield {}, gone[start : start + MOST_MEMBERS]

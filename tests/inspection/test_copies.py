"""The quick reading of many copies of a ring says what the full reading says, whatever a page holds."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.inspection.pages import memberlist, ring
from mimir_migrate.inspection.pages.memberlist import (
    gossip_fully,
    gossip_of,
    replica_members,
    replica_members_fully,
)
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.inspection.pages.ring import ring_members, ring_members_fully

Reader = Callable[[bytes], Any]
AT = 1_795_828_967
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 4, 6, 2**70, 1.5, "", "LEFT", "PAUSED", "READONLY", "9999-99-99", [], [1],
    {}, {"timestamp": "2026-11-22T08:55:31Z"}, {"timestamp": 1_795_828_900}, '"timestamp":"', "}],", "},",
    '\\"', "\x1b[31m", "é",
)  # fmt: skip
KINDS: dict[str, tuple[Reader, Reader]] = {
    "ring": (ring_members, ring_members_fully),
    "replica": (replica_members, replica_members_fully),
    "gossip": (gossip_of, gossip_fully),
}


def ring_page(product: str, members: Sequence[dict[str, Any]]) -> bytes:
    """A ring's page as the product writes it."""
    when = "2026-11-22T08:55:%02dZ" if product == "mimir" else "2026-11-22 08:55:%02d +0000 UTC"
    shards = [
        {
            "id": member["id"],
            "state": "ACTIVE",
            "address": f"10.0.0.{number}:9095",
            "timestamp": when % member["beat"],
            "registered_timestamp": when % 1,
            **({"read_only": False} if product == "mimir" else {}),
            "zone": "",
            "tokens": member["tokens"],
            **({"versions": {}} if product == "mimir" else {}),
        }
        for number, member in enumerate(members)
    ]
    return compact({"shards": shards, "now": "2026-11-22T08:55:36.34Z"})


def replica_page(members: Sequence[dict[str, Any]]) -> bytes:
    """A ring's value as a pod's memberlist holds it."""
    return compact(
        {
            "ingesters": {
                member["id"]: {
                    "addr": f"10.0.0.{number}:9095",
                    "timestamp": AT + member["beat"],
                    "tokens": member["tokens"],
                    "registered_timestamp": AT - 900,
                }
                for number, member in enumerate(members)
            }
        }
    )


def gossip_page(members: Sequence[dict[str, Any]]) -> bytes:
    """A pod's memberlist page."""
    nodes = [
        {"Name": member["id"], "Addr": f"10.0.0.{number}", "Port": 7946, "Meta": None, "State": 0}
        for number, member in enumerate(members)
    ]
    store = {"collectors/ring": {"Version": members[0]["beat"]}}
    return compact({"Now": "2026-11-22T08:55:36Z", "SortedMembers": nodes, "Store": store})


def compact(page: object) -> bytes:
    """JSON as Go writes it."""
    return json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


def beats(dice: random.Random, size: int = 5) -> list[dict[str, Any]]:
    """Members with heartbeats of their own."""
    return [
        {"id": f"m-{number}", "beat": dice.randrange(60), "tokens": [number, 10**9 + number]}
        for number in range(size)
    ]


def copies_of(kind: str, dice: random.Random) -> Iterator[bytes]:
    """Endless copies, as readers have them."""
    while True:
        members = beats(dice)
        if kind == "ring":
            yield ring_page(dice.choice(("mimir", "cortex")), members)
        else:
            yield replica_page(members) if kind == "replica" else gossip_page(members)


def outcome(read: Reader, body: bytes) -> object:
    """What a reader says, or how it refuses."""
    try:
        return read(body)
    except UnreadablePageError as error:
        return f"{type(error).__name__}: {error}"


def changed_value(page: Any, dice: random.Random) -> Any:
    """The page with one value of one entry odd, gone, renamed or doubled."""
    page = copy.deepcopy(page)
    holder = page.get("shards") or page.get("ingesters") or page.get("SortedMembers")
    if not holder:
        return page
    if isinstance(holder, dict):
        name = dice.choice(sorted(holder))
        if dice.random() < 0.2:
            holder[str(dice.choice(ODD))] = holder.pop(name)
            return page
        entry = holder[name]
    else:
        entry = dice.choice(holder)
        if dice.random() < 0.1:
            holder.insert(dice.randrange(len(holder)), dice.choice(ODD))
            return page
    if not isinstance(entry, dict) or not entry:
        return page
    field = dice.choice(sorted(entry))
    match dice.randrange(4):
        case 0:
            del entry[field]
        case 1:
            entry[dice.choice(("extra", "timestamp", "versions"))] = dice.choice(ODD)
        case _:
            entry[field] = dice.choice(ODD)
    return page


def changed_bytes(body: bytes, dice: random.Random) -> bytes:
    """The page cut, with bytes changed, moved, doubled, or with spaces."""
    at = dice.randrange(len(body))
    match dice.randrange(6):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        case 2:
            return body[:at] + body[max(0, at - dice.randrange(60)) :]
        case 3:
            return body + dice.choice((b"\n", b"  ", b"}", b',"shards":[]}', b"\x00"))
        case 4:
            end = body.rfind(b"}")
            more = (
                b',"shards":[]',
                b',"ingesters":{}',
                b',"SortedMembers":null',
                b',"shards":null',
            )
            return body[:end] + dice.choice(more) + body[end:]
        case _:
            return body[:at] + dice.choice((b" ", b"\n", b"\t")) + body[at:]


def mutated(body: bytes, dice: random.Random) -> bytes:
    """The page changed in one to three ways."""
    for _ in range(dice.randrange(1, 4)):
        if dice.random() < 0.5:
            body = changed_bytes(body, dice)
            continue
        try:
            body = compact(changed_value(json.loads(body), dice))
        except (ValueError, AttributeError, UnicodeDecodeError, RecursionError):
            body = changed_bytes(body, dice) if body else b"{}"
        if not body:
            return body
    return body


def check(kind: str, bodies: Iterator[bytes], dice: random.Random, times: int) -> None:
    """Whole and mutated copies by turns, so that what was read before is what comes nearest."""
    quick, full = KINDS[kind]
    for _ in range(times):
        body = next(bodies)
        for each in (body, mutated(body, dice) or b" "):
            assert outcome(quick, each) == outcome(full, each), each


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_mutated_copies_are_read_as_they_are_read_fully(kind: str, seed: int) -> None:
    """States by name and number, fields that are missing or unknown, pages that are cut."""
    dice = random.Random(seed)

    check(kind, copies_of(kind, dice), dice, 400)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_very_many_mutated_copies_are_read_as_they_are_read_fully(kind: str) -> None:
    """The same at length."""
    dice = random.Random(kind)

    check(kind, copies_of(kind, dice), dice, 60_000)


def captured(folder: Path, kind: str) -> list[bytes]:
    """Every such page of every real pod."""
    names = {"ring": "*/*_ring", "replica": "*/memberlist__viewKey-*", "gossip": "*/memberlist"}
    found = {
        path.read_bytes()
        for capture in sorted(folder.iterdir())
        if capture.is_dir()
        for path in sorted(capture.glob(names[kind]))
    }
    return sorted(body for body in found if body.startswith(b"{") and b"partitions" not in body)


@pytest.mark.parametrize("kind", KINDS)
def test_real_pages_and_mutations_of_them_are_read_as_they_are_read_fully(
    captures: Path, kind: str
) -> None:
    """Both products, every state of the migration; the mutations between the real ones."""
    bodies = captured(captures, kind)
    assert len(bodies) > 20
    dice = random.Random(kind)
    dice.shuffle(bodies)

    check(kind, iter(bodies[:120]), dice, len(bodies[:120]))


@pytest.mark.parametrize("kind", ["ring", "replica"])
def test_real_pages_are_read_the_quick_way(captures: Path, kind: str) -> None:
    """Not one of them is left to the full reading, empty rings set aside."""
    copies = ring._COPIES if kind == "ring" else memberlist._COPIES

    slow = [
        body
        for body in captured(captures, kind)
        if copies.members(body) is None and body not in {b'{"ingesters":{}}', b"{}"}
        if b'"shards":null' not in body
    ]

    assert slow == []


def test_copies_share_what_is_equal_and_nothing_else() -> None:
    """One object for one member with one heartbeat, one tuple for the tokens of both kinds of page."""
    dice = random.Random(1)
    members = beats(dice)
    later = [
        {**member, "beat": member["beat"] + (number == 2)} for number, member in enumerate(members)
    ]

    one, two = replica_members(replica_page(members)), replica_members(replica_page(later))
    shown = ring_members(ring_page("mimir", members))

    assert [first is second for first, second in zip(one, two, strict=True)] == [
        True, True, False, True, True,
    ]  # fmt: skip
    assert two[2].timestamp == one[2].timestamp + 1
    assert all(first.tokens is second.tokens for first, second in zip(one, shown, strict=True))


def test_a_member_that_differs_in_one_place_is_another_one() -> None:
    """Tokens, address and zone of one reader's copy are its own, whatever the others have."""
    members = beats(random.Random(2))
    for _ in range(3):
        replica_members(replica_page(members))
    odd = [{**member, "tokens": [7]} if member["id"] == "m-3" else member for member in members]

    found = replica_members(replica_page(odd))

    assert [member.tokens for member in found] == [
        (0, 10**9),
        (1, 10**9 + 1),
        (2, 10**9 + 2),
        (7,),
        (4, 10**9 + 4),
    ]
    assert replica_members(replica_page(members))[3].tokens == (3, 10**9 + 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_is_cut_is_refused_however_well_its_beginning_is_known(kind: str) -> None:
    """At every byte."""
    quick, _ = KINDS[kind]
    body = next(copies_of(kind, random.Random(3)))
    quick(body)

    for end in range(len(body)):
        assert isinstance(outcome(quick, body[:end]), str)


def test_a_word_for_a_heartbeat_inside_of_other_text_is_not_taken_for_one() -> None:
    """An id may hold any characters, and a field of a member may hold fields."""
    shard = {
        "id": 'x","timestamp":"2026-11-22T08:55:31Z',
        "versions": {"timestamp": "2026-11-22T08:55:01Z"},
        "state": "ACTIVE",
        "address": "10.0.0.1:9095",
        "timestamp": "2026-11-22T08:55:31Z",
    }
    for second in (31, 41, 51):
        shard["timestamp"] = f"2026-11-22T08:55:{second}Z"
        body = compact({"shards": [shard, {**shard, "id": "y"}]})

        assert ring_members(body) == ring_members_fully(body)
        assert [member.timestamp % 60 for member in ring_members(body)] == [second, second]


@pytest.mark.parametrize(
    ("first", "own"),
    [("2026-11-22T08:55:31Z", "2026-11-22T08:55:31Z"), ("0001-01-01T00:00:00Z", None)],
)
def test_a_time_that_happens_to_equal_the_heartbeat_is_not_taken_for_it(
    first: str, own: str | None
) -> None:
    """It stands before the heartbeat, and in another copy it is another time."""
    for inner in (first, "2026-11-22T08:55:41Z", "2026-11-22T08:55:51Z"):
        shard = {
            "id": f"z-{own}",
            "versions": {"timestamp": inner},
            "state": "ACTIVE",
            "address": "10.0.0.1:9095",
            **({"timestamp": own} if own else {}),
        }
        body = compact({"shards": [shard]})

        assert ring_members(body) == ring_members_fully(body)

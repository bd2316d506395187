"""A value that nobody foresaw belongs to one member: it is shown there, and the page is read."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.inspection.pages.config import read_yaml, runtime_block
from mimir_migrate.inspection.pages.memberlist import gossip_of, replica_members
from mimir_migrate.inspection.pages.metrics import read_metrics
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.inspection.pages.ring import ring_members
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Gossip, Inspection, Member, MemberState
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Page

AT = 1_795_828_967
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 6, 77, 2**70, 1.5, "", "PAUSED", "0", "NaN", "9999-99-99", [], [1], {},
    {"a": 1}, "\x1b[31m", "[bold]",
)  # fmt: skip


def replica(**instance: object) -> bytes:
    """A ring's value with one whole member and the one given."""
    whole = {"addr": "10.0.0.1:9095", "timestamp": AT, "tokens": [3, 5]}
    given = {"addr": "10.0.0.2:9095", "timestamp": AT, **instance}
    return json.dumps({"ingesters": {"a": whole, "b": given}}).encode()


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ({}, MemberState.ACTIVE),
        ({"state": 0}, MemberState.ACTIVE),
        ({"state": "ACTIVE"}, MemberState.ACTIVE),
        ({"state": 1}, MemberState.LEAVING),
        ({"state": "LEAVING"}, MemberState.LEAVING),
        ({"state": "PENDING"}, MemberState.PENDING),
        ({"state": 3}, MemberState.JOINING),
        ({"state": 4}, MemberState.LEFT),
        ({"state": "LEFT"}, MemberState.LEFT),
        ({"state": "left"}, MemberState.LEFT),
        ({"state": 5}, MemberState.READONLY),
        ({"state": "READONLY"}, MemberState.READONLY),
        # Cortex writes no name for a number that it does not know (`pkg/ring/token_file.go`).
        ({"state": ""}, MemberState.UNKNOWN),
        ({"state": 9}, MemberState.UNKNOWN),
        ({"state": "PAUSED"}, MemberState.UNKNOWN),
        ({"state": None}, MemberState.UNKNOWN),
        ({"state": [1]}, MemberState.UNKNOWN),
    ],
)
def test_a_state_is_a_number_in_mimir_and_a_name_in_cortex(
    written: dict[str, object], state: MemberState
) -> None:
    """Both leave ACTIVE out; what is neither is that member's alone."""
    whole, given = replica_members(replica(**written))

    assert (whole.state, whole.unread, whole.tokens) == (MemberState.ACTIVE, (), (3, 5))
    assert given.state is state
    assert bool(given.unread) is (state is MemberState.UNKNOWN)
    assert given.address == "10.0.0.2:9095"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22 08:53:31 +0000 UTC",
        "2026-11-22 08:53:31.25 +0000 UTC m=+0.25",
        "2026-11-22 09:53:31 +0100 CET",
        "2026-11-22T08:53:31Z",
        "2026-11-22T08:53:31.123456789Z",
        1_795_337_611,
        1_795_337_611.5,
    ],
)
def test_a_time_is_read_in_every_form_that_some_version_writes(text: object) -> None:
    """RFC 3339 of Mimir, Go's own form of Cortex and of old Mimir, a number of seconds."""
    shard = {"id": "a", "state": "ACTIVE", "address": "10.0.0.1:9095", "timestamp": text}

    (member,) = ring_members(json.dumps({"shards": [shard]}).encode())

    assert (member.timestamp, member.unread) == (1_795_337_611, ())


def test_a_shard_without_a_field_is_shown_as_far_as_it_is_known() -> None:
    """The member counts as unknown, and so does nothing else."""
    shards = [
        {"id": "a", "state": "ACTIVE", "address": "10.0.0.1:9095", "timestamp": "yesterday"},
        {"id": "b", "address": "10.0.0.2:9095"},
        {"id": "c", "state": "ACTIVE", "address": "10.0.0.3:9095", "tokens": "many"},
        {"id": "d", "state": "ACTIVE", "address": "10.0.0.4:9095"},
        7,
    ]

    members = ring_members(json.dumps({"shards": shards}).encode())

    assert [member.unread for member in members] == [
        ("timestamp 'yesterday'",),
        ("no state",),
        ("tokens 'many'",),
        (),
        ("the entry 7",),
    ]
    assert members[1].state is MemberState.UNKNOWN
    assert [member.id for member in members[:4]] == ["a", "b", "c", "d"]


def test_a_node_state_that_is_not_known_is_neither_alive_nor_gone() -> None:
    """The other nodes are read as ever."""
    nodes = [{"Name": "a", "Addr": "10.0.0.1", "State": 7}, {"Name": "b", "Addr": "10.0.0.2"}]

    odd, usual = gossip_of(json.dumps({"SortedMembers": nodes, "Store": {}}).encode()).members

    assert (odd.alive, odd.unread) == (False, ("State 7",))
    assert (usual.alive, usual.unread) == (True, ())


def test_a_line_of_metrics_that_cannot_be_read_costs_its_own_family() -> None:
    """A sum without one of its parts would say too little, so the whole family is left out."""
    page = (
        b'cortex_ring_members{name="ruler",state="ACTIVE"} 2\n'
        b'cortex_request_duration_seconds_count{route="api_v1_push",status_code="200"} 5\n'
        b'cortex_request_duration_seconds_count{route="api_v1_push",status_code="500} 7\n'
    )

    found = read_metrics(page)

    assert found.ring_members == {"ruler": {"ACTIVE": 2}}
    assert found.counters.pushes is None
    assert "cortex_request_duration_seconds_count" in found.unread[0]


def test_metrics_that_are_cut_off_are_no_metrics() -> None:
    """The text format ends each line; a counter cut in its digits would be a smaller counter."""
    with pytest.raises(UnreadablePageError, match="cut off"):
        read_metrics(b"process_start_time_seconds 5\ncortex_build_info 1")


# --- what becomes of them ------------------------------------------------------------------------


def both(small: ModuleType, path: str, body: bytes, status: int = 200) -> Inspection:
    """A cluster on both stores in which one ruler answers a page as given."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    usual = Page(status=status, content_type="application/json", body=body)
    cluster.answers["metrics-ruler-0", path] = usual
    return inspect(cluster.world(), Target())


def test_a_tombstone_by_name_stalls_nothing(small: ModuleType) -> None:
    """Cortex' LEFT entry of a pod that is gone is read as one, and nothing is unanswered."""
    path = "/memberlist?viewKey=rulers/ring&format=json"
    found = both(small, path, replica(state="LEFT"))

    view = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0").ring("ruler")
    assert view is not None
    assert [member.state for member in view.memberlist or ()] == [
        MemberState.ACTIVE,
        MemberState.LEFT,
    ]
    assert not [each for facts in found.pods for each in facts.unanswered]


def test_a_member_that_cannot_be_read_makes_a_gate_unknown_and_names_it(small: ModuleType) -> None:
    """Unknown blocks like fail, and its evidence has the words of the page."""
    shard = {"id": "ruler-9", "state": "PAUSED", "address": "10.0.0.9:9095"}
    found = both(small, "/ruler/ring", json.dumps({"shards": [shard]}).encode())

    result = judge(Gate.RING_HEALTHY, found, GateContext(rings=("ruler",), window=30.0))

    assert result.verdict is not Verdict.PASS
    said = [each.detail for each in result.evidence]
    assert all("ruler-9 is" not in each for each in said)
    view = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0").ring("ruler")
    assert [member.unread for member in view.members or ()] == [("state 'PAUSED'",)]


@pytest.mark.parametrize("path", ["/ruler/ring", "/memberlist"])
def test_a_page_that_fails_is_not_a_page_that_is_not_there(small: ModuleType, path: str) -> None:
    """A lifecycler's page answers 500 while its store is away; only 404 means that it is not served."""
    away = both(small, path, b"failed to read the ring", status=500)
    gone = both(small, path, b"404 page not found", status=404)

    def unanswered(found: Inspection) -> list[str]:
        return [
            each.reason
            for facts in found.pods
            for each in facts.unanswered
            if each.source.endswith(path)
        ]

    assert unanswered(away) == ["HTTP status 500: 'failed to read the ring'"]
    assert unanswered(gone) == []


# --- captures, mutated ---------------------------------------------------------------------------

_MEMBERS: dict[str, Callable[[bytes], tuple[Member, ...]]] = {
    "ring": ring_members,
    "viewKey": replica_members,
}


def captured(captures: Path, word: str) -> list[Path]:
    """Every captured page with that word in its file's name, in a stable order."""
    return sorted(
        path
        for path in captures.glob(f"*/*/*{word}*")
        if path.is_file() and path.parent.name != "kubernetes" and not path.name.endswith(".json")
    )


def is_json(path: Path) -> bool:
    """Whether a page was answered as JSON: some components have their ring's page as HTML only."""
    return path.read_bytes()[:1] == b"{"


@pytest.mark.corpus
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("word", list(_MEMBERS))
def test_one_odd_value_is_one_member(captures: Path, word: str, seed: int) -> None:
    """Of a captured page with one field changed or taken out, every other member is read as before."""
    dice = random.Random(f"{word}{seed}")
    pages = [
        path
        for path in captured(captures, word)
        if is_json(path) and ("viewKey" in path.name) is (word == "viewKey")
    ]
    for path in dice.sample(pages, 12):
        page = json.loads(path.read_bytes())
        before = _MEMBERS[word](path.read_bytes())
        entries = page.get("shards") or page.get("ingesters")
        if not entries:
            continue
        names = list(entries) if isinstance(entries, dict) else list(range(len(entries)))
        for _ in range(12):
            changed = copy.deepcopy(page)
            chosen = dice.choice(names)
            entry = (changed.get("shards") or changed.get("ingesters"))[chosen]
            field = dice.choice(sorted(entry))
            if dice.random() < 0.3:
                del entry[field]
            else:
                entry[field] = dice.choice(ODD)

            after = _MEMBERS[word](json.dumps(changed).encode())

            position = names.index(chosen) if word == "ring" else sorted(names).index(chosen)
            assert len(after) == len(before), (path, chosen, field)
            for number, (one, two) in enumerate(zip(before, after, strict=True)):
                if number != position:
                    assert one == two, (path, chosen, field)


@pytest.mark.corpus
@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_of_a_captured_page_crashes(captures: Path, seed: int) -> None:
    """Cut, with bytes changed, doubled or swapped: read, or unreadable with a reason."""
    dice = random.Random(seed)
    readers: dict[str, Callable[[bytes], object]] = {
        "ring": ring_members,
        "viewKey": replica_members,
        "memberlist": gossip_of,
        "metrics": read_metrics,
        "config__mode": lambda body: read_yaml(body, "a configuration"),
        "runtime_config": runtime_block,
    }
    for word, read in readers.items():
        for path in dice.sample(captured(captures, word), 6):
            body = path.read_bytes()
            for _ in range(8):
                with contextlib.suppress(UnreadablePageError):
                    read(mutated(body, dice))


def mutated(body: bytes, dice: random.Random) -> bytes:
    """A page with one thing wrong."""
    at = dice.randrange(max(1, len(body)))
    length = dice.randrange(1, 40)
    return dice.choice(
        (
            body[:at],
            body[at:],
            body[:at] + bytes(dice.randrange(256) for _ in range(length)) + body[at + length :],
            body[:at] + body[at : at + length] * 3 + body[at + length :],
            body[:at] + body[at + length :],
            body.replace(b"1", dice.choice((b"-1", b"1e999", b"null", b"99999999999999999999"))),
            body.replace(b":", dice.choice((b"", b"::", b"=")), dice.randrange(1, 9)),
        )
    )


def test_an_unread_node_is_in_the_facts() -> None:
    """A gossip page whose nodes are something else is still a running gossip."""
    found = gossip_of(json.dumps({"SortedMembers": [3], "Store": None}).encode())

    assert isinstance(found, Gossip)
    assert found.running
    assert found.members[0].unread == ("the entry 3",)

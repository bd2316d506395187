"""A ring's items in DynamoDB: what is written is what a running Cortex writes, and reads back."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import cramjam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.documents.ring_items import decode_instance, encode_instance
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.facts import INSTANCE_STATES, Member, MemberState

SHARED = Path(
    os.environ.get("MIMIR_MIGRATE_SHARED", Path(__file__).resolve().parents[3] / "shared")
)
STORED = INSTANCE_STATES

members = st.builds(
    Member,
    id=st.just("ingester-0"),
    address=st.text(st.characters(codec="utf-8"), max_size=40),
    state=st.sampled_from(STORED),
    timestamp=st.integers(-(2**63), 2**63 - 1),
    registered_timestamp=st.integers(0, 2**40),
    zone=st.text(st.characters(codec="utf-8"), max_size=10),
    tokens=st.lists(st.integers(0, 2**32 - 1), max_size=600).map(tuple),
    read_only=st.booleans(),
    version=st.one_of(st.none(), st.integers(1, 10**6)),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(members)
def test_what_is_written_reads_back(member: Member) -> None:
    """Every member that a ring can hold survives being written and read."""
    assert decode_instance(member.id, encode_instance(member), member.version) == member


def test_the_bytes_are_those_of_the_message() -> None:
    """The wire form is the ring client's own: field numbers, packed tokens, zero values left out."""
    member = Member(
        id="ingester-0",
        address="10.0.0.1:9095",
        state=MemberState.LEAVING,
        timestamp=1,
        tokens=(1, 300),
        zone="a",
        registered_timestamp=2,
    )

    raw = bytes(cramjam.snappy.decompress_raw(encode_instance(member)))

    assert raw == b"\x0a\x0d10.0.0.1:9095\x10\x01\x18\x01\x32\x03\x01\xac\x02\x3a\x01a\x40\x02"


def test_fields_of_a_newer_client_are_skipped() -> None:
    """An item with fields that this tool does not know is read all the same."""
    known = b"\x0a\x0d10.0.0.1:9095\x10\x01"
    unknown = b"\x4a\x0aingester-0\x62\x02hi"

    member = decode_instance(
        "ingester-0", bytes(cramjam.snappy.compress_raw(known + unknown)), None
    )

    assert (member.address, member.timestamp) == ("10.0.0.1:9095", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b"\xff\xff\xff\xff\x0f",
        bytes(cramjam.snappy.compress_raw(b"\x0a\xff")),
    ],
    ids=["empty", "not a block", "claims 4 GiB", "not a message"],
)
def test_what_is_no_item_is_refused_by_name(data: bytes) -> None:
    """Data that is not a member names the item it came from."""
    with pytest.raises(DocumentError, match="ring item ruler-1"):
        decode_instance("ruler-1", data, 1)


def test_a_state_that_is_not_known_is_told_of_that_member() -> None:
    """The item is read all the same, and says which state it has."""
    member = decode_instance("ruler-1", bytes(cramjam.snappy.compress_raw(b"\x18\x09")), 1)

    assert (member.state, member.unread) == (MemberState.UNKNOWN, ("state 9",))


def test_a_judgement_is_not_stored() -> None:
    """UNHEALTHY is what a page makes of an old heartbeat; no item says so."""
    member = Member(id="a", address="", state=MemberState.UNHEALTHY, timestamp=0)

    with pytest.raises(DocumentError, match="UNHEALTHY"):
        encode_instance(member)


@pytest.mark.skipif(not (SHARED / "captures").is_dir(), reason="no captures here")
def test_items_of_a_running_cortex_come_out_as_its_page_shows_them() -> None:
    """Ids, addresses and tokens are those of the ring page of the same moment, and the same bytes."""
    folder = SHARED / "captures" / "3-multi-dynamodb-primary"
    items = json.loads((folder / "dynamodb-items.json").read_text())
    page = json.loads((folder / "distributor-0" / "ingester_ring").read_text())
    decoded = {}
    for item in items:
        data = base64.b64decode(item["Data"]["B"])
        key = item["InstanceKey"]["S"]
        member = decode_instance(key, data, int(item["version"]["N"]))
        assert encode_instance(member) == data
        if item["RingKey"]["S"] == "collectors/ring":
            decoded[key] = member

    shown = {shard["id"]: shard for shard in page["shards"]}
    assert {
        key: (member.address, member.state.value, list(member.tokens))
        for key, member in decoded.items()
    } == {key: (shard["address"], shard["state"], shard["tokens"]) for key, shard in shown.items()}

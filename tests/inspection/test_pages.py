"""Single pages are read as the products write them."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimir_migrate.inspection.pages import metrics as pages_metrics
from mimir_migrate.inspection.pages.config import (
    at,
    gossip_config,
    merged,
    product_of,
    read_yaml,
    runtime_block,
    runtime_file,
    targets_in,
)
from mimir_migrate.inspection.pages.memberlist import gossip_of, replica_members
from mimir_migrate.inspection.pages.metrics import read_metrics
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.inspection.pages.ring import ring_members
from mimir_migrate.model.facts import MemberState
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock

AT = 1_795_337_611


def page(**shard: object) -> bytes:
    """A ring page with one member."""
    member = {"id": "a", "state": "ACTIVE", "address": "10.0.0.1:9095", "tokens": [3, 5], **shard}
    return json.dumps({"shards": [member], "now": "x"}).encode()


@pytest.mark.parametrize(
    ("product", "text"),
    [
        (Product.CORTEX, "2026-11-22 08:53:31 +0000 UTC"),
        (Product.CORTEX, "2026-11-22 09:53:31 +0100 CET"),
        (Product.CORTEX, "2026-11-22 08:53:31.25 +0000 UTC"),
        (Product.MIMIR, "2026-11-22T08:53:31Z"),
        (Product.MIMIR, "2026-11-22T08:53:31.123456789Z"),
        (Product.MIMIR, "2026-11-22T09:53:31+01:00"),
    ],
)
def test_each_product_writes_times_its_own_way(product: Product, text: str) -> None:
    """Whatever zone the pod is in, the second is the same."""
    members = ring_members(page(timestamp=text))

    assert members[0].timestamp == AT


@pytest.mark.parametrize(
    ("product", "text"),
    [(Product.CORTEX, "0001-01-01 00:00:00 +0000 UTC"), (Product.MIMIR, "0001-01-01T00:00:00Z")],
)
def test_the_zero_time_is_none(product: Product, text: str) -> None:
    """Go's zero time is the year 1: a ghost that never sent a heartbeat."""
    assert ring_members(page(timestamp=text))[0].timestamp == 0


@pytest.mark.parametrize("product", list(Product))
def test_a_member_whose_heartbeat_is_old_is_unhealthy(product: Product) -> None:
    """Cortex writes the word in small letters."""
    for word in ("UNHEALTHY", "Unhealthy"):
        assert ring_members(page(state=word))[0].state is MemberState.UNHEALTHY


def test_read_only_is_a_flag_in_mimir_and_a_state_in_cortex() -> None:
    """Both are the same to us."""
    flagged = ring_members(page(read_only=True))[0]
    stated = ring_members(page(state="READONLY"))[0]

    assert flagged.read_only
    assert flagged.state is MemberState.ACTIVE
    assert stated.read_only


@pytest.mark.parametrize("body", [b'{"shards":null}', b'{"shards":[]}'])
def test_an_empty_ring(body: bytes) -> None:
    """Null or an empty list: no members, which is known."""
    assert ring_members(body) == ()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parsers(body: bytes) -> None:
    """Whatever a pod answers, the outcome is members or an unreadable page."""
    for read in (
        lambda: ring_members(body),
        lambda: gossip_of(body),
        lambda: replica_members(body),
        lambda: read_metrics(body),
        lambda: read_yaml(body, "a page"),
        lambda: runtime_block(body),
    ):
        with contextlib.suppress(UnreadablePageError):
            read()


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.recursive(st.none(), st.lists), max_size=3))
def test_no_json_crashes_the_parsers(value: dict[str, object]) -> None:
    """JSON of another shape is not a crash: a member that is none is unread."""
    body = json.dumps({"shards": [value], "ingesters": value, "SortedMembers": [value]}).encode()

    assert [bool(member.unread) for member in ring_members(body)] == [True]
    assert [bool(member.unread) for member in gossip_of(body).members] == [True]
    assert all(member.unread for member in replica_members(body))


def test_tombstones_stay_in_a_replica() -> None:
    """Memberlist keeps who left; the state 0 is left out of the page."""
    body = json.dumps(
        {
            "ingesters": {
                "b": {"addr": "10.0.0.2:9095", "timestamp": AT, "state": 4},
                "a": {"addr": "10.0.0.1:9095", "timestamp": AT, "tokens": [1], "zone": "z"},
            }
        }
    ).encode()

    members = replica_members(body)

    assert [(member.id, member.state) for member in members] == [
        ("a", MemberState.ACTIVE),
        ("b", MemberState.LEFT),
    ]
    assert members[0].zone == "z"


def test_a_suspect_node_is_still_a_member() -> None:
    """Alive and suspect are in, dead and left are out."""
    nodes = [
        {"Name": f"n{state}", "Addr": f"10.0.0.{state}", "State": state} for state in range(4)
    ]

    gossip = gossip_of(json.dumps({"SortedMembers": nodes, "Store": {"k": {}}}).encode())

    assert [member.alive for member in gossip.members] == [True, True, False, False]
    assert gossip.keys == ("k",)
    assert gossip.running


def test_a_process_without_memberlist_says_so() -> None:
    """In words and with status 200."""
    assert not gossip_of(b"This instance doesn't use memberlist.").running


def test_the_partition_rings_client_has_no_prefix() -> None:
    """Mimir registers it without `cortex_`."""
    found = read_metrics(
        b'multikv_primary_store{kv_name="ingester-partitions-watcher",store="memberlist"} 1\n'
        b'multikv_mirror_enabled{kv_name="ingester-partitions-watcher"} 0\n'
    )

    client = found.clients["ingester-partitions-watcher"]
    assert client.primary == "memberlist"
    assert client.mirror_enabled is False


def test_similar_names_are_not_mistaken() -> None:
    """A family's name is compared whole."""
    found = read_metrics(
        b"process_start_time_seconds 5\n"
        b"process_start_time_seconds_total 9\n"
        b'cortex_ring_members_by_zone{name="a",state="ACTIVE"} 3\n'
    )

    assert found.started_at == 5
    assert found.ring_members == {}


def test_a_line_far_inside_a_large_page_is_found() -> None:
    """Megabytes of other families stand around it."""
    filler = b"\n".join(b'other_bucket{le="%d"} %d' % (n, n) for n in range(20_000))

    found = read_metrics(filler + b"\nprocess_start_time_seconds 7\n" + filler + b"\n")

    assert found.started_at == 7


@pytest.mark.parametrize(
    "line",
    [
        b'cortex_build_info{revision="a } b {",version="1 # 2"} 1',
        b'cortex_build_info{version="say \\"}\\" 5"} 1 1700000000000',
        b'cortex_build_info{version="1"} 1 # {trace="x}"} 2',
        b'cortex_build_info { version="\xc3\xa9\xff" }\t1e0 ',
        b"cortex_build_info +Inf",
        b"process_start_time_seconds 1_0",
        b'process_start_time_seconds{a="b"} 0x10',
        b'process_start_time_seconds{a="b} 1',
        b'process_start_time_seconds{a="b"} 1 } 5 x',
    ],
)
def test_a_line_is_read_as_the_client_library_reads_it(line: bytes) -> None:
    """What is kept of a series changes nothing: braces in values, exemplars, timestamps, nonsense."""
    for _ in range(2):
        try:
            wanted = list(pages_metrics._parsed_slowly(line))
        except (ValueError, KeyError, IndexError):
            with pytest.raises((ValueError, KeyError, IndexError)):
                list(pages_metrics._parsed(b"\n" + line))
        else:
            assert list(pages_metrics._parsed(b"\n" + line)) == wanted


def test_a_series_is_parsed_once() -> None:
    """Of a page that comes again, only the values are read again."""
    pages_metrics._series.cache_clear()
    lines = [b'\ncortex_ring_members{name="a",state="ACTIVE"} %d' % count for count in range(5)]

    found = [value for line in lines for _, _, value in pages_metrics._parsed(line)]

    assert found == [0, 1, 2, 3, 4]
    assert pages_metrics._series.cache_info().misses == 1


def test_a_diff_lies_over_the_defaults() -> None:
    """Mappings merge, lists and values replace, what is not named stays."""
    defaults = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}

    whole = merged(defaults, {"a": {"c": [3]}, "d": "text", "f": {"g": None}})

    assert whole == {"a": {"b": 1, "c": [3]}, "d": "text", "f": {"g": None}}
    assert defaults == {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}}


def test_a_path_through_a_value_is_absent() -> None:
    """A text has no keys."""
    assert at({"a": "text"}, ("a", "b")) is None
    assert at({}, ("a",)) is None


@pytest.mark.parametrize(
    ("config", "product"),
    [
        ({"ingester": {"lifecycler": {}}}, Product.CORTEX),
        ({"ingester": {"ring": {}}}, Product.MIMIR),
        ({"ingester": {}}, None),
        ({"ingester": None}, None),
        ({}, None),
    ],
)
def test_the_shape_tells_the_product(config: dict[str, object], product: Product | None) -> None:
    """Cortex keeps its ring below `lifecycler`."""
    assert product_of(config) is product


def test_targets_are_a_list_or_words() -> None:
    """Both forms occur."""
    assert targets_in({"target": "ruler, querier"}) == ("ruler", "querier")
    assert targets_in({"target": ["read"]}) == ("read",)
    assert targets_in({}) == ()


def test_a_gossip_block_with_odd_values_keeps_the_defaults() -> None:
    """A setting that is not what it should be says nothing."""
    found = gossip_config({"memberlist": {"join_members": "text", "bind_port": "x"}})

    assert found is not None
    assert found.join_members == ()
    assert found.bind_port == 7946
    assert gossip_config({}) is None


def test_the_runtime_file_and_its_period() -> None:
    """Newer versions take a list of files."""
    assert runtime_file({"runtime_config": {"file": ["a", "b"], "period": "1m"}}) == ("a,b", 60)
    assert runtime_file({}) == ("", 10)


def test_nulls_of_a_runtime_block_are_nothing() -> None:
    """A pod without the block shows it with null."""
    assert runtime_block(b"multi_kv_config:\n  primary: ''\n  mirror_enabled: null\n") == (
        RuntimeBlock()
    )
    assert runtime_block(b"overrides: {}\n") == RuntimeBlock()

"""A large release of Mimir whose pods answer as different as real ones do.

Ten rings (nine of them can be moved), each member with as many tokens as real ones have. Every pod has its
own `now` and its own copy of each ring: a member's heartbeat is the newest one or the one before, and one
pod lags four periods behind and still holds a member that left.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

# The cluster that the tests inspect: its pages have the shapes of real ones.
sys.path += [str(Path(__file__).parents[1] / "tests" / name) for name in ("inspection", "fakes")]

import small_cluster as small

from mimir_migrate.model.facts import Member, Pod
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import StoreState
from mimir_migrate.ports import Page

NAMESPACE = "observability"
SIZES = {
    100: {
        "distributor": 18,
        "ingester": 30,
        "querier": 16,
        "query-frontend": 6,
        "query-scheduler": 2,
        "store-gateway": 12,
        "compactor": 4,
        "ruler": 6,
        "alertmanager": 4,
        "overrides-exporter": 2,
    },
    500: {
        "distributor": 90,
        "ingester": 150,
        "querier": 80,
        "query-frontend": 30,
        "query-scheduler": 10,
        "store-gateway": 60,
        "compactor": 20,
        "ruler": 30,
        "alertmanager": 20,
        "overrides-exporter": 10,
    },
}
TOKENS = {
    "ingester": 128,
    "store-gateway": 512,
    "compactor": 512,
    "ruler": 128,
    "alertmanager": 128,
}
"""By ring, as real pods have them; the others one."""
PERIOD = 15
"""Seconds between heartbeats."""
LAGGARD = "metrics-distributor-0"
"""The pod whose view is four periods old."""
HISTOGRAM = "\n".join(
    f'cortex_ingester_memory_bucket{{method="m{number % 40}",le="{number}"}} {number}'
    for number in range(3000)
)
"""What fills a real metrics page: histograms that the inspection does not need."""


class LargeCluster(small.SmallCluster):
    """Ten rings in `multi(memberlist, dynamodb)`; each pod has copies of its own."""

    def __init__(self, pods: int) -> None:
        """A cluster of 100 or 500 pods."""
        super().__init__(
            Product.MIMIR, StoreState.MEMBERLIST_DYNAMODB, sizes=SIZES[pods], tokens=128
        )
        self.dynamodb["rings"] = small.ring_table()

    def is_on(self, ring: Ring) -> bool:
        """The movable ones and the ingesters' partitions."""
        return ring.movable or ring.name == "ingester-partitions"

    def members(self, ring: Ring) -> tuple[Member, ...]:
        """The members of a ring, each with its newest heartbeat."""
        return _members(self, ring.name)

    def on(self) -> list[Ring]:
        """Rings that are on and have members."""
        return _on(self)

    def body(self, pod: Pod, path: str) -> bytes | None:
        """One page as this pod writes it."""
        if path == "/metrics":
            return super().metrics(pod).encode() + HISTOGRAM.encode() + b"\n"
        if path == "/memberlist" and pod.gossips:
            page = _memberlist(self)
            return page.replace(b'"Now":""', b'"Now":"' + _now(pod, path).encode() + b'"', 1)
        for ring in self.on():
            if path == ring.page and self.serves(pod, ring):
                shards = ",".join(
                    _texts(member)[0] % _time(beat) for member, beat in self.seen(pod, path, ring)
                )
                return f'{{"shards":[{shards}],"now":"{_now(pod, path)}"}}\n'.encode()
            if path == f"/memberlist?viewKey={ring.ring_key()}&format=json":
                instances = ",".join(
                    _texts(member)[1] % beat for member, beat in self.seen(pod, path, ring)
                )
                return f'{{"ingesters":{{{instances}}}}}'.encode()
        return super().body(pod, path)

    def seen(self, pod: Pod, path: str, ring: Ring) -> list[tuple[Member, int]]:
        """The ring's members as this pod sees them on this page, each with its heartbeat."""
        dice = random.Random(f"{pod.name} {path}")
        lag = 4 * PERIOD if pod.name == LAGGARD else 0
        return [
            (member, member.timestamp - lag - PERIOD * dice.randrange(2))
            for member in self.members(ring)
            if not member.id.endswith("gone") or lag
        ]


class Recorder:
    """Answers from the cluster and keeps every question with its answer."""

    def __init__(self, cluster: LargeCluster) -> None:
        """Nothing is recorded yet."""
        self._cluster = cluster
        self.questions: list[tuple[str, str]] = []
        self.answers: dict[str, Page] = {}

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 0) -> Page:
        """One page."""
        page = self._cluster.get(pod, path, accept=accept, limit=limit)
        proxied = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}:8080/proxy{path}"
        self.questions.append((proxied, accept))
        self.answers[proxied] = page
        return page


@lru_cache(maxsize=64)
def _members(cluster: LargeCluster, name: str) -> tuple[Member, ...]:
    ring = next(each for each in rings_of(Product.MIMIR) if each.name == name)
    writers = {role.component for role in ring.roles if role.writes}
    dice = random.Random(name)
    living = [
        _member(pod.name, pod.ip, TOKENS.get(name, 1), dice)
        for pod in cluster.pod_list
        if pod.component in writers
    ]
    gone = [_member(f"{name}-gone", "10.9.9.9", TOKENS.get(name, 1), dice)] if living else []
    return tuple(sorted([*living, *gone], key=lambda member: member.id))


def _member(name: str, ip: str, tokens: int, dice: random.Random) -> Member:
    return Member(
        id=name,
        address=f"{ip}:9095",
        state=small.MemberState.ACTIVE,
        timestamp=int(small.NOW) - dice.randrange(PERIOD),
        registered_timestamp=int(small.NOW) - dice.randrange(3000, 90_000),
        tokens=tuple(sorted(dice.randrange(2**32) for _ in range(tokens))),
    )


@lru_cache(maxsize=4)
def _on(cluster: LargeCluster) -> list[Ring]:
    return [
        ring
        for ring in rings_of(Product.MIMIR)
        if ring.movable and cluster.is_on(ring) and cluster.members(ring)
    ]


@lru_cache(maxsize=4)
def _memberlist(cluster: LargeCluster) -> bytes:
    import json

    nodes = [
        {
            "Name": f"{pod.name}-c1ede1d3",
            "Addr": pod.ip,
            "Port": 7946,
            "Meta": None,
            "State": 0,
            **dict.fromkeys(("PMin", "PMax", "PCur", "DMin", "DMax", "DCur"), 2),
        }
        for pod in cluster.pod_list
        if pod.gossips
    ]
    values = {
        ring.ring_key(): {
            "Version": 83,
            "CodecID": "ringDesc",
            "Deleted": False,
            "UpdateTime": "0001-01-01T00:00:00Z",
        }
        for ring in cluster.on()
    }
    page = {
        "Now": "",
        "Memberlist": {},
        "SortedMembers": sorted(nodes, key=lambda node: node["Name"]),
        "Store": values,
        "MessageHistoryBufferBytes": 0,
        "SentMessages": None,
        "ReceivedMessages": None,
    }
    return json.dumps(page, separators=(",", ":")).encode() + b"\n"


@lru_cache(maxsize=8192)
def _texts(member: Member) -> tuple[str, str]:
    """A member as a ring page and as memberlist's page write it, with a place for its heartbeat."""
    tokens = ",".join(map(str, member.tokens))
    registered = member.registered_timestamp
    page = (
        f'{{"id":"{member.id}","state":"ACTIVE","address":"{member.address}","timestamp":"%s",'
        f'"registered_timestamp":"{_time(registered)}","read_only":false,'
        '"read_only_updated_timestamp":"0001-01-01T00:00:00Z",'
        f'"zone":"","tokens":[{tokens}],"versions":{{}}}}'
    )
    value = (
        f'"{member.id}":{{"addr":"{member.address}","timestamp":%d,"tokens":[{tokens}],'
        f'"registered_timestamp":{registered},"id":"{member.id}"}}'
    )
    return page, value


@lru_cache(maxsize=65_536)
def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now(pod: Pod, path: str) -> str:
    nanoseconds = random.Random(f"{pod.name} {path} now").randrange(10**9)
    return f"2026-11-22T08:55:40.{nanoseconds:09d}Z"

"""Findings about the ring bridge: each is there, not there, or unknown by one field."""

from __future__ import annotations

import bridged
import msgspec
import pytest
import release as fake

from mimir_migrate.inspection.findings import judge
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.inspection.rules import bridge as rules
from mimir_migrate.model.facts import Bridge, Inspection, StoreOffer
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import KubernetesTarget, Target

BASE = Target(kubernetes=KubernetesTarget(namespace="observability", release="mimir"))
THROUGH = bridged.target(BASE)
RULER = "mimir-ruler-0"


def found(
    seen: Inspection, target: Target = THROUGH, to: Store = Store.DYNAMODB
) -> dict[str, Finding]:
    """The findings of the bridge's rules, by id."""
    return {one.id: one for one in judge(seen, target=target, to=to) if one.id in rules.RULES}


def start(**more: object) -> Inspection:
    return bridged.release(StoreState.MEMBERLIST, **more)


def test_a_healthy_release_is_told_what_the_bridge_is_and_nothing_else() -> None:
    """Nothing on the way back, nothing where pods have a client of their own."""
    assert {id_: one.severity for id_, one in found(start()).items()} == {
        "bridge-experimental": Severity.WARNS
    }
    assert found(bridged.release(StoreState.DYNAMODB), to=Store.MEMBERLIST) == {}
    assert found(fake.release(Product.MIMIR, StoreState.MEMBERLIST), BASE) == {}


def test_cortex_needs_no_bridge() -> None:
    """Whatever it is to be moved to."""
    seen = fake.release(Product.CORTEX, StoreState.MEMBERLIST)
    assert found(seen)["bridge-for-cortex"].severity is Severity.BLOCKS


def test_a_bridge_that_is_not_there_yet_is_waited_for_by_the_plan() -> None:
    """One that cannot be asked, or lacks a ring, blocks."""
    absent = msgspec.structs.replace(start(), bridge=Bridge())
    assert found(absent)["bridge-missing"].severity is Severity.INFORMS
    silent = msgspec.structs.replace(start(), bridge=Bridge(reason="forbidden"))
    assert (found(silent)["bridge-missing"].unknown, "forbidden") == (
        True,
        found(silent)["bridge-missing"].evidence[0].detail,
    )
    seen = start()
    assert seen.bridge is not None
    page = seen.bridge.replicas[1].page
    assert page is not None
    rings = {key: ring for key, ring in page.rings.items() if key != "collectors/ring"}
    lacking = found(bridged.with_page(seen, 1, rings=rings))["bridge-missing"]
    assert (lacking.severity, lacking.rings) == (Severity.BLOCKS, ("ingester",))


def test_short_timeouts_block_until_they_are_chosen() -> None:
    """Then the finding says old, new, and what it costs, ring by ring."""
    seen = fake.with_view(start(), RULER, "ruler", heartbeat_timeout=60.0)

    blocked = found(seen)["heartbeat-timeout-short"]
    chosen = found(seen, bridged.target(BASE, heartbeat_timeout="4m"))["heartbeat-timeout-short"]

    assert (blocked.severity, blocked.rings) == (Severity.BLOCKS, ("ruler",))
    assert chosen.severity is Severity.WARNS
    assert "1 min -> 4m" in chosen.evidence[0].detail
    assert "rules stand still" in chosen.evidence[0].detail


def test_a_ring_that_beats_too_fast_is_refused_with_the_figure() -> None:
    """And with the period that carries its members."""
    seen = start()
    for number in range(3):
        name = f"mimir-ingester-{number}"
        seen = fake.with_view(seen, name, "ingester", heartbeat_period=0.2)
    fast = found(seen)["heartbeats-too-fast"]
    assert fast.severity is Severity.BLOCKS
    assert "15.0 heartbeats a second" in fast.title


@pytest.mark.parametrize(
    ("env", "severity"),
    [
        ((bridged.TOKEN,), None),
        ((bridged.TOKEN, "HTTP_PROXY"), Severity.BLOCKS),
        ((bridged.TOKEN, "https_proxy"), Severity.BLOCKS),
        ((bridged.TOKEN, "HTTP_PROXY", "NO_PROXY"), Severity.WARNS),
    ],
)
def test_a_web_proxy_catches_the_consul_client(
    env: tuple[str, ...], severity: Severity | None
) -> None:
    """Names of variables are all that is read."""
    seen = fake.with_pod(start(), RULER, env=env)
    proxy = found(seen).get("bridge-behind-proxy")
    assert (proxy.severity if proxy else None) is severity


def test_the_token_has_to_come_from_the_pods_environment() -> None:
    """None named: said. Not in the pods, or not filled in: they would end themselves at their start."""
    open_ = msgspec.structs.replace(
        THROUGH, bridge=msgspec.structs.replace(THROUGH.bridge, token_variable="")
    )
    assert found(start(), open_)["bridge-without-token"].severity is Severity.WARNS
    bare = fake.with_pod(start(), RULER, env=())
    assert found(bare)["bridge-token-missing"].severity is Severity.WARNS
    literal = fake.with_pod(start(), RULER, args=("-target=ruler",))
    assert found(literal)["bridge-token-missing"].severity is Severity.BLOCKS


def test_rules_about_a_client_of_the_pods_own_do_not_apply() -> None:
    """No pod polls the table, so none does so too seldom; an image without Consul is told so."""
    ids = {one.id for one in judge(start(), target=THROUGH, to=Store.DYNAMODB)}
    assert not ids & {"puller-sync-too-slow", "rollout-outruns-poll", "store-client-version"}
    offers = tuple(
        StoreOffer(
            image="example.test/mimir:1",
            ring=ring,
            stores=("memberlist", "multi"),
            evidence=fake_evidence(),
        )
        for ring in fake.ON[Product.MIMIR]
    )
    bare = msgspec.structs.replace(start(), offers=offers)
    refused = next(
        one
        for one in judge(bare, target=THROUGH, to=Store.DYNAMODB)
        if one.id == "store-not-offered"
    )
    assert "Consul client" in refused.fix


def fake_evidence() -> object:
    from mimir_migrate.model.facts import Evidence

    return Evidence(source="GET /config?mode=defaults", detail="")


class Replicas:
    """The bridge's pods, each with a page; an exception is raised."""

    def __init__(self, pages: dict[str, bytes | Exception]) -> None:
        self._pages = pages

    def pods(self) -> tuple[object, ...]:
        from mimir_migrate.model.facts import Pod

        return tuple(
            Pod(name=name, ip="10.9.0.1", ready=True, phase="Running") for name in self._pages
        )

    def get(self, pod: object, path: str) -> object:
        from mimir_migrate.ports import Page

        assert path == "/rings"
        answer = self._pages[pod.name]
        if isinstance(answer, Exception):
            raise answer
        return Page(status=200, content_type="application/json", body=answer)


def rings_page(small: object, heartbeat: int, version: int) -> bytes:
    cluster = small.SmallCluster(Product.MIMIR)
    ring = next(ring for ring in cluster.on() if ring.name == "ingester")
    members = [
        msgspec.structs.replace(one, timestamp=heartbeat, version=version)
        for one in cluster.members(ring)
    ]
    page = {
        "schema": "mimir-migrate/1",
        "now": 1.0,
        "started": 0.0,
        "table_away_since": None,
        "rings": {
            "collectors/ring": {
                "index": 9,
                "exists": True,
                "heartbeats_per_second": 0.2,
                "members": members,
            }
        },
        "clients": {"10.0.0.10": {"last": 0.5, "keys": ["collectors/ring"]}},
    }
    return msgspec.json.encode(page)


@pytest.mark.parametrize(
    ("version", "answered", "age"), [(7, True, 0), (8, True, 100), (7, False, None)]
)
def test_heartbeats_of_the_head_are_laid_over_the_items(
    small, version: int, answered: bool, age: int | None
) -> None:
    """Of members that are the same in both; without any replica's word the items count as unread."""
    cluster = small.SmallCluster(Product.MIMIR, StoreState.DYNAMODB)
    cluster.consul = "ring-bridge.observability.svc:8500"
    cluster.dynamodb[fake.TABLE] = small.Table(name=fake.TABLE, keys=small.RING_TABLE_KEYS)
    ring = next(ring for ring in cluster.on() if ring.name == "ingester")
    cluster.ring_items["ingester"] = tuple(
        msgspec.structs.replace(one, timestamp=int(small.NOW) - 100, version=7)
        for one in cluster.members(ring)
    )
    page = rings_page(small, int(small.NOW), version)
    silent = small.silent("ring-bridge-0")
    world = msgspec.structs.replace(
        cluster.world(), bridge=Replicas({"ring-bridge-0": page if answered else silent})
    )

    seen = inspect(world, THROUGH)

    items = seen.table_items("ingester")
    ages = {int(small.NOW) - one.timestamp for one in items.members} if items else {None}
    assert ages == {age}
    assert any("collectors/ring" in one.source for one in seen.unanswered) is (not answered)
    assert seen.bridge is not None
    assert (seen.bridge.replicas[0].page is not None) is answered

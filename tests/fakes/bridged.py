"""A healthy release whose rings reach DynamoDB through the ring bridge, and ways to change one thing of it."""

from __future__ import annotations

from typing import Any

import msgspec
import release as fake

from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.facts import (
    Bridge,
    BridgeClient,
    BridgePage,
    BridgeProbe,
    BridgeReplica,
    BridgeRing,
    Inspection,
    Pod,
    PodFacts,
)
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import StoreState
from mimir_migrate.model.target import BridgeTarget, TableTarget, Target, Through

SERVICE = "ring-bridge.observability.svc"
HOST = f"{SERVICE}:8500"
TOKEN = "RING_BRIDGE_TOKEN"
TIMEOUT = 600.0
"""Seconds that rings wait for heartbeats."""


def target(base: Target, **bridge: Any) -> Target:
    """A target that goes through the bridge."""
    return msgspec.structs.replace(
        base,
        dynamodb=TableTarget(table=fake.TABLE, through=Through.BRIDGE),
        bridge=BridgeTarget(service=SERVICE, token_variable=TOKEN, **bridge),
    )


def release(
    state: StoreState = StoreState.MEMBERLIST_DYNAMODB,
    *,
    timeout: float = TIMEOUT,
    replicas: int = 3,
    **more: Any,
) -> Inspection:
    """A release of Mimir in a state, with a bridge that has every ring and is polled by every pod.

    `more` goes to `release.release`.
    """
    seen = fake.release(Product.MIMIR, state, **more)
    pods = tuple(_facts(facts, timeout) for facts in seen.pods)
    seen = msgspec.structs.replace(seen, pods=pods, rings=summarize(Product.MIMIR, pods))
    return msgspec.structs.replace(seen, bridge=bridge_of(seen, replicas))


def _facts(facts: PodFacts, timeout: float) -> PodFacts:
    """A pod that has the bridge's variable, and Consul in place of DynamoDB."""
    pod = msgspec.structs.replace(
        facts.pod,
        env=(TOKEN,),
        args=(f"-target={facts.pod.component}", "-config.expand-env=true"),
    )
    rings = tuple(
        msgspec.structs.replace(
            view,
            heartbeat_timeout=timeout,
            puller_sync_time=None,
            config=msgspec.structs.replace(
                view.config,
                dynamodb=None,
                consul_host=HOST if "dynamodb" in view.config.stores else "",
                through_bridge="dynamodb" in view.config.stores,
            )
            if view.config
            else None,
        )
        for view in facts.rings
    )
    return msgspec.structs.replace(facts, pod=pod, rings=rings)


def bridge_of(seen: Inspection, replicas: int = 3) -> Bridge:
    """The bridge of a release: each replica with every ring, and every pod its client."""
    on = {view.ring for facts in seen.pods for view in facts.rings}
    rings = {
        ring.ring_key(): BridgeRing(
            index=int(seen.at * 1000),
            exists=(items := seen.table_items(ring.name)) is not None,
            members=items.members if items is not None else (),
        )
        for ring in rings_of(Product.MIMIR)
        if ring.name in on
    }
    page = BridgePage(
        now=seen.at,
        started=seen.at - 3600,
        rings=rings,
        clients={
            facts.pod.ip: BridgeClient(last=seen.at - 5, keys=tuple(sorted(rings)))
            for facts in seen.pods
            if any("dynamodb" in view.stores for view in facts.rings)
        },
    )
    return Bridge(
        replicas=tuple(
            BridgeReplica(
                pod=_pod(number),
                page=msgspec.structs.replace(page, probe=probe_of(number, replicas, seen.at)),
                asked_at=seen.at,
                answered_at=seen.at,
            )
            for number in range(replicas)
        )
    )


def probe_of(number: int, replicas: int, at: float) -> BridgeProbe:
    """What a replica wrote a second ago and read then: each number is the time at which it was drawn."""
    written = int((at - 1.0) * 1000)
    return BridgeProbe(
        name=f"ring-bridge-{number}-abc",
        written=written,
        written_at=at - 1.0,
        read={f"ring-bridge-{other}-abc": written - 1 for other in range(replicas)},
        read_at=at - 1.0,
    )


def _pod(number: int) -> Pod:
    return Pod(
        name=f"ring-bridge-{number}",
        uid=f"bridge-{number}",
        ip=f"10.99.0.{number + 1}",
        ready=True,
        phase="Running",
        http_port=8500,
    )


def with_replica(seen: Inspection, number: int, **fields: Any) -> Inspection:
    """With fields of one replica changed."""
    assert seen.bridge is not None
    replicas = list(seen.bridge.replicas)
    replicas[number] = msgspec.structs.replace(replicas[number], **fields)
    return msgspec.structs.replace(
        seen, bridge=msgspec.structs.replace(seen.bridge, replicas=tuple(replicas))
    )


def with_page(seen: Inspection, number: int, **fields: Any) -> Inspection:
    """With fields of one replica's page changed."""
    assert seen.bridge is not None
    page = seen.bridge.replicas[number].page
    assert page is not None
    return with_replica(seen, number, page=msgspec.structs.replace(page, **fields))

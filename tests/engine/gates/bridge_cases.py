"""Cases of the gates about the ring bridge: a healthy release on it, and one thing changed."""

from __future__ import annotations

import functools
from collections.abc import Callable

import bridged
import msgspec
import release as fake
from gate_cases import BLOCK, FAIL, PASS, UNKNOWN, Case, Change, Tune, tuned

from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Bridge, BridgeClient, Inspection, Member, RuntimeView
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState

RULER = "mimir-ruler-1"
INGESTER = "mimir-ingester-0"
QUERIER = "mimir-querier-0"
KEYS = {ring.name: ring.ring_key() for ring in rings_of(Product.MIMIR)}


def on_bridge(
    change: Change = lambda inspection: inspection,
    state: StoreState = StoreState.MEMBERLIST_DYNAMODB,
    **more: object,
) -> Change:
    """A healthy release on the bridge, changed."""
    return lambda _: change(_released(state, **more))


@functools.cache
def _released(state: StoreState, **more: object) -> Inspection:
    return bridged.release(state, block=BLOCK, **more)


@functools.cache
def _switched() -> Inspection:
    primaries = dict.fromkeys(fake.ON[Product.MIMIR], Store.DYNAMODB)
    return bridged.release(primaries=primaries, block=BLOCK)


def earlier(change: Change = lambda inspection: inspection) -> Tune:
    """A reference that is a window older."""
    before = change(_released(StoreState.MEMBERLIST_DYNAMODB, at=fake.NOW - fake.WINDOW))
    return tuned(reference=before)


def scaled(factor: float) -> Tune:
    return tuned(scale=Scale(factor))


def case(
    gate: Gate, name: str, verdict: Verdict, *names: str, change: Change, tune: Tune | None = None
) -> Case:
    return Case(
        gate=gate,
        name=f"bridge: {name}",
        verdict=verdict,
        change=change,
        tune=tune or earlier(),
        names=names,
    )


def replica(number: int, **fields: object) -> Change:
    return lambda seen: bridged.with_replica(seen, number, **fields)


def replica_pod(number: int, **fields: object) -> Change:
    def change(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        pod = msgspec.structs.replace(seen.bridge.replicas[number].pod, **fields)
        return bridged.with_replica(seen, number, pod=pod)

    return change


def page(number: int, **fields: object) -> Change:
    return lambda seen: bridged.with_page(seen, number, **fields)


def probe(number: int, **fields: object) -> Change:
    """One replica whose own writes and reads are others."""

    def change(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        page = seen.bridge.replicas[number].page
        assert page is not None
        assert page.probe is not None
        return bridged.with_page(seen, number, probe=msgspec.structs.replace(page.probe, **fields))

    return change


def _probed(number: int) -> str:
    """A replica's name in the others' reads."""
    return f"ring-bridge-{number}-abc"


def ring_at(number: int, ring: str, index: int | None) -> Change:
    """One replica with a ring at another version; None: without the ring."""

    def change(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        page = seen.bridge.replicas[number].page
        assert page is not None
        rings = dict(page.rings)
        if index is None:
            del rings[KEYS[ring]]
        else:
            rings[KEYS[ring]] = msgspec.structs.replace(rings[KEYS[ring]], index=index)
        return bridged.with_page(seen, number, rings=rings)

    return change


def beats(number: int, ring: str, rate: float) -> Change:
    """One replica that counted so many heartbeats a second of a ring."""

    def change(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        page = seen.bridge.replicas[number].page
        assert page is not None
        changed = msgspec.structs.replace(page.rings[KEYS[ring]], heartbeats_per_second=rate)
        return bridged.with_page(seen, number, rings={**page.rings, KEYS[ring]: changed})

    return change


def bridge(**fields: object) -> Change:
    return lambda seen: msgspec.structs.replace(seen, bridge=Bridge(**fields))


def clients(change: Callable[[dict[str, BridgeClient], Inspection], None]) -> Change:
    """Every replica with other clients."""

    def changed(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        for number, one in enumerate(seen.bridge.replicas):
            assert one.page is not None
            known = dict(one.page.clients)
            change(known, seen)
            seen = bridged.with_page(seen, number, clients=known)
        return seen

    return changed


def ip(seen: Inspection, pod: str) -> str:
    return fake.facts_of(seen, pod).pod.ip


def forgets(pod: str) -> Change:
    return clients(lambda known, seen: known.pop(ip(seen, pod)) and None)


def asked_last(pod: str, ago: float) -> Change:
    return clients(
        lambda known, seen: known.update(
            {ip(seen, pod): BridgeClient(last=seen.at - ago, keys=tuple(KEYS.values()))}
        )
    )


def only_for(pod: str, *keys: str) -> Change:
    return clients(
        lambda known, seen: known.update(
            {ip(seen, pod): BridgeClient(last=seen.at - 5, keys=keys)}
        )
    )


def view(pod: str, ring: str, **fields: object) -> Change:
    return lambda seen: fake.with_view(seen, pod, ring, **fields)


def mirror_errors(pod: str, ring: str, errors: float | None) -> Change:
    def change(seen: Inspection) -> Inspection:
        found = fake.facts_of(seen, pod).ring(ring)
        assert found is not None
        changed = tuple(
            msgspec.structs.replace(client, mirror_write_errors=errors) for client in found.clients
        )
        return fake.with_view(seen, pod, ring, clients=changed)

    return change


def quiet(**fields: object) -> Change:
    """Back on memberlist, and nobody asks the bridge; `fields` change each replica's page."""

    def change(_: Inspection) -> Inspection:
        seen = _released(StoreState.MEMBERLIST)
        for number in range(3):
            seen = bridged.with_page(seen, number, **{"clients": {}, **fields})
        return seen

    return change


def then(*changes: Change) -> Change:
    def change(seen: Inspection) -> Inspection:
        for one in changes:
            seen = one(seen)
        return seen

    return change


def dead(*changes: Change) -> Change:
    """Rings are switched, and no replica answers any more: nobody tells the items' heartbeats."""

    def change(_: Inspection) -> Inspection:
        seen = _switched()
        for number in range(3):
            seen = bridged.with_replica(seen, number, page=None, reason="connection refused")
        return then(*changes)(msgspec.structs.replace(seen, items=()))

    return change


def _away(seen: Inspection) -> Inspection:
    """The replicas answer, and their table does not answer them."""
    alive = _released(StoreState.MEMBERLIST_DYNAMODB).bridge
    seen = msgspec.structs.replace(seen, bridge=alive)
    for number in range(3):
        seen = bridged.with_page(seen, number, table_away_since=fake.NOW - 9)
    return seen


def gossip(pod: str, made: Callable[[tuple[Member, ...]], tuple[Member, ...]]) -> Change:
    """One pod with other members of the ingesters' ring in its gossip."""

    def change(seen: Inspection) -> Inspection:
        found = fake.facts_of(seen, pod).ring("ingester")
        assert found is not None
        assert found.memberlist is not None
        return fake.with_view(seen, pod, "ingester", memberlist=made(found.memberlist))

    return change


def _with(member: Member, **fields: object) -> Member:
    return msgspec.structs.replace(member, **fields)


STRANGER = {"10.7.7.7": BridgeClient(last=fake.NOW - 60, keys=("collectors/ring",))}

CASES = (
    case(Gate.BRIDGE_READY, "every replica shows the same", PASS, change=on_bridge()),
    case(
        Gate.BRIDGE_READY,
        "a replica is behind what another one showed",
        FAIL,
        "ring-bridge-1",
        "ingester",
        change=on_bridge(ring_at(1, "ingester", 7)),
    ),
    case(
        Gate.BRIDGE_READY,
        "a replica does not serve a ring",
        FAIL,
        "ring-bridge-2",
        "ruler",
        change=on_bridge(ring_at(2, "ruler", None)),
    ),
    case(
        Gate.BRIDGE_READY,
        "a replica is not Ready",
        FAIL,
        "ring-bridge-0",
        change=on_bridge(replica_pod(0, ready=False)),
    ),
    case(
        Gate.BRIDGE_READY,
        "the table is away",
        FAIL,
        "table",
        change=on_bridge(page(0, table_away_since=fake.NOW - 9)),
    ),
    case(
        Gate.BRIDGE_READY,
        "a call of the table was throttled just now",
        PASS,
        change=on_bridge(page(0, table_away_since=fake.NOW - 4)),
    ),
    case(Gate.BRIDGE_READY, "there is one replica", FAIL, change=on_bridge(replicas=1)),
    case(Gate.BRIDGE_READY, "there is none", FAIL, change=on_bridge(bridge())),
    case(
        Gate.BRIDGE_READY,
        "a replica that is about to go says nothing",
        PASS,
        change=on_bridge(
            then(replica_pod(2, deleted_at=fake.NOW - 1), replica(2, page=None, reason="gone"))
        ),
    ),
    case(
        Gate.BRIDGE_READY,
        "a replica did not answer",
        UNKNOWN,
        "ring-bridge-2",
        change=on_bridge(replica(2, page=None, reason="timed out")),
    ),
    case(
        Gate.BRIDGE_READY,
        "its pods cannot be listed",
        UNKNOWN,
        "forbidden",
        change=on_bridge(bridge(reason="forbidden")),
    ),
    case(
        Gate.BRIDGE_READY,
        "one sample alone says nothing",
        UNKNOWN,
        change=on_bridge(),
        tune=tuned(reference=None),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "each reads what the others wrote",
        PASS,
        "3 replicas",
        change=on_bridge(),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica reads an old copy of the table",
        FAIL,
        "ring-bridge-1",
        "ring-bridge-0",
        change=on_bridge(probe(1, read={f"ring-bridge-{one}-abc": 7 for one in range(3)})),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica writes to another table",
        FAIL,
        "does not read what ring-bridge-2 wrote",
        "it reads nothing of it",
        change=on_bridge(
            then(
                *(probe(one, read=dict.fromkeys(map(_probed, (0, 1)), 2**60)) for one in range(2)),
                probe(2, read={_probed(2): 2**60}),
            )
        ),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica may read and not write",
        FAIL,
        "ring-bridge-2",
        "since it started",
        "AccessDenied",
        change=on_bridge(
            probe(2, written=0, written_at=0.0, problem="put_item on rings: AccessDenied")
        ),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica writes no more",
        FAIL,
        "ring-bridge-0",
        "31 s",
        change=on_bridge(probe(0, written_at=fake.NOW - 31)),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "clocks that differ do no harm",
        PASS,
        change=on_bridge(
            then(
                page(1, now=fake.NOW + 500, started=fake.NOW - 3000),
                probe(1, written_at=fake.NOW + 499, read_at=fake.NOW + 499),
            )
        ),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica that is about to go proves nothing",
        PASS,
        "2 replicas",
        change=on_bridge(then(replica_pod(2, deleted_at=fake.NOW - 1), probe(2, read={}))),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica has read nothing since",
        UNKNOWN,
        "ring-bridge-1",
        change=on_bridge(probe(1, read_at=fake.NOW - fake.WINDOW - 1, read={})),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica wrote nothing since",
        UNKNOWN,
        "ring-bridge-1",
        change=on_bridge(probe(1, written=1)),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica was started again meanwhile",
        UNKNOWN,
        "ring-bridge-1",
        change=on_bridge(probe(1, name="ring-bridge-1-def")),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica of an older version makes no probes",
        UNKNOWN,
        "ring-bridge-1",
        "older version",
        change=on_bridge(page(1, probe=None)),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "a replica did not answer",
        UNKNOWN,
        "ring-bridge-2",
        change=on_bridge(replica(2, page=None, reason="timed out")),
    ),
    case(
        Gate.BRIDGE_CONSISTENT,
        "one sample alone says nothing",
        UNKNOWN,
        change=on_bridge(),
        tune=tuned(reference=None),
    ),
    case(Gate.BRIDGE_HEADROOM, "few heartbeats", PASS, change=on_bridge()),
    case(
        Gate.BRIDGE_HEADROOM,
        "too many heartbeats",
        FAIL,
        "ingester",
        "13",
        change=on_bridge(view(INGESTER, "ingester", heartbeat_period=0.2)),
    ),
    case(
        Gate.BRIDGE_HEADROOM,
        "a replica counted too many",
        FAIL,
        "ring-bridge-0",
        "14.0",
        change=on_bridge(beats(0, "ingester", 14.0)),
    ),
    case(
        Gate.BRIDGE_HEADROOM,
        "no pod says its period",
        UNKNOWN,
        "ruler",
        change=on_bridge(
            then(
                view("mimir-ruler-0", "ruler", heartbeat_period=None),
                view(RULER, "ruler", heartbeat_period=None),
            )
        ),
    ),
    case(Gate.HEARTBEAT_TIMEOUTS, "all are long", PASS, change=on_bridge()),
    case(
        Gate.HEARTBEAT_TIMEOUTS,
        "one pod's is short",
        FAIL,
        RULER,
        "1 min",
        change=on_bridge(view(RULER, "ruler", heartbeat_timeout=60.0)),
    ),
    case(
        Gate.HEARTBEAT_TIMEOUTS,
        "a reader's counts too",
        FAIL,
        QUERIER,
        change=on_bridge(view(QUERIER, "ingester", heartbeat_timeout=239.0)),
    ),
    case(
        Gate.HEARTBEAT_TIMEOUTS,
        "nothing is judged at 0",
        PASS,
        change=on_bridge(view(RULER, "ruler", heartbeat_timeout=0.0)),
    ),
    case(
        Gate.HEARTBEAT_TIMEOUTS,
        "a simulation's seconds are what they stand for",
        PASS,
        change=on_bridge(timeout=8.0),
        tune=scaled(30),
    ),
    case(
        Gate.HEARTBEAT_TIMEOUTS,
        "a pod does not say",
        UNKNOWN,
        RULER,
        change=on_bridge(view(RULER, "ruler", heartbeat_timeout=None)),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers, and the run leads to memberlist",
        PASS,
        "no replica of the ring bridge answers",
        change=dead(),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "the table is away, and the run leads to memberlist",
        PASS,
        "the table does not answer",
        change=then(dead(), _away),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers, and a pod shows somebody whom its gossip lacks",
        FAIL,
        "mimir-ingester-1",
        QUERIER,
        change=dead(gossip(QUERIER, lambda known: known[:1] + known[2:])),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers, and gossip has a member at another address",
        FAIL,
        "address",
        change=dead(
            gossip(QUERIER, lambda known: (_with(known[0], address="10.9.9.9:9095"), *known[1:]))
        ),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers, and gossip stands still for longer than the bridge",
        FAIL,
        "behind",
        change=dead(
            gossip(
                QUERIER,
                lambda known: tuple(
                    _with(one, timestamp=one.timestamp - int(fake.WINDOW) - 2) for one in known
                ),
            )
        ),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers, and a pod's gossip is not known",
        UNKNOWN,
        QUERIER,
        change=dead(view(QUERIER, "ingester", memberlist=None)),
        tune=tuned(to_memberlist=True),
    ),
    case(
        Gate.STORES_EQUAL,
        "no replica answers on the way there",
        UNKNOWN,
        "no replica of the ring bridge answers",
        change=dead(),
    ),
    case(Gate.MIRROR_CLEAN, "no write failed", PASS, change=on_bridge()),
    case(
        Gate.MIRROR_CLEAN,
        "a write failed lately",
        FAIL,
        INGESTER,
        "1 mirrored write",
        change=on_bridge(mirror_errors(INGESTER, "ingester", 1.0)),
    ),
    case(
        Gate.MIRROR_CLEAN,
        "writes failed before, and none since",
        PASS,
        change=on_bridge(mirror_errors(INGESTER, "ingester", 62.0)),
        tune=earlier(mirror_errors(INGESTER, "ingester", 62.0)),
    ),
    case(
        Gate.MIRROR_CLEAN,
        "a pod does not count",
        UNKNOWN,
        INGESTER,
        change=on_bridge(mirror_errors(INGESTER, "ingester", None)),
    ),
    case(
        Gate.MIRROR_CLEAN,
        "nothing to compare with",
        UNKNOWN,
        change=on_bridge(),
        tune=tuned(reference=None),
    ),
    case(Gate.PODS_REACH_DYNAMODB, "every pod asked lately", PASS, change=on_bridge()),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a pod never asked",
        FAIL,
        RULER,
        "ruler",
        change=on_bridge(forgets(RULER)),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a pod asked long ago",
        FAIL,
        RULER,
        change=on_bridge(asked_last(RULER, fake.WINDOW + 1)),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a pod asked for other rings only",
        FAIL,
        INGESTER,
        change=on_bridge(only_for(INGESTER, "somebody/ring")),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a reader asks its second store for nothing",
        PASS,
        change=on_bridge(forgets(QUERIER)),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a reader has to ask once it is switched",
        FAIL,
        QUERIER,
        change=on_bridge(forgets(QUERIER), StoreState.DYNAMODB),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a replica did not answer, which may be the one that it asks",
        UNKNOWN,
        "ring-bridge-2",
        change=on_bridge(then(forgets(RULER), replica(2, page=None, reason="timed out"))),
    ),
    case(Gate.BRIDGE_UNUSED, "nobody names or asks it", PASS, change=quiet()),
    case(
        Gate.BRIDGE_UNUSED,
        "it was removed already",
        PASS,
        change=lambda _: bridge()(bridged.release(StoreState.MEMBERLIST)),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "somebody asked a minute ago",
        FAIL,
        "10.7.7.7",
        "1 min",
        change=quiet(clients=STRANGER),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "a pod still names it",
        FAIL,
        RULER,
        change=lambda seen: view(
            RULER, "ruler", config=fake.facts_of(bridged.release(), RULER).ring("ruler").config
        )(quiet()(seen)),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "a pod still has the block",
        FAIL,
        RULER,
        change=lambda seen: fake.with_facts(
            quiet()(seen),
            RULER,
            runtime=RuntimeView(
                file="/r.yaml", block=RuntimeBlock(primary="dynamodb", mirror_enabled=False)
            ),
        ),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "a replica has just started and knows of nobody",
        UNKNOWN,
        "less than 2 min",
        change=quiet(started=fake.NOW - 119),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "a pod does not say",
        UNKNOWN,
        RULER,
        change=lambda seen: fake.with_facts(quiet()(seen), RULER, runtime=None),
    ),
    case(
        Gate.BRIDGE_UNUSED,
        "a replica did not answer",
        UNKNOWN,
        "ring-bridge-1",
        change=lambda seen: replica(1, page=None, reason="timed out")(quiet()(seen)),
    ),
)

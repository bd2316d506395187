"""The metrics page of a simulated process: families about rings, stores, gossip, and the users."""

from __future__ import annotations

from typing import Final

from mimir_migrate.model.rings import Product, Ring
from mimir_migrate.sandbox.simulation.answers.exposition import Exposition, Sample
from mimir_migrate.sandbox.simulation.host import LEFT
from mimir_migrate.sandbox.simulation.process import SimulatedProcess
from mimir_migrate.sandbox.simulation.seats import is_classic
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode
from mimir_migrate.sandbox.simulation.stores.items import UNVERSIONED
from mimir_migrate.sandbox.simulation.stores.reader import RingReader

_STATES: Final = {
    Product.CORTEX: ("ACTIVE", "JOINING", "LEAVING", "PENDING", "READONLY", "Unhealthy"),
    Product.MIMIR: ("ACTIVE", "JOINING", "LEAVING", "PENDING", "Unhealthy"),
}


def metrics_page(process: SimulatedProcess) -> str:
    """The whole page of a process."""
    page = Exposition()
    _add_build(page, process)
    _add_dynamodb(page, process)
    _add_clients(page, process)
    _add_lifecyclers(page, process)
    _add_rings(page, process)
    _add_runtime(page, process)
    if process.gossip is not None:
        _add_gossip(page, process.gossip, process.build.product)
    _add_traffic(page, process)
    page.add(
        "process_start_time_seconds",
        "gauge",
        "Start time of the process since unix epoch in seconds.",
        [({}, round(process.started_at, 2))],
    )
    return "\n".join(page.lines) + "\n"


def _add_build(page: Exposition, process: SimulatedProcess) -> None:
    build = process.build
    labels = {
        "branch": "",
        "goversion": "go1.26.6",
        "revision": build.revision,
        "version": build.version,
    }
    text = "A metric with a constant '1' value labeled by version, revision and more."
    if build.product is Product.CORTEX:
        labels |= {"goarch": "amd64", "goos": "linux", "tags": "unknown"}
    page.add("cortex_build_info", "gauge", text, [(labels, 1)])
    if build.product is Product.MIMIR:
        page.add("mimir_build_info", "gauge", text, [(labels, 1)])


def _add_dynamodb(page: Exposition, process: SimulatedProcess) -> None:
    configuration = process.configuration
    if configuration is None:
        return
    meters = [
        client.meter
        for client in process.clients.values()
        if "dynamodb" in configuration.store_names(client.ring)
    ]
    versioned = process.build.generation != UNVERSIONED
    page.add(
        "cortex_dynamodb_kv_cas_attempt_total",
        "counter",
        "DynamoDB KV Store Attempted CAS operations",
        [({"kv_name": meter.kv_name}, meter.cas_attempts) for meter in meters],
    )
    page.add(
        "cortex_dynamodb_kv_conditional_check_failed_total",
        "counter",
        "Total number of DynamoDB conditional check failures",
        [({"kv_name": meter.kv_name}, meter.conflicts) for meter in meters],
    )
    page.add(
        "cortex_dynamodb_kv_consumed_capacity_total",
        "counter",
        "Total consumed capacity on dynamodb",
        [
            (
                {"kv_name": meter.kv_name, "operation": operation},
                count if operation == "Query" else 0,
            )
            for meter in meters
            for (operation, status), count in sorted(meter.dynamodb.items())
            if status == "2xx" and (operation != "Batch" or versioned)
        ],
    )
    page.histogram(
        "cortex_dynamodb_kv_request_duration_seconds",
        "Time spent on dynamodb requests.",
        [
            ({"kv_name": meter.kv_name, "operation": operation, "status_code": status}, count)
            for meter in meters
            for (operation, status), count in sorted(meter.dynamodb.items())
        ],
    )


def _add_clients(page: Exposition, process: SimulatedProcess) -> None:
    clients = [client for _, client in sorted(process.clients.items())]
    page.histogram(
        "cortex_kv_request_duration_seconds",
        "Time spent on kv store requests.",
        [
            (
                {
                    "kv_name": client.kv_name,
                    "operation": operation,
                    "role": role,
                    "status_code": status,
                    "type": store,
                },
                count,
            )
            for client in clients
            for (operation, role, store, status), count in sorted(client.meter.requests.items())
        ],
    )
    for prefix in ("cortex_", ""):
        # The partition ring's client is registered without the prefix.
        multis = [
            (client.kv_name, client.multi)
            for client in clients
            if client.multi is not None
            and (client.ring.name == "ingester-partitions") == (prefix == "")
        ]
        page.add(
            f"{prefix}multikv_mirror_enabled",
            "gauge",
            "Is mirroring to secondary store enabled",
            [({"kv_name": name}, multi.mirrors) for name, multi in multis],
        )
        page.add(
            f"{prefix}multikv_mirror_write_errors_total",
            "counter",
            "Number of failures to mirror-write to secondary store",
            [({"kv_name": name}, multi.mirror_errors) for name, multi in multis],
        )
        page.add(
            f"{prefix}multikv_mirror_writes_total",
            "counter",
            "Number of mirror-writes to secondary store",
            [({"kv_name": name}, multi.mirror_writes) for name, multi in multis],
        )
        page.add(
            f"{prefix}multikv_primary_store",
            "gauge",
            "Selected primary KV store",
            [
                ({"kv_name": name, "store": store}, store == multi.primary)
                for name, multi in multis
                for store in sorted(multi.clients)
            ],
        )


def _add_lifecyclers(page: Exposition, process: SimulatedProcess) -> None:
    product = process.build.product
    for classic in (True, False):
        ours = [
            ({"name": name}, one)
            for name, one in sorted(process.lifecyclers.items())
            if is_classic(product, _ring_named(process, name)) is classic
        ]
        page.add(
            "cortex_member_consul_heartbeats_total"
            if classic
            else "cortex_ring_member_heartbeats_total",
            "counter",
            "The total number of heartbeats sent to consul."
            if classic
            else "The total number of heartbeats sent.",
            [(labels, one.heartbeats) for labels, one in ours],
        )
        if classic and product is Product.MIMIR:
            continue
        stem = "cortex_member_ring_tokens" if classic else "cortex_ring_member_tokens"
        page.add(
            f"{stem}_owned",
            "gauge",
            "The number of tokens owned in the ring.",
            [(labels, len(one.tokens)) for labels, one in ours],
        )
        page.add(
            f"{stem}_to_own",
            "gauge",
            "The number of tokens to own in the ring.",
            [(labels, one.seat.num_tokens) for labels, one in ours],
        )


def _ring_named(process: SimulatedProcess, name: str) -> Ring:
    rings = process.configuration.rings if process.configuration is not None else ()
    return next(ring for ring in rings if ring.name == name)


def _readers(process: SimulatedProcess) -> list[tuple[str, RingReader]]:
    """Every ring client with its `name` label."""
    configuration = process.configuration
    found = []
    for ring in configuration.rings if configuration is not None else ():
        for role in configuration.roles(ring) if configuration is not None else ():
            if not role.members_name:
                continue
            reader = process.readers.get((ring.name, role.kv_names[-1]))
            if reader is not None and (role.members_name, reader) not in found:
                found.append((role.members_name, reader))
    return sorted(found, key=lambda one: one[0])


def _add_rings(page: Exposition, process: SimulatedProcess) -> None:
    clock = process.build.clock
    product = process.build.product
    zoned = product is Product.CORTEX
    members: list[Sample] = []
    oldest: list[Sample] = []
    owned: list[Sample] = []
    percent: list[Sample] = []
    totals: list[Sample] = []
    duplicates: list[Sample] = []
    for name, reader in _readers(process):
        shown = [
            (member, "Unhealthy" if state == "UNHEALTHY" else state)
            for member, state in reader.shown()
        ]
        zones = sorted({member.zone for member, _ in shown}) or [""]
        total = sum(len(member.tokens) for member, _ in shown)
        for state in _STATES[product]:
            here = [member for member, one in shown if one == state]
            if zoned:
                for zone in zones:
                    count = sum(1 for member in here if member.zone == zone)
                    members.append(({"name": name, "state": state, "zone": zone}, count))
            else:
                members.append(({"name": name, "state": state}, len(here)))
            stamp = min((clock.real(member.timestamp) for member in here), default=0)
            oldest.append(({"name": name, "state": state}, stamp))
        for member, _ in shown:
            labels = {"member": member.id, "name": name}
            owned.append((labels, len(member.tokens)))
            percent.append((labels, len(member.tokens) / total if total else 0.0))
        totals.append(({"name": name}, total))
        duplicates.append(({"name": name}, 0))
    if product is Product.CORTEX:
        page.add(
            "cortex_ring_duplicate_tokens",
            "gauge",
            "Number of duplicate tokens in the ring (tokens owned by multiple instances).",
            duplicates,
        )
        page.add(
            "cortex_ring_member_ownership_percent",
            "gauge",
            "The percent ownership of the ring by member",
            percent,
        )
    page.add("cortex_ring_members", "gauge", "Number of members in the ring", members)
    page.add(
        "cortex_ring_oldest_member_timestamp",
        "gauge",
        "Timestamp of the oldest member in the ring.",
        oldest,
    )
    if product is Product.CORTEX:
        page.add(
            "cortex_ring_tokens_owned",
            "gauge",
            "The number of tokens in the ring owned by the member",
            owned,
        )
    page.add("cortex_ring_tokens_total", "gauge", "Number of tokens in the ring", totals)


def _add_runtime(page: Exposition, process: SimulatedProcess) -> None:
    if process.runtime is None:
        return
    labels = {} if process.build.product is Product.CORTEX else {"config": "mimir-runtime-config"}
    page.add(
        "cortex_runtime_config_hash",
        "gauge",
        "Hash of the currently active runtime config file.",
        [({**labels, "sha256": process.runtime.file.sha256}, 1)],
    )
    page.add(
        "cortex_runtime_config_last_reload_successful",
        "gauge",
        "Whether the last runtime-config reload attempt was successful.",
        [(labels, process.runtime.ok)],
    )


_OF_GOSSIP: Final[dict[Product, tuple[tuple[str, str, int], ...]]] = {
    Product.CORTEX: (("kv_store_swept_tombstones_total", "counter", 0),),
    Product.MIMIR: (
        ("pending_key_notifications", "gauge", 0),
        ("received_broadcasts_dropped_total", "counter", 0),
    ),
}


def _add_gossip(page: Exposition, node: GossipNode, product: Product) -> None:
    counters = node.counters
    for name, kind, value in (
        ("cas_attempt_total", "counter", counters["cas_attempts"]),
        ("cas_failure_total", "counter", counters["cas_failures"]),
        ("cas_success_total", "counter", counters["cas_successes"]),
        ("cluster_members_count", "gauge", len(node.peers)),
        ("cluster_node_health_score", "gauge", 0),
        *_OF_GOSSIP[product],
    ):
        page.add(f"memberlist_client_{name}", kind, "Memberlist.", [({}, value)])
    page.add(
        "memberlist_client_kv_store_value_tombstones",
        "gauge",
        "Number of tombstones currently present in KV store values",
        [
            ({"key": key}, sum(1 for member in ring.values() if member.state is LEFT))
            for key, ring in sorted(node.store.items())
        ],
    )
    page.add(
        "memberlist_client_kv_store_value_tombstones_removed_total",
        "counter",
        "Total number of tombstones which have been removed from KV store values",
        [({"key": key}, 0) for key in sorted(node.store)],
    )
    queues: list[Sample] = [({}, 0)]
    if product is Product.MIMIR:
        page.add(
            "memberlist_client_kv_store_count", "gauge", "Memberlist.", [({}, len(node.store))]
        )
        queues = [({"queue": "gossip"}, 0), ({"queue": "local"}, 0)]
    page.add("memberlist_client_messages_in_broadcast_queue", "gauge", "Memberlist.", queues)
    for name, kind, value in (
        ("messages_in_broadcast_queue_bytes", "gauge", 0),
        ("messages_to_broadcast_dropped_total", "counter", 0),
        ("received_broadcasts_bytes_total", "counter", counters["received"] * 700),
        ("received_broadcasts_invalid_total", "counter", counters["invalid"]),
        ("received_broadcasts_total", "counter", counters["received"]),
        ("state_pulls_bytes_total", "counter", counters["pulls"] * 14_000),
        ("state_pulls_total", "counter", counters["pulls"]),
        ("state_pushes_bytes_total", "counter", counters["pushes"] * 14_000),
        ("state_pushes_total", "counter", counters["pushes"]),
    ):
        page.add(f"memberlist_client_{name}", kind, "Memberlist.", [({}, value)])


def _add_traffic(page: Exposition, process: SimulatedProcess) -> None:
    configuration = process.configuration
    components = configuration.components if configuration is not None else ()
    traffic = process.traffic
    samples: list[Sample] = []
    for component, kind, method, route in (
        ("distributor", "push", "POST", "api_v1_push"),
        ("querier", "query", "GET", "prometheus_api_v1_query_range"),
    ):
        if component in components:
            labels = {"method": method, "route": route}
            for status, counters in (("200", traffic.good), ("500", traffic.failed)):
                if counters[kind] or status == "200":
                    samples.append(
                        ({**labels, "status_code": status, "ws": "false"}, int(counters[kind]))
                    )
    asked = {(route, status): count for (route, status), count in process.requests.items()}
    asked |= {("ready", status): count for status, count in process.probes().items()}
    samples += [
        (
            {"method": "GET", "route": route, "status_code": str(status), "ws": "false"},
            count,
        )
        for (route, status), count in sorted(asked.items())
    ]
    page.histogram(
        "cortex_request_duration_seconds",
        "Time (in seconds) spent serving HTTP requests.",
        samples,
    )
    groups = [
        ({"rule_group": group, "user": user}, counts)
        for (user, group), counts in traffic.rules.items()
    ]
    page.add(
        "cortex_prometheus_rule_evaluations_total",
        "counter",
        "The total number of rule evaluations.",
        [(labels, int(done)) for labels, (done, _) in groups],
    )
    page.add(
        "cortex_prometheus_rule_evaluation_failures_total",
        "counter",
        "The total number of rule evaluation failures.",
        [(labels, int(failed)) for labels, (_, failed) in groups],
    )

"""A small cluster that answers like a real one: Kubernetes, the pods' pages, DynamoDB, a clock.

The pages have the shapes of real pods' answers, with a few tokens and a few families.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import release as fake
import yaml
from release import NOW, STATEFUL

from mimir_migrate.errors import DocumentError, UnreachableError
from mimir_migrate.model.facts import (
    Autoscaler,
    Member,
    MemberState,
    Pod,
    Release,
    RingHead,
    ServiceAccount,
    Table,
    TableItems,
    Workload,
)
from mimir_migrate.model.rings import Product, Ring, components_of, rings_of
from mimir_migrate.model.stores import StoreState
from mimir_migrate.ports import Page, World

RING_TABLE_KEYS = fake.ring_table().keys
SIZES = {
    "distributor": 2,
    "ingester": 3,
    "store-gateway": 2,
    "compactor": 2,
    "ruler": 2,
    "alertmanager": 2,
    "querier": 1,
    "query-frontend": 1,
}
_NUMBERS = {
    MemberState.ACTIVE: 0,
    MemberState.LEAVING: 1,
    MemberState.PENDING: 2,
    MemberState.JOINING: 3,
    MemberState.LEFT: 4,
}


class Clock:
    """Time that only passes when somebody sleeps."""

    def __init__(self) -> None:
        self.time = NOW
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class SmallCluster:
    """Kubernetes and the pods of one release. Tests change its attributes before they inspect."""

    def __init__(
        self,
        product: Product = Product.CORTEX,
        state: StoreState = StoreState.MEMBERLIST,
        *,
        sizes: dict[str, int] | None = None,
        tokens: int = 4,
    ) -> None:
        self.product = product
        self.states = {ring.name: state for ring in rings_of(product) if ring.movable}
        self.stores = ("consul", "dynamodb", "etcd", "multi")
        self.consul = ""
        """`consul.host` of every ring; empty: rings reach DynamoDB by the pods' own client."""
        self.runtime = b'overrides: {}\nmulti_kv_config:\n  primary: ""\n  mirror_enabled: null\n'
        self.clock = Clock()
        self.sizes = SIZES if sizes is None else sizes
        self.tokens = tokens
        self.pod_list = self._make_pods()
        self.workload_list = self._make_workloads()
        self.autoscaler_list: tuple[Autoscaler, ...] = ()
        self.account_list: tuple[ServiceAccount, ...] = ()
        self.helm: Release | None = Release(
            name="metrics", chart="cortex", chart_version="2.5.0", status="deployed", revision=3
        )
        self.settings: dict[str, Any] = {}
        self.answers: dict[tuple[str, str], Page | Exception] = {}
        """(pod or "*", path) → what it answers instead."""
        self.asked: list[tuple[str, str, str]] = []
        self.dynamodb: dict[str, Table] = {}
        self.ring_items: dict[str, tuple[Member, ...]] = {}
        self.heads: dict[str, RingHead] = {}
        self.failing: dict[str, Exception] = {}
        """Port → what it raises."""

    def world(self) -> World:
        return World(
            clock=self.clock,
            cluster=self,
            pages=self,
            tables=Tables(self),
            files=NoFiles(),
            renderer=NoRenderer(),
        )

    # -- Kubernetes

    def server(self) -> str:
        return "kubernetes.test:6443"

    def cluster_uid(self) -> str:
        return "uid-of-kube-system"

    def pods(self) -> tuple[Pod, ...]:
        self._maybe_fail("pods")
        return self.pod_list

    def workloads(self) -> tuple[Workload, ...]:
        return self.workload_list

    def autoscalers(self) -> tuple[Autoscaler, ...]:
        self._maybe_fail("autoscalers")
        return self.autoscaler_list

    def service_accounts(self) -> tuple[ServiceAccount, ...]:
        self._maybe_fail("service accounts")
        return self.account_list

    def release(self) -> Release | None:
        self._maybe_fail("release")
        return self.helm

    def lease(self, name: str) -> None:
        return None

    # -- pages

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 0) -> Page:
        self.asked.append((pod.name, path, accept))
        for key in ((pod.name, path), ("*", path), (pod.name, "*")):
            if key in self.answers:
                answer = self.answers[key]
                if isinstance(answer, Exception):
                    raise answer
                return answer
        body = self.body(pod, path)
        if body is None:
            return Page(status=404, content_type="text/plain", body=b"404 page not found")
        return Page(status=200, content_type="text/plain", body=body)

    def body(self, pod: Pod, path: str) -> bytes | None:
        match path:
            case "/config?mode=defaults":
                return dumped(self.defaults())
            case "/config?mode=diff":
                return dumped(self.diff(pod))
            case "/runtime_config":
                return self.runtime
            case "/metrics":
                return self.metrics(pod).encode()
            case "/memberlist":
                return self.memberlist().encode() if pod.gossips else None
        if path.startswith("/memberlist?viewKey="):
            key = path.removeprefix("/memberlist?viewKey=").removesuffix("&format=json")
            ring = next(ring for ring in self.on() if ring.ring_key() == key)
            return replica_page(self.members(ring))
        for ring in self.on():
            if path == ring.page and self.serves(pod, ring):
                return ring_page(self.product, self.members(ring))
        return None

    def serves(self, pod: Pod, ring: Ring) -> bool:
        words = ",".join(pod.targets)
        roles = (ring.role_of(each) for each in components_of(self.product, words))
        return any(role.serves_page for role in roles if role)

    def on(self) -> list[Ring]:
        """Rings that are on and have members."""
        return [
            ring
            for ring in rings_of(self.product)
            if ring.movable and self.is_on(ring) and self.members(ring)
        ]

    def is_on(self, ring: Ring) -> bool:
        """All sharded rings of Cortex are on; what needs another setting is not."""
        return ring.name in {
            "ingester",
            "store-gateway",
            "compactor",
            "ruler",
            "alertmanager",
        } or (self.product is Product.MIMIR and ring.name == "distributor")

    def members(self, ring: Ring) -> tuple[Member, ...]:
        writers = {role.component for role in ring.roles if role.writes}
        return tuple(
            member_of(pod, self.clock.now(), self.tokens)
            for pod in self.pod_list
            if pod.component in writers
        )

    def defaults(self) -> dict[str, Any]:
        """The defaults page: every ring's block, with a block for each store that has settings."""
        page: dict[str, Any] = {"target": "all"}
        blocks = {
            "consul": {"host": "localhost:8500"},
            "dynamodb": {
                "region": "",
                "table_name": "",
                "ttl": "0s",
                "puller_sync_time": "1m0s",
            },
            "etcd": {"endpoints": []},
            "multi": {"primary": "", "secondary": "", "mirror_enabled": False},
        }
        for ring in rings_of(self.product):
            block = {
                "store": ring.default_store,
                "prefix": ring.default_prefix,
                **{name: blocks[name] for name in self.stores},
            }
            put(page, ring.path, block)
            put(page, ring.heartbeat_period_path, ring.heartbeat_period)
            put(page, ring.heartbeat_timeout_path, ring.heartbeat_timeout)
            for condition in ring.enabled_when:
                if condition.path != ("target",):
                    put(page, condition.path, False if condition.values == (True,) else "")
        page["memberlist"] = {
            "join_members": [],
            "bind_port": 7946,
            "rejoin_interval": "0s",
            "abort_if_cluster_join_fails": True,
            "cluster_label": "",
            "cluster_label_verification_disabled": False,
        }
        page["runtime_config"] = {"file": "", "period": "10s"}
        return page

    def diff(self, pod: Pod) -> dict[str, Any]:
        page: dict[str, Any] = {"target": ",".join(pod.targets)}
        for name, state in self.states.items():
            ring = next(ring for ring in rings_of(self.product) if ring.name == name)
            put(page, ring.path, self.kvstore(state))
            for condition in ring.enabled_when:
                if self.is_on(ring):
                    put(page, condition.path, condition.values[0])
        page["memberlist"] = {
            "join_members": ["dns+metrics-gossip-ring.observability.svc:7946"],
            "rejoin_interval": "1m0s",
            "cluster_label": "metrics",
            "abort_if_cluster_join_fails": False,
        }
        page["runtime_config"] = {"file": "/var/runtime.yaml"}
        for path, value in self.settings.items():
            put(page, tuple(path.split(".")), value)
        return page

    def kvstore(self, state: StoreState) -> dict[str, Any]:
        """A ring's block; with Consul in place of DynamoDB where rings are on it."""
        if not self.consul:
            return kvstore(state)
        block = {key: value for key, value in kvstore(state).items() if key != "dynamodb"}
        block["consul"] = {"host": self.consul, "acl_token": "********"}
        block["store"] = self.spelled(block["store"])
        if "multi" in block:
            block["multi"] = {
                key: self.spelled(value) if isinstance(value, str) else value
                for key, value in block["multi"].items()
            }
        return block

    def spelled(self, text: str) -> str:
        """A text with the store as the pods spell it."""
        return text.replace("dynamodb", "consul") if self.consul else text

    def metrics(self, pod: Pod) -> str:
        version = "2.17.0" if self.product is Product.MIMIR else "1.21.1"
        lines = [
            "# HELP cortex_build_info A metric with a constant '1' value.",
            "# TYPE cortex_build_info gauge",
            f'cortex_build_info{{branch="",revision="a8c6358a",version="{version}"}} 1',
            "cortex_runtime_config_last_reload_successful 1",
            "process_start_time_seconds 1.79533768727e+09",
            "go_goroutines 123",
        ]
        for ring in self.on():
            for component in components_of(self.product, ",".join(pod.targets)):
                role = ring.role_of(component)
                if role is None:
                    continue
                state = self.states[ring.name]
                for kv_name in role.kv_names if state.is_multi else ():
                    lines += [self.spelled(line) for line in multikv(kv_name, state)]
                if role.members_name:
                    active = len(self.members(ring))
                    labels = f'name="{role.members_name}",zone=""'
                    lines.append(f'cortex_ring_members{{{labels},state="ACTIVE"}} {active}')
                    lines.append(f'cortex_ring_members{{{labels},state="Unhealthy"}} 0')
        return "\n".join(lines) + "\n"

    def memberlist(self) -> str:
        if not any("memberlist" in state.value for state in self.states.values()):
            return "This instance doesn't use memberlist."
        nodes = [
            {
                "Name": f"{pod.name}-c1ede1d3",
                "Addr": pod.ip,
                "Port": 7946,
                "Meta": None,
                "State": 0,
            }
            for pod in self.pod_list
            if pod.gossips
        ]
        store = {ring.ring_key(): {} for ring in self.on()}
        return json.dumps(
            {"Now": "2026-11-22T08:55:36.34Z", "SortedMembers": nodes, "Store": store}
        )

    def _make_pods(self) -> tuple[Pod, ...]:
        pods = []
        for component, size in self.sizes.items():
            for number in range(size):
                address = len(pods) + 10
                pods.append(
                    Pod(
                        name=f"metrics-{component}-{number}",
                        uid=f"uid-{component}-{number}",
                        ip=f"10.0.{address // 250}.{address % 250}",
                        component=component,
                        targets=(component,),
                        image="cortex:1.21.1",
                        image_id="cortex@sha256:1",
                        ready=True,
                        phase="Running",
                        created_at=NOW - 3600,
                        ready_since=NOW - 3500,
                        owner_kind="StatefulSet" if component in STATEFUL else "Deployment",
                        owner=f"metrics-{component}",
                        revision=f"{component}-1",
                        args=(f"-target={component}", "-config.file=/etc/cortex.yaml"),
                        gossips=component != "query-frontend",
                    )
                )
        return tuple(pods)

    def _make_workloads(self) -> tuple[Workload, ...]:
        return tuple(
            Workload(
                kind="StatefulSet" if component in STATEFUL else "Deployment",
                name=f"metrics-{component}",
                component=component,
                replicas=size,
                ready_replicas=size,
                updated_replicas=size,
                generation=1,
                observed_generation=1,
                current_revision=f"{component}-1",
                surge=0 if component in STATEFUL else 1,
                config_checksum="c9d3bc",
            )
            for component, size in self.sizes.items()
        )

    def _maybe_fail(self, port: str) -> None:
        if port in self.failing:
            raise self.failing[port]


class Tables:
    """DynamoDB of a `SmallCluster`; members of the ring in use follow its pods."""

    def __init__(self, cluster: SmallCluster) -> None:
        self._cluster = cluster

    def account(self) -> str:
        return "123456789012"

    def region(self) -> str:
        return "eu-west-1"

    def table(self, name: str) -> Table | None:
        self._cluster._maybe_fail("tables")
        return self._cluster.dynamodb.get(name)

    def is_empty(self, table: str) -> bool:
        return not any(self._cluster.ring_items.values())

    def head(self, table: str, ring: str, ring_key: str) -> RingHead | None:
        self._cluster._maybe_fail("items")
        return self._cluster.heads.get(ring)

    def items(self, table: str, ring: str, ring_key: str) -> TableItems:
        self._cluster._maybe_fail("items")
        now = self._cluster.clock.now()
        return TableItems(
            table=table,
            ring=ring,
            ring_key=ring_key,
            members=self._cluster.ring_items.get(ring, ()),
            at=now,
        )


class NoFiles:
    """No file is there."""

    def read(self, path: str) -> bytes:
        raise DocumentError("no such file", path=path)

    def exists(self, path: str) -> bool:
        return False


class NoRenderer:
    """Cannot render."""

    def render(self, files: object) -> None:
        return None


def dumped(page: dict[str, Any]) -> bytes:
    """A configuration page, in block style as the products write it."""
    return yaml.dump(page, Dumper=yaml.CSafeDumper, default_flow_style=False).encode()


def silent(pod: str) -> UnreachableError:
    return UnreachableError(f"asking pod {pod}: timed out after 10 s")


def ring_table() -> Table:
    """A table as it should be, under the name that the pods have."""
    return fake.ring_table("rings")


def member_of(pod: Pod, now: float, tokens: int = 4) -> Member:
    number = int(pod.uid.rsplit("-", 1)[-1]) if pod.uid[-1].isdigit() else 0
    return Member(
        id=pod.name,
        address=f"{pod.ip}:9095",
        state=MemberState.ACTIVE,
        timestamp=int(now) - 3,
        registered_timestamp=int(NOW) - 3500,
        tokens=tuple(number + 1 + 100 * index for index in range(tokens)),
    )


def put(page: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value at a path; mappings are merged into what is there."""
    for key in path[:-1]:
        page = page.setdefault(key, {})
    if isinstance(value, dict) and isinstance(page.get(path[-1]), dict):
        page[path[-1]].update(value)
    else:
        page[path[-1]] = value


def kvstore(state: StoreState) -> dict[str, Any]:
    dynamodb = {"region": "eu-west-1", "table_name": "rings", "puller_sync_time": "10s"}
    if not state.is_multi:
        return {
            "store": state.value,
            **({"dynamodb": dynamodb} if state is StoreState.DYNAMODB else {}),
        }
    assert state.secondary is not None
    return {
        "store": "multi",
        "multi": {
            "primary": state.primary.value,
            "secondary": state.secondary.value,
            "mirror_enabled": True,
        },
        "dynamodb": dynamodb,
    }


def multikv(kv_name: str, state: StoreState) -> list[str]:
    assert state.secondary is not None
    return [
        f'cortex_multikv_primary_store{{kv_name="{kv_name}",store="{state.primary.value}"}} 1',
        f'cortex_multikv_primary_store{{kv_name="{kv_name}",store="{state.secondary.value}"}} 0',
        f'cortex_multikv_mirror_enabled{{kv_name="{kv_name}"}} 1',
        f'cortex_multikv_mirror_writes_total{{kv_name="{kv_name}"}} 12',
        f'cortex_multikv_mirror_write_errors_total{{kv_name="{kv_name}"}} 0',
    ]


def ring_page(product: Product, members: tuple[Member, ...]) -> bytes:
    """A ring page as the product writes it."""
    write = "%Y-%m-%d %H:%M:%S +0000 UTC" if product is Product.CORTEX else "%Y-%m-%dT%H:%M:%SZ"

    def time(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime(write)

    shards = [
        {
            "id": member.id,
            "state": member.state.value,
            "address": member.address,
            "timestamp": time(member.timestamp),
            "registered_timestamp": time(member.registered_timestamp),
            "zone": member.zone,
            "tokens": list(member.tokens),
            **({"read_only": False, "versions": {}} if product is Product.MIMIR else {}),
        }
        for member in members
    ]
    return json.dumps({"shards": shards or None, "now": "2026-11-22T08:55:36Z"}).encode()


def replica_page(members: tuple[Member, ...]) -> bytes:
    """A value of memberlist's store; a state of 0 is left out, as Go does."""
    return json.dumps(
        {
            "ingesters": {
                member.id: {
                    "addr": member.address,
                    "timestamp": member.timestamp,
                    **({"state": _NUMBERS[member.state]} if _NUMBERS[member.state] else {}),
                    "tokens": list(member.tokens),
                    "registered_timestamp": member.registered_timestamp,
                }
                for member in members
            }
        }
    ).encode()


def with_pod(cluster: SmallCluster, name: str, **fields: Any) -> None:
    """Change fields of one pod of the cluster."""
    cluster.pod_list = tuple(
        msgspec.structs.replace(pod, **fields) if pod.name == name else pod
        for pod in cluster.pod_list
    )

"""What an inspection found, each fact with the place it came from.

A value of None means *unknown*: the source did not answer, or did not say. What did not answer
stands in `unanswered`, so that unknown is never mistaken for absent.

Times are seconds since the epoch, durations are seconds.
"""

# Longer than 400 lines. A list of the facts, with what each says by itself.

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from mimir_migrate.model.network import NetworkPolicy
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState


def told_by(pod: str, page: str) -> str:
    """How evidence names a question to a pod: `pod ruler-0 GET /metrics`."""
    return f"pod {pod} GET {page}"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was read, what was read, and when."""

    source: str
    """E.g. `pod mimir-ingester-0 GET /config?mode=diff`."""
    detail: str
    at: float = 0.0


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """A question that got no usable answer."""

    source: str
    reason: str


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `cortex_build_info` says. `version` is empty in builds made from a branch."""

    version: str = ""
    revision: str = ""


class MemberState(StrEnum):
    """State of a ring member. UNHEALTHY masks the others where a page judges heartbeats.

    UNKNOWN: the source names a state that neither product has; `Member.unread` has its words.
    """

    ACTIVE = "ACTIVE"
    LEAVING = "LEAVING"
    PENDING = "PENDING"
    JOINING = "JOINING"
    LEFT = "LEFT"
    READONLY = "READONLY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


INSTANCE_STATES = (
    MemberState.ACTIVE,
    MemberState.LEAVING,
    MemberState.PENDING,
    MemberState.JOINING,
    MemberState.LEFT,
    MemberState.READONLY,
)
"""`InstanceState` of the ring's protobuf by number: 0 to 4 in both products (dskit `ring/ring.proto`,
Cortex `pkg/ring/ring.proto`), 5 in Cortex."""


def member_state(written: object) -> MemberState:
    """The state that a source writes, as a number or as a name in any case; UNKNOWN: neither."""
    if isinstance(written, int) and not isinstance(written, bool):
        return INSTANCE_STATES[written] if 0 <= written <= _LAST_STATE else MemberState.UNKNOWN
    try:
        return MemberState(written.upper()) if isinstance(written, str) else MemberState.UNKNOWN
    except ValueError:
        return MemberState.UNKNOWN


_LAST_STATE = len(INSTANCE_STATES) - 1


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member of a ring as one source holds it."""

    id: str
    address: str
    """`ip:port`."""
    state: MemberState
    timestamp: int
    """Last heartbeat, whole seconds."""
    registered_timestamp: int = 0
    zone: str = ""
    tokens: tuple[int, ...] = ()
    read_only: bool = False
    version: int | None = None
    """DynamoDB's optimistic lock; None elsewhere."""
    unread: tuple[str, ...] = ()
    """What the source says of it that cannot be read, e.g. `state 'PAUSED'`: its field has the
    default, and nothing may be concluded from that."""

    @property
    def ip(self) -> str:
        """The address without its port."""
        return self.address.rsplit(":", 1)[0].strip("[]")


class KVClient(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's metrics say of one KV client (`kv_name`)."""

    kv_name: str
    primary: str | None = None
    """The store with `cortex_multikv_primary_store` 1; None: no such metric (not on `multi`)."""
    mirror_enabled: bool | None = None
    mirror_writes: float | None = None
    mirror_write_errors: float | None = None


class Inferred(msgspec.Struct, frozen=True, kw_only=True):
    """What a client on `multi` must be reading, where the pod's metrics do not say it.

    It follows from the runtime block that the pod has loaded, or from its static configuration; it is
    never as good as being told, so nothing is built on it while mirroring is off.
    """

    primary: str
    mirror_enabled: bool
    source: str
    """What it follows from, e.g. `GET /runtime_config`."""
    clients: tuple[str, ...] = ()
    """The `kv_name`s that its metrics are silent about."""


class PodRing(msgspec.Struct, frozen=True, kw_only=True):
    """One ring as one pod has it."""

    ring: str
    component: str
    enabled: bool
    config: KVConfig | None = None
    """The static configuration, defaults filled in; None: unknown."""
    heartbeat_period: float | None = None
    heartbeat_timeout: float | None = None
    puller_sync_time: float | None = None
    min_ready_duration: float | None = None
    """How long a new process is not Ready yet after it could be; None: this binary has no such setting
    for the ring, or did not tell."""
    clients: tuple[KVClient, ...] = ()
    """Only the kv_names that this ring has on this pod."""
    expected_kv_names: tuple[str, ...] = ()
    inferred: Inferred | None = None
    """Where metrics are silent about a client; None: they tell all, or nothing can be inferred."""
    writes: bool = False
    page_served: bool = False
    """Whether this pod answered the ring's page."""
    members: tuple[Member, ...] | None = None
    """From the ring's page; None: not asked, or unknown (see `unanswered`)."""
    member_count: dict[str, int] | None = None
    """`cortex_ring_members` by state, for readers without a page."""
    memberlist: tuple[Member, ...] | None = None
    """This pod's own replica of the ring's key in memberlist, LEFT tombstones included."""
    absent: tuple[str, ...] = ()
    """What its metrics should show of the ring and do not, written as in `PodFacts.unexpected`."""

    @property
    def state(self) -> StoreState | None:
        """The static configuration as one of the four states."""
        return self.config.state if self.config else None

    @property
    def stores(self) -> tuple[str, ...]:
        """Names of the stores that the static configuration uses; empty also where it is not known."""
        return self.config.stores if self.config else ()

    @property
    def primary(self) -> str | None:
        """The store that this pod reads now: metrics first, else a configuration without `multi`.

        None where the pod is on `multi` and its metrics do not tell.
        """
        if self.config is None:
            return None
        if self.config.store != "multi":
            return self.config.store
        seen = {client.primary for client in self.clients}
        if len(seen) == 1:
            return seen.pop()
        return None

    @property
    def silent(self) -> tuple[str, ...]:
        """The expected clients on `multi` of which the metrics do not name the primary."""
        if self.config is None or self.config.store != "multi":
            return ()
        told = {client.kv_name for client in self.clients if client.primary is not None}
        return tuple(name for name in self.expected_kv_names if name not in told)


class GossipMember(msgspec.Struct, frozen=True, kw_only=True):
    """One node that a pod's memberlist page lists."""

    name: str
    ip: str
    alive: bool
    unread: tuple[str, ...] = ()
    """What the page says of it that cannot be read, e.g. `State 7`: whether it lives is unknown."""


class Gossip(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod's `/memberlist` says. `running` is False where it does not use memberlist."""

    running: bool
    members: tuple[GossipMember, ...] = ()
    keys: tuple[str, ...] = ()


class GossipConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's `memberlist` block, as far as starting and rejoining gossip depends on it."""

    join_members: tuple[str, ...] = ()
    bind_port: int = 7946
    rejoin_interval: float = 0.0
    abort_if_cluster_join_fails: bool | None = None
    abort_if_fast_join_fails: bool | None = None
    cluster_label: str = ""
    cluster_label_verification_disabled: bool = False


class RuntimeView(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod has loaded of its runtime configuration."""

    file: str = ""
    """`runtime_config.file`; empty: the pod has none and follows nothing."""
    period: float = 10.0
    """Reload period."""
    block: RuntimeBlock = RuntimeBlock()
    reload_successful: bool | None = None


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's own counters about what its users and its DynamoDB client see, as of one moment.

    None: the pod has no such metric, so it is not in the way of a verdict; a page that did not
    answer leaves the whole `Counters` of the pod None.
    """

    pushes: float | None = None
    failed_pushes: float | None = None
    queries: float | None = None
    failed_queries: float | None = None
    rule_evaluations: float | None = None
    failed_rule_evaluations: float | None = None
    rule_groups: dict[str, tuple[float, float]] = {}
    """Evaluations and failures of each tenant's rule group, in the same process: a group that moves to
    another ruler takes its counters out of the page."""
    requests: float | None = None
    """What users ask besides pushes and queries: the rulers' and alertmanagers' APIs."""
    server_errors: float | None = None
    dynamodb_requests: float | None = None
    dynamodb_errors: float | None = None


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of the release, as Kubernetes has it."""

    name: str
    uid: str = ""
    ip: str = ""
    node: str = ""
    component: str = ""
    """The label `app.kubernetes.io/component`."""
    targets: tuple[str, ...] = ()
    """The components its process runs, from `-target`."""
    zone: str = ""
    image: str = ""
    image_id: str = ""
    ready: bool = False
    phase: str = ""
    node_lost: bool = False
    deleted_at: float | None = None
    """When its deletion was asked for; None: it is not terminating."""
    created_at: float = 0.0
    ready_since: float | None = None
    owner_kind: str = ""
    owner: str = ""
    """The StatefulSet or Deployment (not the ReplicaSet)."""
    revision: str = ""
    """`controller-revision-hash` or `pod-template-hash`."""
    restarts: int = 0
    waiting_reason: str = ""
    """E.g. `CrashLoopBackOff`."""
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    """Names only, never values."""
    service_account: str = ""
    http_port: int = 8080
    gossips: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    """All of its labels, in order; selectors of network policies are held against them."""
    """Labelled `part-of: memberlist`."""

    @property
    def terminating(self) -> bool:
        """Whether its deletion was asked for."""
        return self.deleted_at is not None


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One pod and everything it answered."""

    pod: Pod
    at: float = 0.0
    """When it had answered, by this program's clock; 0: that is not told."""
    build: BuildInfo | None = None
    rings: tuple[PodRing, ...] = ()
    runtime: RuntimeView | None = None
    gossip: Gossip | None = None
    gossip_config: GossipConfig | None = None
    counters: Counters | None = None
    started_at: float | None = None
    """`process_start_time_seconds`: counters begin again when it changes."""
    lacking: tuple[str, ...] | None = None
    """Settings that this tool advises or writes and that the pod's binary does not have, by path; its pods
    end themselves at one of them. None: what the binary has is not known."""
    config_hash: str = ""
    """sha256 of the `/config?mode=diff` page."""
    unanswered: tuple[Unanswered, ...] = ()
    unexpected: tuple[str, ...] = ()
    """What its metrics show of clients and readers that no ring of this pod is known to have, each as
    `kv_name="…"` or `cortex_ring_members{name="…"}`."""

    def leaves_without(self, said: object) -> bool:
        """Whether the pod is about to go and did not say something, None, that others are asked for.

        Nothing waits for its word then: it was taken out of the services when its deletion was asked
        for, and its own entries in rings are judged in every other pod's view and in the table. That it
        is still there is `rollout-over`'s and `nothing-else-moves`' to say.
        """
        return self.pod.terminating and said is None

    def knows(self, setting: str) -> bool:
        """Whether the pod's binary is known to have a setting that this tool advises or writes."""
        return self.lacking is not None and setting not in self.lacking

    def ring(self, name: str) -> PodRing | None:
        """This pod's view of one ring; None when the pod does not touch it."""
        return next((ring for ring in self.rings if ring.ring == name), None)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A StatefulSet or Deployment of the release."""

    kind: str
    name: str
    component: str = ""
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    generation: int = 0
    observed_generation: int = 0
    current_revision: str = ""
    """The newest revision: `status.updateRevision`, or the newest ReplicaSet's hash."""
    update_strategy: str = "RollingUpdate"
    rollout_group: str = ""
    surge: int = 0
    max_unavailable: int = 1
    termination_grace_seconds: float = 30.0
    min_ready_seconds: float = 0.0
    """Seconds that a pod is Ready before the next one is replaced (`spec.minReadySeconds`)."""
    config_checksum: str = ""
    """The pod template's annotation `checksum/config`."""
    managed_by: str = ""
    """What deploys it besides helm: `argocd`, `flux`; empty: nothing that shows."""


class Autoscaler(msgspec.Struct, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler or KEDA object that can add and remove pods."""

    name: str
    target: str
    current: int = 0
    desired: int = 0


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A service account of the namespace, with the AWS role that it hands to its pods."""

    name: str
    role: str | None = None
    """Its role annotation; empty: it has none; None: not known."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The newest revision of the helm release, as its Secret says."""

    name: str
    chart: str = ""
    chart_version: str = ""
    app_version: str = ""
    status: str = ""
    """`deployed`, `pending-upgrade`, `failed`, …"""
    revision: int = 0
    values: dict[str, object] | None = None
    """The values the release was deployed with; None: unknown."""
    over: int = 0
    """While it is pending: the newest revision before it that was deployed; 0: none is known."""

    @property
    def pending(self) -> bool:
        """Whether a helm is at work on it, or died in the middle.

        helm marks a revision `pending-…` before it begins and changes that when it ends, so a helm that
        was killed leaves it for ever and every later `helm upgrade` refuses the release.
        """
        return self.status.startswith("pending-")


class TableKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a table's schema."""

    name: str
    role: str
    """`HASH` or `RANGE`."""
    type: str
    """`S`, `N` or `B`."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A DynamoDB table as DescribeTable has it."""

    name: str
    status: str = ""
    keys: tuple[TableKey, ...] = ()
    billing: str = ""
    deletion_protection: bool = False
    ttl_attribute: str = ""
    ttl_known: bool = True
    """False: the TTL could not be asked for, so an empty attribute means nothing."""
    kms_key: str = ""
    arn: str = ""

    @property
    def is_ring_table(self) -> bool:
        """Whether the keys are `RingKey` (hash) and `InstanceKey` (range), both strings."""
        return {(key.name, key.role, key.type) for key in self.keys} == {
            (HASH_KEY, "HASH", "S"),
            (RANGE_KEY, "RANGE", "S"),
        }


class TableItems(msgspec.Struct, frozen=True, kw_only=True):
    """A ring's items, read with strong consistency."""

    table: str
    ring: str
    ring_key: str
    members: tuple[Member, ...]
    at: float
    undecodable: tuple[str, ...] = ()
    """Keys of items whose `Data` is not an InstanceDesc."""


class StoreOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What one distinct image offers as stores for one ring, with the place it was read."""

    image: str
    ring: str
    stores: tuple[str, ...]
    evidence: Evidence


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster and which AWS account this is."""

    server: str = ""
    """The API server's address, host and port."""
    cluster_uid: str = ""
    """The uid of the namespace `kube-system`: it outlives addresses."""
    namespace: str = ""
    release: str = ""
    account: str = ""
    region: str = ""


class RingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One ring over all pods."""

    ring: str
    movable: bool
    left_because: str = ""
    enabled: bool = True
    states: tuple[StoreState, ...] = ()
    """The distinct static states over all pods that touch the ring; more than one: a rollout."""
    other_stores: tuple[str, ...] = ()
    """Static stores that are none of the four states (`consul`, `inmemory`)."""
    primaries: tuple[Store, ...] = ()
    """The distinct primaries that pods read now."""
    mirrors: tuple[bool, ...] = ()
    """The distinct mirror flags of pods on `multi`."""
    pods: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    """Ids that pods see ACTIVE, united."""
    unknown: tuple[str, ...] = ()
    """Names of pods whose state of this ring is not known."""
    inferred: tuple[str, ...] = ()
    """Names of pods where what it reads is inferred, since their metrics do not say it."""
    follows_runtime: bool = False

    @property
    def state(self) -> StoreState | None:
        """The one state of the ring; None when pods differ, are unknown, or it is none of ours."""
        if self.unknown or self.other_stores or len(self.states) != 1:
            return None
        return self.states[0]


# --- the ring bridge: what its replicas say, each asked by its own pod's address ----------------


class BridgeRing(msgspec.Struct, frozen=True, kw_only=True):
    """One ring as one replica has it."""

    index: int = 0
    """Of its newest version: rises with every change, over all replicas."""
    exists: bool = False
    """False: nobody has written the ring yet."""
    heartbeats_per_second: float = 0.0
    """Over the last minute; too low in a replica's first one."""
    members: tuple[Member, ...] = ()
    """With their heartbeats; `version` is the index of their last other change."""


class BridgeClient(msgspec.Struct, frozen=True, kw_only=True):
    """One address that asked a replica for rings."""

    last: float
    """When last, seconds since the epoch by the replica's clock."""
    keys: tuple[str, ...] = ()
    """For which rings since the replica started."""


class BridgeProbe(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica wrote and read lately to prove itself, on a key of the bridge's own."""

    name: str
    """The replica's, of this start of it."""
    written: int = 0
    """The newest number of its own that it was acknowledged; rises with every write. 0: none yet."""
    written_at: float = 0.0
    """When, by its clock."""
    read: dict[str, int] = {}
    """By replica: the number that its newest consistent read found."""
    read_at: float = 0.0
    """When that read began, by its clock."""
    problem: str = ""
    """What went wrong with the newest probe; empty: nothing."""


TABLE_MISSED = 5.0
"""True seconds without an answer of its table after which a replica counts as without it: it reads the table
each 0.5 s, after one that failed each 1 s, and a call that is throttled now and then is every day's business."""


class BridgePage(msgspec.Struct, frozen=True, kw_only=True):
    """The page `/rings` of one replica."""

    now: float
    """The replica's clock, seconds since the epoch."""
    started: float
    """When it started: before that it knows of no client."""
    table: str = ""
    """The table that it was started with; empty: it is of a version that does not say."""
    cluster: str = ""
    """The name of the cluster that it was started with."""
    table_away_since: float | None = None
    """Since when the table does not answer it; None: it answers."""
    rings: dict[str, BridgeRing] = {}
    """By key; no other key is served."""
    clients: dict[str, BridgeClient] = {}
    """By address."""
    probe: BridgeProbe | None = None
    """Its own writes and reads; None: it is of a version that makes none."""

    @property
    def table_is_away(self) -> bool:
        """Whether the table has not answered the replica for longer than a call that is throttled takes."""
        since = self.table_away_since
        return since is not None and self.now - since > TABLE_MISSED


class BridgeReplica(msgspec.Struct, frozen=True, kw_only=True):
    """One replica: its pod, and its page where it answered."""

    pod: Pod
    page: BridgePage | None = None
    reason: str = ""
    """Why there is no page."""
    asked_at: float = 0.0
    answered_at: float = 0.0
    """When it was asked and had answered, by this program's clock."""


class Bridge(msgspec.Struct, frozen=True, kw_only=True):
    """The ring bridge of a target."""

    replicas: tuple[BridgeReplica, ...] = ()
    """All pods, terminating ones included."""
    reason: str = ""
    """Why the replicas are not known; empty: they are."""

    @property
    def staying(self) -> tuple[BridgeReplica, ...]:
        """The replicas that are not about to go."""
        return tuple(one for one in self.replicas if not one.pod.terminating)

    def newest(self, key: str) -> BridgeRing | None:
        """A ring as the replica has it that knows its newest version; None: no replica tells."""
        found = [
            one.page.rings[key]
            for one in self.replicas
            if one.page is not None and key in one.page.rings
        ]
        return max(found, key=lambda ring: ring.index, default=None)


class RingHead(msgspec.Struct, frozen=True, kw_only=True):
    """What a table says of a ring that a ring bridge keeps in it, beside the ring's items."""

    ring: str
    table: str
    ring_key: str
    cluster: str
    """The name of the cluster that the bridge was started with."""
    format: str
    """Version of how it is stored."""


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one inspection found."""

    at: float
    identity: Identity
    product: Product
    pods: tuple[PodFacts, ...] = ()
    workloads: tuple[Workload, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    release: Release | None = None
    rings: tuple[RingSummary, ...] = ()
    offers: tuple[StoreOffer, ...] = ()
    tables: dict[str, Table | None] = {}
    """By name, for every table the target or the pods name; None: there is no such table."""
    items: tuple[TableItems, ...] = ()
    earlier_items: tuple[TableItems, ...] = ()
    """The same items read before, at least the longest heartbeat period earlier."""
    heads: tuple[RingHead, ...] = ()
    """The rings that a ring bridge keeps in these tables; read where all rings are looked at."""
    unanswered: tuple[Unanswered, ...] = ()
    """What did not answer besides pods: the API server, DynamoDB, the release's Secret."""
    policies: tuple[NetworkPolicy, ...] = ()
    """The namespace's network policies, where they may be read."""
    forwards_because: str = ""
    """Why the pods are asked through port-forwards; empty: the API server's proxy reaches them."""
    bridge: Bridge | None = None
    """The ring bridge; None: the target does not go through one."""

    def lacking(self) -> dict[str, tuple[str, ...]]:
        """Settings that this tool advises or writes and that a binary lacks, with those binaries.

        What only pods that are about to go run counts as gone.
        """
        found: dict[str, dict[str, None]] = {}
        for facts in self.pods:
            for setting in () if facts.pod.terminating else facts.lacking or ():
                found.setdefault(setting, {})[facts.pod.image or facts.pod.image_id] = None
        return {setting: tuple(images) for setting, images in found.items()}

    def staying(self, ring: str) -> Iterator[tuple[PodFacts, PodRing]]:
        """The pods that run a ring and are not about to go, each with its view of it."""
        for facts in self.pods:
            view = facts.ring(ring)
            if view is not None and view.enabled and not facts.pod.terminating:
                yield facts, view

    def ring(self, name: str) -> RingSummary | None:
        """The summary of one ring."""
        return next((ring for ring in self.rings if ring.ring == name), None)

    def table_items(self, ring: str) -> TableItems | None:
        """The items of one ring; None when they could not be read or there is no table."""
        return next((items for items in self.items if items.ring == ring), None)

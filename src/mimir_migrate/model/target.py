"""Which cluster, release, files and table the work is about, and how a change gets deployed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mimir_migrate.model.hooks import HookPoint, OnFailure
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import BridgeSettings


class DeployMethod(StrEnum):
    """How a change of the values file reaches the cluster."""

    HELM = "helm"
    COMMAND = "command"
    EXTERNAL = "external"
    """Somebody or something else applies it; the tool waits and verifies."""


class KubernetesTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster and the release in it. An empty kubeconfig or context is kubectl's own default."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    release: str = ""


class ValuesTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values files in order of precedence, the last wins."""

    files: tuple[str, ...] = ()
    root: str = ""
    """Keys down to the chart's values, joined by dots; empty: found."""
    render: str = ""
    """A command that prints the values as deployed; empty: the files are what is deployed."""


class TerraformTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Terraform folder; empty: tables are created through the API."""

    dir: str = ""


class AwsTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where DynamoDB is. Empty strings are the SDK's own defaults."""

    region: str = ""
    profile: str = ""
    endpoint_url: str = ""


class Through(StrEnum):
    """How pods reach DynamoDB."""

    CLIENT = "client"
    """By a DynamoDB client of their own: Cortex, and builds of Mimir that have one."""
    BRIDGE = "bridge"
    """By Mimir's Consul client, pointed at the ring bridge (docs/bridge.md)."""


class TableTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ring table, or one for each ring where the name holds `{ring}`."""

    table: str = ""
    through: Through = Through.CLIENT
    """How pods reach it; `bridge` needs the section `[bridge]`."""
    puller_sync_time: str = "10s"
    min_ready_duration: str = ""
    """What the plan's first rollout sets for ingesters: a duration, `auto` (one poll and two heartbeats, where
    it is less), or empty: as it is."""
    ttl: str = ""

    def table_for(self, ring: str) -> str:
        """The table of one ring."""
        return self.table.replace("{ring}", ring)


class BridgeTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ring bridge, where `[dynamodb] through = "bridge"`; else it says nothing.

    The names follow `mimir-migrate bridge manifest`: its Service is called `NAME`, its pods carry the labels
    `app.kubernetes.io/name: ring-bridge` and `app.kubernetes.io/instance: NAME`.
    """

    service: str = ""
    """Host name of the Service as pods resolve it, e.g. `ring-bridge.mimir.svc`."""
    port: int = 8500
    tls: bool = False
    """Whether it serves TLS: Mimir's pods are given `https://` before the host."""
    token_variable: str = ""
    """Environment variable of Mimir's pods that a Secret fills with the token; in the values it stands as
    `${NAME}`. Empty: the bridge asks for no token."""
    heartbeat_timeout: str = ""
    """What the first rollout sets for rings that wait less than 4 min for heartbeats. Empty: nothing is
    set, and such a ring blocks the plan."""

    @property
    def name(self) -> str:
        """Name of the Service object, and of the label `app.kubernetes.io/instance` of its pods."""
        return self.service.partition(".")[0]

    @property
    def namespace(self) -> str:
        """The namespace that the host name says; empty: it says none, so it is the pods' own."""
        parts = self.service.rstrip(".").split(".")
        return parts[1] if len(parts) > 1 else ""

    @property
    def host(self) -> str:
        """`consul.host` of a ring that is on it."""
        return f"{'https://' if self.tls else ''}{self.service}:{self.port}"


class DeployTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a change of the values file gets deployed."""

    method: DeployMethod = DeployMethod.HELM
    chart: str = ""
    version: str = ""
    args: tuple[str, ...] = ()
    command: str = ""
    template: str = ""
    """A command that prints the manifests that `$VALUES` renders to, for `method = "command"` and
    `"external"`; it proves what a deploy would change. helm renders them itself."""
    timeout: str = "30m"


class SimulationTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sandbox says of itself; left out: the cluster is real."""

    speed: float = 1.0
    """How many times as fast as a real cluster it lives."""


class HooksTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commands that run beside a run; empty: none does. See `model.hooks.HookPoint`."""

    gate_wait: str = ""
    approval: str = ""
    step_done: str = ""
    failure: str = ""
    end: str = ""
    timeout: str = "30s"
    """How long each may take."""
    on_failure: OnFailure = OnFailure.IGNORE

    @property
    def commands(self) -> dict[str, str]:
        """The commands that there are, by entry."""
        named = {point.value: str(getattr(self, point.value)) for point in HookPoint}
        return {name: command for name, command in named.items() if command}


class CopyPlace(StrEnum):
    """Where a run's journal is kept besides on the machine that runs it."""

    NONE = "none"
    CLUSTER = "cluster"
    """In Secrets of the release's namespace."""


class JournalTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a run's journal."""

    copy: CopyPlace = CopyPlace.NONE

    @property
    def in_cluster(self) -> bool:
        """Whether a copy is kept in the cluster."""
        return self.copy is CopyPlace.CLUSTER


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the operator says about where to work. Paths are absolute once loaded."""

    folder: str = ""
    """The folder of target.toml: commands run there."""
    kubernetes: KubernetesTarget = KubernetesTarget()
    values: ValuesTarget = ValuesTarget()
    terraform: TerraformTarget = TerraformTarget()
    aws: AwsTarget = AwsTarget()
    dynamodb: TableTarget = TableTarget()
    bridge: BridgeTarget = BridgeTarget()
    deploy: DeployTarget = DeployTarget()
    hooks: HooksTarget = HooksTarget()
    journal: JournalTarget = JournalTarget()
    simulation: SimulationTarget = SimulationTarget()

    @property
    def through_bridge(self) -> BridgeSettings | None:
        """How rings reach DynamoDB through the ring bridge; None: by the pods' own client."""
        if self.dynamodb.through is not Through.BRIDGE:
            return None
        return BridgeSettings(
            host=self.bridge.host,
            token_variable=self.bridge.token_variable,
            namespace=self.kubernetes.namespace,
        )

    @property
    def scale(self) -> Scale:
        """How durations of this cluster are shown; nothing else may ask for the speed."""
        return Scale(self.simulation.speed)

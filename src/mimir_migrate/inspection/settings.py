"""What a pod's configuration says of its rings, gossip and runtime configuration.

It follows from two pages and from what the pod runs, and pods of one component have the same ones: so many
of the last ones are not worked out again. The answers are shared, so nobody may change them.
"""

from __future__ import annotations

import functools
import string

import msgspec

from mimir_migrate.documents.config.settable import MIN_READY
from mimir_migrate.durations import read_duration
from mimir_migrate.inspection.pages.config import (
    Config,
    at,
    gossip_config,
    is_enabled,
    kv_config,
    merged,
    read_yaml,
    runtime_file,
    targets_in,
)
from mimir_migrate.model.facts import GossipConfig, PodRing
from mimir_migrate.model.rings import (
    Product,
    Ring,
    Role,
    Version,
    components_of,
    rings_of,
)
from mimir_migrate.model.stores import BridgeSettings

MEMBERLIST_PAGE = "/memberlist"
_KEPT = 1024
_PLAIN = frozenset(string.ascii_letters + string.digits + "/-._~")


class Defaults:
    """The defaults of a binary; equal where the page that tells them is."""

    def __init__(self, config: Config, digest: str) -> None:
        """Keep the configuration under the digest of its page."""
        self.config = config
        self._digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Defaults) and other._digest == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)


class RingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One ring as a configuration has it."""

    ring: Ring
    roles: tuple[Role, ...]
    view: PodRing
    """With everything that follows from the configuration, and nothing else."""
    key: str
    """The ring's key in memberlist."""
    members_names: tuple[str, ...]
    """The names of its readers in `cortex_ring_members`."""
    replica: str
    """The path of the page with memberlist's value of it."""

    @property
    def serves_page(self) -> bool:
        """Whether a pod with these roles serves the ring's page."""
        return any(role.serves_page for role in self.roles)


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What one pod is set to."""

    rings: tuple[RingSettings, ...]
    """The rings that its components touch in its version, as far as its binary has them."""
    known: bool
    """Whether its configuration is known."""
    gossip: GossipConfig | None = None
    runtime_file: str = ""
    runtime_period: float = 0.0


@functools.lru_cache(maxsize=_KEPT)
def pod_settings(
    product: Product,
    defaults: Defaults | None,
    diff: bytes | None,
    runs: str,
    version: Version | None,
    bridge: BridgeSettings | None = None,
) -> PodSettings:
    """What a pod is set to.

    Args:
        product: What it runs.
        defaults: Those of its binary; None: unknown, and so is its configuration.
        diff: Its page of differences from them; None: unknown, likewise.
        runs: The components that Kubernetes says it runs, separated by commas; the configuration's
            `target` comes first.
        version: Its version; None: not told.
        bridge: Where DynamoDB is reached through the ring bridge; None: by the pods' own client.

    Raises:
        UnreadablePageError: When `diff` is not a configuration.
    """
    config = None
    if diff is not None:
        below = read_yaml(diff, "a configuration")
        config = merged(defaults.config, below) if defaults is not None else None
    words = targets_in(config) if config else ()
    components = components_of(product, ",".join(words) or runs)
    rings = []
    for ring in rings_of(product):
        roles = tuple(role for role in ring.at(version) if role.component in components)
        if roles and (config is None or at(config, ring.path) is not None):
            rings.append(_ring(ring, roles, config, bridge))
    if config is None:
        return PodSettings(rings=tuple(rings), known=False)
    file, period = runtime_file(config)
    return PodSettings(
        rings=tuple(rings),
        known=True,
        gossip=gossip_config(config),
        runtime_file=file,
        runtime_period=period,
    )


def _ring(
    ring: Ring,
    roles: tuple[Role, ...],
    config: Config | None,
    bridge: BridgeSettings | None,
) -> RingSettings:
    """One ring; a process with several components has one view of it."""
    kvstore = kv_config(config, ring, bridge) if config else None
    dynamodb = kvstore.dynamodb if kvstore else None
    view = PodRing(
        ring=ring.name,
        component=next((role.component for role in roles if role.writes), roles[0].component),
        enabled=is_enabled(config, ring) if config else True,
        config=kvstore,
        heartbeat_period=read_duration(at(config or {}, ring.heartbeat_period_path)),
        heartbeat_timeout=read_duration(at(config or {}, ring.heartbeat_timeout_path)),
        min_ready_duration=read_duration(
            at(config or {}, (*ring.heartbeat_period_path[:-1], MIN_READY))
        ),
        puller_sync_time=read_duration(dynamodb.puller_sync_time) if dynamodb else None,
        expected_kv_names=tuple(dict.fromkeys(name for role in roles for name in role.kv_names)),
        writes=any(role.writes for role in roles),
    )
    key = ring.ring_key(kvstore.prefix if kvstore else None)
    return RingSettings(
        ring=ring,
        roles=roles,
        view=view,
        key=key,
        members_names=tuple(
            dict.fromkeys(role.members_name for role in roles if role.members_name)
        ),
        replica=f"{MEMBERLIST_PAGE}?viewKey={_quoted(key)}&format=json",
    )


def _quoted(key: str) -> str:
    """A key in a query; prefixes are the operator's own text."""
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in key.encode())

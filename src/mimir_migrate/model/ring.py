"""What a ring is: where its configuration lies, which components touch it, and how."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Product(StrEnum):
    """Which of the two products a cluster runs."""

    MIMIR = "mimir"
    CORTEX = "cortex"


class EnabledWhen(msgspec.Struct, frozen=True):
    """A ring is on only where the configuration has one of `values` at `path`."""

    path: tuple[str, ...]
    values: tuple[str | bool, ...]


Version = tuple[int, int]
"""Major and minor number of a release."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one component (the value of `-target`) does with a ring."""

    component: str
    """The target, e.g. `store-gateway`."""
    kv_names: tuple[str, ...]
    """Values of `kv_name` in this component's KV-store metrics for this ring."""
    writes: bool = False
    """Whether it registers itself in the ring: only writers mirror."""
    serves_page: bool = False
    """Whether it serves the ring's page."""
    page_reads_store: bool = False
    """Whether its page is the lifecycler's: a read of the store, which answers 500 in words while the
    store is away, and not what the process has in mind."""
    members_name: str = ""
    """`name` in its `cortex_ring_members`; empty when it has no such metric for this ring."""
    since: Version | None = None
    """The first version in which the component does this; None: every version that this tool meets."""
    source: str
    """Where this was read."""


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """One ring of one product."""

    name: str
    path: tuple[str, ...]
    """Keys down to the `kvstore` block."""
    flag_prefix: str
    """`-<flag_prefix>store` and `-<flag_prefix>prefix` override the block."""
    detail_flag_prefix: str
    """`-<detail_flag_prefix>multi.primary`, `-<detail_flag_prefix>dynamodb.table-name`."""
    default_store: str
    default_prefix: str
    key: str
    page: str
    """The path of the ring's page."""
    heartbeat_period: str
    """The product's default, a Go duration; empty: its members send none."""
    heartbeat_timeout: str
    source: str
    """Where path, flags, key, page and defaults were read; each role has its own."""
    roles: tuple[Role, ...]
    enabled_when: tuple[EnabledWhen, ...] = ()
    """All must hold; empty: always on."""
    follows_runtime: bool = False
    """Whether `multi_kv_config` of the runtime configuration reaches it."""
    mirrors_whole: bool = True
    """Whether one mirrored write copies the whole ring; False: mirroring cannot move it safely."""
    left_because: str = ""
    """Why this tool shows the ring and leaves it where it is; empty: it can be moved."""

    @property
    def movable(self) -> bool:
        """Whether this tool moves the ring."""
        return not self.left_because

    @property
    def ring_path(self) -> tuple[str, ...]:
        """Keys down to the block that holds `kvstore`, `heartbeat_period` and `heartbeat_timeout`.

        Cortex keeps the ingester's heartbeat period one level higher; `heartbeat_period_path` knows.
        """
        return self.path[:-1]

    @property
    def heartbeat_period_path(self) -> tuple[str, ...]:
        """Keys down to the heartbeat period."""
        if self.path[:2] == ("ingester", "lifecycler"):
            return ("ingester", "lifecycler", "heartbeat_period")
        return (*self.ring_path, "heartbeat_period")

    @property
    def heartbeat_timeout_path(self) -> tuple[str, ...]:
        """Keys down to the heartbeat timeout."""
        return (*self.ring_path, "heartbeat_timeout")

    def ring_key(self, prefix: str | None = None) -> str:
        """The full key in the store: prefix and key, e.g. `collectors/ring`."""
        return (self.default_prefix if prefix is None else prefix) + self.key

    def role_of(self, component: str, version: Version | None = None) -> Role | None:
        """The role of a component in this ring; None when it does not touch it.

        Args:
            component: The target.
            version: The version of the product; None: not told, as by the build of a branch, which
                counts as the newest.
        """
        return next((role for role in self.at(version) if role.component == component), None)

    def at(self, version: Version | None) -> tuple[Role, ...]:
        """The roles in one version: of each component the newest that it has already."""
        found: dict[str, Role] = {}
        for role in sorted(self.roles, key=lambda role: role.since or (0, 0)):
            if version is None or role.since is None or role.since <= version:
                found[role.component] = role
        return tuple(
            role for role in self.roles if any(role is newest for newest in found.values())
        )

"""Key-value stores, and the four states that one ring's configuration can be in."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Store(StrEnum):
    """The two stores this tool moves rings between."""

    MEMBERLIST = "memberlist"
    DYNAMODB = "dynamodb"

    @property
    def other(self) -> Store:
        """The other one of the two."""
        return Store.DYNAMODB if self is Store.MEMBERLIST else Store.MEMBERLIST


class StoreState(StrEnum):
    """One ring's store configuration; the name of the primary store comes first.

    The four states form a path, memberlist to dynamodb, and only neighbours are one deploy apart.
    """

    MEMBERLIST = "memberlist"
    MEMBERLIST_DYNAMODB = "memberlist+dynamodb"
    DYNAMODB_MEMBERLIST = "dynamodb+memberlist"
    DYNAMODB = "dynamodb"

    @property
    def primary(self) -> Store:
        """The store that is read, and written first."""
        return Store(self.value.split("+")[0])

    @property
    def secondary(self) -> Store | None:
        """The store that writes are mirrored to; None where the ring is on one store only."""
        return self.primary.other if "+" in self.value else None

    @property
    def stores(self) -> tuple[Store, ...]:
        """The stores that a ring is on, the primary one first."""
        return (self.primary,) if self.secondary is None else (self.primary, self.secondary)

    @property
    def is_multi(self) -> bool:
        """Whether the configuration names two stores (`store: multi`)."""
        return "+" in self.value

    @property
    def position(self) -> int:
        """Where on the path from memberlist (0) to dynamodb (3) this state lies."""
        return _PATH.index(self)

    @staticmethod
    def at(position: int) -> StoreState:
        """The state at a position of the path, 0 to 3."""
        return _PATH[position]

    @staticmethod
    def only(store: Store) -> StoreState:
        """The state in which a ring is on `store` only."""
        return StoreState(store.value)

    @staticmethod
    def multi(primary: Store) -> StoreState:
        """The state in which a ring is on both stores with `primary` read."""
        return StoreState(f"{primary.value}+{primary.other.value}")


_PATH = (
    StoreState.MEMBERLIST,
    StoreState.MEMBERLIST_DYNAMODB,
    StoreState.DYNAMODB_MEMBERLIST,
    StoreState.DYNAMODB,
)


class DynamoDBSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `dynamodb` block of a ring's `kvstore`. Durations are Go duration strings as written."""

    region: str = ""
    table_name: str = ""
    puller_sync_time: str = ""
    ttl: str = ""


class BridgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How rings reach DynamoDB through the ring bridge: Mimir's Consul client, pointed at it."""

    host: str
    """`consul.host`: name and port, `https://` before them for TLS."""
    token_variable: str = ""
    """Environment variable that holds the token; written as `${NAME}`. Empty: none is sent."""
    namespace: str = ""
    """The pods' namespace: there a Service is reached by its bare name as well. Empty: not known."""

    def is_at(self, host: str) -> bool:
        """Whether a `consul.host` is the bridge, under any of the names that a Service has in its cluster."""
        return bool(host) and self._whole(host) == self._whole(self.host)

    def _whole(self, host: str) -> str:
        """A host as `NAME.NAMESPACE:PORT`; names that are no Service's stay as they are."""
        rest = host.lower().removeprefix("https://").removeprefix("http://")
        name, _, port = rest.partition(":")
        labels = name.rstrip(".").split(".")
        if len(labels) == 1 and self.namespace:
            labels.append(self.namespace)
        elif labels[2:3] == ["svc"]:
            labels = labels[:2]
        return f"{'.'.join(labels)}:{port or 8500}"


class KVConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One ring's `kvstore` block, as a pod reports it or as a file sets it.

    Empty strings and None mean that the source does not say. `store` can be any name, also one that
    this tool does not move (`consul`, `inmemory`).
    """

    store: str = ""
    primary: str = ""
    secondary: str = ""
    mirror_enabled: bool | None = None
    prefix: str | None = None
    dynamodb: DynamoDBSettings | None = None
    consul_host: str = ""
    """`consul.host`, where a store is `consul`, or was before it was understood as the ring bridge."""
    through_bridge: bool = False
    """Whether the store `dynamodb` here is spelled `consul`, with the ring bridge as its host."""

    @property
    def stores(self) -> tuple[str, ...]:
        """Names of the stores that a process with this configuration uses, the primary one first.

        What stands under `multi` counts with `store: multi` only; a name that the source does not
        say is left out.
        """
        names = (self.primary, self.secondary) if self.store == "multi" else (self.store,)
        return tuple(name for name in names if name)

    @property
    def state(self) -> StoreState | None:
        """Which of the four states this is; None when it is none of them."""
        if self.store in {Store.MEMBERLIST.value, Store.DYNAMODB.value}:
            return StoreState(self.store)
        if self.store == "multi":
            try:
                return StoreState(f"{self.primary}+{self.secondary}")
            except ValueError:
                return None
        return None


class RuntimeBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The `multi_kv_config` block of the runtime configuration.

    An empty `primary` and a `mirror_enabled` of None change nothing in a running pod.
    """

    primary: str = ""
    mirror_enabled: bool | None = None

    @property
    def is_set(self) -> bool:
        """Whether the block says anything at all."""
        return bool(self.primary) or self.mirror_enabled is not None

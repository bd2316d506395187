"""What a KV client is, and those of memberlist and of the stores that nobody runs here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from mimir_migrate.sandbox.simulation.host import Host, Ring
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode

Change = Callable[[Ring], "Ring | None"]
"""A CAS callback: gets the ring (a copy), returns what to write, or None to write nothing."""

BACKOFF: Final = 1.0
"""Seconds between tries of a CAS (Cortex' DynamoDB client, dskit's memberlist)."""
MAX_TRIES: Final = 10


class KVError(Exception):
    """A request to a store failed."""


Done = Callable[["KVError | None", "Ring | None"], None]
"""Called once: with what went wrong, or with what was read or written (None: nothing was)."""


class Meter:
    """Requests of one `kv_name`, counted as the products' metrics count them."""

    def __init__(self, kv_name: str) -> None:
        self.kv_name = kv_name
        self.requests: Counter[tuple[str, str, str, str]] = Counter()
        """By operation, role, store and status."""
        self.dynamodb: Counter[tuple[str, str]] = Counter()
        """By operation and status."""
        self.cas_attempts = 0
        self.conflicts = 0

    def count(self, operation: str, role: str, store: str, error: Exception | None) -> None:
        """Count one request of a client."""
        self.requests[operation, role, store, "500" if error else "200"] += 1


class KVClient(Protocol):
    """One store as one ring's client sees it."""

    def get(self, key: str) -> Ring:
        """The ring for a page that shows what the store holds. Raises KVError."""

    def read(self, key: str, done: Done) -> None:
        """Read the ring; `done` is called once, at once or later."""

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Read, change and write; `once`: no second try."""

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Call `seen` with each new value; returns what ends the watch."""

    def last_update(self, key: str) -> int:
        """The tick that this client's knowledge of the key is as of."""


class ReadsAtOnce(ABC):
    """A client whose reads take no time."""

    @abstractmethod
    def get(self, key: str) -> Ring:
        """Read the ring now. Raises KVError."""

    def read(self, key: str, done: Done) -> None:
        """Read the ring now."""
        try:
            ring = self.get(key)
        except KVError as error:
            done(error, None)
        else:
            done(None, ring)


class MemberlistClient(ReadsAtOnce):
    """A ring in memberlist.

    Args:
        node: The process' memberlist.
        meter: Counts requests.
        role: `primary` or `secondary`.
    """

    def __init__(self, node: GossipNode, meter: Meter, role: str) -> None:
        self._node = node
        self._meter = meter
        self._role = role

    def get(self, key: str) -> Ring:
        """Read this process' replica."""
        self._meter.count("GET", self._role, "memberlist", None)
        return self._node.read(key)

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Change this process' replica and gossip; a value that changes nothing is an error."""
        self._try(key, change, done, 1 if once else MAX_TRIES)

    def _try(self, key: str, change: Change, done: Done, tries: int) -> None:
        counters = self._node.counters
        counters["cas_attempts"] += 1
        value = change(dict(self._node.read(key)))
        if value is None or self._node.write(key, value):
            counters["cas_successes"] += 1
            self._meter.count("CAS", self._role, "memberlist", None)
            done(None, value)
            return
        if tries > 1:
            self._node.host.after(BACKOFF, lambda: self._try(key, change, done, tries - 1))
            return
        counters["cas_failures"] += 1
        error = KVError("failed to CAS-update key " + key + ": no change detected")
        self._meter.count("CAS", self._role, "memberlist", error)
        done(error, None)

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Hear of every change of the replica."""
        return self._node.watch(key, lambda: seen(self._node.read(key)))

    def last_update(self, key: str) -> int:  # noqa: ARG002 - the signature of a client
        """Memberlist's knowledge is always as of now."""
        return self._node.host.ticks()


class InMemoryClient(ReadsAtOnce):
    """The store `inmemory`: only this process sees it.

    Args:
        host: The process' clock.
        rings: The process' rings by key.
        meter: Counts requests.
        role: `primary` or `secondary`.
    """

    def __init__(self, host: Host, rings: dict[str, Ring], meter: Meter, role: str) -> None:
        self._host = host
        self._rings = rings
        self._meter = meter
        self._role = role
        self._watchers: list[tuple[str, Callable[[Ring], None]]] = []

    def get(self, key: str) -> Ring:
        """Read it."""
        self._meter.count("GET", self._role, "inmemory", None)
        return self._rings.get(key, {})

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:  # noqa: ARG002 - the signature of a client
        """Change it."""
        value = change(dict(self._rings.get(key, {})))
        if value is not None:
            self._rings[key] = value
            for watched, seen in self._watchers:
                if watched == key:
                    seen(value)
        self._meter.count("CAS", self._role, "inmemory", None)
        done(None, value)

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Hear of every change."""
        entry = (key, seen)
        self._watchers.append(entry)
        return lambda: self._watchers.remove(entry)

    def last_update(self, key: str) -> int:  # noqa: ARG002 - the signature of a client
        """Always now."""
        return self._host.ticks()


class AbsentClient(ReadsAtOnce):
    """etcd: the sandbox runs none, so every request fails.

    Args:
        store: Its name.
        host: The process' timers.
        meter: Counts requests.
        role: `primary` or `secondary`.
    """

    def __init__(self, store: str, host: Host, meter: Meter, role: str) -> None:
        self._store = store
        self._host = host
        self._meter = meter
        self._role = role

    def _fail(self, operation: str) -> KVError:
        error = KVError(f"{self._store}: connection refused")
        self._meter.count(operation, self._role, self._store, error)
        return error

    def get(self, key: str) -> Ring:  # noqa: ARG002 - the signature of a client
        """Fail."""
        raise self._fail("GET")

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:  # noqa: ARG002 - the signature of a client
        """Fail, a moment later."""
        self._host.after(BACKOFF, lambda: done(self._fail("CAS"), None))

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:  # noqa: ARG002 - the signature of a client
        """See nothing."""
        return lambda: None

    def last_update(self, key: str) -> int:  # noqa: ARG002 - the signature of a client
        """Never."""
        return 0

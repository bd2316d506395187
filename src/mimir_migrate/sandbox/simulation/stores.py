"""The KV clients of one process: memberlist, DynamoDB, `multi`, and the stores that nobody runs here.

Sources: dskit's and Cortex' `ring/kv/multi.go`, Cortex' `ring/kv/dynamodb/client.go`, and
`FindDifference` of `ring/model.go`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from mimir_migrate.sandbox.interface import (
    ConflictError,
    DeniedByDynamoDBError,
    MissingTableError,
    ThrottledError,
)
from mimir_migrate.sandbox.simulation.gossip import GossipNode
from mimir_migrate.sandbox.simulation.host import LEFT, Host, Ring
from mimir_migrate.sandbox.simulation.table import TableAccess

Change = Callable[[Ring], "Ring | None"]
"""A CAS callback: gets the ring (a copy), returns what to write, or None to write nothing."""

BACKOFF: Final = 1.0
"""Seconds between tries of a CAS (Cortex' DynamoDB client, dskit's memberlist)."""
MAX_TRIES: Final = 10
LATENCY: Final = (0.01, 0.04)
"""Bounds of what a DynamoDB request takes, seconds: between read and write others can write."""

POLL_DRIFT: Final = 0.02
"""At most so much later than its period a poll comes, as a part of it."""


class KVError(Exception):
    """A request to a store failed."""


Done = Callable[["KVError | None", "Ring | None"], None]
"""Called once when a CAS is over: with what went wrong, or with what was written (None: nothing)."""


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
        self.last_error = ""

    def count(self, operation: str, role: str, store: str, error: Exception | None) -> None:
        """Count one request of a client."""
        self.requests[operation, role, store, "500" if error else "200"] += 1
        if error is not None:
            self.last_error = str(error)


class KVClient(Protocol):
    """One store as one ring's client sees it."""

    def get(self, key: str) -> Ring:
        """Read the ring now. Raises KVError."""

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Read, change and write; `once`: no second try."""

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Call `seen` with each new value; returns what ends the watch."""

    def last_update(self, key: str) -> int:
        """The tick that this client's knowledge of the key is as of."""


class MemberlistClient:
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

    def last_update(self, key: str) -> int:  # noqa: ARG002
        """Memberlist's knowledge is always as of now."""
        return self._node.host.ticks()


class DynamoDBClient:
    """A ring in DynamoDB: read by polling, written member by member.

    Args:
        host: The process' clock and timers.
        access: The table.
        table: Its name.
        puller_sync_time: Seconds between two polls of a watched key.
        generation: Which client: `1.16`, `1.20` or `master`.
        meter: Counts requests.
        role: `primary` or `secondary`.
        deletes: Whether members that a written value lacks are deleted.
    """

    def __init__(
        self,
        host: Host,
        access: TableAccess,
        *,
        table: str,
        puller_sync_time: float,
        generation: str,
        meter: Meter,
        role: str,
        deletes: bool = True,
    ) -> None:
        self._host = host
        self._access = access
        self._table = table
        self._puller_sync_time = puller_sync_time
        self._generation = generation
        self._meter = meter
        self._role = role
        self._deletes = deletes
        self._updated: dict[str, int] = {}

    def get(self, key: str) -> Ring:
        """Query the ring's items."""
        try:
            ring = self._query(key)
        except KVError as error:
            self._meter.count("GET", self._role, "dynamodb", error)
            raise
        self._meter.count("GET", self._role, "dynamodb", None)
        self._updated[key] = self._host.ticks()
        return ring

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Query, change, and write the difference a moment later."""
        self._try(key, change, done, tries=2 if once else MAX_TRIES, once=once)

    def _try(self, key: str, change: Change, done: Done, *, tries: int, once: bool) -> None:
        self._meter.cas_attempts += 1

        def finish(error: KVError | None, value: Ring | None) -> None:
            self._meter.count("CAS", self._role, "dynamodb", error)
            done(error, value)

        def again(error: KVError) -> None:
            if tries <= 1:
                finish(error, None)
                return
            self._host.after(
                BACKOFF, lambda: self._try(key, change, done, tries=tries - 1, once=once)
            )

        try:
            current = self._query(key)
        except KVError as error:
            again(error)
            return
        value = change(dict(current))
        if value is None:
            finish(None, None)
            return
        put, delete = find_difference(current, value)
        if not self._deletes:
            delete = []
        if not put and not delete:
            unchanged = KVError("failed to CAS " + key + ": no change detected")
            if once:
                finish(unchanged, None)
            else:
                again(unchanged)
            return

        def write() -> None:
            try:
                self._write(key, put, delete, current)
            except KVError as failed:
                if isinstance(failed.__cause__, ConflictError) and self._generation != "master":
                    finish(failed, None)
                else:
                    again(failed)
                return
            self._updated[key] = self._host.ticks()
            finish(None, value)

        self._host.after(self._host.rng.uniform(*LATENCY), write)

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Poll: at once, and then every `puller_sync_time`; an error keeps what was seen before."""
        watching = True

        def poll() -> None:
            if not watching:
                return
            # The time that a query takes comes on top of each period, so that polls drift.
            drift = self._host.rng.uniform(0.0, POLL_DRIFT)
            self._host.after(self._puller_sync_time * (1 + drift), poll)
            try:
                ring = self._query(key)
            except KVError as error:
                self._meter.last_error = str(error)
                return
            self._updated[key] = self._host.ticks()
            seen(ring)

        def end() -> None:
            nonlocal watching
            watching = False

        self._host.after(0.0, poll)
        return end

    def last_update(self, key: str) -> int:
        """When this client last read or wrote the key; before that: long ago."""
        return self._updated.get(key, 0)

    def _query(self, key: str) -> Ring:
        try:
            ring = self._access.query(self._host.name, self._table, key)
        except (ThrottledError, MissingTableError, DeniedByDynamoDBError) as error:
            self._meter.dynamodb["Query", "4xx"] += 1
            raise KVError(_text(error)) from error
        self._meter.dynamodb["Query", "2xx"] += 1
        return ring

    def _write(self, key: str, put: Ring, delete: list[str], current: Ring) -> None:
        try:
            self._access.write(self._host.name, self._table, key, put, delete, current)
        except (ThrottledError, MissingTableError, DeniedByDynamoDBError, ConflictError) as error:
            if isinstance(error, ConflictError):
                self._meter.conflicts += 1
            self._meter.dynamodb["Batch", "4xx"] += 1
            raise KVError(_text(error)) from error
        self._meter.dynamodb["Batch", "2xx"] += 1


def find_difference(current: Ring, written: Ring) -> tuple[Ring, list[str]]:
    """What a write of a whole ring puts and deletes (`FindDifference`, Cortex 1.16 and later).

    Only newer timestamps replace an item, or LEFT with an equal one; an item that the written value
    does not hold is deleted without a condition.
    """
    put: Ring = {}
    for id_, theirs in written.items():
        ours = current.get(id_)
        if (
            ours is None
            or theirs.timestamp > ours.timestamp
            or (
                theirs.timestamp == ours.timestamp
                and ours.state is not LEFT
                and theirs.state is LEFT
            )
        ):
            put[id_] = theirs
    return put, [id_ for id_ in current if id_ not in written]


class MultiClient:
    """Two stores: reads and writes go to the primary, successful writes are mirrored whole, once.

    Args:
        host: The process' clock and timers.
        clients: Both stores' clients, by name.
        primary: The name of the primary of the static configuration.
        mirrors: Whether mirroring is on in the static configuration.
        meter: Counts requests.
        mirroring_works: False takes the mirroring out of the simulation.
        lost: Says whether a mirrored write of now gets lost on its way.
    """

    def __init__(
        self,
        host: Host,
        clients: dict[str, KVClient],
        *,
        primary: str,
        mirrors: bool,
        meter: Meter,
        mirroring_works: bool = True,
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self._host = host
        self.clients = clients
        self.primary = primary
        self.mirrors = mirrors
        self.mirror_writes = 0
        self.mirror_errors = 0
        self._meter = meter
        self._works = mirroring_works
        self._lost = lost
        self._watches: list[_MultiWatch] = []

    def hear(self, primary: str, mirror_enabled: bool | None) -> None:
        """Take over what the runtime configuration says; an unknown primary changes nothing."""
        if mirror_enabled is not None:
            self.mirrors = mirror_enabled
        if not primary or primary == self.primary:
            return
        if primary not in self.clients:
            self._meter.last_error = "failed to switch primary KV store: KV store not found"
            return
        self.primary = primary
        for watch in self._watches:
            watch.restart()

    def get(self, key: str) -> Ring:
        """Read the primary."""
        try:
            ring = self.clients[self.primary].get(key)
        except KVError as error:
            self._meter.count("GET", "primary", "multi", error)
            raise
        self._meter.count("GET", "primary", "multi", None)
        return ring

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Write the primary, and then the secondary."""
        primary = self.primary

        def written(error: KVError | None, value: Ring | None) -> None:
            self._meter.count("CAS", "primary", "multi", error)
            if error is None and value is not None and self.mirrors:
                self._mirror(key, primary, value)
            done(error, value)

        self.clients[primary].cas(key, change, written, once=once)

    def _mirror(self, key: str, primary: str, value: Ring) -> None:
        self.mirror_writes += 1
        if not self._works or self._lost():
            return

        def mirrored(error: KVError | None, _: Ring | None) -> None:
            if error is not None:
                self.mirror_errors += 1

        for name, client in self.clients.items():
            if name != primary:
                client.cas(key, lambda _: value, mirrored, once=True)

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Watch the primary, whichever that is."""
        watch = _MultiWatch(self, key, seen)
        self._watches.append(watch)

        def end() -> None:
            watch.end()
            self._watches.remove(watch)

        return end

    def last_update(self, key: str) -> int:
        """As the primary has it."""
        return self.clients[self.primary].last_update(key)


class _MultiWatch:
    """A watch that moves to the new primary on a switch."""

    def __init__(self, multi: MultiClient, key: str, seen: Callable[[Ring], None]) -> None:
        self._multi = multi
        self._key = key
        self._seen = seen
        self._end = multi.clients[multi.primary].watch(key, seen)

    def restart(self) -> None:
        """Watch what is primary now."""
        self._end()
        self._end = self._multi.clients[self._multi.primary].watch(self._key, self._seen)

    def end(self) -> None:
        """Stop watching."""
        self._end()


class InMemoryClient:
    """The store `inmemory`: this process alone sees it.

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

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:  # noqa: ARG002
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

    def last_update(self, key: str) -> int:  # noqa: ARG002
        """Always now."""
        return self._host.ticks()


class AbsentClient:
    """Consul or etcd: the sandbox runs neither, so every request fails.

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

    def get(self, key: str) -> Ring:  # noqa: ARG002
        """Fail."""
        raise self._fail("GET")

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:  # noqa: ARG002
        """Fail, a moment later."""
        self._host.after(BACKOFF, lambda: done(self._fail("CAS"), None))

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:  # noqa: ARG002
        """See nothing."""
        return lambda: None

    def last_update(self, key: str) -> int:  # noqa: ARG002
        """Never."""
        return 0


def _text(error: Exception) -> str:
    names = {
        ThrottledError: "ThrottlingException: rate of requests exceeds the allowed throughput",
        MissingTableError: "ResourceNotFoundException: requested resource not found",
        DeniedByDynamoDBError: "AccessDeniedException: the role is not authorized",
        ConflictError: "TransactionCanceledException: [ConditionalCheckFailed]",
    }
    return f"{names.get(type(error), 'error')}{': ' + str(error) if str(error) else ''}"

"""The DynamoDB client of a ring: polled reads, and writes of what differs.

Sources: Cortex' `ring/kv/dynamodb/client.go`, and `FindDifference` of `ring/model.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mimir_migrate.sandbox.interface import (
    DeniedByDynamoDBError,
    MissingTableError,
    ObjectConflictError,
    ThrottledError,
)
from mimir_migrate.sandbox.simulation.host import LEFT, Host, Ring
from mimir_migrate.sandbox.simulation.stores.kv import (
    BACKOFF,
    MAX_TRIES,
    Change,
    Done,
    KVError,
    Meter,
    ReadsAtOnce,
)
from mimir_migrate.sandbox.simulation.stores.table import TableAccess

LATENCY: Final = (0.01, 0.04)
"""Bounds of what a DynamoDB request takes, seconds: between read and write others can write."""

POLL_DRIFT: Final = 0.02
"""At most so much later than its period a poll comes, as a part of it."""


class DynamoDBClient(ReadsAtOnce):
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
            self._say("error cas query", key, error)
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
                if (
                    isinstance(failed.__cause__, ObjectConflictError)
                    and self._generation != "master"
                ):
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
                self._say("error WatchKey", key, error)
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

    def _say(self, message: str, key: str, error: KVError) -> None:
        fields = {"class": "DynamodbKvClient", "key": key, "err": error}
        self._host.log.say("error", "client.go", message, **fields)

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
        except (
            ThrottledError,
            MissingTableError,
            DeniedByDynamoDBError,
            ObjectConflictError,
        ) as error:
            if isinstance(error, ObjectConflictError):
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


def _text(error: Exception) -> str:
    names = {
        ThrottledError: "ThrottlingException: rate of requests exceeds the allowed throughput",
        MissingTableError: "ResourceNotFoundException: requested resource not found",
        DeniedByDynamoDBError: "AccessDeniedException: the role is not authorized",
        ObjectConflictError: "TransactionCanceledException: [ConditionalCheckFailed]",
    }
    return f"{names.get(type(error), 'error')}{': ' + str(error) if str(error) else ''}"

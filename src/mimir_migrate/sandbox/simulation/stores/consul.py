"""The Consul client of a ring. Sources: dskit `kv/consul/client.go` and `backoff/backoff.go` of May 2025."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import DocumentError
from mimir_migrate.sandbox.simulation.host import Host, Repeating, Ring
from mimir_migrate.sandbox.simulation.stores.kv import MAX_TRIES, Change, Done, KVError, Meter
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.wire import NO_ANSWER, Answer, Request, Wire

LONG_POLL: Final = 10.0
"""Seconds that a watch asks to be held for."""
FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0
_PAGE_READS: Final = 1.0
"""Seconds between two reads for a page that shows what a read of the store finds."""
_FOUND: Final = 200
_NOT_FOUND: Final = 404


class ConsulSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `consul` block of a ring, durations in seconds of product time."""

    host: str
    token: str = ""
    timeout: float = 20.0
    consistent_reads: bool = False
    watch_rate: float = 1.0
    """Requests of one watch in a second; 0: no limit."""
    watch_burst: int = 1
    cas_retry_delay: float = 1.0


class ConsulClient:
    """A ring in a Consul: read by long polls, written whole by compare-and-set.

    Args:
        host: The process' clock and timers.
        wire: Carries its requests.
        values: Encodes rings.
        settings: Its block.
        meter: Counts requests.
        role: `primary` or `secondary`.
        mirror_timeout: Seconds that a mirrored write may take.
    """

    def __init__(
        self,
        host: Host,
        wire: Wire,
        values: RingValues,
        settings: ConsulSettings,
        meter: Meter,
        role: str,
        mirror_timeout: float = 0.0,
    ) -> None:
        self.host = host
        self.values = values
        self.settings = settings
        self._wire = wire
        self._meter = meter
        self._role = role
        self._mirror_timeout = mirror_timeout
        self._pages: dict[str, _PageReads] = {}

    def get(self, key: str) -> Ring:
        """What the last read for a page found, a second old at most. Raises KVError where there was none.

        A real page waits for a read of its own; the simulation's pages are answered at once, so the reads
        go on by themselves from the first question on.
        """
        if key not in self._pages:
            self._pages[key] = _PageReads(self, key)
        return self._pages[key].ring()

    def read(self, key: str, done: Done) -> None:
        """One read; an error is an error, and 404 is a ring that is not there."""

        def answered(answer: Answer) -> None:
            error, ring, _ = self.understood(key, answer)
            self._meter.count("GET", self._role, "consul", error)
            done(error, ring)

        self.ask(key, self._reading(), answered)

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """GET, change, PUT on the index that was read; up to 10 times with one sleep between them.

        A mirrored write (`once`) tries as often, and gets no answers once its time is over.
        """
        limit = 0.0
        if once and self._mirror_timeout > 0:
            limit = max(self._mirror_timeout / self.host.clock.speed, self._wire.least_timeout)

        def over(error: KVError | None, value: Ring | None) -> None:
            self._meter.count("CAS", self._role, "consul", error)
            done(error, value)

        _Write(self, key, change, over, limit).attempt()

    def watch(self, key: str, seen: Callable[[Ring], None]) -> Callable[[], None]:
        """Ask for each next version."""
        return _Watch(self, key, seen).end

    def last_update(self, key: str) -> int:  # noqa: ARG002 - the signature of a client
        """Mimir judges heartbeats by its own clock."""
        return self.host.ticks()

    # --- requests -------------------------------------------------------------------------------

    def ask(
        self,
        key: str,
        query: Iterable[tuple[str, str]],
        done: Callable[[Answer], None],
        *,
        body: bytes | None = None,
        within: float = 0.0,
    ) -> Callable[[], None]:
        """Send one request; returns what gives it up.

        Args:
            key: The ring's.
            query: Parameters.
            done: Is handed the answer.
            body: What is written; None: a GET.
            within: Seconds of the scheduler after which it is given up, where that is less than the
                client's own time-out.
        """
        timeout = max(self.settings.timeout / self.host.clock.speed, self._wire.least_timeout)
        request = Request(
            method="GET" if body is None else "PUT",
            host=self.settings.host,
            key=key,
            query=tuple(query),
            token=self.settings.token,
            body=body or b"",
            timeout=min(timeout, within) if within else timeout,
        )
        return self._wire.send(self.host, request, done)

    def reading_from(self, index: int) -> list[tuple[str, str]]:
        """The parameters of a watch's next request."""
        wait = round(1000 * LONG_POLL / self.host.clock.speed)
        query = [*self._reading(), ("wait", f"{wait}ms")]
        return [*query, ("index", str(index))] if index else query

    def _reading(self) -> list[tuple[str, str]]:
        return [("consistent" if self.settings.consistent_reads else "stale", "")]

    def understood(self, key: str, answer: Answer) -> tuple[KVError | None, Ring | None, int]:
        """An error, or the ring and the index of its version; nothing and 0 where it is not there."""
        if answer.status == _NOT_FOUND:
            return None, {}, 0
        if answer.status == NO_ANSWER:
            return KVError(f"consul: {key}: {answer.problem}"), None, 0
        if answer.status != _FOUND:
            said = answer.body[:200].decode(errors="replace").strip()
            return KVError(f"Unexpected response code: {answer.status} ({said})"), None, 0
        try:
            (pair,) = decoding.decode(answer.body, list[dict[str, Any]])
            ring = self.values.decode(base64.b64decode(pair["Value"] or ""))
            return None, ring, int(pair["ModifyIndex"])
        except (ValueError, KeyError, TypeError, DocumentError) as error:
            return KVError(f"error decoding key {key}: {error}"), None, 0


class _Write:
    """One compare-and-set, with its tries."""

    def __init__(
        self, client: ConsulClient, key: str, change: Change, done: Done, limit: float
    ) -> None:
        self._client = client
        self._key = key
        self._change = change
        self._done = done
        delay = client.settings.cas_retry_delay
        self._sleep = client.host.rng.uniform(0.0, delay) if delay > 0 else 0.0
        self._until = client.host.clock.now() + limit if limit else 0.0
        self._tries = 0
        self._index = 0
        """Kept over the tries, as the client keeps it where the key is not there any more."""

    def attempt(self) -> None:
        """One GET, and a PUT where there is something to write."""
        self._tries += 1
        self._ask((), self._read)

    def _ask(
        self,
        query: Iterable[tuple[str, str]],
        done: Callable[[Answer], None],
        body: bytes | None = None,
    ) -> None:
        left = 0.0
        if self._until:
            left = self._until - self._client.host.clock.now()
            if left <= 0:
                done(Answer(status=NO_ANSWER, problem="context deadline exceeded"))
                return
        self._client.ask(self._key, query, done, body=body, within=left)

    def _again(self) -> None:
        if self._tries >= MAX_TRIES:
            self._done(KVError(f"failed to CAS {self._key}"), None)
            return
        self._client.host.after(self._sleep, self.attempt)

    def _read(self, answer: Answer) -> None:
        error, ring, index = self._client.understood(self._key, answer)
        if error is not None or ring is None:
            self._again()
            return
        self._index = index or self._index
        value = self._change(dict(ring))
        if value is None:
            self._done(None, None)
            return

        def written(put: Answer) -> None:
            if put.status == _FOUND and b"true" in put.body:
                self._done(None, value)
            else:
                self._again()

        body = self._client.values.encode(value)
        self._ask([("cas", str(self._index))], written, body)


class _Watch:
    """One watch: at most one request a second, a longer and longer sleep after errors."""

    def __init__(self, client: ConsulClient, key: str, seen: Callable[[Ring], None]) -> None:
        self._client = client
        self._key = key
        self._seen = seen
        self._index = 0
        self._on = True
        self._backoff = Backoff(client.host)
        self._tokens = float(max(1, client.settings.watch_burst))
        self._counted_at = client.host.clock.now()
        self._give_up: Callable[[], None] = lambda: None
        self._next()

    def end(self) -> None:
        """Ask no more, and hear of no answer."""
        self._on = False
        self._give_up()

    def _next(self) -> None:
        """Ask as soon as the rate allows it."""
        if not self._on:
            return
        rate = self._client.settings.watch_rate
        if rate <= 0:
            self._ask()
            return
        clock = self._client.host.clock
        passed = (clock.now() - self._counted_at) * clock.speed
        self._counted_at = clock.now()
        most = float(max(1, self._client.settings.watch_burst))
        self._tokens = min(most, self._tokens + passed * rate) - 1.0
        if self._tokens >= 0:
            self._ask()
        else:
            self._client.host.after(-self._tokens / rate, self._ask)

    def _ask(self) -> None:
        if self._on:
            query = self._client.reading_from(self._index)
            self._give_up = self._client.ask(self._key, query, self._answered)

    def _answered(self, answer: Answer) -> None:
        if not self._on:
            return
        if answer.status not in {_FOUND, _NOT_FOUND}:
            self._client.host.after(self._backoff.next(), self._next)
            return
        self._backoff.reset()
        self._index, skip = next_index(self._index, answer.index)
        if not skip and answer.status == _FOUND:
            error, ring, _ = self._client.understood(self._key, answer)
            if error is None and ring is not None:
                self._seen(ring)
        self._next()


def next_index(before: int, said: int) -> tuple[int, bool]:
    """The index to ask with next, and whether what came with `said` is passed over (`checkLastIndex`)."""
    if said == 0:
        return 1, False
    if said < before:
        return 0, False
    return said, said == before


class Backoff:
    """The sleeps of a watch after errors: 1 to 2 s, 2 to 4 s, … 60 s (dskit `backoff.Backoff`).

    Args:
        host: Whose chances.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._least = self._most = 0.0
        self.reset()

    def reset(self) -> None:
        """A request went well."""
        self._least, self._most = FIRST_BACKOFF, 2 * FIRST_BACKOFF

    def next(self) -> float:
        """Seconds to sleep now."""
        if self._least >= self._most:
            return self._least
        sleep = self._host.rng.uniform(self._least, self._most)
        if self._most < LONGEST_BACKOFF:
            self._least = min(2 * self._least, LONGEST_BACKOFF)
            self._most = min(2 * self._most, LONGEST_BACKOFF)
        return sleep


class _PageReads:
    """Reads of one key, once a second, for a page that shows what the store holds."""

    def __init__(self, client: ConsulClient, key: str) -> None:
        self._client = client
        self._key = key
        self._found: tuple[KVError | None, Ring | None] = KVError(f"{key} was not read yet"), None
        self._asking = False
        Repeating(client.host, _PAGE_READS, self._look)
        self._look()

    def ring(self) -> Ring:
        """What was found last. Raises KVError."""
        error, ring = self._found
        if error is not None or ring is None:
            raise error or KVError(f"{self._key} was not read yet")
        return ring

    def _look(self) -> None:
        if not self._asking:
            self._asking = True
            self._client.read(self._key, self._note)

    def _note(self, error: KVError | None, ring: Ring | None) -> None:
        self._asking = False
        self._found = error, ring

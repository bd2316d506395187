"""How a process keeps itself in a ring: the two lifecyclers of both products.

Sources: `ring/lifecycler.go` and `ring/basic_lifecycler.go` of dskit and Cortex. The difference that
matters to a migration: a heartbeat of the classic one writes its address and state again, one of the
basic one renews the timestamp of whatever the store holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.simulation.host import Host, Repeating
from mimir_migrate.sandbox.simulation.host import Ring as Members
from mimir_migrate.sandbox.simulation.stores.kv import Change, KVClient, KVError
from mimir_migrate.sandbox.simulation.stores.reader import RingReader

_ASK_AGAIN: Final = 1.0
"""Seconds between two looks at the ring while waiting to be seen there."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """What a process registers itself as, and how."""

    id: str
    address: str
    zone: str = ""
    key: str
    heartbeat_period: float
    num_tokens: int
    heartbeat_timeout: float = 60.0
    join_after: float = 0.0
    observe_period: float = 0.0
    unregisters: bool = True
    """Whether it leaves the ring on shutdown; else it stays there LEAVING."""
    keeps_tokens: bool = False
    """Whether it has a tokens file."""
    starts_active: bool = False
    """Whether it registers as ACTIVE at once (basic lifecycler: the ruler)."""
    stability: float = 0.0
    """Seconds that it waits for the ring to be stable before it becomes ACTIVE."""
    wait_timeout: float = 600.0
    """Seconds after which waiting to be seen in the ring fails."""
    forget_after: float = 0.0
    """Seconds without a heartbeat after which it removes others from the ring; 0: never."""


class Lifecycler:
    """The classic lifecycler: ingesters, in Cortex also compactors and distributors.

    Args:
        host: The process' clock and timers.
        kv: The ring's client.
        seat: What it registers as.
        tokens_file: What the tokens file holds; empty where there is none.
        changed: Called when the state changes.
        failed: Called with the reason where the process must end.
        reader: The ring that it must be seen in before it is settled; None: it does not wait.
    """

    def __init__(
        self,
        host: Host,
        kv: KVClient,
        seat: Seat,
        tokens_file: list[int],
        changed: Callable[[], None],
        failed: Callable[[str], None],
        reader: RingReader | None = None,
    ) -> None:
        self.host = host
        self.kv = kv
        self.seat = seat
        self.state = MemberState.PENDING
        self.tokens: tuple[int, ...] = ()
        self.registered_at = 0
        self.heartbeats = 0
        self.failed_heartbeats = 0
        self.settled = False
        """Whether the component that owns it has finished starting."""
        self.address_override = ""
        """An address that it registers instead of its own, where a fault says so."""
        self._tokens_file = tokens_file
        self._changed = changed
        self._failed = failed
        self._reader = reader
        self._waiting: deque[tuple[Change, Callable[[KVError | None], None]]] = deque()
        self._busy = False
        self._stopped = False
        self._ticker: Repeating | None = None

    # --- starting -------------------------------------------------------------------------------

    def start(self) -> None:
        """Find the own entry in the ring or add one, then join."""

        def begun(error: KVError | None) -> None:
            if error is not None:
                self._failed(f"failed to join the ring: {error}")
                return
            self._ticker = Repeating(self.host, self.seat.heartbeat_period, self.heartbeat)
            self._changed()
            self.host.after(self.seat.join_after, self._join)

        self.submit(self._init, begun)

    def _init(self, ring: Members) -> Members | None:
        entry = ring.get(self.seat.id)
        if entry is None:
            self.registered_at = self.host.ticks()
            if self._tokens_file:
                self.tokens = tuple(self._tokens_file)
                if len(self.tokens) >= self.seat.num_tokens:
                    self.state = MemberState.ACTIVE
            ring[self.seat.id] = self._entry()
            return ring
        self.registered_at = entry.registered_timestamp
        if entry.state is MemberState.JOINING:
            self.state = MemberState.PENDING
            ring[self.seat.id] = msgspec.structs.replace(
                entry, state=MemberState.PENDING, timestamp=self.host.ticks()
            )
            return ring
        self.state = entry.state
        if entry.state is MemberState.LEAVING and len(entry.tokens) == self.seat.num_tokens:
            self.state = MemberState.ACTIVE
        self.tokens = entry.tokens
        return None

    def _join(self) -> None:
        if self._stopped:
            return
        if self.state is MemberState.ACTIVE:
            self._arrived()
            return
        observes = self.seat.observe_period > 0
        target = MemberState.JOINING if observes else MemberState.ACTIVE

        def pick(ring: Members) -> Members:
            have = ring[self.seat.id].tokens if self.seat.id in ring else ()
            self.state = target
            self.tokens = new_tokens(self.host, self.seat.num_tokens, have)
            ring[self.seat.id] = self._entry()
            return ring

        def joined(error: KVError | None) -> None:
            if error is not None:
                self._failed(f"failed to pick tokens in the KV store: {error}")
                return
            self._keep_tokens()
            self._changed()
            if observes:
                self.host.after(self.seat.observe_period, self._observed)
            else:
                self._arrived()

        self.submit(pick, joined)

    def _observed(self) -> None:
        if self._stopped:
            return
        self.state = MemberState.ACTIVE
        self.submit(self._update, lambda _: self._arrived())

    def _arrived(self) -> None:
        self._keep_tokens()
        self._changed()
        wait_until_seen(self, self._reader, self._stable)

    def _stable(self) -> None:
        self.host.after(self.seat.stability, self._settle)

    def _settle(self) -> None:
        self.settled = True
        self._changed()

    def _keep_tokens(self) -> None:
        if self.seat.keeps_tokens:
            self._tokens_file[:] = self.tokens

    # --- living ---------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """What it registers as its address."""
        return self.address_override or self.seat.address

    def heartbeat(self) -> None:
        """Renew the own entry; skipped while an earlier write is under way."""
        self.heartbeats += 1
        if not self._busy:
            self.submit(self._update, self._beaten)

    def _beaten(self, error: KVError | None) -> None:
        if error is not None:
            self.failed_heartbeats += 1

    def _update(self, ring: Members) -> Members:
        entry = ring.get(self.seat.id)
        if entry is None:
            ring[self.seat.id] = self._entry()
        else:
            ring[self.seat.id] = msgspec.structs.replace(
                entry,
                timestamp=self.host.ticks(),
                state=self.state,
                address=self.address,
                zone=self.seat.zone,
                registered_timestamp=self.registered_at,
            )
        self._forget_others(ring)
        return ring

    def _entry(self) -> Member:
        return Member(
            id=self.seat.id,
            address=self.address,
            state=self.state,
            timestamp=self.host.ticks(),
            registered_timestamp=self.registered_at,
            zone=self.seat.zone,
            tokens=self.tokens,
        )

    def _forget_others(self, ring: Members) -> None:
        if self.seat.forget_after <= 0:
            return
        oldest = self.host.ticks() - self.seat.forget_after
        for id_ in [id_ for id_, member in ring.items() if member.timestamp < oldest]:
            del ring[id_]

    # --- stopping -------------------------------------------------------------------------------

    def leave(self) -> None:
        """Become LEAVING; heartbeats go on."""
        self._stopped = True
        self.settled = False
        self.state = MemberState.LEAVING
        self.submit(self._update, lambda _: None)

    def unregister(self, done: Callable[[], None]) -> None:
        """Stop the heartbeats and leave the ring, where the configuration says so."""
        if self._ticker is not None:
            self._ticker.cancel()
        if not self.seat.unregisters:
            done()
            return

        def remove(ring: Members) -> Members | None:
            if self.seat.id not in ring:
                return None
            del ring[self.seat.id]
            return ring

        self.submit(remove, lambda _: done())

    # --- writing --------------------------------------------------------------------------------

    def submit(self, change: Change, done: Callable[[KVError | None], None]) -> None:
        """Write once the writes before it are over: a lifecycler does one thing at a time."""
        self._waiting.append((change, done))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if not self._waiting:
            return
        change, done = self._waiting.popleft()
        self._busy = True

        def over(error: KVError | None, _: Members | None) -> None:
            self._busy = False
            done(error)
            if not self._busy:
                self._next()

        self.kv.cas(self.seat.key, change, over)


class BasicLifecycler(Lifecycler):
    """The basic lifecycler: store-gateways, rulers, alertmanagers, and most of Mimir."""

    def start(self) -> None:
        """Register, wait to be seen, become ACTIVE, wait to be seen again."""

        def registered(error: KVError | None) -> None:
            if error is not None:
                self._failed(f"failed to register instance in the ring: {error}")
                return
            self._keep_tokens()
            self._ticker = Repeating(self.host, self.seat.heartbeat_period, self.heartbeat)
            self._changed()
            if self.state is MemberState.ACTIVE:
                self._settle()
            else:
                wait_until_seen(self, self._reader, self._sync)

        self.submit(self._register, registered)

    def _register(self, ring: Members) -> Members:
        entry = ring.get(self.seat.id)
        have = entry.tokens if entry is not None else tuple(self._tokens_file)
        self.registered_at = entry.registered_timestamp if entry else self.host.ticks()
        self.tokens = new_tokens(self.host, self.seat.num_tokens, have)
        self.state = MemberState.ACTIVE if self.seat.starts_active else MemberState.JOINING
        ring[self.seat.id] = self._entry()
        return ring

    def _sync(self) -> None:
        self.host.after(self.seat.stability, self._activate)

    def _activate(self) -> None:
        if self._stopped:
            return
        self.state = MemberState.ACTIVE
        self.submit(self._set_state, self._activated)

    def _activated(self, error: KVError | None) -> None:
        if error is not None:
            self._failed(f"failed to switch instance to ACTIVE in the ring: {error}")
            return
        self._changed()
        wait_until_seen(self, self._reader, self._settle)

    def leave(self) -> None:
        """Become LEAVING; heartbeats go on."""
        self._stopped = True
        self.settled = False
        self.state = MemberState.LEAVING
        self.submit(self._set_state, lambda _: None)

    def _set_state(self, ring: Members) -> Members:
        entry = ring.get(self.seat.id)
        if entry is None:
            ring[self.seat.id] = self._entry()
        else:
            ring[self.seat.id] = msgspec.structs.replace(
                entry, timestamp=self.host.ticks(), state=self.state
            )
        return ring

    def _update(self, ring: Members) -> Members:
        entry = ring.get(self.seat.id)
        if entry is None:
            self.registered_at = self.host.ticks()
            ring[self.seat.id] = self._entry()
        elif self.address_override:
            ring[self.seat.id] = msgspec.structs.replace(
                entry, timestamp=self.host.ticks(), address=self.address_override
            )
        else:
            ring[self.seat.id] = msgspec.structs.replace(entry, timestamp=self.host.ticks())
        self._forget_others(ring)
        return ring


def wait_until_seen(
    lifecycler: Lifecycler, reader: RingReader | None, then: Callable[[], None]
) -> None:
    """Go on once the component's own ring shows it in its state; fail after the time-out."""
    if reader is None:
        then()
        return
    began = lifecycler.host.ticks()

    def look() -> None:
        if lifecycler.state is MemberState.LEAVING:
            return
        seen = reader.members().get(lifecycler.seat.id)
        if seen is not None and seen.state is lifecycler.state:
            then()
        elif lifecycler.host.ticks() - began > lifecycler.seat.wait_timeout:
            lifecycler._failed("timed out waiting to be seen in the ring")  # noqa: SLF001 - of this module
        else:
            lifecycler.host.after(_ASK_AGAIN, look)

    look()


def new_tokens(host: Host, count: int, have: tuple[int, ...]) -> tuple[int, ...]:
    """As many tokens as configured: those at hand, and new ones."""
    if len(have) >= count:
        return have
    return tuple(sorted({*have, *(host.rng.getrandbits(32) for _ in range(count - len(have)))}))

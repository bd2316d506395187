"""A ring as a process reads it and shows it on its page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.simulation.host import Host, Ring
from mimir_migrate.sandbox.simulation.stores.kv import KVClient, KVError, Meter

UNHEALTHY: Final = MemberState.UNHEALTHY.value


class RingReader:
    """The ring client of one component.

    Args:
        host: The process' clock.
        kv: The ring's KV client.
        key: The ring's key.
        timeout: The heartbeat timeout, seconds.
        product: Cortex judges health by when its store was last read, Mimir by the clock.
        hidden: Ids that a fault keeps out of this reader's sight.
        reads_store: Whether each look is a read of the store, as of a lifecycler's page.
    """

    def __init__(
        self,
        host: Host,
        kv: KVClient,
        key: str,
        timeout: float,
        product: Product,
        hidden: Callable[[], frozenset[str]] = frozenset,
        *,
        reads_store: bool = False,
    ) -> None:
        self.key = key
        self.timeout = timeout
        self._host = host
        self._kv = kv
        self._product = product
        self._hidden = hidden
        self._reads_store = reads_store
        self._ring: Ring = {}
        self._active: tuple[Ring, float, float, dict[str, str]] | None = None
        """What `active` said last: of which ring, and between which ticks it is so."""

    def start(self, done: Callable[[KVError | None], None]) -> None:
        """Read the ring once and watch it; `done` is told what went wrong, now or later."""

        def read(error: KVError | None, ring: Ring | None) -> None:
            if error is None:
                self._ring = ring or {}
                self._kv.watch(self.key, self._seen)
            done(error)

        self._kv.read(self.key, read)

    def _seen(self, ring: Ring) -> None:
        self._ring = ring

    def members(self) -> Ring:
        """The ring as this process has it. Raises KVError where it must be read and cannot be."""
        if self._reads_store:
            self._ring = self._kv.get(self.key)
        hidden = self._hidden()
        if hidden:
            return {id_: member for id_, member in self._ring.items() if id_ not in hidden}
        return self._ring

    def as_of(self) -> int:
        """The tick that health is judged at."""
        if self._product is Product.CORTEX:
            return self._kv.last_update(self.key)
        return self._host.ticks()

    def shown(self) -> list[tuple[Member, str]]:
        """Members by id, each with the state that the page shows."""
        oldest = self.as_of() - self.timeout
        return [
            (member, member.state.value if member.timestamp >= oldest else UNHEALTHY)
            for _, member in sorted(self.members().items())
        ]

    def watched(self, meter: Meter) -> dict[str, str]:
        """`active` for the sandbox's own watch, which counts nowhere; empty where it cannot be read."""
        if not self._reads_store:
            return self.active()
        counted = meter.requests.copy(), meter.dynamodb.copy()
        try:
            return self.active()
        except KVError:
            return {}
        finally:
            meter.requests, meter.dynamodb = counted

    def active(self) -> dict[str, str]:
        """Addresses of the members that the page shows ACTIVE, by id."""
        oldest = self.as_of() - self.timeout
        members = self.members()
        if self._active is not None and self._active[0] is members:
            _, since, until, found = self._active
            if since <= oldest <= until:
                return found
        beating = {
            id_: member
            for id_, member in members.items()
            if member.state is MemberState.ACTIVE and member.timestamp >= oldest
        }
        found = {id_: member.address for id_, member in beating.items()}
        until = min((member.timestamp for member in beating.values()), default=oldest)
        self._active = members, oldest, until, found
        return found

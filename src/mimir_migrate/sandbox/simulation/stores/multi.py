"""`multi`: two stores at once. Source: `ring/kv/multi.go` of dskit and Cortex."""

from __future__ import annotations

from collections.abc import Callable

from mimir_migrate.sandbox.simulation.host import Host, Ring
from mimir_migrate.sandbox.simulation.stores.kv import Change, Done, KVClient, KVError, Meter


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
        if mirror_enabled is not None and mirror_enabled != self.mirrors:
            self.mirrors = mirror_enabled
            self._say("info", "toggled mirroring", enabled=mirror_enabled)
        if not primary or primary == self.primary:
            return
        if primary not in self.clients:
            said = "failed to switch primary KV store"
            self._say("error", said, primary=primary, err="KV store not found")
            return
        role = "primary" if self.primary == next(iter(self.clients)) else "secondary"
        for _ in self._watches:
            self._meter.count("WatchKey", role, self.primary, None)
        self.primary = primary
        self._say("info", "switched primary KV store", primary=primary)
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

    def read(self, key: str, done: Done) -> None:
        """Read the primary."""

        def over(error: KVError | None, ring: Ring | None) -> None:
            self._meter.count("GET", "primary", "multi", error)
            done(error, ring)

        self.clients[self.primary].read(key, over)

    def cas(self, key: str, change: Change, done: Done, *, once: bool = False) -> None:
        """Write the primary, and then the secondary; it is over when both are."""
        primary = self.primary

        def written(error: KVError | None, value: Ring | None) -> None:
            self._meter.count("CAS", "primary", "multi", error)
            if error is None and value is not None and self.mirrors:
                self._mirror(key, primary, value, lambda: done(None, value))
            else:
                done(error, value)

        self.clients[primary].cas(key, change, written, once=once)

    def _mirror(self, key: str, primary: str, value: Ring, then: Callable[[], None]) -> None:
        self.mirror_writes += 1
        if not self._works or self._lost():
            then()
            return

        def mirrored(error: KVError | None, _: Ring | None) -> None:
            if error is not None:
                self.mirror_errors += 1
                said = "failed to update value in secondary store"
                self._say("warn", said, key=key, err=error, primary=primary)
            then()

        (secondary,) = (client for name, client in self.clients.items() if name != primary)
        secondary.cas(key, lambda _: value, mirrored, once=True)

    def _say(self, level: str, message: str, **fields: object) -> None:
        self._host.log.say(level, "multi.go", message, component="multikv", **fields)

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

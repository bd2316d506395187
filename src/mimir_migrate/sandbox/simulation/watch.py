"""The sandbox watches itself: does every page show every living member?

Each second of product time, for each Ready process that serves a ring's page and each living ACTIVE
member of that ring: is the member shown ACTIVE, with its address? What is younger than the gate window
is left out, and so is a member that is shutting down. A page that is not answered counts as lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from mimir_migrate.sandbox.simulation.configuration import Configuration
from mimir_migrate.sandbox.simulation.host import HostClock
from mimir_migrate.sandbox.simulation.process import SimulatedProcess
from mimir_migrate.sandbox.simulation.stores.kv import Meter

PERIOD: Final = 1.0
_TRAFFIC: Final = ("distributor", "querier", "ruler")


class MissWatch:
    """Counts what is lost sight of.

    Args:
        clock: The simulation's clock.
        processes: All processes.
        answers: Whether a pod answers its pages as it should.
        fails: Whether a fault fails the users' requests at a pod.
        after_each: Called after each round.
    """

    def __init__(
        self,
        clock: HostClock,
        processes: Callable[[], Iterable[SimulatedProcess]],
        answers: Callable[[str], bool],
        fails: Callable[[str], bool],
        after_each: Callable[[], None],
    ) -> None:
        self.observations = 0
        self.lost_sight = 0
        self.by_ring: dict[str, dict[str, int]] = {}
        self.missed: dict[str, int] = {}
        """Lost sights by `ring observer member`."""
        self._clock = clock
        self._processes = processes
        self._answers = answers
        self._fails = fails
        self._after_each = after_each
        self._windows: dict[int, tuple[Configuration, float]] = {}
        clock.after(PERIOD, self._round)

    def observers(self, ring: str) -> list[SimulatedProcess]:
        """The pods whose page of a ring counts now."""
        return [process for process in self._counting() if ring in process.pages]

    def members(self, ring: str) -> list[SimulatedProcess]:
        """The living ACTIVE members of a ring that count now."""
        return [
            process
            for process in self._counting()
            if ring in process.active_since and self._is_old_enough(process, ring)
        ]

    def _counting(self) -> list[SimulatedProcess]:
        """The Ready processes that are old enough."""
        now = self._clock.now()
        return [
            process
            for process in self._processes()
            if process.ready and now - process.ready_since >= self._window(process)
        ]

    def _is_old_enough(self, process: SimulatedProcess, ring: str) -> bool:
        return self._clock.now() - process.active_since[ring] >= self._window(process)

    def _window(self, process: SimulatedProcess) -> float:
        """The gate window with a process' configuration, in seconds of the scheduler."""
        configuration = process.configuration
        if configuration is None:
            return 0.0
        known = self._windows.get(id(configuration))
        if known is None or known[0] is not configuration:
            known = (configuration, gate_window(configuration) / self._clock.speed)
            self._windows[id(configuration)] = known
        return known[1]

    def _round(self) -> None:
        self._clock.after(PERIOD, self._round)
        counting = self._counting()
        members: dict[str, list[tuple[str, str]]] = {}
        for process in counting:
            for ring in process.active_since:
                if self._is_old_enough(process, ring):
                    address = process.lifecyclers[ring].seat.address
                    members.setdefault(ring, []).append((process.spec.name, address))
        for process in counting:
            answers = self._answers(process.spec.name)
            for ring, reader in process.pages.items():
                if ring in members:
                    shown = reader.watched(_meter(process, ring)) if answers else {}
                    self._compare(ring, process.spec.name, members[ring], shown)
        for process in self._processes():
            if process.ready:
                self._pass_traffic(process)
        self._after_each()

    def _compare(
        self, ring: str, observer: str, members: list[tuple[str, str]], shown: dict[str, str]
    ) -> None:
        counts = self.by_ring.setdefault(ring, {"lost": 0, "observations": 0})
        counts["observations"] += len(members)
        self.observations += len(members)
        for id_, address in members:
            if shown.get(id_) != address:
                counts["lost"] += 1
                self.lost_sight += 1
                key = f"{ring} {observer} {id_}"
                self.missed[key] = self.missed.get(key, 0) + 1

    def _pass_traffic(self, process: SimulatedProcess) -> None:
        configuration = process.configuration
        reader = process.readers.get(("ingester", "ingester-ring"))
        if configuration is None or reader is None:
            return
        enough = len(reader.active()) >= replication_factor(configuration) // 2 + 1
        works = enough and not self._fails(process.spec.name)
        rulers = process.readers.get(("ruler", "ruler"))
        for component in configuration.components:
            if component == "ruler" and rulers is not None:
                process.traffic.own(process.spec.name, rulers.active())
            if component in _TRAFFIC:
                process.traffic.pass_by(component, PERIOD, works=works)


def _meter(process: SimulatedProcess, ring: str) -> Meter:
    return next(client.meter for (name, _), client in process.clients.items() if name == ring)


def gate_window(configuration: Configuration) -> float:
    """2 × the longest heartbeat period + `puller_sync_time` where DynamoDB is read + the reload period."""
    beats = []
    pulls = [0.0]
    for ring in configuration.rings:
        if ring.left_because or not configuration.is_on(ring):
            continue
        beats.append(configuration.seconds(ring.heartbeat_period_path, 15.0))
        if "dynamodb" in configuration.store_names(ring):
            pulls.append(configuration.seconds((*ring.path, "dynamodb", "puller_sync_time"), 60.0))
    reload = configuration.seconds(("runtime_config", "period"), 10.0)
    return 2 * max(beats, default=15.0) + max(pulls) + reload


@lru_cache(maxsize=256)
def replication_factor(configuration: Configuration) -> int:
    """Of the ingester ring."""
    for ring in configuration.rings:
        if ring.name == "ingester":
            return int(configuration.value((*ring.ring_path, "replication_factor")) or 3)
    return 3

"""The sandbox watches itself: does every page show every living member?

Each second of product time, for each Ready process that serves a ring's page and each living ACTIVE
member of that ring: is the member shown ACTIVE, with its address? What is younger than the gate window
is left out, and so is a member that is shutting down. A page that is not answered counts as lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.sandbox.interface import PodPhase
from mimir_migrate.sandbox.simulation.configuration import Configuration
from mimir_migrate.sandbox.simulation.host import Clock
from mimir_migrate.sandbox.simulation.process import SimulatedProcess

PERIOD: Final = 1.0
_TRAFFIC: Final = ("distributor", "querier", "ruler")


class Watch:
    """Counts what is lost sight of.

    Args:
        product: Which product.
        clock: The simulation's clock.
        processes: All processes.
        answers: Whether a pod answers its pages as it should.
        fails: Whether a fault fails the users' requests at a pod.
        after_each: Called after each round.
    """

    def __init__(
        self,
        product: Product,
        clock: Clock,
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
        self._rings = tuple(ring for ring in rings_of(product) if not ring.left_because)
        self._clock = clock
        self._processes = processes
        self._answers = answers
        self._fails = fails
        self._after_each = after_each
        self._windows: dict[int, tuple[Configuration, float]] = {}
        clock.after(PERIOD, self._round)

    def observers(self, ring: str) -> list[SimulatedProcess]:
        """The pods whose page of a ring counts now."""
        found = next(one for one in self._rings if one.name == ring)
        return [
            process
            for process in self._processes()
            if self._is_old_enough(process) and process.page_reader(found) is not None
        ]

    def members(self, ring: str) -> list[SimulatedProcess]:
        """The living ACTIVE members of a ring that count now."""
        now = self._clock.now()
        found = []
        for process in self._processes():
            since = process.active_since(ring)
            if (
                since is not None
                and process.ready
                and now - max(since, process.ready_since) >= self._window(process)
            ):
                found.append(process)
        return found

    def _is_old_enough(self, process: SimulatedProcess) -> bool:
        return process.ready and self._clock.now() - process.ready_since >= self._window(process)

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
        running = [p for p in self._processes() if p.phase is PodPhase.RUNNING and p.ready]
        for ring in self._rings:
            members = [
                (process.spec.name, process.lifecyclers[ring.name].seat.address)
                for process in self.members(ring.name)
            ]
            for process in running if members else ():
                reader = process.page_reader(ring)
                if reader is None or not self._is_old_enough(process):
                    continue
                name = process.spec.name
                shown = reader.active() if self._answers(name) else {}
                counts = self.by_ring.setdefault(ring.name, {"lost": 0, "observations": 0})
                for id_, address in members:
                    counts["observations"] += 1
                    self.observations += 1
                    if shown.get(id_) != address:
                        counts["lost"] += 1
                        self.lost_sight += 1
                        key = f"{ring.name} {name} {id_}"
                        self.missed[key] = self.missed.get(key, 0) + 1
        for process in running:
            self._pass_traffic(process)
        self._after_each()

    def _pass_traffic(self, process: SimulatedProcess) -> None:
        configuration = process.configuration
        reader = process.readers.get(("ingester", "ingester-ring"))
        if configuration is None or reader is None:
            return
        enough = len(reader.active()) >= replication_factor(configuration) // 2 + 1
        works = enough and not self._fails(process.spec.name)
        for component in configuration.components:
            if component in _TRAFFIC:
                process.traffic.pass_by(component, PERIOD, works=works)


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


def replication_factor(configuration: Configuration) -> int:
    """Of the ingester ring."""
    for ring in configuration.rings:
        if ring.name == "ingester":
            return int(configuration.value((*ring.ring_path, "replication_factor")) or 3)
    return 3

"""The bridge's metrics, as Prometheus reads them, and who asked it lately."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from mimir_migrate.bridge.limits import Budget
from mimir_migrate.bridge.probe import Probe
from mimir_migrate.bridge.rings import Rings

_MOST_CLIENTS: Final = 10_000
_COUNTED: Final = {
    "torn": "Reads whose members did not match their head, read again",
    "conflicts": "Writes over a version that was not the newest",
    "lifted": "Times that a table without the newest versions was brought above them",
}


class Clients:
    """Which addresses asked for which ring, and when last.

    Args:
        now: Seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.started = now()
        self._seen: dict[str, tuple[float, set[str]]] = {}

    def note(self, address: str, key: str) -> None:
        """Note a request."""
        _, keys = self._seen.pop(address, (0.0, set()))
        keys.add(key)
        self._seen[address] = (self._now(), keys)
        if len(self._seen) > _MOST_CLIENTS:
            del self._seen[next(iter(self._seen))]

    def lately(self) -> dict[str, dict[str, Any]]:
        """Each address, with when it asked last and for which rings since this replica started."""
        return {
            address: {"last": round(at, 3), "keys": sorted(keys)}
            for address, (at, keys) in self._seen.items()
        }

    def count(self, seconds: float) -> int:
        """Addresses that asked within so many seconds."""
        oldest = self._now() - seconds
        return sum(1 for at, _ in self._seen.values() if at >= oldest)


class Figures:
    """What `/metrics` tells.

    Args:
        rings: The rings.
        budget: Bytes under way.
        clients: Who asks.
        probe: What proves this replica to the others; None: nothing does.
    """

    def __init__(
        self, rings: Rings, budget: Budget, clients: Clients, probe: Probe | None = None
    ) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

        self._rings, self._budget, self._clients = rings, budget, clients
        self._probe = probe
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "ring_bridge_requests",
            "Requests by method, ring and status",
            ["method", "key", "status"],
            registry=self.registry,
        )
        self.writes = Counter(
            "ring_bridge_writes",
            "Writes by ring and answer: true, false, error",
            ["key", "answer"],
            registry=self.registry,
        )
        self.refused = Counter(
            "ring_bridge_refused",
            "Requests that are no part of what is served",
            ["what"],
            registry=self.registry,
        )
        self.watches = Gauge("ring_bridge_watches", "Watches held now", registry=self.registry)
        self.registry.register(cast("Any", self))  # it only calls `collect`

    def page(self) -> bytes:
        """The page."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def collect(self) -> Iterator[Any]:
        """What is looked at when somebody asks; `prometheus_client` calls it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        replicas = self._rings.replicas.items()
        for name, text, value in (
            ("index", "Index of the newest version", lambda one: one.index),
            ("members", "Members", lambda one: len(one.version.entries) if one.version else 0),
            (
                "heartbeats_per_second",
                "Heartbeats over the last minute",
                lambda one: one.pace.rate(),
            ),
        ):
            gauge = GaugeMetricFamily(f"ring_bridge_{name}", text, labels=["key"])
            for key, replica in replicas:
                gauge.add_metric([key], value(replica))
            yield gauge
        for name, text in _COUNTED.items():
            counter = CounterMetricFamily(f"ring_bridge_{name}", text, labels=["key"])
            for key, replica in replicas:
                counter.add_metric([key], replica.tally[name])
            yield counter
        away = self._rings.away_since is not None
        yield GaugeMetricFamily("ring_bridge_table_away", "The table does not answer", value=away)
        if self._probe is not None and self._probe.age is not None:
            yield GaugeMetricFamily(
                "ring_bridge_probe_age_seconds",
                "Seconds since a write of this replica's own was acknowledged",
                value=self._probe.age,
            )
        yield GaugeMetricFamily(
            "ring_bridge_clients",
            "Addresses that asked within 2 minutes",
            value=self._clients.count(120),
        )
        yield GaugeMetricFamily(
            "ring_bridge_bytes_under_way", "Bytes of answers and values", value=self._budget.held
        )
        yield CounterMetricFamily(
            "ring_bridge_slow_clients",
            "Connections cut that took too long",
            value=self._budget.cut,
        )

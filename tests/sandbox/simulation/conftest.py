"""A tiny cluster around the simulation: rolling restarts of processes, without any Kubernetes."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase, Process, ProcessSpec
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.simulation import Simulation
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems

STATEFUL = ("ingester", "store-gateway", "compactor", "alertmanager")
REPLICAS = {
    "distributor": 2,
    "ingester": 3,
    "store-gateway": 3,
    "compactor": 3,
    "ruler": 3,
    "alertmanager": 3,
    "querier": 1,
}
STOP_SECONDS = {"ingester": 20.0, "compactor": 15.0}
PROBE_PERIOD = 10.0
RING_PATHS = {
    Product.CORTEX: (
        "ingester.lifecycler.ring",
        "store_gateway.sharding_ring",
        "compactor.sharding_ring",
        "ruler.ring",
        "alertmanager.sharding_ring",
    ),
    Product.MIMIR: (
        "ingester.ring",
        "distributor.ring",
        "store_gateway.sharding_ring",
        "compactor.sharding_ring",
        "ruler.ring",
        "alertmanager.sharding_ring",
    ),
}
BASE = {
    Product.CORTEX: """
ingester:
  lifecycler:
    final_sleep: 0s
    join_after: 4s
    observe_period: 4s
store_gateway:
  sharding_enabled: true
  sharding_ring: {heartbeat_period: 5s, wait_stability_min_duration: 20s}
compactor:
  sharding_enabled: true
  sharding_ring: {wait_stability_min_duration: 20s}
ruler: {enable_sharding: true}
alertmanager: {sharding_enabled: true, sharding_ring: {heartbeat_period: 5s}}
memberlist: {abort_if_cluster_join_fails: false, join_members: [gossip], rejoin_interval: 60s}
runtime_config: {file: /runtime.yaml, period: 2s}
""",
    Product.MIMIR: """
ingester:
  ring: {unregister_on_shutdown: false, tokens_file_path: /data/tokens}
store_gateway: {sharding_ring: {unregister_on_shutdown: false, tokens_file_path: /data/tokens}}
memberlist: {join_members: [gossip], rejoin_interval: 60s}
runtime_config: {file: /runtime.yaml, period: 2s}
""",
}


def config_of(product: Product, state: str, *, mirror: bool = True, **changes: Any) -> str:
    """A whole configuration with every ring in one state, e.g. `memberlist+dynamodb`."""
    import yaml

    tree = yaml.safe_load(BASE[product])
    primary, _, secondary = state.partition("+")
    block: dict[str, Any] = {"store": primary}
    if secondary:
        block = {
            "store": "multi",
            "multi": {"primary": primary, "secondary": secondary, "mirror_enabled": mirror},
        }
    if "dynamodb" in state:
        block["dynamodb"] = {
            "region": "eu-west-1",
            "table_name": "rings",
            "puller_sync_time": changes.pop("puller_sync_time", "5s"),
        }
    for path in RING_PATHS[product]:
        here = tree
        for key in path.split("."):
            here = here.setdefault(key, {})
        here["kvstore"] = block
    for path, value in changes.items():
        here = tree
        *keys, last = path.split("__")
        for key in keys:
            here = here.setdefault(key, {})
        here[last] = value
    return yaml.safe_dump(tree)


class TinyCluster:
    """Pods of one release on virtual time, restarted one by one or with a surge."""

    def __init__(
        self,
        product: Product,
        config: str,
        *,
        seed: int = 0,
        replicas: dict[str, int] | None = None,
        seeds: int | None = None,
        **arguments: Any,
    ) -> None:
        self.product = product
        self.config = config
        self.runtime = "overrides: {}\n"
        self.scheduler = VirtualScheduler()
        self.items = arguments.pop("items", None) or MemoryItems(arguments.get("client", "master"))
        self.processes: dict[str, Process] = {}
        self._seeds = seeds
        self._number = 0
        self._random = random.Random(seed)
        if product is Product.MIMIR:
            arguments.setdefault("stores", frozenset({"dynamodb"}))
        self.simulation = Simulation(
            product=product,
            scheduler=self.scheduler,
            surroundings=self,
            items=self.items,
            seed=seed,
            **arguments,
        )
        for component, count in (replicas or REPLICAS).items():
            for index in range(count):
                self.launch(f"{component}-{index}")

    # --- what processes see ---------------------------------------------------------------------

    def gossip_addresses(self) -> Sequence[str]:
        """All living pods, or as many seeds as there are to be."""
        living = [
            process.spec.ip
            for name, process in sorted(self.processes.items())
            if process.phase not in {PodPhase.GONE, PodPhase.CRASHED}
        ]
        return living[: self._seeds]

    def runtime_file(self, process: ProcessSpec) -> str | None:
        """One file for all."""
        return self.runtime

    # --- what Kubernetes does -------------------------------------------------------------------

    def launch(self, name: str, args: tuple[str, ...] = ()) -> Process:
        """Start a pod with a new uid and address."""
        self._number += 1
        component = name.rsplit("-", 1)[0]
        component = next(c for c in REPLICAS | {"query-frontend": 1} if name.startswith(c))
        spec = ProcessSpec(
            name=name,
            uid=f"uid-{self._number}",
            ip=f"10.0.{self._number // 250}.{self._number % 250 + 1}",
            component=component,
            args=(f"-target={component}", *args),
            config=self.config,
            stop_seconds=STOP_SECONDS.get(component, 5.0),
        )
        process = self.simulation.start(spec, lambda _: None)
        self.processes[name] = process
        return process

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.scheduler.run_for(seconds)

    def until(self, condition: Callable[[], bool], limit: float = 600.0) -> bool:
        """Let time pass until something holds; False where it does not come to that."""
        end = self.scheduler.now() + limit
        while not condition():
            if self.scheduler.now() >= end:
                return False
            self.scheduler.run_for(0.5)
        return True

    def all_ready(self) -> bool:
        """Whether every pod is ready."""
        return all(process.ready for process in self.processes.values())

    def settle(self) -> None:
        """Start everything and wait until the watch counts all of it."""
        assert self.until(self.all_ready), self.not_ready()
        self.run(80)

    def not_ready(self) -> list[str]:
        """Who is not ready, and why."""
        return [
            f"{n}: {p.phase} {p.crash_reason}" for n, p in self.processes.items() if not p.ready
        ]

    def rollout(self, config: str, limit: float = 300.0) -> bool:
        """Roll every workload at once, as a deploy does; False where a pod does not become ready."""
        self.config = config
        workloads: dict[str, list[str]] = {}
        for name in sorted(self.processes):
            component = self.processes[name].spec.component
            workloads.setdefault(component, []).append(name)
        rolls = [
            self._stateful(names) if component in STATEFUL else self._surging(names)
            for component, names in workloads.items()
        ]
        end = self.scheduler.now() + limit
        while rolls:
            for roll in list(rolls):
                if next(roll, "over") == "over":
                    rolls.remove(roll)
            self.scheduler.run_for(0.5)
            if self.scheduler.now() >= end:
                return False
        return True

    def _stateful(self, names: list[str]) -> Any:
        for name in reversed(names):
            old = self.processes[name]
            self.simulation.stop(name, old.spec.uid)
            while old.phase is not PodPhase.GONE:
                yield
            new = self.launch(name)
            yield from self._probed(new)

    def _surging(self, names: list[str]) -> Any:
        for name in names:
            base = self.processes[name].spec.component
            new = self.launch(f"{base}-{self._number + 100}")
            yield from self._probed(new)
            old = self.processes.pop(name)
            self.simulation.stop(name, old.spec.uid)
            while old.phase is not PodPhase.GONE:
                yield

    def _probed(self, process: Process) -> Any:
        """Wait until a readiness probe finds the process ready."""
        probe = self._random.uniform(0.0, PROBE_PERIOD)
        while not process.ready:
            yield
        until = self.scheduler.now() + probe
        while self.scheduler.now() < until:
            yield

    # --- what is seen ---------------------------------------------------------------------------

    @property
    def lost(self) -> int:
        """What the watch has lost sight of so far."""
        return self.simulation.watch.lost_sight

    def lost_in(self, ring: str) -> int:
        """The same for one ring."""
        return self.simulation.watch.by_ring.get(ring, {"lost": 0})["lost"]


@pytest.fixture
def tiny_cluster() -> type[TinyCluster]:
    """The class of the tiny cluster."""
    return TinyCluster


@pytest.fixture
def configured() -> Callable[..., str]:
    """Writes a configuration."""
    return config_of


@pytest.fixture
def captures() -> Path:
    """The folder of what real pods answered; skips where it is absent."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("MIMIR_MIGRATE_SHARED", root.parent / "shared")) / "captures"
    if not folder.is_dir():
        pytest.skip("the folder of captured pages is not here")
    return folder

"""How the sandbox's simulated pods and its cluster meet.

`simulation` holds what a Mimir or Cortex process does; `cluster` holds what Kubernetes does around
it. Both run on one scheduler in one thread, in real time behind a server or in virtual time in a
test. Durations in arguments are the product's own (unscaled); whoever schedules divides by the speed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import msgspec

from mimir_migrate.model.rings import Product


class Handle(Protocol):
    """Something scheduled."""

    def cancel(self) -> None:
        """Do not run it."""


class Scheduler(Protocol):
    """Time and what happens in it. Single-threaded."""

    def now(self) -> float:
        """Seconds since the epoch, real or virtual."""

    def after(self, seconds: float, callback: Callable[[], None]) -> Handle:
        """Run `callback` once, `seconds` (of this clock, already scaled) from now."""


class PodPhase(StrEnum):
    """Where a simulated process stands."""

    STARTING = "starting"
    RUNNING = "running"
    """It serves its pages; ready or not is another question."""
    TERMINATING = "terminating"
    """Asked to stop; it lives on, serves and heartbeats until its grace is over."""
    CRASHED = "crashed"
    """Ended by itself (bad configuration, nobody to join); Kubernetes starts it again."""
    GONE = "gone"


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What Kubernetes hands to a process when it starts a pod."""

    name: str
    uid: str
    ip: str
    component: str
    args: tuple[str, ...]
    """The container's arguments: `-target=…` and flags that override the configuration."""
    config: str
    """The text of the configuration file, as mounted at this moment."""
    zone: str = ""
    image: str = ""
    gossips: bool = True
    stop_seconds: float = 20.0
    """How long the process takes to stop once asked, while it keeps heartbeating."""
    files: Mapping[str, str] = {}
    """Path → text of everything that is mounted from ConfigMaps and Secrets."""
    environment: Mapping[str, str] = {}
    """The container's variables that have a value of their own."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated pod answers to an HTTP request."""

    status: int
    content_type: str
    body: bytes


class Process(Protocol):
    """One simulated Mimir or Cortex process."""

    @property
    def spec(self) -> ProcessSpec:
        """What it was started with."""

    @property
    def phase(self) -> PodPhase:
        """Where it stands."""

    @property
    def ready(self) -> bool:
        """What `/ready` says."""

    @property
    def crash_reason(self) -> str:
        """The last line of its log, where it crashed."""

    @property
    def log(self) -> Sequence[str]:
        """The last lines that it wrote, oldest first."""

    def get(self, path: str, accept: str) -> Response:
        """Answer `GET path` (with its query). Raises TimeoutError where a fault keeps it silent."""


@runtime_checkable
class RemoteProcess(Process, Protocol):
    """A process that is asked over the network."""

    @property
    def port(self) -> int:
        """Where it serves its pages."""

    async def fetch(self, path: str, accept: str) -> Response:
        """Answer `GET path`. Raises TimeoutError, and ConnectionError where nothing listens."""


class Addresses(Protocol):
    """Gives pods their addresses."""

    def take(self) -> str:
        """An address that no pod has now."""

    def give_back(self, address: str) -> None:
        """The pod of that address is gone."""


class Programs(Protocol):
    """Runs pods that are neither Mimir nor Cortex and yet real programs."""

    addresses: Addresses

    def runs(self, pod: Mapping[str, Any]) -> bool:
        """Whether a pod is one of these."""

    def holds(self, name: str) -> bool:
        """Whether a fault keeps a pod's process from being started."""

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        """Start a process; `on_change` is called whenever its phase or readiness changes."""

    def stop(self, name: str, uid: str) -> None:
        """Ask a process to stop (SIGTERM)."""

    def kill(self, name: str, uid: str) -> None:
        """End a process at once, and for good."""

    def write_mounts(self, spec: ProcessSpec, files: Mapping[str, str]) -> None:
        """Write what is mounted in a pod after a change of it."""


class Surroundings(Protocol):
    """What a process sees of the cluster around it."""

    def gossip_addresses(self) -> Sequence[str]:
        """IPs that the gossip service resolves to now, not-ready pods included."""

    def runtime_file(self, process: ProcessSpec) -> str | None:
        """The runtime configuration file as it is mounted in that pod now; None: no such file."""


class RingItems(Protocol):
    """The DynamoDB table as a ring client uses it. Raises `ThrottledError`, `MissingTableError`."""

    def query(self, table: str, ring_key: str) -> Mapping[str, tuple[bytes, int]]:
        """Items of one ring: InstanceKey → (Data, version)."""

    def write(
        self,
        table: str,
        ring_key: str,
        put: Mapping[str, tuple[bytes, int]],
        delete: Sequence[str],
    ) -> None:
        """Put (Data, and the version the item must still have; 0: must not exist) and delete."""


class ThrottledError(Exception):
    """DynamoDB refused a request for now."""


class DeniedByDynamoDBError(Exception):
    """The pod's role does not allow the request."""


class MissingTableError(Exception):
    """There is no such table."""


class ObjectConflictError(Exception):
    """An item did not have the version that the write was conditioned on."""


class Simulation(Protocol):
    """All processes of one release, simulated or real, and the watch over what they see."""

    product: Product

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        """Start a process; `on_change` is called whenever its phase or readiness changes."""

    def stop(self, name: str, uid: str) -> None:
        """Ask a process to stop (SIGTERM)."""

    def kill(self, name: str, uid: str) -> None:
        """End a process at once (SIGKILL, eviction, a lost node)."""

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Make something go wrong; returns one line that says what."""

    def status(self) -> Mapping[str, object]:
        """`lost_sight`, `observations`, `by_ring`, `faults` and more."""

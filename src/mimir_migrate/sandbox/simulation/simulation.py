"""All simulated processes of one release, what goes wrong with them, and the watch over them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

import msgspec

from mimir_migrate.errors import UsageError
from mimir_migrate.model.facts import Member
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import (
    DeniedByDynamoDBError,
    PodPhase,
    Process,
    ProcessSpec,
    Response,
    RingItems,
    Scheduler,
    Surroundings,
    ThrottledError,
)
from mimir_migrate.sandbox.simulation.answers.pages import render
from mimir_migrate.sandbox.simulation.faults import Faults
from mimir_migrate.sandbox.simulation.host import HostClock
from mimir_migrate.sandbox.simulation.injector import ProcessFaults
from mimir_migrate.sandbox.simulation.process import SimulatedProcess
from mimir_migrate.sandbox.simulation.stores.gossip import Network
from mimir_migrate.sandbox.simulation.stores.items import GENERATIONS, UNVERSIONED
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.table import TableAccess
from mimir_migrate.sandbox.simulation.stores.wire import NobodyThere, Wire
from mimir_migrate.sandbox.simulation.watch import MissWatch

_REVISIONS = {
    Product.CORTEX: "a8c6358a13073af1dfa81394420273e5fe9ce88c",
    Product.MIMIR: "b7d06f9",
}
_HUGE = 50_000_000


class Simulation:
    """Every process of one release.

    Args:
        product: Which product runs.
        scheduler: Real or virtual time.
        surroundings: The cluster around the processes.
        items: The ring table.
        speed: How many product seconds pass in one of the scheduler's.
        stores: Stores that the build offers besides the product's own, e.g. `dynamodb`.
        client: The generation of the DynamoDB client: `1.16`, `1.20` or `master`.
        seed: Makes delays, names and tokens the same in each run.
        version: What `cortex_build_info` says.
        without: Mechanisms taken out: `mirroring`, `left-marking`, `delete`.
        wire: Carries the requests of Consul clients; left out: nobody answers them.
    """

    def __init__(
        self,
        *,
        product: Product,
        scheduler: Scheduler,
        surroundings: Surroundings,
        items: RingItems,
        speed: float = 1.0,
        stores: frozenset[str] = frozenset(),
        client: str = "master",
        seed: int = 0,
        version: str = "",
        without: frozenset[str] = frozenset(),
        wire: Wire | None = None,
    ) -> None:
        if client not in GENERATIONS:
            raise UsageError(
                f"starting a simulation: there is no DynamoDB client {client!r}",
                hint=f"one of {', '.join(GENERATIONS)}",
            )
        self.product = product
        self.version = version
        self.revision = _REVISIONS[product]
        self.stores = stores
        self.generation = client
        self.without = without
        self.surroundings = surroundings
        self.clock = HostClock(scheduler, speed)
        self.wire: Wire = wire or NobodyThere()
        self.values = RingValues(self.clock)
        self._random = random.Random(seed)
        self.network = Network(self.clock, self._random)
        self.faults = Faults(self.clock)
        self.table = TableAccess(
            self.clock,
            items,
            versioned=client != UNVERSIONED,
            named=product is Product.MIMIR,
            before=self._before_request,
            alter=self._alter_item,
        )
        self._processes: dict[tuple[str, str], SimulatedProcess] = {}
        self._disks: dict[tuple[str, str], list[int]] = {}
        self.injector = ProcessFaults(self)
        self.watch = MissWatch(
            self.clock,
            self._processes.values,
            self._answers,
            lambda pod: self.faults.has("errors-5xx", pod),
            self._round_over,
        )

    # --- processes ------------------------------------------------------------------------------

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        """Start a process; `on_change` is called whenever its phase or readiness changes."""
        rng = random.Random(self._random.getrandbits(64))
        process = SimulatedProcess(self, spec, on_change, rng)
        self._processes[spec.name, spec.uid] = process
        for fault in self.faults.of("clock-skew"):
            if fault.befalls(spec.name):
                process.host.skew = int(fault.detail.get("offset", "120"))
        return process

    def stop(self, name: str, uid: str) -> None:
        """Ask a process to stop (SIGTERM)."""
        process = self._processes.get((name, uid))
        if process is not None:
            process.stop()

    def kill(self, name: str, uid: str) -> None:
        """End a process at once (SIGKILL, eviction, a lost node)."""
        process = self._processes.get((name, uid))
        if process is not None:
            process.end(PodPhase.GONE)
        self._forget_ended()

    def named(self, pod: str) -> list[SimulatedProcess]:
        """The living processes of a pod's name."""
        return [
            process
            for (name, _), process in self._processes.items()
            if name == pod and process.host.alive
        ]

    def processes(self) -> Iterable[SimulatedProcess]:
        """All processes, those that ended a moment ago included."""
        return self._processes.values()

    def _round_over(self) -> None:
        self._forget_ended()
        self.injector.count_round()

    def _forget_ended(self) -> None:
        for key, process in list(self._processes.items()):
            if not process.host.alive:
                del self._processes[key]

    # --- what processes ask of the build they are of --------------------------------------------

    def tokens_file(self, pod: str, ring: str) -> list[int]:
        """What the tokens file on a pod's disk holds; changed in place."""
        return self._disks.setdefault((pod, ring), [])

    def hidden(self, pod: str, ring: str) -> frozenset[str]:
        """Members that a fault keeps out of a pod's sight."""
        split = self.injector.split
        if split is None or split.ring != ring or pod not in split.observers:
            return frozenset()
        return frozenset((split.member,))

    def mirror_lost(self, pod: str) -> bool:
        """Whether a fault loses mirrored writes of a pod now."""
        return self.faults.has("frozen-mirror", pod)

    def runtime_lost(self, pod: str) -> bool:
        """Whether a fault keeps a pod's runtime file from being updated."""
        return self.faults.has("runtime-lost", pod)

    def render(self, process: SimulatedProcess, path: str, accept: str) -> Response:
        """Answer a page, or fail to, as the faults have it."""
        pod = process.spec.name
        if self.faults.has("pod-silent", pod):
            raise TimeoutError(f"{pod} does not answer")
        if self.faults.has("pod-garbage", pod):
            return Response(status=200, content_type="text/html", body=b"\x00\xff<garbage" * 16)
        if self.faults.has("pod-huge", pod):
            return Response(status=200, content_type="text/plain", body=b"#" * _HUGE)
        answer = render(process, path, accept)
        if path.startswith("/metrics"):
            return self._spoil_metrics(pod, answer)
        return answer

    def _spoil_metrics(self, pod: str, page: Response) -> Response:
        body = page.body.decode()
        for name in ("metric-missing", "metric-nan"):
            for fault in self.faults.of(name):
                if not fault.befalls(pod):
                    continue
                metric = fault.detail.get("metric", "cortex_multikv_primary_store")
                lines = []
                for line in body.splitlines():
                    if metric not in line.split("{", 1)[0]:
                        lines.append(line)
                    elif name == "metric-nan":
                        lines.append(
                            line if line.startswith("#") else line.rsplit(" ", 1)[0] + " NaN"
                        )
                body = "\n".join(lines) + "\n"
        return msgspec.structs.replace(page, body=body.encode())

    def _before_request(self, pod: str) -> None:
        if self.faults.has("dynamodb-throttled", pod):
            raise ThrottledError
        if self.faults.has("dynamodb-denied", pod):
            raise DeniedByDynamoDBError

    def _alter_item(self, member: Member) -> Member:
        """Change a token on its way into the table, where a fault says so."""
        if member.tokens and any(
            member.id in fault.pods for fault in self.faults.of("token-changed")
        ):
            tokens = tuple(sorted((*member.tokens[1:], (member.tokens[0] + 1) % 2**32)))
            return msgspec.structs.replace(member, tokens=tokens)
        return member

    def _answers(self, pod: str) -> bool:
        return not self.faults.any_of(("pod-silent", "pod-garbage", "pod-huge"), pod)

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Make something go wrong; returns one line that says what. See `ProcessFaults.inject`."""
        return self.injector.inject(fault, arguments)

    # --- what is going on -----------------------------------------------------------------------

    def status(self) -> Mapping[str, object]:
        """The watch's counts, the faults, the pods, and what was lost sight of most."""
        watch = self.watch
        most = sorted(watch.missed.items(), key=lambda item: -item[1])[:20]
        return {
            "lost_sight": watch.lost_sight,
            "observations": watch.observations,
            "by_ring": {name: dict(counts) for name, counts in sorted(watch.by_ring.items())},
            "time": self.clock.now(),
            "faults": self.faults.shown(),
            "pods": [_shown(process) for process in self._processes.values()],
            "missed": dict(most),
        }


def make_simulation(
    *,
    product: Product,
    scheduler: Scheduler,
    surroundings: Surroundings,
    items: RingItems,
    speed: float,
    stores: frozenset[str] = frozenset(),
    client: str = "master",
    seed: int = 0,
    version: str = "",
    wire: Wire | None = None,
) -> Simulation:
    """A simulation with every mechanism in it. Arguments as of `Simulation`."""
    return Simulation(
        product=product,
        scheduler=scheduler,
        surroundings=surroundings,
        items=items,
        speed=speed,
        stores=stores,
        client=client,
        seed=seed,
        version=version,
        wire=wire,
    )


def _shown(process: SimulatedProcess) -> dict[str, object]:
    return {
        "name": process.spec.name,
        "ip": process.spec.ip,
        "component": process.spec.component,
        "phase": process.phase.value,
        "ready": process.ready,
        "rings": {name: one.state.value for name, one in process.lifecyclers.items()},
        "crash_reason": process.crash_reason,
    }

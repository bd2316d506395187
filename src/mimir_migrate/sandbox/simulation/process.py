"""One simulated Mimir or Cortex process, from its start to its end."""

# Longer than 400 lines. One life of a process, from its start to its end; every part reads and sets the same state.

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from mimir_migrate.model.facts import MemberState
from mimir_migrate.model.rings import Product, Ring, Role
from mimir_migrate.model.stores import RuntimeBlock
from mimir_migrate.sandbox.interface import PodPhase, ProcessSpec, Response, Surroundings
from mimir_migrate.sandbox.simulation.answers.traffic import Traffic
from mimir_migrate.sandbox.simulation.configuration import (
    BadConfigurationError,
    Configuration,
    read_configuration,
)
from mimir_migrate.sandbox.simulation.host import Host, HostClock, Repeating
from mimir_migrate.sandbox.simulation.host import Ring as Members
from mimir_migrate.sandbox.simulation.lifecyclers import BasicLifecycler, Lifecycler
from mimir_migrate.sandbox.simulation.runtime_file import BadRuntimeFileError, RuntimeLoader
from mimir_migrate.sandbox.simulation.seats import is_classic, seat_of
from mimir_migrate.sandbox.simulation.stores.clients import (
    ClientFactory,
    RingClient,
    gossip_settings,
)
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode, Network
from mimir_migrate.sandbox.simulation.stores.kv import KVError
from mimir_migrate.sandbox.simulation.stores.reader import RingReader
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.table import TableAccess
from mimir_migrate.sandbox.simulation.stores.wire import Wire

_BOOT: Final = (0.5, 1.5)
"""Bounds of the seconds from the start of the container until its server listens."""
_CLIENTS_BEFORE_SERVICES: Final = 0.2
"""Seconds between building the KV clients, with the static primary, and following the runtime file."""
_PROBE: Final = 2.0
"""Seconds between two looks at readiness while it is not reached."""


PROBE_PERIOD: Final = 10.0
"""Seconds between two of the kubelet's probes: its default, which both charts keep."""
_NOT_FOUND: Final = 404
LINGERS: Final = "query-scheduler"
"""The component that stays until the end of its grace: seen with Mimir 2.17-dev, 180 s."""


def route_of(path: str) -> str:
    """The route that the products' request metrics name for a path, e.g. `store_gateway_ring`."""
    plain = path.partition("?")[0].strip("/")
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()) or "root"


class Build(Protocol):
    """What all processes of a simulation share."""

    product: Product
    version: str
    stores: frozenset[str]
    generation: str
    without: frozenset[str]
    clock: HostClock
    network: Network
    table: TableAccess
    wire: Wire
    values: RingValues
    surroundings: Surroundings
    revision: str

    def tokens_file(self, pod: str, ring: str) -> list[int]:
        """What the tokens file on a pod's disk holds; changed in place."""

    def hidden(self, pod: str, ring: str) -> frozenset[str]:
        """Members that a fault keeps out of a pod's sight."""

    def mirror_lost(self, pod: str) -> bool:
        """Whether a fault loses mirrored writes of a pod now."""

    def runtime_lost(self, pod: str) -> bool:
        """Whether a fault keeps a pod's runtime file from being updated."""

    def render(self, process: SimulatedProcess, path: str, accept: str) -> Response:
        """Answer a page."""


class SimulatedProcess:
    """One process.

    Args:
        build: What it shares with the others.
        spec: What Kubernetes starts it with.
        on_change: Called whenever its phase or readiness changes.
        rng: Its own randomness.
    """

    def __init__(
        self,
        build: Build,
        spec: ProcessSpec,
        on_change: Callable[[SimulatedProcess], None],
        rng: random.Random,
    ) -> None:
        self.build = build
        self.host = Host(build.clock, rng, spec.name, spec.ip)
        self.started_at = build.clock.now()
        self.configuration: Configuration | None = None
        self.clients: dict[tuple[str, str], RingClient] = {}
        """By ring and `kv_name`."""
        self.readers: dict[tuple[str, str], RingReader] = {}
        """By ring and `kv_name`."""
        self.lifecyclers: dict[str, Lifecycler] = {}
        """By ring."""
        self.gossip: GossipNode | None = None
        self.runtime: RuntimeLoader | None = None
        self.traffic = Traffic()
        self.requests: Counter[tuple[str, int]] = Counter()
        """Pages that were asked for, by route and status; `probes` has the kubelet's."""
        self.serving_since = self.ready_since = 0.0
        self.active_since: dict[str, float] = {}
        """Since when it has been a living ACTIVE member, by ring; empty once it is asked to stop."""
        self.pages: dict[str, RingReader] = {}
        """The readers behind the ring pages that it serves, by ring."""
        self._spec = spec
        self._on_change = on_change
        self._phase = PodPhase.STARTING
        self._ready = False
        self._crash_reason = ""
        self._serving = False
        self._healthy_since: int | None = None
        self._ring_read: Members | None = None
        """The ingester's ring as it was read last for its own readiness; None: it could not be."""
        self._factory: ClientFactory | None = None
        self._probing = False
        self.host.after(rng.uniform(*_BOOT), self._boot)

    # --- what others see ------------------------------------------------------------------------

    @property
    def spec(self) -> ProcessSpec:
        """What it was started with."""
        return self._spec

    @property
    def phase(self) -> PodPhase:
        """Where it stands."""
        return self._phase

    @property
    def ready(self) -> bool:
        """What `/ready` says."""
        return self._ready

    @property
    def crash_reason(self) -> str:
        """The last line of its log, where it crashed."""
        return self._crash_reason

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines that it wrote."""
        return self.host.log.lines

    def get(self, path: str, accept: str) -> Response:
        """Answer `GET path`; while its server does not listen, as the API server answers for it.

        Raises:
            TimeoutError: A fault keeps it silent.
        """
        if not self._serving:
            refused = (
                f"Error trying to reach service: 'dial tcp {self._spec.ip}: connection refused'"
            )
            return Response(status=503, content_type="text/plain", body=refused.encode())
        answer = self.build.render(self, path, accept)
        self.requests[
            route_of(path) if answer.status != _NOT_FOUND else "other", answer.status
        ] += 1
        return answer

    def probes(self) -> Mapping[int, int]:
        """How often the kubelet asked `/ready` so far, by status: 503 until it is ready."""
        clock = self.build.clock
        if not self._serving:
            return {}
        until = self.ready_since if self._ready else clock.now()
        early = int((until - self.serving_since) * clock.speed // PROBE_PERIOD) + 1
        late = int((clock.now() - until) * clock.speed // PROBE_PERIOD) + 1
        return {503: early} | ({200: late} if self._ready else {})

    def page_reader(self, ring: Ring) -> RingReader | None:
        """The reader behind a ring's page; None where this process does not serve that page."""
        return self.pages.get(ring.name)

    def why_not_ready(self) -> str:
        """What `/ready` answers while the process is not ready."""
        cortex = self.build.product is Product.CORTEX
        if self._phase is PodPhase.TERMINATING:
            stopping = "Some services are not Running:\nStopping: 2\nTerminated: 5\n\n"
            return stopping if cortex else "Application is stopping\n"
        starting = [name for name, one in self.lifecyclers.items() if not one.settled]
        others = [name for name in starting if name != "ingester"]
        if self._factory is None or (self.clients and not self.lifecyclers and not self.readers):
            return "Some services are not Running:\nStarting: 1\n"
        if others and cortex:
            return f"Some services are not Running:\nStarting: {len(others)}\n"
        if others:
            return "Some services are not Running:\n" + "".join(f"{n}: Starting\n" for n in others)
        return "Ingester not ready: waiting for the ring\n"

    # --- starting -------------------------------------------------------------------------------

    def _boot(self) -> None:
        build = self.build
        try:
            self.configuration = read_configuration(
                build.product, build.version, build.stores, self._spec.config, self._spec.args
            )
        except BadConfigurationError as error:
            self.host.log.plain(str(error))
            self.crash(str(error))
            return
        self.host.log.starts(build.product, build.version, build.revision, self._spec.ip)
        self._serving = True
        self.serving_since = build.clock.now()
        self._set_phase(PodPhase.RUNNING)
        if not self._load_runtime_first():
            return
        self._factory = ClientFactory(
            self.host,
            self.configuration,
            build.table,
            build.generation,
            self._memberlist,
            wire=build.wire,
            values=build.values,
            without=build.without,
            mirror_lost=lambda: build.mirror_lost(self._spec.name),
        )
        self._build_clients(self._factory)
        self.host.after(_CLIENTS_BEFORE_SERVICES, self._start_services)

    def _build_clients(self, factory: ClientFactory) -> None:
        configuration = self._configured()
        for ring in configuration.rings:
            if not configuration.is_on(ring):
                continue
            for role in configuration.roles(ring):
                for kv_name in role.kv_names:
                    if (ring.name, kv_name) not in self.clients:
                        client = factory.build(ring, kv_name)
                        self.clients[ring.name, kv_name] = client

    def _memberlist(self) -> GossipNode:
        """The process' memberlist, made when the first ring wants it."""
        if self.gossip is None:
            self.gossip = GossipNode(
                self.build.network,
                self.host,
                gossip_settings(self._configured()),
                self.build.surroundings.gossip_addresses,
                self.crash,
                marks_left="left-marking" not in self.build.without,
            )
        return self.gossip

    def _start_services(self) -> None:
        if self.runtime is not None:
            self._hear(self.runtime.file.block)
        if self.gossip is not None:
            self.gossip.start()
        if not self.host.alive:
            return
        self.host.after(0.05, self._start_rings)

    def _start_rings(self) -> None:
        configuration = self._configured()
        self._start_next(
            [
                (ring, role)
                for ring in configuration.rings
                if configuration.is_on(ring) and not ring.left_because
                for role in configuration.roles(ring)
            ]
        )

    def _start_next(self, left: list[tuple[Ring, Role]]) -> None:
        """Start what is to be started first, and the rest once its ring was read."""
        if not left:
            self._look()
            return
        ring, role = left.pop(0)
        reads = role.kv_names[-1]
        if (not role.members_name and role.writes) or (ring.name, reads) in self.readers:
            self._start_role(ring, role, None)
            self._start_next(left)
            return
        reader = self._reader(ring, reads)

        def read(error: KVError | None) -> None:
            if error is not None:
                self.crash(f"failed to start ring: unable to initialise ring state: {error}")
                return
            self.readers[ring.name, reads] = reader
            self._start_role(ring, role, reader)
            self._start_next(left)

        reader.start(read)

    def _start_role(self, ring: Ring, role: Role, reader: RingReader | None) -> None:
        if role.page_reads_store:
            self.pages[ring.name] = self._reader(ring, role.kv_names[0], reads_store=True)
        elif role.serves_page:
            self.pages[ring.name] = self.readers[ring.name, role.kv_names[-1]]
        if role.writes and ring.name not in self.lifecyclers:
            self._start_lifecycler(ring, role.kv_names[0], reader)

    def _reader(self, ring: Ring, kv_name: str, *, reads_store: bool = False) -> RingReader:
        configuration = self._configured()
        return RingReader(
            self.host,
            self.clients[ring.name, kv_name].kv,
            configuration.ring_key(ring),
            configuration.seconds(ring.heartbeat_timeout_path, 60.0),
            configuration.product,
            lambda: self.build.hidden(self._spec.name, ring.name),
            reads_store=reads_store,
        )

    def _start_lifecycler(self, ring: Ring, kv_name: str, reader: RingReader | None) -> None:
        configuration = self._configured()
        classic = is_classic(configuration.product, ring)
        # Cortex' distributor and both products' ingesters do not wait to see themselves.
        waits_for = None if classic and ring.name in {"distributor", "ingester"} else reader
        lifecycler = (Lifecycler if classic else BasicLifecycler)(
            self.host,
            self.clients[ring.name, kv_name].kv,
            seat_of(configuration, ring, self._spec),
            self.build.tokens_file(self._spec.name, ring.name),
            self._look,
            self.crash,
            waits_for,
        )
        self.lifecyclers[ring.name] = lifecycler
        lifecycler.start()

    # --- the runtime configuration --------------------------------------------------------------

    def _load_runtime_first(self) -> bool:
        configuration = self._configured()
        path = str(configuration.value(("runtime_config", "file")) or "")
        if not path:
            return True
        spec, build = self._spec, self.build
        loader = RuntimeLoader(
            configuration.product, lambda: build.surroundings.runtime_file(spec), self._hear
        )
        try:
            loader.load(path)
        except BadRuntimeFileError as error:
            self.crash(f"failed to load runtime config: {error}")
            return False
        self.runtime = loader
        period = max(configuration.seconds(("runtime_config", "period"), 10.0), 0.1)
        Repeating(self.host, period, self._reload)
        return True

    def _reload(self) -> None:
        if self.runtime is not None and not self.build.runtime_lost(self._spec.name):
            self.runtime.reload()

    def _hear(self, block: RuntimeBlock) -> None:
        for client in self.clients.values():
            if client.ring.follows_runtime and client.multi is not None:
                client.multi.hear(block.primary, block.mirror_enabled)

    # --- readiness ------------------------------------------------------------------------------

    def _look(self) -> None:
        """Note who is ACTIVE since when, and whether the process has become ready."""
        if self._phase is not PodPhase.RUNNING:
            return
        now = self.build.clock.now()
        for name, lifecycler in self.lifecyclers.items():
            if lifecycler.state is MemberState.ACTIVE and lifecycler.tokens:
                if name not in self.active_since:
                    self.host.log.say("info", f"{name}.go", f"{name} is ACTIVE in the ring")
                self.active_since.setdefault(name, now)
            else:
                self.active_since.pop(name, None)
        if self._ready or self._factory is None:
            return
        if all(one.settled for one in self.lifecyclers.values()) and self._ingester_is_ready():
            self._ready = True
            self.ready_since = now
            self.host.log.started(self.build.product)
            self._on_change(self)
            return
        if not self._probing:
            self._probing = True
            self.host.after(_PROBE, self._probe_again)

    def _probe_again(self) -> None:
        self._probing = False
        self._look()

    def _ingester_is_ready(self) -> bool:
        """The ingester's own readiness: it sees itself, the ring is healthy, for long enough."""
        lifecycler = self.lifecyclers.get("ingester")
        if lifecycler is None:
            return True
        configuration = self._configured()
        block = next(
            ring.heartbeat_period_path[:-1]
            for ring in configuration.rings
            if ring.name == "ingester"
        )
        # A read that takes its time is looked at by the next probe.
        lifecycler.kv.read(lifecycler.seat.key, self._note_ring)
        ring = self._ring_read
        if ring is None:
            self._healthy_since = None
            return False
        own = ring.get(lifecycler.seat.id)
        healthy = own is not None and own.state is MemberState.ACTIVE and bool(own.tokens)
        if healthy and configuration.value((*block, "readiness_check_ring_health")):
            oldest = (
                lifecycler.kv.last_update(lifecycler.seat.key) - lifecycler.seat.heartbeat_timeout
            )
            healthy = all(
                member.state is MemberState.ACTIVE and member.timestamp >= oldest
                for member in ring.values()
            )
        now = self.host.ticks()
        if not healthy:
            self._healthy_since = None
            return False
        if self._healthy_since is None:
            self._healthy_since = now
        return now - self._healthy_since >= configuration.seconds((*block, "min_ready_duration"))

    def _note_ring(self, error: KVError | None, ring: Members | None) -> None:
        self._ring_read = None if error is not None else ring

    # --- ending ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """SIGTERM: LEAVING, heartbeats until everything is flushed, then out of the rings."""
        if self._phase is PodPhase.TERMINATING or not self.host.alive:
            return
        if self._phase is PodPhase.STARTING:
            self.end(PodPhase.GONE)
            return
        self._ready = False
        self.active_since.clear()
        self._set_phase(PodPhase.TERMINATING)
        self.host.log.say("info", "signals.go", "=== received SIGINT/SIGTERM ===\n*** exiting")
        for lifecycler in self.lifecyclers.values():
            lifecycler.leave()
        if self.configuration is not None and LINGERS in self.configuration.components:
            # It waits for its queriers to go away, with its ports closed, until it is killed.
            self.host.after(self._spec.stop_seconds, self._close)
            return
        self.host.after(self._spec.stop_seconds, self._unregister)

    def _close(self) -> None:
        self._serving = False
        for lifecycler in self.lifecyclers.values():
            lifecycler.unregister(lambda: None)

    def _unregister(self) -> None:
        left = [*self.lifecyclers.values()]

        def one_done() -> None:
            left.pop()
            if not left:
                # The goodbye to the rings is gossiped before the goodbye to the nodes.
                self.host.after(0.5, self._finish)

        for lifecycler in tuple(left):
            lifecycler.unregister(one_done)
        for ring in self.lifecyclers:
            self.host.log.say(
                "info", "basic_lifecycler.go", "instance removed from the ring", ring=ring
            )
        if not self.lifecyclers:
            self._finish()

    def _finish(self) -> None:
        if self.gossip is not None:
            self.gossip.leave()
        self.end(PodPhase.GONE)

    def crash(self, reason: str) -> None:
        """End by itself; Kubernetes starts it again."""
        if self.host.alive:
            self._crash_reason = reason
            if self.configuration is not None:
                self.host.log.say("error", "log.go", "error running application", err=reason)
            self.end(PodPhase.CRASHED)

    def end(self, phase: PodPhase) -> None:
        """Be gone at once."""
        if not self.host.alive:
            return
        self.host.alive = False
        self._serving = False
        self._ready = False
        self.active_since.clear()
        if self.gossip is not None:
            self.gossip.stop()
            self.build.network.look_around()
        self._set_phase(phase)

    def _set_phase(self, phase: PodPhase) -> None:
        self._phase = phase
        self._on_change(self)

    def _configured(self) -> Configuration:
        if self.configuration is None:
            raise RuntimeError("the process has not read its configuration yet")
        return self.configuration

"""A sandbox in virtual time behind the ports, and everything that an operator can do on it.

The real inspection, planner, gates and runner work on the sandbox's simulated cluster. Time passes only
when the runner sleeps, so that a migration of hours takes a moment and is the same in each run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from quick_world import asking
from release import ring_table
from virtual_bridge import VirtualBridge

from mimir_migrate.adapters.kubernetes import helm_secret
from mimir_migrate.adapters.kubernetes.objects import (
    autoscaler_from_json,
    pod_from_json,
    service_account_from_json,
    workload_from_json,
)
from mimir_migrate.adapters.recorder import OverlayFiles, RecordingChanges
from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.journal_copy import JournalCopy
from mimir_migrate.documents.ring_items import decode_instance
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.errors import (
    CommandError,
    DocumentError,
    ExitCode,
    FileChangedError,
    LeaseError,
    MigrateError,
    UnreachableError,
)
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    LeaseClaim,
    Outcome,
    ReleaseLease,
    RenewLease,
    TakeLease,
    WriteFile,
)
from mimir_migrate.model.events import (
    Event,
    Recorded,
    RequestKind,
    RunFinished,
    RunState,
)
from mimir_migrate.model.facts import (
    Autoscaler,
    Inspection,
    Pod,
    Release,
    RingHead,
    ServiceAccount,
    Table,
    TableItems,
    Workload,
)
from mimir_migrate.model.plan import Gate, Plan, Strategy
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import (
    AwsTarget,
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.operations import Environment, Operations, RunOptions
from mimir_migrate.operations.requests import Wish
from mimir_migrate.plans.planner import Order
from mimir_migrate.ports import Page, World
from mimir_migrate.sandbox.charts.rendering import release_of, render
from mimir_migrate.sandbox.inprocess import InProcessSandbox
from mimir_migrate.sandbox.interface import Response
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler

TABLE = "observability-dev-rings"
VALUES = "values.yaml"
_UNFINISHED = {RunState.DONE, RunState.ROLLED_BACK}


class Crash(BaseException):
    """The runner's process dies here: nothing of it runs any more."""


class VirtualClock:
    """The simulation's time; it passes while somebody sleeps."""

    def __init__(self, sandbox: InProcessSandbox) -> None:
        self._scheduler = sandbox.scheduler

    def now(self) -> float:
        return self._scheduler.now()

    def sleep(self, seconds: float) -> None:
        self._scheduler.run_for(max(0.0, seconds))


class VirtualCluster:
    """Kubernetes, read from the sandbox's objects as the adapter reads the API server's."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._namespace = world.sandbox.file.namespace
        self._decoded: tuple[str, Release] | None = None

    def server(self) -> str:
        return "kubernetes.test:6443"

    def cluster_uid(self) -> str:
        found = self._world.sandbox.objects.get("namespaces", "", "kube-system")
        return str(found["metadata"]["uid"])

    def pods(self) -> Sequence[Pod]:
        self._world.fail_if_told("kubernetes")
        sets = self._select("replicasets")
        return tuple(pod_from_json(pod, sets) for pod in self._select("pods"))

    def workloads(self) -> Sequence[Workload]:
        sets = self._select("replicasets")
        return tuple(
            workload_from_json(item, sets, kind=kind)
            for kind, plural in (("StatefulSet", "statefulsets"), ("Deployment", "deployments"))
            for item in self._select(plural)
        )

    def autoscalers(self) -> Sequence[Autoscaler]:
        return tuple(
            autoscaler_from_json(item) for item in self._select("horizontalpodautoscalers")
        )

    def service_accounts(self) -> Sequence[ServiceAccount]:
        return tuple(service_account_from_json(item) for item in self._select("serviceaccounts"))

    def release(self) -> Release | None:
        selector = helm_secret.SELECTOR.format(release=self._world.sandbox.file.release)
        secrets = self._world.sandbox.objects.select("secrets", self._namespace, labels=selector)
        secret = helm_secret.newest_secret(secrets)
        if secret is None:
            return None
        version = f"{secret['metadata']['name']}@{secret['metadata']['resourceVersion']}"
        if self._decoded is None or self._decoded[0] != version:
            self._decoded = (version, helm_secret.release_from_secret(secret))
        return helm_secret.over_what(self._decoded[1], secrets)

    def lease(self, name: str) -> LeaseClaim | None:
        return self._world.leases.holder(name)

    def abandoned_lease(self, name: str) -> LeaseClaim | None:
        return self._world.leases.abandoned(name)

    def moment(self) -> tuple[object, ...]:
        """Equal as long as nothing happens: no time passes, and no object or table changes."""
        world = self._world
        sandbox = world.sandbox
        return id(world), sandbox.scheduler.now(), sandbox.objects.version, len(world.tables)

    def is_faulty(self) -> bool:
        """Whether a test lets something go wrong: then each question is asked."""
        world = self._world
        sandbox = world.sandbox
        return bool(
            world.failing or sandbox.simulation.faults._active or sandbox.api_faults.active
        )

    def _select(self, plural: str) -> list[dict[str, Any]]:
        return list(self._world.sandbox.objects.select(plural, self._namespace))


class VirtualPages:
    """The pods' pages through the sandbox's proxy."""

    def __init__(self, sandbox: InProcessSandbox) -> None:
        self._sandbox = sandbox
        self._fixed: dict[tuple[str, str], Response] = {}
        """Configuration pages by uid: they stay what they are while a process lives."""

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        what = f"asking pod {pod.name} for {path}"
        key = (pod.uid, path)
        well = pod.ready and not self._sandbox.simulation.faults._active
        if well and key in self._fixed:
            answer = self._fixed[key]
        else:
            try:
                answer = self._sandbox.proxy(pod.name, path, accept)
            except OSError as error:
                raise UnreachableError(f"{what}: {error}") from error
        if well and path.startswith("/config?"):
            self._fixed[key] = answer
        if len(answer.body) > limit:
            raise UnreachableError(f"{what}: more than {limit} bytes")
        if answer.status not in {200, 404}:
            raise UnreachableError(f"{what}: HTTP status {answer.status}")
        return Page(status=answer.status, content_type=answer.content_type, body=answer.body)


class VirtualTables:
    """DynamoDB, read from the sandbox's table in memory."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world

    def account(self) -> str:
        return "123456789012"

    def region(self) -> str:
        return "eu-west-1"

    def table(self, name: str) -> Table | None:
        self._world.fail_if_told("dynamodb")
        if name not in self._world.tables:
            return None
        return ring_table(name)

    def is_empty(self, table: str) -> bool:
        self._world.fail_if_told("dynamodb")
        keys = (ring.ring_key() for ring in rings_of(self._world.sandbox.file.product))
        return not any(self._world.sandbox.items.query(table, key) for key in keys)

    def head(self, table: str, ring: str, ring_key: str) -> RingHead | None:
        self._world.fail_if_told("dynamodb")
        if self._world.bridge is None or not self._world.bridge.members(ring_key):
            return None
        file = self._world.sandbox.file
        return RingHead(
            ring=ring,
            table=table,
            ring_key=ring_key,
            cluster=f"{file.namespace}-{file.release}",
            format="1",
        )

    def items(self, table: str, ring: str, ring_key: str) -> TableItems:
        self._world.fail_if_told("dynamodb")
        if self._world.bridge is not None:
            return self._world.bridge.items(table, ring, ring_key)
        found = self._world.sandbox.items.query(table, ring_key)
        return TableItems(
            table=table,
            ring=ring,
            ring_key=ring_key,
            members=tuple(
                decode_instance(key, data, version) for key, (data, version) in found.items()
            ),
            at=self._world.sandbox.scheduler.now(),
        )


class VirtualFiles:
    """Files in memory."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def read(self, path: str) -> bytes:
        if path not in self.contents:
            raise DocumentError("cannot be read: no such file", path=path)
        return self.contents[path]

    def exists(self, path: str) -> bool:
        return path in self.contents


class VirtualRenderer:
    """Renders as the sandbox's deploy does."""

    def __init__(self, sandbox: InProcessSandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[tuple[bytes, ...], tuple[Mapping[str, object], ...]] = {}

    def render(self, files: Mapping[str, bytes]) -> tuple[Mapping[str, object], ...] | None:
        key = tuple(files.values())
        if key not in self._known:
            file = self._sandbox.file
            release = release_of(
                file.product,
                name=file.release,
                namespace=file.namespace,
                app_version=file.app_version,
                speed=file.speed,
            )
            self._known[key] = tuple(render(file.product, list(files.items()), release))
        return self._known[key]

    def values(self, files: Mapping[str, bytes]) -> bytes | None:
        return None


class Leases:
    """Leases with a duration, on the virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[LeaseClaim, float]] = {}

    def holder(self, name: str) -> LeaseClaim | None:
        found = self._held.get(name)
        if found is None or found[1] + found[0].duration < self._clock.now():
            return None
        return found[0]

    def abandoned(self, name: str) -> LeaseClaim | None:
        found = self._held.get(name)
        return found[0] if found is not None and self.holder(name) is None else None

    def take(self, claim: LeaseClaim) -> None:
        holder = self.holder(claim.name)
        if holder is not None and holder.run != claim.run:
            raise LeaseError(f"the run {holder.run} holds the lease")
        self._held[claim.name] = (claim, self._clock.now())

    def renew(self, claim: LeaseClaim) -> None:
        found = self._held.get(claim.name)
        if found is None or found[0].run != claim.run:
            raise LeaseError(f"the lease {claim.name} was lost to {found and found[0].run}")
        self._held[claim.name] = (claim, self._clock.now())

    def release(self, claim: LeaseClaim) -> None:
        found = self._held.get(claim.name)
        if found is not None and found[0].run == claim.run:
            del self._held[claim.name]


class VirtualChanges:
    """Makes changes in the sandbox; `performed` lists those that did something."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self.performed: list[Change] = []

    def perform(self, change: Change) -> Outcome:
        world = self._world
        world.fail_if_told("changes")
        match change:
            case CreateTable(table=table):
                if table.name in world.tables:
                    return Outcome(detail="the table is there", already=True)
                world.tables.add(table.name)
            case WriteFile(edit=edit):
                content = world.files.read(edit.path)
                have = file_edits.sha256(content)
                if have == edit.after_sha256:
                    return Outcome(detail="the file says so already", already=True)
                if have != edit.before_sha256:
                    raise FileChangedError(f"{edit.path} changed since it was read")
                world.files.contents[edit.path] = file_edits.apply(edit, content)
            case Deploy(files=files):
                try:
                    world.sandbox.deploy([world.files.read(path) for path in files])
                except CommandError as error:
                    raise CommandError(error.message, returncode=1) from error
            case TakeLease(claim=claim):
                world.leases.take(claim)
                return Outcome(detail="taken")
            case RenewLease(claim=claim):
                world.leases.renew(claim)
                return Outcome(detail="renewed")
            case ReleaseLease(claim=claim):
                world.leases.release(claim)
                return Outcome(detail="released")
        self.performed.append(change)
        return Outcome(detail="done")


class HeardJournal(MemoryJournal):
    """A journal in memory that somebody listens to; a listener may raise `Crash`."""

    def __init__(self, run: str, clock: VirtualClock, heard: Callable[[str, Event], None]) -> None:
        super().__init__(run, clock)
        self._heard = heard

    def append(self, event: Event) -> Recorded:
        recorded = super().append(event)
        self._heard(self.run, event)
        return recorded


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One run in the store."""

    run: str
    unfinished: bool


class VirtualStore:
    """The journals of one operator, in memory."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self.journals: dict[str, HeardJournal] = {}

    @property
    def folder(self) -> Path:
        return Path("/state")

    def adopt(self, copy: JournalCopy) -> bool:
        return False

    def adopted_events(self, run: str) -> int:
        return 0

    def cleanings(self) -> VirtualStore:
        return VirtualStore(self._world)

    def new_run_id(self) -> str:
        return f"run-{len(self.journals) + 1}"

    def create(self, run: str) -> HeardJournal:
        self.journals[run] = HeardJournal(run, self._world.clock, self._world.hear)
        return self.journals[run]

    def open(self, run: str) -> HeardJournal:
        return self.journals[run]

    def open_for_runner(self, run: str) -> HeardJournal:
        return self.journals[run]

    def resolve(self, name: str) -> str:
        return name

    @contextlib.contextmanager
    def alone(self, run: str) -> Iterator[HeardJournal]:
        yield self.journals[run]

    def list_runs(self) -> Sequence[Listing]:
        return tuple(
            Listing(run=run, unfinished=self.state(run) not in _UNFINISHED)
            for run in reversed(self.journals)
        )

    def runner_pid(self, run: str) -> int | None:
        return None

    def state(self, run: str) -> RunState | None:
        last = self.journals[run].events()[-1].event
        return last.state if isinstance(last, RunFinished) else None


class VirtualWorld:
    """One sandbox in virtual time and one operator in front of it.

    Args:
        product: Which product runs.
        values: The values file that it starts from.
        seed: Makes everything the same in each run.
        speed: What the pods' durations are divided by.
        client: The generation of the DynamoDB client.
        tables: Names of the tables that exist already.
        through_bridge: Whether a stock Mimir reaches DynamoDB through a ring bridge, whose table is there.
    """

    def __init__(
        self,
        product: Product,
        values: bytes,
        *,
        seed: int = 1,
        speed: float = 1.0,
        client: str = "master",
        tables: Sequence[str] = (),
        through_bridge: bool = False,
    ) -> None:
        stores = frozenset({"dynamodb"}) if product is Product.MIMIR else frozenset()
        scheduler = VirtualScheduler()
        self.bridge = VirtualBridge(scheduler) if through_bridge else None
        self.sandbox = InProcessSandbox(
            product,
            values,
            seed=seed,
            speed=speed,
            stores=frozenset() if through_bridge else stores,
            client=client,
            tables=(*tables, TABLE) if through_bridge else tables,
            scheduler=scheduler,
            wire=self.bridge,
        )
        self.clock = VirtualClock(self.sandbox)
        self.leases = Leases(self.clock)
        self.files = VirtualFiles({VALUES: values})
        self.changes = VirtualChanges(self)
        self.store = VirtualStore(self)
        self.listeners: list[Callable[[str, Event], None]] = []
        self.failing: dict[str, MigrateError] = {}
        self.exit_code: ExitCode | None = None
        self.options = RunOptions(approve_all=True, gate_timeout=600.0)
        self.target = Target(
            kubernetes=KubernetesTarget(
                namespace=self.sandbox.file.namespace, release=self.sandbox.file.release
            ),
            values=ValuesTarget(files=(VALUES,)),
            aws=AwsTarget(region="eu-west-1"),
            dynamodb=TableTarget(table=TABLE),
            deploy=DeployTarget(method=DeployMethod.COMMAND, command="deploy"),
        )
        if self.bridge is not None:
            self.target = self.bridge.through(self.target, TABLE)
        self.ports = ports = World(
            clock=self.clock,
            cluster=VirtualCluster(self),
            pages=VirtualPages(self.sandbox),
            tables=VirtualTables(self),
            files=self.files,
            renderer=VirtualRenderer(self.sandbox),
            bridge=self.bridge,
        )

        def recorder(files: Any) -> Any:
            recording = RecordingChanges()
            return recording, OverlayFiles(files, recording), lambda: recording.changes

        self.operations = Operations(
            Environment(
                store=self.store,
                clock=self.clock,
                world_for=lambda _: ports,
                changes_for=lambda *_: self.changes,
                recorder=recorder,
                spawn=self._spawn,
                who="olga@laptop",
                host="laptop",
                pid=4711,
                max_at_once=1,  # pages in memory are not waited for
            )
        )
        self._lost_before = 0
        self._missed_before: dict[str, int] = {}
        self.settle()
        self._missed_before = dict(self.sandbox.simulation.watch.missed)
        self._lost_before = self.sandbox.simulation.watch.lost_sight

    @property
    def tables(self) -> set[str]:
        """Names of the tables that exist."""
        found = self.sandbox.items._tables
        assert found is not None
        return found

    @property
    def values(self) -> bytes:
        """The values file as it is now."""
        return self.files.contents[VALUES]

    @property
    def lost_sight(self) -> int:
        """How often a page did not show a living member."""
        return self.sandbox.simulation.watch.lost_sight - self._lost_before

    @property
    def missed(self) -> Mapping[str, int]:
        """What was lost sight of, by `ring observer member`."""
        before = self._missed_before
        return {
            words: count - before.get(words, 0)
            for words, count in self.sandbox.simulation.watch.missed.items()
            if count > before.get(words, 0)
        }

    def fail_if_told(self, part: str) -> None:
        """Raise what a test put into `failing`."""
        if part in self.failing:
            raise self.failing[part]

    def hear(self, run: str, event: Event) -> None:
        """Tell the listeners of an event."""
        for listener in tuple(self.listeners):
            listener(run, event)

    def inspect(self) -> Inspection:
        """The cluster as it is now, all rings and stores."""
        return inspect(self.ports, self.target, max_at_once=1)

    def plan(
        self,
        to: Store,
        rings: tuple[str, ...] = (),
        strategy: Strategy = Strategy.AUTO,
    ) -> Plan:
        """Inspect and plan."""
        return self.operations.plan(self.target, Order(to=to, rings=rings, strategy=strategy))

    def apply(self, plan: Plan, *, overrides: Sequence[Gate] = ()) -> str:
        """Walk a plan; the run's id. `exit_code` is None where the runner crashed."""
        return self.operations.start(
            plan, options=self.options, overrides=overrides, reason="test"
        )

    def migrate(
        self, to: Store, rings: tuple[str, ...] = (), strategy: Strategy = Strategy.AUTO
    ) -> str:
        """Plan and apply; the run's id."""
        return self.apply(self.plan(to, rings, strategy))

    def resume(self, run: str) -> None:
        """Go on with a run."""
        self.operations.go_on(run, "resume", self.options)

    def rollback(self, run: str) -> None:
        """Take a run back."""
        self.operations.go_on(run, "rollback", self.options)

    def ask(self, run: str, kind: RequestKind, gate: Gate | None = None) -> None:
        """Leave a request for the runner."""
        journal = self.store.journals[run]
        wish = Wish(kind=kind, reason="test", gate=gate)
        journal.leave(asking(journal, wish, self.clock.now()))

    def events(self, run: str) -> list[Event]:
        """What the run's journal holds."""
        return [recorded.event for recorded in self.store.journals[run].events()]

    def ending(self, run: str) -> RunFinished:
        """How the run ended last."""
        last = self.events(run)[-1]
        assert isinstance(last, RunFinished), last
        return last

    def settle(self) -> None:
        """Let the cluster come to rest, and the watch see it for a while."""
        self.sandbox.settle(limit=7200.0)
        self.sandbox.run_for(120.0 / self.sandbox.file.speed)

    def _spawn(self, run: str, purpose: str, options: RunOptions) -> int:
        self.exit_code = None
        with contextlib.suppress(Crash):
            self.exit_code = self.operations.work(run, purpose, options)
        return 4711

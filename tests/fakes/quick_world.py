"""A release that follows its values files at once, for tests of the runner.

What is deployed is what every pod runs some seconds later; both stores are always complete. Tests
change `spoil` to make an inspection say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import release as fake
from small_values import SMALL

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.runner import Runner
from mimir_migrate.engine.services import Services
from mimir_migrate.errors import (
    BlockedError,
    CommandError,
    DocumentError,
    ExitCode,
    FileChangedError,
    LeaseError,
)
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
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import (
    Event,
    Recorded,
    Request,
    RequestKind,
    RunFinished,
    RunStarted,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import Gate, Plan, Step, Strategy
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import (
    AwsTarget,
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.operations.requests import Wish, request_of
from mimir_migrate.plans.facts import FactChange, compare, facts_of
from mimir_migrate.plans.planner import Order, Origin, make_plan
from mimir_migrate.ports import Deploys, Journal, World
from mimir_migrate.runs.status import status_of

VALUES = "values.yaml"
PRODUCT = Product.CORTEX
RINGS = ("ingester", "ruler")
SIZES = {"distributor": 1, "ingester": 3, "ruler": 2, "querier": 1}
ROLLOUT = 20.0
"""Seconds until a deploy is in every pod."""


class Dead(BaseException):
    """The runner's process ends here."""


@cache
def view_of(content: bytes) -> ValuesView:
    """What a values file says."""
    return ValuesFiles((SourceFile(path=VALUES, content=content),), product=PRODUCT).view


class FakeClock:
    """Time that passes while somebody sleeps; `alarms` run at their time."""

    def __init__(self) -> None:
        self.time = fake.NOW
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        due = [alarm for alarm in self.alarms if alarm[0] <= self.time]
        self.alarms = [alarm for alarm in self.alarms if alarm not in due]
        for _, alarm in due:
            alarm()

    def after(self, seconds: float, alarm: Callable[[], None]) -> None:
        """Run something later."""
        self.alarms.append((self.time + seconds, alarm))


class MortalJournal(MemoryJournal):
    """A journal whose process dies at its n-th event, before or after it is written."""

    def __init__(self, clock: FakeClock, listen: Callable[[Event], None]) -> None:
        super().__init__("run-1", clock)
        self.dies_at = 0
        self.written = True
        self._listen = listen

    def append(self, event: Event) -> Recorded:
        self.dies_at -= 1
        if self.dies_at == 0 and not self.written:
            raise Dead
        recorded = super().append(event)
        if self.dies_at == 0:
            raise Dead
        self._listen(event)
        return recorded


def asking(journal: Journal, wish: Wish, now: float, by: str = "olga@laptop") -> Request:
    """The request of somebody who looks at the run now; what nothing waits for is left all the same."""
    status = status_of(
        journal.run, journal.events(), now=now, asked=journal.open_requests(), runner_alive=True
    )
    try:
        return request_of(status, wish, by=by)
    except BlockedError:
        return Request(kind=wish.kind, by=by, reason=wish.reason, gate=wish.gate, run=journal.run)


class QuickWorld:
    """The cluster, the files, DynamoDB, the lease and one run's journal."""

    def __init__(self, values_file: bytes = SMALL[PRODUCT]) -> None:
        self.clock = FakeClock()
        self.path = VALUES
        """The values file of the machine that runs."""
        self.files = {VALUES: values_file}
        self.deployed: list[bytes] = [values_file]
        """Every content that was deployed, repetitions of the last left out."""
        self.running = values_file
        self.rolling_until = 0.0
        self.revision = 1
        self.tables: list[str] = []
        self.written: list[str] = []
        """The sha256 of the file after every write that changed it."""
        self.holder: LeaseClaim | None = None
        self.spoil: Callable[[Inspection], Inspection] = lambda inspection: inspection
        self.heard: Callable[[Event], None] = lambda event: None
        self.fail_deploys = 0
        self.deploys: Deploys | None = None
        self.kept: list[str] = []
        """Errors that nobody foresaw, with what was being done."""
        self.attempts: list[Change] = []
        self.blast: tuple[str, ...] | None = ()
        self.findings: tuple[Finding, ...] = ()
        """What there is against going on."""
        self.journal = MortalJournal(self.clock, self._hear)
        self.around: Callable[[Journal], Journal] = lambda journal: journal
        """What stands around the runner's journal: hooks, a copy."""
        self.adopted = self.canonical = False
        self.target = Target(
            kubernetes=KubernetesTarget(namespace="observability", release=PRODUCT.value),
            values=ValuesTarget(files=(VALUES,)),
            aws=AwsTarget(region="eu-west-1"),
            dynamodb=TableTarget(table=fake.TABLE, puller_sync_time="10s"),
            deploy=DeployTarget(method=DeployMethod.COMMAND, command="make deploy"),
        )

    def _hear(self, event: Event) -> None:
        self.heard(event)

    # --- reading

    def read(self, path: str) -> bytes:
        """A file's content."""
        if path not in self.files:
            raise DocumentError("cannot be read: no such file", path=path)
        return self.files[path]

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self.files

    def inspect(self, rings: tuple[str, ...] = ()) -> Inspection:
        """What an inspection sees now."""
        if self.deployed[-1] != self.running and self.clock.now() >= self.rolling_until:
            self.running = self.deployed[-1]
            self.revision += 1
        view = view_of(self.running)
        block = view.runtime
        states: dict[str, StoreState] = {}
        primaries: dict[str, Store] = {}
        mirror = False
        for name in RINGS:
            config = view.rings[name]
            ring = ring_named(PRODUCT, name)
            assert config is not None
            assert ring is not None
            state = config.state
            assert state is not None
            states[name] = state
            primaries[name] = state.primary
            mirrored = bool(config.mirror_enabled)
            if state.is_multi and ring.follows_runtime and block is not None:
                mirrored = mirrored if block.mirror_enabled is None else block.mirror_enabled
            mirror = mirror or mirrored
            if state.is_multi and ring.follows_runtime and block is not None and block.primary:
                primaries[name] = Store(block.primary)
        seen = fake.release(
            PRODUCT,
            states=states,
            primaries=primaries,
            mirror=mirror,
            block=block,
            tables=tuple(self.tables),
            at=self.clock.now(),
            revision=self.revision,
            sizes=SIZES,
            on=RINGS,
        )
        if self.deployed[-1] != self.running:
            seen = fake.with_workload(seen, "ruler", generation=self.revision + 1)
        return self.spoil(seen)

    # --- changing

    def perform(self, change: Change) -> Outcome:
        """Make a change."""
        self.attempts.append(change)
        if isinstance(change, CreateTable | WriteFile | Deploy) and not self._is_ours():
            raise LeaseError("the lease was lost")
        match change:
            case CreateTable(table=table):
                if table.name in self.tables:
                    return Outcome(detail="there already", already=True)
                self.tables.append(table.name)
            case WriteFile(edit=edit):
                have = file_edits.sha256(self.files[edit.path])
                if have == edit.after_sha256:
                    return Outcome(detail="written already", already=True)
                if have != edit.before_sha256:
                    raise FileChangedError(f"{edit.path} changed since it was read")
                self.files[edit.path] = file_edits.apply(edit, self.files[edit.path])
                self.written.append(edit.after_sha256)
            case Deploy():
                if self.fail_deploys:
                    self.fail_deploys -= 1
                    raise CommandError("the deploy command ended with 1", returncode=1)
                if self.deployed[-1] == self.files[self.path]:
                    return Outcome(detail="deployed already", already=True)
                self.deployed.append(self.files[self.path])
                self.rolling_until = self.clock.now() + ROLLOUT
            case TakeLease(claim=claim):
                if self.holder is not None and self.holder.run != claim.run:
                    raise LeaseError(f"the run {self.holder.run} holds the lease")
                self.holder = claim
            case RenewLease(claim=claim):
                if self.holder is None or self.holder.run != claim.run:
                    raise LeaseError("the lease was lost")
                self.holder = claim
            case ReleaseLease():
                if self._is_ours():
                    self.holder = None
        return Outcome(detail="done")

    def _is_ours(self) -> bool:
        return self.holder is not None and self.holder.run == self.journal.run

    # --- running

    def plan(
        self,
        inspection: Inspection,
        order: Order,
        restore: tuple[FileEdit, ...] = (),
    ) -> Plan:
        """A plan as `operations` makes it."""
        return make_plan(
            inspection,
            self.target,
            order,
            self.sources(),
            origin=Origin(plan_id="plan-1", created_at=self.clock.now(), tool_version="0"),
            restore=restore,
            blast_check=lambda *_: (),
        )

    def sources(self) -> tuple[SourceFile, ...]:
        """The values files."""
        return (SourceFile(path=self.path, content=self.files[self.path]),)

    def drift(self, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        """What is not as the plan has it."""
        now = facts_of(inspection, self.target, plan.rings, self.sources())
        return tuple(change for change in compare(plan, now) if change.before is not None)

    def start(
        self,
        to: Store = Store.DYNAMODB,
        rings: tuple[str, ...] = ("ruler",),
        strategy: Strategy = Strategy.AUTO,
    ) -> Plan:
        """Plan, and begin the journal."""
        plan = self.plan(self.inspect(), Order(to=to, rings=rings, strategy=strategy))
        self.journal.append(
            RunStarted(run="run-1", by="olga@laptop", host="laptop", tool_version="0", plan=plan)
        )
        return plan

    def run(
        self, plan: Plan, purpose: str = "apply", *, approve_all: bool = True, dry: bool = False
    ) -> ExitCode | None:
        """Be the runner; None where it died."""
        around = self.around(self.journal)
        services = Services(
            world=World(
                clock=self.clock,
                cluster=self,  # type: ignore[arg-type]
                pages=self,  # type: ignore[arg-type]
                tables=self,  # type: ignore[arg-type]
                files=self,
                renderer=self,  # type: ignore[arg-type]
                deploys=self.deploys,
            ),
            changes=self,
            journal=around,
            before_change=getattr(around, "before_change", lambda: None),
            adopted=self.adopted,
            canonical=self.canonical,
            navigator=_Eyes(self),
            who="olga@laptop",
            host="laptop",
            pid=4711,
            approve_all=approve_all,
            gate_timeout=600.0,
            keep_details=self._keep,
            dry=dry,
        )
        try:
            return Runner(services, plan).run(purpose)
        except Dead:
            return None

    def _keep(self, error: BaseException, doing: str) -> str:
        self.kept.append(f"{type(error).__name__} in {doing}")
        return f"/state/errors/{len(self.kept)}.log"

    def ask(self, kind: RequestKind, gate: Gate | None = None, reason: str = "because") -> None:
        """Leave a request."""
        self.journal.leave(
            asking(self.journal, Wish(kind=kind, reason=reason, gate=gate), self.clock.now())
        )

    def events(self) -> list[Event]:
        """What the journal holds."""
        return [recorded.event for recorded in self.journal.events()]

    def ending(self) -> RunFinished:
        """How the last runner ended."""
        last = self.events()[-1]
        assert isinstance(last, RunFinished), last
        return last

    def effects(self) -> Mapping[str, object]:
        """Everything that was done to the world, in order."""
        return {
            "tables": tuple(self.tables),
            "written": tuple(self.written),
            "deployed": tuple(file_edits.sha256(content) for content in self.deployed),
        }


class _Eyes:
    """How a run looks at a quick world and plans."""

    def __init__(self, world: QuickWorld) -> None:
        self._world = world
        self.inspect = world.inspect
        self.plan = world.plan
        self.drift = world.drift

    def findings(self, inspection: Inspection, order: Order) -> tuple[Finding, ...]:
        """What there is against going on."""
        return self._world.findings

    def blast(self, step: Step) -> tuple[str, ...] | None:
        """What a deploy would change besides."""
        return self._world.blast

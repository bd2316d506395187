"""What an operator can do, as one object that the commands and the app share.

It is handed everything that touches the world, so that a test can hand it a cluster in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from mimir_migrate import __version__
from mimir_migrate.documents import values
from mimir_migrate.documents.values import SourceFile
from mimir_migrate.engine.history import edits_made, first_plan, inverses
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.runner import Runner, Services, lease_name
from mimir_migrate.engine.status import RunStatus, status_of
from mimir_migrate.engine.verify import Verification, verify
from mimir_migrate.errors import (
    BlockedError,
    ExitCode,
    JournalError,
    LeaseError,
    MigrateError,
    PlanStaleError,
    UsageError,
)
from mimir_migrate.inspection.binaries import DefaultsCache, image_of
from mimir_migrate.inspection.choices import choices
from mimir_migrate.inspection.findings import against_going_on, judge, obvious_store
from mimir_migrate.inspection.inspect import AT_ONCE, inspect
from mimir_migrate.inspection.question import ValuesFacts
from mimir_migrate.inspection.terraform import terraform_findings
from mimir_migrate.model.changes import Change, LeaseClaim, RenewLease
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import Recorded, Request, RequestKind, RunStarted, RunState
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice, Finding
from mimir_migrate.model.plan import Gate, Plan, Step, Strategy
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.plans import timing
from mimir_migrate.plans.blast import Remembering, other_changes
from mimir_migrate.plans.facts import FactChange, compare, facts_of, stale_words
from mimir_migrate.plans.planner import Order, Origin, applied, make_plan, refuse_going_on
from mimir_migrate.plans.position import choose_rings
from mimir_migrate.plans.values_facts import values_facts
from mimir_migrate.ports import Changes, Files, Journal, Progress, World
from mimir_migrate.settings import refuse_short_ttl, require

RUNNER_ENDS_WITHIN = 10.0
"""Seconds between a runner's last event and the end of its process, at most."""


class RunListing(Protocol):
    """One run as the state folder shows it."""

    @property
    def run(self) -> str:
        """Its id."""

    @property
    def unfinished(self) -> bool:
        """Whether there is something to go on with or to go back from."""


class RunStore(Protocol):
    """The journals of one user on one machine."""

    def new_run_id(self) -> str:
        """An id for a run that begins now."""

    def create(self, run: str) -> Journal:
        """Begin a run's journal."""

    def open(self, run: str) -> Journal:
        """Open a journal to read it and to leave requests in it."""

    def open_for_runner(self, run: str) -> Journal:
        """Open a journal to go on with the run."""

    def resolve(self, name: str) -> str:
        """The run that an unambiguous beginning of its id names."""

    def list_runs(self) -> Sequence[RunListing]:
        """All runs, the newest first."""

    def runner_pid(self, run: str) -> int | None:
        """The runner that works on the run on this machine now."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that touches the world."""

    store: RunStore
    world_for: Callable[[Target], World]
    changes_for: Callable[[Target, str], Changes]
    """The real changes for a target and a run."""
    recorder: Callable[[Files], tuple[Changes, Files, Callable[[], Sequence[Change]]]]
    """Changes that are recorded, files with the recorded edits, and what was recorded."""
    spawn: Callable[[str, str, RunOptions], int]
    """Start a runner process for a run and a purpose; its pid."""
    who: str
    host: str
    pid: int
    max_at_once: int = AT_ONCE
    """How many pods are asked at the same time."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a runner is to behave."""

    approve_all: bool = False
    gate_timeout: float = 1800.0
    takeover: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster: facts, what they mean, and the choices."""

    inspection: Inspection
    findings: tuple[Finding, ...]
    choices: tuple[Choice, ...]
    rings: tuple[str, ...]


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in order."""

    plan: Plan
    changes: tuple[Change, ...]
    exit_code: ExitCode
    reason: str


class Operations:
    """Inspect, plan, run, follow and ask."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._caches: dict[str, DefaultsCache] = {}

    @property
    def who(self) -> str:
        """`user@host` of the operator."""
        return self._environment.who

    # --- looking -----------------------------------------------------------------------------

    def look(
        self,
        target: Target,
        *,
        to: Store | None = None,
        rings: tuple[str, ...] = (),
        strategy: Strategy = Strategy.AUTO,
        progress: Progress | None = None,
        twice: bool = True,
    ) -> Look:
        """Inspect the cluster and judge what was found.

        `to`, `rings` and `strategy` are what the operator means to do, where that is known; `twice` reads the
        tables' items a heartbeat apart where they could belong to somebody else.

        Raises:
            MigrateError: Kubernetes does not tell which pods there are, or the target lacks an entry.
        """
        require(target, "namespace", "release")
        world = self._environment.world_for(target)
        inspection = inspect(
            world,
            target,
            progress=progress,
            wait_for_heartbeat=twice,
            cache=self._cache(target),
            max_at_once=self._environment.max_at_once,
        )
        chosen = choose_rings(inspection, rings)
        goal = obvious_store(inspection, chosen) if to is None else to
        findings = judge(
            inspection,
            target=target,
            to=to,
            rings=chosen,
            strategy=strategy,
            values=self._values_facts(world, target, inspection),
            further=terraform_findings(world, inspection, target, rings=chosen)
            if goal is Store.DYNAMODB
            else (),
        )
        offered = choices(inspection, target, findings)
        return Look(inspection=inspection, findings=findings, choices=offered, rings=chosen)

    def verify(self, target: Target, rings: tuple[str, ...] = ()) -> Verification:
        """All gates' checks, now: two inspections a moment apart, so that counters can be compared.

        Raises:
            MigrateError: Kubernetes does not tell which pods there are.
        """
        require(target, "namespace", "release")
        world = self._environment.world_for(target)
        cache, at_once = self._cache(target), self._environment.max_at_once
        first = inspect(world, target, cache=cache, max_at_once=at_once)
        chosen = choose_rings(first, rings)
        window = timing.gate_window(first, chosen) or 1.0
        world.clock.sleep(min(window, 10.0))
        later = inspect(world, target, cache=cache, max_at_once=at_once)
        return verify(first, later, chosen)

    def sources(self, target: Target) -> tuple[SourceFile, ...]:
        """The values files as they are now.

        Raises:
            MigrateError: One cannot be read, or the target names none.
        """
        require(target, "values")
        world_files = self._environment.world_for(target).files
        return _sources(world_files, target)

    def _cache(self, target: Target) -> DefaultsCache:
        key = f"{target.kubernetes.context}/{target.kubernetes.namespace}"
        return self._caches.setdefault(key, DefaultsCache())

    def _values_facts(
        self,
        world: World,
        target: Target,
        inspection: Inspection,
        *,
        cache: DefaultsCache | None = None,
        beside_rings: bool = False,
    ) -> ValuesFacts | None:
        if not target.values.files:
            return None
        files = _sources(world.files, target)
        view = values.read(files, product=inspection.product, root=target.values.root)
        contents = {file.path: file.content for file in files}
        return values_facts(
            files,
            view,
            root=target.values.root,
            release=inspection.release,
            rendered=world.renderer.values(contents),
            manifests=world.renderer.render(contents),
            binaries=_defaults(cache or self._cache(target), inspection),
            beside_rings=beside_rings,
        )

    def _against_going_on(
        self,
        world: World,
        target: Target,
        order: Order,
        inspection: Inspection,
        cache: DefaultsCache,
    ) -> tuple[Finding, ...]:
        """What has come up that does not let a run go on which stands halfway."""
        rings = choose_rings(inspection, order.rings)
        values_now = self._values_facts(world, target, inspection, cache=cache, beside_rings=True)
        further: tuple[Finding, ...] = ()
        if order.to is Store.DYNAMODB:
            further = terraform_findings(world, inspection, target, rings=rings)
        return against_going_on(
            judge(
                inspection,
                target=target,
                to=order.to,
                rings=rings,
                strategy=order.strategy,
                values=values_now,
                further=further,
            )
        )

    # --- planning ----------------------------------------------------------------------------

    def plan(
        self,
        target: Target,
        order: Order,
        *,
        look: Look | None = None,
        progress: Progress | None = None,
    ) -> Plan:
        """Make a plan from what is observed now.

        Raises:
            BlockedError: A finding blocks; its evidence and what to do are in the message.
            EditRefusedError: The values file cannot be edited safely.
        """
        require(target, "namespace", "release", "values")
        if order.to is Store.DYNAMODB:
            require(target, "table", "aws-region")
            refuse_short_ttl(target.dynamodb.ttl)
        seen = look or self.look(
            target, to=order.to, rings=order.rings, strategy=order.strategy, progress=progress
        )
        world = self._environment.world_for(target)
        return self._make_plan(
            world,
            target,
            order,
            seen.inspection,
            findings=seen.findings,
            restore=self._earlier_bytes(world, target, order),
        )

    def _make_plan(
        self,
        world: World,
        target: Target,
        order: Order,
        inspection: Inspection,
        *,
        findings: tuple[Finding, ...] = (),
        restore: tuple[FileEdit, ...] = (),
    ) -> Plan:
        files = _sources(world.files, target)
        now = world.clock.now()
        render = Remembering(world.renderer.render)
        can_render = other_changes(render, files, files) is not None

        def blast(before: Sequence[SourceFile], after: Sequence[SourceFile]) -> tuple[str, ...]:
            return other_changes(render, before, after) or ()

        return make_plan(
            inspection,
            target,
            order,
            files,
            origin=Origin(
                plan_id=time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)),
                created_at=now,
                tool_version=__version__,
            ),
            findings=findings,
            restore=restore,
            blast_check=blast if can_render else None,
        )

    def _earlier_bytes(self, world: World, target: Target, order: Order) -> tuple[FileEdit, ...]:
        """Edits that give back what the files were before the latest run the other way."""
        for listing in self._environment.store.list_runs():
            try:
                events = self._environment.store.open(listing.run).events()
                plan = first_plan(events)
            except (MigrateError, LookupError):
                continue
            same_files = plan.target.values.files == target.values.files
            if not same_files or plan.identity.namespace != target.kubernetes.namespace:
                continue
            status = status_of(listing.run, events, now=world.clock.now())
            if status.state is RunState.ROLLED_BACK:
                continue
            if status.state is RunState.DONE and plan.to is order.to.other:
                return inverses(edits_made(events, world.files.read))
            return ()
        return ()

    def changed_facts(self, plan: Plan) -> tuple[FactChange, ...]:
        """What is not as it was when the plan was made, what matters first."""
        world = self._environment.world_for(plan.target)
        inspection = inspect(
            world,
            plan.target,
            cache=self._cache(plan.target),
            max_at_once=self._environment.max_at_once,
        )
        return self._drift(world, plan, inspection)

    def _drift(self, world: World, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        files = _sources(world.files, plan.target)
        return tuple(
            change
            for change in compare(plan, facts_of(inspection, plan.target, plan.rings, files))
            if change.before is not None
        )

    # --- running -----------------------------------------------------------------------------

    def start(
        self,
        plan: Plan,
        *,
        options: RunOptions,
        overrides: Sequence[Gate] = (),
        reason: str = "",
    ) -> str:
        """Check that the plan still holds, begin its journal, and start a runner; the run's id.

        Raises:
            PlanStaleError: A fact that matters changed; each is in the message, old and new.
            LeaseError: Another run holds the lease, or left it behind and `options` do not say to
                take it over.
        """
        self._refuse_held(plan, takeover=options.takeover)
        self.refuse_stale(plan)
        store = self._environment.store
        run = store.new_run_id()
        journal = store.create(run)
        journal.append(
            RunStarted(
                run=run,
                by=self._environment.who,
                host=self._environment.host,
                tool_version=__version__,
                plan=plan,
            )
        )
        for gate in overrides:
            journal.leave(
                Request(
                    kind=RequestKind.OVERRIDE, by=self._environment.who, reason=reason, gate=gate
                )
            )
        self._environment.spawn(run, "apply", options)
        return run

    def refuse_stale(self, plan: Plan) -> None:
        """Compare the plan's facts with what is observed now.

        Raises:
            PlanStaleError: With every changed fact, whether it matters, and what a new plan would do.
        """
        changes = self.changed_facts(plan)
        if not any(change.matters for change in changes):
            return
        raise PlanStaleError(
            "the plan is stale; since it was made this changed:\n"
            + stale_words(
                changes,
                left=[step.id for step in plan.steps],
                fresh=self._fresh(plan.target, plan.to, plan.rings, plan.strategy),
            ),
            hint="Nothing was changed. Make a new plan with `mimir-migrate plan`.",
        )

    def _fresh(self, target: Target, to: Store, rings: tuple[str, ...], strategy: Strategy) -> str:
        """The steps of a plan that would be made now, or why there is none."""
        try:
            fresh = self.plan(target, Order(to=to, rings=rings, strategy=strategy))
        except MigrateError as error:
            return f"none: {error.message}"
        return ", ".join(step.id for step in fresh.steps) or "nothing is left to do"

    def _refuse_held(self, plan: Plan, *, takeover: bool) -> None:
        cluster = self._environment.world_for(plan.target).cluster
        name = lease_name(plan.identity.release)
        claim, how = cluster.lease(name), "holds the lease"
        if claim is None and not takeover:
            claim, how = cluster.abandoned_lease(name), "left the lease behind"
        if claim is None:
            return
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(claim.since))
        raise LeaseError(
            f"the run {claim.run} {how}: {claim.holder}, since {since}, moving "
            f"{', '.join(claim.rings)} to {claim.store}"
            + (f", at the step {claim.step}" if claim.step else ""),
            hint=self._way_past(claim),
        )

    def _way_past(self, claim: LeaseClaim) -> str:
        """What to do about a lease that somebody holds, on the machine that asks."""
        host = claim.holder.partition(" ")[0].rpartition("@")[2]
        if host == self._environment.host:
            return (
                "Wait for it, or ask its operator. If its runner is dead, "
                f"`mimir-migrate resume {claim.run}` goes on with that run, `rollback {claim.run}` "
                "takes it back."
            )
        return (
            "Wait for it, or ask its operator. If its runner is dead, "
            f"`mimir-migrate resume {claim.run}` on {host or 'its machine'} goes on with that run; "
            "where that machine is gone, `mimir-migrate apply PLAN.json --takeover` here, once the "
            f"lease was not renewed for {claim.duration:g} s."
        )

    def go_on(self, run: str, purpose: str, options: RunOptions) -> str:
        """Resume a run or roll it back: ask its runner if it lives, else start one; the run's id.

        Raises:
            UsageError: There is nothing to do for it.
        """
        run = self.resolve(run)
        journal = self._environment.store.open(run)
        status = self._settled(run)
        if status.runner_pid is not None:
            kind = RequestKind.ROLLBACK if purpose == "rollback" else RequestKind.CONTINUE
            if kind is RequestKind.CONTINUE and status.approval_for and options.approve_all:
                kind = RequestKind.APPROVE
            journal.leave(Request(kind=kind, by=self._environment.who))
            return run
        if purpose == "resume" and status.state in {RunState.DONE, RunState.ROLLED_BACK}:
            back = f"`mimir-migrate rollback {run}` goes back; "
            raise UsageError(
                f"the run {run} is over: {status.state.value}",
                hint=(back if status.state is RunState.DONE else "")
                + "`mimir-migrate plan` begins anew.",
            )
        self._environment.spawn(run, purpose, options)
        return run

    def _settled(self, run: str) -> RunStatus:
        """Where a run stands, once a runner that wrote its last event is gone or the next has begun.

        A request left for a process that is about to end would be read by nobody.
        """
        end = time.monotonic() + RUNNER_ENDS_WITHIN
        while True:
            status = self.status(run)
            ending = status.runner_pid is not None and status.exit_code is not None
            if not ending or time.monotonic() > end:
                return status
            time.sleep(0.05)

    def ask(
        self, run: str, kind: RequestKind, *, reason: str = "", gate: Gate | None = None
    ) -> str:
        """Leave a request for a run's runner; the run's id.

        Raises:
            UsageError: No runner works on it.
            PlanStaleError: It is to go on, and what its plan rests on is otherwise now. Nothing is
                left for it then, and it waits on.
        """
        run = self.resolve(run)
        status = self._settled(run)
        if status.runner_pid is None:
            raise UsageError(
                f"no runner works on the run {run}: it is {status.state.value}",
                hint=status.hint or "There is nothing to ask of it.",
            )
        if kind in {RequestKind.APPROVE, RequestKind.CONTINUE} and status.changed:
            self._refuse_changed(run, status)
        self._environment.store.open(run).leave(
            Request(kind=kind, by=self._environment.who, reason=reason, gate=gate)
        )
        return run

    def _fresh_leg(self, plan: Plan, to: Store) -> str:
        """The steps that a run would go on with from what is there now, or why it would not."""
        world, cache = self._environment.world_for(plan.target), DefaultsCache()
        order = Order(to=to, rings=plan.rings, strategy=plan.strategy, returning=to is not plan.to)
        try:
            seen = inspect(world, plan.target, rings=plan.rings, cache=cache)
            if not order.returning:
                refuse_going_on(self._against_going_on(world, plan.target, order, seen, cache))
            fresh = self._make_plan(world, plan.target, order, seen)
        except MigrateError as error:
            return f"none: {error.message}"
        return ", ".join(step.id for step in fresh.steps) or "nothing is left to do"

    def _refuse_changed(self, run: str, status: RunStatus) -> None:
        """Say what changed while the run waited, before its runner would refuse to go on."""
        plan = first_plan(self.events(run))
        at = status.step.id if status.step else "the next one"
        left = [step.id for step in plan.steps if step.id not in status.done_steps]
        raise PlanStaleError(
            f"the cluster or a file changed while the run {run} waits before the step {at}:\n"
            + stale_words(
                status.changed,
                left=left,
                fresh=self._fresh_leg(plan, Store(status.to)),
            ),
            hint=f"Nothing was changed, and it waits on. {status.hint}",
        )

    def work(self, run: str, purpose: str, options: RunOptions) -> ExitCode:
        """Be the runner of a run. Called in a process of its own."""
        environment = self._environment
        journal = environment.store.open_for_runner(run)
        plan = first_plan(journal.events())
        world = environment.world_for(plan.target)
        changes = environment.changes_for(plan.target, run)
        runner = Runner(self._services(plan, journal, world, changes, options), plan)
        return runner.run(purpose, takeover=options.takeover)

    def dry_run(self, plan: Plan, *, purpose: str = "apply", run: str = "") -> DryRun:
        """Walk the same code with recorders in the place of everything that writes."""
        environment = self._environment
        world = environment.world_for(plan.target)
        changes, files, recorded = environment.recorder(world.files)
        world = msgspec.structs.replace(world, files=files)
        journal = MemoryJournal(run or "dry-run", world.clock)
        if run:
            past = environment.store.open(run)
            journal = MemoryJournal(run, world.clock, past.events(), past.open_requests())
        services = self._services(
            plan, journal, world, changes, RunOptions(approve_all=True), dry=True
        )
        code = Runner(services, plan).run(purpose)
        leg = next(
            (
                recorded_event.event.plan
                for recorded_event in reversed(journal.events())
                if hasattr(recorded_event.event, "plan")
            ),
            plan,
        )
        last = journal.events()[-1].event
        return DryRun(
            plan=leg,
            changes=tuple(change for change in recorded() if not isinstance(change, RenewLease)),
            exit_code=code,
            reason=getattr(last, "reason", ""),
        )

    def dry_run_of(self, run: str, purpose: str) -> DryRun:
        """What resuming or rolling back a run would do."""
        run = self.resolve(run)
        plan = first_plan(self._environment.store.open(run).events())
        return self.dry_run(plan, purpose=purpose, run=run)

    def _services(
        self,
        plan: Plan,
        journal: Journal,
        world: World,
        changes: Changes,
        options: RunOptions,
        *,
        dry: bool = False,
    ) -> Services:
        target = plan.target
        cache = DefaultsCache()
        render = Remembering(world.renderer.render)

        def look(rings: tuple[str, ...]) -> Inspection:
            at_once = self._environment.max_at_once
            return inspect(world, target, rings=rings, cache=cache, max_at_once=at_once)

        def replan(inspection: Inspection, order: Order, restore: tuple[FileEdit, ...]) -> Plan:
            return self._make_plan(world, target, order, inspection, restore=restore)

        def against(inspection: Inspection, order: Order) -> tuple[Finding, ...]:
            return self._against_going_on(world, target, order, inspection, cache)

        def blast(step: Step) -> tuple[str, ...] | None:
            before = _sources(world.files, target)
            after = applied(before, step.edits)
            return other_changes(render, before, after)

        return Services(
            world=world,
            changes=changes,
            journal=journal,
            inspect=look,
            plan=replan,
            drift=lambda of, inspection: self._drift(world, of, inspection),
            findings=against,
            blast=blast,
            who=self._environment.who,
            host=self._environment.host,
            pid=self._environment.pid,
            approve_all=options.approve_all,
            gate_timeout=options.gate_timeout,
            dry=dry,
        )

    # --- runs --------------------------------------------------------------------------------

    def resolve(self, name: str) -> str:
        """The run that `name` means; empty: the only unfinished one, else the newest.

        Raises:
            UsageError: There is none, or several unfinished ones and none was named.
        """
        if name:
            return self._environment.store.resolve(name)
        runs = list(self._environment.store.list_runs())
        unfinished = [listing for listing in runs if listing.unfinished]
        if len(unfinished) > 1:
            names = ", ".join(listing.run for listing in unfinished)
            raise UsageError(
                f"several runs are unfinished: {names}", hint="Name the one that is meant."
            )
        if not runs:
            raise UsageError(
                "there is no run yet",
                hint="`mimir-migrate plan --output plan.json` and `apply plan.json` begin one.",
            )
        return (unfinished or runs)[0].run

    def events(self, run: str, after: int = 0) -> Sequence[Recorded]:
        """A run's events."""
        return self._environment.store.open(run).events(after)

    def status(self, run: str) -> RunStatus:
        """Where a run stands.

        Raises:
            JournalError: Its journal cannot be read.
        """
        # Asked before the events are read: a runner that is gone by then has written all of its own.
        pid = self._environment.store.runner_pid(run)
        journal = self._environment.store.open(run)
        events = journal.events()
        started_here = any(
            getattr(recorded.event, "host", "") == self._environment.host for recorded in events
        )
        alive = pid is not None if started_here else None
        try:
            status = status_of(
                run,
                events,
                now=time.time(),
                runner_alive=alive,
                asked=journal.open_requests(),
            )
        except LookupError as error:
            raise JournalError(
                f"the journal of the run {run} holds no start", hint="Plan anew."
            ) from error
        return msgspec.structs.replace(status, runner_pid=pid) if pid is not None else status

    def runs(
        self, unreadable: Callable[[MigrateError], None] = lambda _: None
    ) -> tuple[RunStatus, ...]:
        """Every run that can be read, the newest first; `unreadable` hears why one cannot be."""
        found = []
        for listing in self._environment.store.list_runs():
            try:
                found.append(self.status(listing.run))
            except MigrateError as error:
                unreadable(error)
        return tuple(found)


def _defaults(cache: DefaultsCache, inspection: Inspection) -> dict[str, dict[str, Any] | None]:
    """The default configuration of every image that runs, as the inspection just read it."""
    found: dict[str, dict[str, Any] | None] = {}
    for facts in inspection.pods:
        binary = cache.get(image_of(facts.pod))
        found[image_of(facts.pod)] = binary.defaults if binary else None
    return found


def _sources(files: Files, target: Target) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path=path, content=files.read(path)) for path in target.values.files)


__all__ = [
    "BlockedError",
    "DryRun",
    "Environment",
    "Look",
    "Operations",
    "RunOptions",
    "RunStore",
]

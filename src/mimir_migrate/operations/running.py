"""Runs: begun, gone on with, asked something of, walked as a dry run, and worked on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from mimir_migrate import __version__
from mimir_migrate.engine.effects import lease_name
from mimir_migrate.engine.history import first_plan
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.runner import Runner
from mimir_migrate.engine.services import Services
from mimir_migrate.errors import (
    BlockedError,
    ExitCode,
    LeaseError,
    MigrateError,
    PlanStaleError,
    UsageError,
)
from mimir_migrate.inspection.binaries import DefaultsCache
from mimir_migrate.model.changes import LeaseClaim, RenewLease
from mimir_migrate.model.events import (
    Recorded,
    Request,
    RequestKind,
    RunFinished,
    RunStarted,
    RunState,
)
from mimir_migrate.model.facts import Identity
from mimir_migrate.model.plan import Gate, Plan, Strategy
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import DryRun, RunOptions
from mimir_migrate.operations.navigator import RunNavigator
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.requests import (
    ANSWERED_WITHIN,
    Left,
    Wish,
    answer_in,
    request_of,
)
from mimir_migrate.plans.facts import stale_words
from mimir_migrate.plans.planner import Order
from mimir_migrate.plans.refusals import refuse_going_on
from mimir_migrate.ports import Changes, Journal, World
from mimir_migrate.runs.status import RunStatus

RUNNER_ENDS_WITHIN = 10.0
"""Seconds between a runner's last event and the end of its process, at most."""


class Operations(Planning):
    """Inspect, plan, run, follow and ask."""

    @property
    def who(self) -> str:
        """`user@host` of the operator."""
        return self._environment.who

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
            # Left before the first leg and for no step: it is for the first time that the gate needs it.
            journal.leave(
                Request(
                    kind=RequestKind.OVERRIDE,
                    by=self._environment.who,
                    reason=reason,
                    gate=gate,
                    run=run,
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
            kind = self._asked_by_going_on(status, purpose, options)
            if kind is not None:
                journal.leave(request_of(status, Wish(kind=kind), by=self._environment.who))
            return run
        if purpose == "resume" and status.state in {RunState.DONE, RunState.ROLLED_BACK}:
            back = f"`mimir-migrate rollback {run}` goes back; "
            raise UsageError(
                f"the run {run} is over: {status.state.value}",
                hint=(back if status.state is RunState.DONE else "")
                + "`mimir-migrate plan` begins again.",
            )
        self._environment.spawn(run, purpose, options)
        return run

    def place(self, target: Target) -> Identity:
        """Which cluster, release and account a target means now; what is not told is empty."""
        world = self._environment.world_for(target)
        account = ""
        with suppress(MigrateError):
            account = world.tables.account()
        return Identity(
            server=world.cluster.server(),
            namespace=target.kubernetes.namespace,
            release=target.kubernetes.release,
            account=account,
            region=target.aws.region,
        )

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

    @staticmethod
    def _asked_by_going_on(
        status: RunStatus, purpose: str, options: RunOptions
    ) -> RequestKind | None:
        """What `resume` or `rollback` asks of a runner that lives; None: it is at work already."""
        if purpose == "rollback":
            return RequestKind.ROLLBACK
        if status.question is not None:
            return RequestKind.APPROVE if options.approve_all else None
        return RequestKind.CONTINUE if status.hold or status.hold_asked else None

    def ask(self, run: str, wish: Wish) -> Left:
        """Leave a request for a run's runner; it says what it answers.

        Raises:
            BlockedError: Nothing waits for it.
            UsageError: No runner works on it.
            PlanStaleError: It is to go on, and what its plan rests on is otherwise now. Nothing is
                left for it then, and it waits on.
        """
        run = self.resolve(run)
        status = self._settled(run)
        if status.runner_pid is None:
            error = BlockedError if wish.kind is RequestKind.APPROVE else UsageError
            raise error(
                f"no runner works on the run {run}: it is {status.state.value}",
                hint=status.hint or "There is nothing to ask of it.",
            )
        if wish.kind in {RequestKind.APPROVE, RequestKind.CONTINUE} and status.changed:
            self._refuse_changed(run, status)
        request = request_of(status, wish, by=self._environment.who)
        return Left(run=run, request=self._environment.store.open(run).leave(request))

    def answer(self, left: Left, *, within: float = ANSWERED_WITHIN) -> Recorded | None:
        """The event that answers a request, once the runner wrote it; None: not in time."""
        end = time.monotonic() + within
        while True:
            found = answer_in(self.events(left.run), left.request)
            if found is not None or time.monotonic() >= end:
                return found
            time.sleep(0.1)

    def _fresh_leg(self, plan: Plan, to: Store) -> str:
        """The steps that a run would go on with from what is there now, or why it would not."""
        world, cache = self._environment.world_for(plan.target), DefaultsCache()
        order = Order(to=to, rings=plan.rings, strategy=plan.strategy, returning=to is not plan.to)
        try:
            seen = self.inspect(world, plan.target, rings=plan.rings, cache=cache)
            if not order.returning:
                refuse_going_on(self.against_going_on(world, plan.target, order, seen, cache))
            fresh = self.planned(world, plan.target, order, seen)
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
        try:
            world = environment.world_for(plan.target)
            changes = environment.changes_for(plan.target, run)
            runner = Runner(self._services(plan, journal, world, changes, options), plan)
        except Exception as error:  # noqa: BLE001 - a runner that cannot begin says so as well
            return self._could_not_begin(journal, error)
        return runner.run(purpose, takeover=options.takeover)

    def _could_not_begin(self, journal: Journal, error: Exception) -> ExitCode:
        """Journal that a runner ended before it took the lease."""
        code = ExitCode.FAILED
        if isinstance(error, MigrateError):
            code = error.exit_code
            said = [error.message.rstrip("."), error.hint.rstrip(".")]
        else:
            details = self._environment.keep_details(error, f"the run {journal.run}")
            said = [
                f"something that nobody foresaw stopped the runner ({type(error).__name__})",
                f"The details are in {details}" if details else "",
            ]
        said.append("Nothing was changed; `resume` goes on from here, `rollback` goes back")
        reason = ". ".join(filter(None, said))
        journal.append(RunFinished(state=RunState.FAILED, reason=reason, exit_code=int(code)))
        return code

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
        return Services(
            world=world,
            changes=changes,
            journal=journal,
            navigator=RunNavigator(self, world, plan.target),
            who=self._environment.who,
            host=self._environment.host,
            pid=self._environment.pid,
            approve_all=options.approve_all,
            gate_timeout=options.gate_timeout,
            keep_details=self._environment.keep_details,
            dry=dry,
        )

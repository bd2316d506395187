"""Runs: begun, resumed and rolled back."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate import __version__
from mimir_migrate.durations import moment_words, spoken
from mimir_migrate.engine.effects import lease_name
from mimir_migrate.engine.history import first_plan
from mimir_migrate.errors import LeaseError, MigrateError, PlanStaleError, UsageError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.events import Request, RequestKind, RunStarted, RunState
from mimir_migrate.model.facts import Identity
from mimir_migrate.model.plan import Gate, Plan
from mimir_migrate.model.target import Target
from mimir_migrate.operations.asking import Asking
from mimir_migrate.operations.copies import Copies
from mimir_migrate.operations.environment import Environment, RunOptions
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.requests import Wish, request_of
from mimir_migrate.operations.runs import Runs
from mimir_migrate.plans.facts import stale_words
from mimir_migrate.plans.planner import Order
from mimir_migrate.runs.places import meant_by
from mimir_migrate.runs.status import RunStatus


class Running:
    """Starts runners, or asks the one that lives."""

    def __init__(
        self,
        environment: Environment,
        runs: Runs,
        planning: Planning,
        asking: Asking,
        copies: Copies,
    ) -> None:
        self._environment = environment
        self._runs = runs
        self._planning = planning
        self._asking = asking
        self._copies = copies

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
            DeniedError: The target asks for a copy of the journal, which may not be written.
        """
        self._copies.check(plan.target)
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
        changes = self._planning.changed_facts(plan)
        if not any(change.matters for change in changes):
            return
        raise PlanStaleError(
            "the plan is stale; since it was made this changed:\n"
            + stale_words(
                changes,
                left=[step.id for step in plan.steps],
                fresh=self._fresh(plan),
            ),
            hint="Nothing was changed. Make a new plan with `mimir-migrate plan`.",
        )

    def go_on(self, run: str, purpose: str, options: RunOptions) -> str:
        """Resume a run or roll it back: ask its runner if it lives, else start one; the run's id.

        Raises:
            LeaseError: Its runner is on another machine, and the lease is not to be taken over.
            UsageError: There is nothing to do for it.
        """
        run = self._runs.resolve(run)
        journal = self._environment.store.open(run)
        status = self._asking.settled(run)
        if status.runner_host and not options.takeover:
            self._refuse_held(first_plan(journal.events()), takeover=False)
        if status.runner_pid is not None and not status.runner_host:
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

    def place(self, target: Target) -> Identity:
        """Which cluster, release and account a target means now; what is not told is empty."""
        return meant_by(target, self._environment.world_for(target))

    def _fresh(self, plan: Plan) -> str:
        """The steps of a plan that would be made now, or why there is none."""
        order = Order(to=plan.to, goal=plan.goal, rings=plan.rings, strategy=plan.strategy)
        try:
            fresh = self._planning.plan(plan.target, order)
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
        since = moment_words(claim.since)
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
        if any(listing.run == claim.run for listing in self._environment.store.list_runs()):
            return (
                f"Wait for it, or say on {host or 'its machine'} what it shall do. Where that machine "
                f"is gone, `mimir-migrate resume {claim.run} --takeover` goes on from here and "
                f"`rollback {claim.run} --takeover` goes back, once the lease was not renewed for "
                f"{spoken(claim.duration)}."
            )
        return (
            "Wait for it, or ask its operator. If its runner is dead, "
            f"`mimir-migrate resume {claim.run}` on {host or 'its machine'} goes on with that run; "
            "where that machine is gone, `mimir-migrate apply PLAN.json --takeover` here, once the "
            f"lease was not renewed for {spoken(claim.duration)}."
        )

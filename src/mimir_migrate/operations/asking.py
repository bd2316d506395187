"""What is asked of a run's living runner, and what it answers."""

from __future__ import annotations

from mimir_migrate.engine.history import first_plan
from mimir_migrate.errors import (
    BlockedError,
    MigrateError,
    PlanStaleError,
    UsageError,
)
from mimir_migrate.inspection.binaries import DefaultsCache
from mimir_migrate.model.events import Recorded, RequestKind
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.stores import Store
from mimir_migrate.operations.environment import Environment
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.requests import (
    ANSWERED_WITHIN,
    Left,
    Wish,
    answer_in,
    request_of,
)
from mimir_migrate.operations.runs import Runs
from mimir_migrate.plans.facts import stale_words
from mimir_migrate.plans.planner import Order
from mimir_migrate.plans.refusals import refuse_going_on
from mimir_migrate.runs.status import RunStatus

RUNNER_ENDS_WITHIN = 10.0
"""Seconds between a runner's last event and the end of its process, at most."""


class Asking:
    """Leaves requests for runners, and waits for their answers."""

    def __init__(self, environment: Environment, runs: Runs, planning: Planning) -> None:
        self._environment = environment
        self._runs = runs
        self._planning = planning

    def ask(self, run: str, wish: Wish) -> Left:
        """Leave a request for a run's runner; it says what it answers.

        Raises:
            BlockedError: Nothing waits for it, or its runner works on another machine.
            UsageError: No runner works on it.
            PlanStaleError: It is to go on, and what its plan rests on is otherwise now. Nothing is
                left for it then, and it goes on waiting.
        """
        run = self._runs.resolve(run)
        status = self.settled(run)
        if status.runner_pid is None:
            error = BlockedError if wish.kind is RequestKind.APPROVE else UsageError
            raise error(
                f"no runner works on the run {run}: it is {status.state.value}",
                hint=status.hint or "There is nothing to ask of it.",
            )
        if status.runner_host:
            raise BlockedError(
                f"the runner of the run {run} is on {status.runner_host}, whether it lives is not known "
                "here, and what is asked here does not reach it",
                hint=f"Nothing was left for it. Say it on {status.runner_host}; where that machine or its "
                f"runner is gone, `mimir-migrate resume {run} --takeover` goes on from here, and "
                f"`rollback {run} --takeover` goes back, once its lease was not renewed for a minute.",
            )
        if wish.kind in {RequestKind.APPROVE, RequestKind.CONTINUE} and status.changed:
            self._refuse_changed(run, status)
        request = request_of(status, wish, by=self._environment.who)
        return Left(run=run, request=self._environment.store.open(run).leave(request))

    def answer(self, left: Left, *, within: float = ANSWERED_WITHIN) -> Recorded | None:
        """The event that answers a request, once the runner wrote it; None: not in time."""
        clock = self._environment.clock
        end = clock.now() + within
        while True:
            found = answer_in(self._runs.events(left.run), left.request)
            if found is not None or clock.now() >= end:
                return found
            clock.sleep(0.1)

    def settled(self, run: str) -> RunStatus:
        """Where a run stands, once a runner that wrote its last event is gone or the next has begun.

        A request left for a process that is about to end would be read by nobody.
        """
        clock = self._environment.clock
        end = clock.now() + RUNNER_ENDS_WITHIN
        while True:
            status = self._runs.status(run)
            ending = status.runner_pid is not None and status.exit_code is not None
            if not ending or clock.now() > end:
                return status
            clock.sleep(0.05)

    def _fresh_leg(self, plan: Plan, to: Store) -> str:
        """The steps that a run would go on with from what is there now, or why it would not."""
        world, cache = self._environment.world_for(plan.target), DefaultsCache()
        back = to is not plan.to
        order = Order(
            to=to,
            goal=None if back else plan.goal,
            rings=plan.rings,
            strategy=plan.strategy,
            returning=back,
        )
        try:
            seen = self._planning.inspect(world, plan.target, rings=plan.rings, cache=cache)
            if not order.returning:
                refuse_going_on(
                    self._planning.against_going_on(world, plan.target, order, seen, cache)
                )
            fresh = self._planning.planned(world, plan.target, order, seen)
        except MigrateError as error:
            return f"none: {error.message}"
        return ", ".join(step.id for step in fresh.steps) or "nothing is left to do"

    def _refuse_changed(self, run: str, status: RunStatus) -> None:
        """Say what changed while the run waited, before its runner would refuse to go on."""
        plan = first_plan(self._runs.events(run))
        at = status.step.id if status.step else "the next one"
        left = [step.id for step in plan.steps if step.id not in status.done_steps]
        raise PlanStaleError(
            f"the cluster or a file changed while the run {run} waits before the step {at}:\n"
            + stale_words(
                status.changed,
                left=left,
                fresh=self._fresh_leg(plan, Store(status.to)),
            ),
            hint=f"Nothing was changed, and it goes on waiting. {status.hint}",
        )

"""The question before a rollback: what it takes, and whether it is of the place that is worked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mimir_migrate.errors import MigrateError
from mimir_migrate.model.plan import Plan, StepKind
from mimir_migrate.plans import timing
from mimir_migrate.runs.places import differences, named_by, seen_at
from mimir_migrate.screens.modals.question import Answer, QuestionModal
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.runs import roll_back_words
from mimir_migrate.widgets.text import Line, line, seconds_words
from mimir_migrate.words import counted

PATIENCE = 20.0
"""Seconds after which a rollback can be confirmed though it is not known what it would walk: a cluster
that does not answer must not keep a rollback shut."""

LOOKED_AFTER_EVERY = 0.5
"""Seconds between two looks at whether the run went on meanwhile."""

if TYPE_CHECKING:
    from mimir_migrate.model.facts import Identity
    from mimir_migrate.model.target import Target
    from mimir_migrate.runs.status import RunStatus


def ask_to_roll_back(
    page: Page, status: RunStatus, answered: Callable[[Answer | None], None]
) -> None:
    """Ask once more by the release's name, which is taken once it is known what would be walked."""
    _RollbackQuestion(page, status).ask(answered)


class _RollbackQuestion:
    """The question, and the looks at what would be walked: one at a time, again where the run went on."""

    def __init__(self, page: Page, status: RunStatus) -> None:
        self._page, self._status = page, status
        self._found: list[Line] = _way_lines(
            status.cluster, status.account, *["looked up now…"] * 3
        )
        self._looks_at: object = None
        """Where the run stood when the look under way began; None: none is under way."""
        self._looked_at: object = None
        """Where it stood when what is shown was looked up."""
        self._question = QuestionModal(
            f"Roll back the run {status.run}?",
            self._words(),
            word=status.release,
            confirm="roll back",
            waits_for="the cluster is asked what it would walk",
        )

    def ask(self, answered: Callable[[Answer | None], None]) -> None:
        """Show it, and begin to look."""
        self._page.app.push_screen(self._question, answered)
        self._page.set_timer(PATIENCE, self._late)
        self._timer = self._page.set_interval(LOOKED_AFTER_EVERY, self._go_with_the_run)
        self._begin()

    def _now(self) -> RunStatus:
        """The run as the screen below knows it by now."""
        seen = self._page.session.status
        return seen if seen is not None and seen.run == self._status.run else self._status

    def _words(self) -> tuple[Line, ...]:
        now = self._now()
        lines = (*roll_back_words(now), line(""), *self._found)
        if self._looked_at is None or self._looked_at == _stands(now):
            return lines
        return (*lines, line(("The run went on since then: it is looked up again.", "warn")))

    def _begin(self) -> None:
        self._looks_at = _stands(self._now())
        self._page.in_background("rollback", self._look, self._looked, self._failed)

    def _look(self) -> list[Line]:
        status, target = self._status, self._page.session.target
        operations, place = self._page.session.operations, None
        if target.kubernetes.release:
            try:
                place = operations.place(target)
            except MigrateError:
                place = None  # a rollback is asked for all the same; its own place is shown
        found = other_place(status, target, place)
        try:
            plan = operations.dry_run_of(status.run, "rollback").plan
        except MigrateError as error:
            return [*found, line(f"What it would walk is not known yet: {error.message}")]
        return [*found, *way_words(plan, status)]

    def _looked(self, found: list[Line]) -> None:
        self._found, self._looked_at, self._looks_at = found, self._looks_at, None
        self._question.known(self._words())

    def _failed(self, error: MigrateError) -> None:
        self._looked([line(f"What it would walk is not known: {error.message}")])

    def _go_with_the_run(self) -> None:
        if not self._question.is_attached:
            self._timer.stop()
            return
        if self._looks_at is None and self._looked_at != _stands(self._now()):
            self._begin()
        if self._looked_at is not None:
            self._question.tell(self._words())

    def _late(self) -> None:
        if self._question.waits:
            unknown = f"What it would walk is not known after {seconds_words(PATIENCE)}"
            self._found = [line((unknown, "warn"), ": it is planned from what is observed then.")]
            self._question.known(self._words())


def _stands(status: RunStatus) -> object:
    """What of a run a rollback's way hangs on."""
    return status.step, status.done_steps, status.way_back, status.purpose


def other_place(status: RunStatus, target: Target, place: Identity | None) -> list[Line]:
    """In what the run is of another place than the target that is worked on; empty: in nothing."""
    here = named_by(target) if place is None else seen_at(place)
    return [
        line(
            (
                f"Another place: the run's {one.name} is {one.own}, the target's here is {one.here}.",
                "warn",
            )
        )
        for one in differences(seen_at(status), here)
    ]


def way_words(plan: Plan, status: RunStatus) -> list[Line]:
    """What a rollback would walk: where, its steps, rollouts and time."""
    here = plan.identity
    rollouts = sum(step.kind is StepKind.ROLLOUT for step in plan.steps)
    left = timing.time_left(plan.steps)
    steps = ", ".join(step.id for step in plan.steps) or "none: nothing is to be taken back"
    return _way_lines(
        here.server or status.cluster,
        here.account or status.account,
        steps,
        counted(rollouts, "rollout") if rollouts else "none",
        left.words(plan.target.scale, brief=True) + ", gates included" if left else "none",
    )


def _way_lines(cluster: str, account: str, steps: str, rollouts: str, time: str) -> list[Line]:
    return [
        line(("cluster   ", "dim"), cluster),
        line(("account   ", "dim"), account or "unknown"),
        line(("steps     ", "dim"), steps),
        line(("rollouts  ", "dim"), rollouts),
        line(("time      ", "dim"), time),
    ]

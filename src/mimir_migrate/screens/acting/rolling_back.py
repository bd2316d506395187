"""The question before a rollback: what it takes, and whether it is of the place that is worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """Ask once more by the release's name, which is taken once it is known what would be walked.

    A run that goes on while it is asked for is looked at again, so that no answer is about another place.
    """
    operations, target = page.session.operations, page.session.target
    question = QuestionModal(
        f"Roll back the run {status.run}?",
        _not_known_yet(status, "looked up now…"),
        word=status.release,
        confirm="roll back",
        waits_for="the cluster is asked what it would walk",
    )

    def look() -> list[Line]:
        place = None
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

    def looked(found: Sequence[Line]) -> None:
        question.known((*roll_back_words(now()), line(""), *found))

    def failed(error: MigrateError) -> None:
        looked([line(f"What it would walk is not known: {error.message}")])

    def now() -> RunStatus:
        seen = page.session.status
        return seen if seen is not None and seen.run == status.run else status

    def begin() -> None:
        page.in_background("rollback", look, looked, failed)

    seen = _stands(status)

    def look_again() -> None:
        nonlocal seen
        if not question.is_attached:
            timer.stop()
        elif _stands(now()) != seen:
            seen = _stands(now())
            question.tell(_not_known_yet(now(), "the run went on; looked up again…"))
            begin()

    def late() -> None:
        if question.waits:
            unknown = f"What it would walk is not known after {seconds_words(PATIENCE)}"
            looked([line((unknown, "warn"), ": it is planned from what is observed then.")])

    page.app.push_screen(question, answered)
    page.set_timer(PATIENCE, late)
    timer = page.set_interval(LOOKED_AFTER_EVERY, look_again)
    begin()


def _stands(status: RunStatus) -> object:
    """What of a run a rollback's way hangs on."""
    return status.step, status.done_steps, status.way_back, status.purpose


def _not_known_yet(status: RunStatus, why: str) -> tuple[Line, ...]:
    way = _way_lines(status.cluster, status.account, why, why, why)
    return (*roll_back_words(status), line(""), *way)


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

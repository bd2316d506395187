"""Plan: every step before it is made."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from mimir_migrate.errors import MigrateError
from mimir_migrate.model.plan import Plan
from mimir_migrate.plans import timing
from mimir_migrate.screens import plan_views as views
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.modals.question import Answer, QuestionModal
from mimir_migrate.screens.page import Page
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import Column, RowList
from mimir_migrate.widgets.text import Line, line
from mimir_migrate.words import counted, joined, placed


class PlanScreen(Page):
    """The steps from what was observed to what is wanted."""

    PLACE = "plan"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss", "plan.tcss"]
    AUTO_FOCUS = "#steps"
    HELP = """\
**Plan.** The steps in order; Space unfolds one to its gates and changes. The text tells of the step
under the cursor: what, why, the change, the commands by hand, what will be seen, how long, what it
touches, the rollback. `5` shows the values file's difference, `d` walks the plan without changing
anything, `x` exports it, `s` starts the run after a question.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("plan")]

    def body(self) -> ComposeResult:
        with Vertical(id="left"):
            yield Heading("Steps", id="steps-title")
            yield RowList(
                (Column(), Column(), Column(grows=True)),
                id="steps",
                empty="no plan yet",
            )
        with Vertical(id="right"):
            yield Heading("The step", id="step-title")
            yield Reader(id="step")

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        plan = self.session.plan
        steps = self.query_one("#steps", RowList)
        if plan is None:
            steps.set_rows(())
            self.query_one("#steps-title", Heading).say("Steps")
            self._show_why_none()
            return
        steps.set_rows(views.step_rows(plan, glyphs_of(self)))
        if self.session.step:
            steps.move_to(self.session.step)
        left = timing.time_left(plan.steps)
        taken = (
            left.words(self.session.scale, brief=True)
            if left is not None
            else "nothing is left to do"
        )
        steps_words = counted(len(plan.steps), "step")
        whole = f"{steps_words} to {plan.end.value}: {taken}"
        self.query_one("#steps-title", Heading).say(
            f"{whole}, {plan.strategy.value}", whole, f"{steps_words}: {taken}"
        )
        self._show_step()
        self._say_next(plan)

    def _say_next(self, plan: Plan) -> None:
        if not plan.steps:
            self.say(f"Nothing is left to do: every chosen ring is on {plan.end.value}.", "good")
        elif run := self.session.walked_by:
            self.say(f"The run {run} was started with this plan: 6 shows it, p plans again.")
        else:
            self.say("5 shows the values file's difference. s starts the run, after a question.")

    def _show_why_none(self) -> None:
        error = self.session.plan_error
        reader = self.query_one("#step", Reader)
        if error is None:
            reader.show([line("Choose what is to be moved first: press 3, then p.")])
            self.say("There is no plan yet: press 3 to choose.", "warn")
            return
        reader.show(error_lines(error), subject="error")
        self.say("No plan could be made, and nothing was changed. p tries again.", "bad")

    def _number(self) -> int:
        """The index of the step under the cursor; -1: none."""
        plan = self.session.plan
        key = self.query_one("#steps", RowList).key.partition("/")[0]
        ids = [step.id for step in plan.steps] if plan else []
        return ids.index(key) if key in ids else -1

    def _show_step(self) -> None:
        plan, number = self.session.plan, self._number()
        reader, title = self.query_one("#step", Reader), self.query_one("#step-title", Heading)
        if plan is None:
            return
        if number < 0:
            notes = [line(f"- {note}") for note in plan.notes]
            reader.show([line("Nothing is left to do."), *notes], subject="nothing")
            return
        step = plan.steps[number]
        self.session.step = step.id
        title.say(placed(step.id, number + 1, len(plan.steps)))
        reader.show(views.step_lines(step, plan.target.scale), subject=step.id)

    @on(RowList.Highlighted, "#steps")
    def _moved(self) -> None:
        self._show_step()

    @on(RowList.Chosen, "#steps")
    def _chosen(self, event: RowList.Chosen) -> None:
        row = next((row for row in event.rows.shown if row.key == event.key), None)
        if row is not None and row.folds:
            event.rows.action_turn()
            return
        self.query_one("#step", Reader).focus()

    def step_back(self) -> None:
        self.query_one("#steps", RowList).focus()

    # --- doing -------------------------------------------------------------------------------

    def impossible(self, action: str) -> str:
        plan = self.session.plan
        if action in {"dry_run", "start_run", "export"} and plan is None:
            return "There is no plan yet: 3 shows the choices, p makes a plan."
        if action in {"dry_run", "start_run"} and plan is not None and not plan.steps:
            return "The plan has no step: nothing is left to do."
        if action == "start_run" and (run := self.session.walked_by):
            return f"The run {run} was started with this plan: 6 shows it, p plans again."
        if action == "make_plan" and self.session.staying:
            return "The choice is to stay, which needs no plan: 3 shows the others."
        if action == "make_plan" and (missing := self.session.missing()):
            return f"Missing for a plan: {', '.join(missing)}. 1 Start takes it."
        return ""

    def action_make_plan(self) -> None:
        from mimir_migrate.screens.choices import planner_of

        if self.session.missing():
            return
        self.say("Planning: the cluster is asked once more, nothing is changed…")
        self.in_background("plan", planner_of(self.session), self._planned, self._failed)

    def _planned(self, plan: Plan) -> None:
        self.session.plan, self.session.plan_error, self.session.walked = plan, None, None
        self.show_now()

    def _failed(self, error: MigrateError) -> None:
        self.session.plan, self.session.plan_error = None, error
        self.show_now()

    def action_dry_run(self) -> None:
        plan = self.session.plan
        if plan is None:
            return
        self.say("Walking the plan with recorders; nothing is changed…")
        operations = self.session.operations

        def walk() -> list[Line]:
            from mimir_migrate.model.changes import describe

            dry = operations.dry_run(plan)
            found = [
                line(("What the run would change, in this order. Nothing was changed.", "strong")),
                line(""),
            ]
            found += [
                line(f"{n:>3}  {describe(change)}") for n, change in enumerate(dry.changes, 1)
            ]
            return [*found, line(""), line(("It would end: ", "dim"), dry.reason or "done")]

        self.in_background("dry run", walk, self._walked)

    def _walked(self, lines: list[Line]) -> None:
        from mimir_migrate.screens.modals.text import TextModal

        self.show_now()
        self.app.push_screen(TextModal("Dry run", lines))

    def action_export(self) -> None:
        from mimir_migrate.plans import export
        from mimir_migrate.screens.modals.export import ask_export

        plan = self.session.plan
        if plan is None:
            return
        ask_export(
            self,
            f"plan-{plan.id}",
            {
                ".md": ("a runbook", lambda: export.to_markdown(plan).encode()),
                ".json": ("for apply", lambda: export.to_json(plan)),
                ".sh": ("a shell script", lambda: export.to_shell(plan).encode()),
            },
            what="the plan",
        )

    def action_start_run(self) -> None:
        plan = self.session.plan
        if plan is None or not plan.steps:
            return

        def answered(answer: Answer | None) -> None:
            if answer is not None and answer.confirmed:
                self.say("Checking that the plan still holds, then starting the runner…")
                self.in_background(
                    "start",
                    lambda: self._start(plan),
                    lambda run: self._started(plan, run),
                    self._stale,
                )

        self.app.push_screen(
            QuestionModal(
                f"Start the run: {counted(len(plan.steps), 'step')} on {plan.identity.release}?",
                start_words(plan, in_demo=self.session.in_demo),
                word=plan.identity.release,
                confirm="start the run",
            ),
            answered,
        )

    def _start(self, plan: Plan) -> str:
        from mimir_migrate.operations import RunOptions

        return self.session.operations.start(plan, options=RunOptions())

    def _started(self, plan: Plan, run: str) -> None:
        self.session.walked = plan, run
        self.session.run, self.session.status = run, None
        self.host.go("run")

    def _stale(self, error: MigrateError) -> None:
        self.show_now()
        self.show_error(error)


def start_words(plan: Plan, *, in_demo: bool = False) -> tuple[Line, ...]:
    """What starting the run means."""
    closing = "leaving the demo ends it" if in_demo else "closing this app does not end it"
    here = plan.identity
    crossing = [step.id for step in plan.steps if step.crossing or step.closes_way_back]
    return (
        line(
            f"It moves {joined(plan.rings)} of {here.release} in {here.namespace} to "
            f"{plan.end.value}, on {here.server}, account {here.account or 'unknown'}, region "
            f"{here.region or 'unknown'}."
        ),
        line(""),
        line(f"A runner of its own walks the steps; {closing}."),
        line(
            f"It waits for your approval before {joined(crossing) or 'no step'}.",
        ),
        line("It can be held, stopped after a step and rolled back at any time."),
    )


def error_lines(error: MigrateError) -> list[Line]:
    """Why there is no plan, and what to do."""
    found = [
        line((part, "bad" if number == 0 else ""))
        for number, part in enumerate(error.message.split("\n"))
    ]
    if error.hint:
        found += [line(""), line(("What to do", "accent")), line(error.hint)]
    return found

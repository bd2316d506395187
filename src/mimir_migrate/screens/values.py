"""Values: the difference of the values file, before anything is written."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import BindingType

from mimir_migrate.errors import MigrateError
from mimir_migrate.model.plan import Plan
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.session import Session
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.diff import DiffRows, DiffView, aligned
from mimir_migrate.widgets.yaml_colours import coloured
from mimir_migrate.words import counted, placed

if TYPE_CHECKING:
    from mimir_migrate.operations import Operations


class FileStage(msgspec.Struct, frozen=True, kw_only=True):
    """One file in one step: before and after."""

    step: str
    title: str
    path: str
    diff: DiffRows


class ValuesScreen(Page):
    """What each step makes of the values files."""

    PLACE = "values"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss", "values.tcss"]
    AUTO_FOCUS = "#diff"
    HELP = """\
**Values.** What the plan's steps will make of the values file, a step at a time: `]` and `[` go to
the next step and the one before, `n` and `N` from edit to edit, `|` between side by side and
unified. Nothing is written before the run's step writes it.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("values")]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._plan: Plan | None = None
        self._stages: tuple[FileStage, ...] = ()
        self._at = 0

    def body(self) -> ComposeResult:
        yield Heading("The values file", id="title")
        yield DiffView(colours=coloured, id="diff")

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        plan = self.session.plan
        if plan is not self._plan:
            self._plan, self._stages, self._at = plan, (), 0
            self.query_one(DiffView).show(DiffRows(), subject="")
            if plan is not None:
                operations = self.session.operations
                self.in_background(
                    "values", lambda: stages_of(plan, operations), self._got, self._failed
                )
        self._show()

    def _got(self, stages: tuple[FileStage, ...]) -> None:
        self._stages = stages
        ids = [stage.step for stage in stages]
        self._at = ids.index(self.session.step) if self.session.step in ids else 0
        self._show()
        self.refresh_bindings()

    def _failed(self, error: MigrateError) -> None:
        self._stages = ()
        self._show()
        self.show_error(error)

    def _show(self) -> None:
        title, view = self.query_one("#title", Heading), self.query_one(DiffView)
        if self._plan is None:
            title.say("The values file")
            self.say("There is no plan yet, so no difference: press 3 to choose.", "warn")
            return
        if not self._stages:
            waiting = self.busy("values")
            self.say("Reading the values files…" if waiting else "No step edits a values file.")
            return
        stage = self._stages[self._at]
        ids = [step.id for step in self._plan.steps]
        place = placed(stage.step, ids.index(stage.step) + 1, len(ids))
        title.say(f"{place}: {stage.path}")
        view.show(stage.diff, subject=f"{stage.step} {stage.path}")
        self._say_change()

    def _say_change(self) -> None:
        view = self.query_one(DiffView)
        total = len(view.diff.changes)
        at = f"Edit {view.change + 1} of {total} of this step" if total else "No edit"
        if view.change + 1 < total:
            at += " (n: next)"
        lines = sum(1 for row in view.diff.rows if row.changed)
        shown = "4 shows the plan"
        if self._at + 1 < len(self._stages):
            shown = f"] shows the next step, {shown}"
        self.say(f"{at}, {counted(lines, 'changed line')}. Nothing is written yet. {shown}.")

    # --- moving ------------------------------------------------------------------------------

    def impossible(self, action: str) -> str:
        if not self._stages:
            return "There is no difference to move in yet." if action in _NEEDS_STAGES else ""
        if action == "next_step" and self._at + 1 >= len(self._stages):
            return "This is the last step that edits a values file."
        if action == "previous_step" and self._at == 0:
            return "This is the first step that edits a values file."
        return ""

    def action_next_change(self) -> None:
        view = self.query_one(DiffView)
        view.go_to_change(view.change + 1)
        self._say_change()

    def action_previous_change(self) -> None:
        view = self.query_one(DiffView)
        view.go_to_change(view.change - 1)
        self._say_change()

    def action_next_step(self) -> None:
        self._go_to(self._at + 1)

    def action_previous_step(self) -> None:
        self._go_to(self._at - 1)

    def _go_to(self, place: int) -> None:
        if 0 <= place < len(self._stages):
            self._at = place
            self.session.step = self._stages[place].step
            self._show()
            self.refresh_bindings()

    def action_layout(self) -> None:
        self.query_one(DiffView).toggle()

    def text_to_copy(self) -> str:
        """The unified diff of the step that is shown."""
        if self._plan is None or not self._stages:
            return ""
        step = self._stages[self._at].step
        return next((each.diff for each in self._plan.steps if each.id == step), "")


_NEEDS_STAGES = frozenset(
    {"next_change", "previous_change", "next_step", "previous_step", "layout"}
)


def stages_of(plan: Plan, operations: Operations) -> tuple[FileStage, ...]:
    """Every edit of every step, each file carried from one step to the next."""
    from mimir_migrate.documents import edits as file_edits

    sources = operations.sources(plan.target)
    contents = {file.path: file.content for file in sources}
    found = []
    for step in plan.steps:
        for edit in step.edits:
            before = contents[edit.path]
            after = contents[edit.path] = file_edits.apply(edit, before)
            found.append(
                FileStage(
                    step=step.id,
                    title=step.title,
                    path=edit.path,
                    diff=aligned(
                        before.decode("utf-8", "replace"), after.decode("utf-8", "replace")
                    ),
                )
            )
    return tuple(found)

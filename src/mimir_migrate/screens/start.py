"""Start: unfinished runs first, then a new migration, the demo, past runs; and the target."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from mimir_migrate.errors import MigrateError
from mimir_migrate.flags import FLAGS, LISTS
from mimir_migrate.model.target import Target
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.runs import (
    elsewhere,
    going_on,
    going_on_words,
    is_over,
    may_roll_back,
    run_sections,
    why_not_resumed,
)
from mimir_migrate.screens.session import Session, entry_of, with_entry
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.rows import Column, Row, RowList, cell
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.operations import Operations
    from mimir_migrate.runs.status import RunStatus
    from mimir_migrate.screens.modals.pick import PickModal
    from mimir_migrate.screens.modals.question import Answer
    from mimir_migrate.screens.session import Demo

ENTRIES = (
    "context",
    "namespace",
    "release",
    "values",
    "table",
    "aws-region",
    "aws-profile",
    "deploy-method",
    "chart",
    "deploy-command",
    "kubeconfig",
    "values-root",
    "terraform",
    "puller-sync-time",
)
"""Entries of the target in the order in which they are asked for."""

OFFERED = frozenset({"context", "namespace", "release", "values", "aws-region", "aws-profile"})
"""Entries that are looked for."""

METHODS = (
    ("helm", "helm upgrade with the installed chart's version"),
    ("command", "a command of yours, run with $VALUES"),
    ("external", "somebody or something else deploys; wait and verify"),
)


class StartScreen(Page):
    """Where a sitting begins."""

    PLACE = "start"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss", "start.tcss"]
    AUTO_FOCUS = "#runs"
    HELP = """\
**Start.** Above: runs that are not over, a new migration, the demo, past runs; `o` opens what is
under the cursor, `r` continues a run that is held (resumes one whose runner is gone) and `b` rolls it back, each after a question. Below: the target,
read from target.toml where there is one. Enter or `e` on an entry offers what was found and takes
what you type; `x` saves all of it as a target file. The last line says what is still missing. Tab
goes from one list to the other.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("start")]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._runs: tuple[RunStatus, ...] = ()
        self._first = True

    def body(self) -> ComposeResult:
        with Vertical(id="above"):
            yield Heading("What do you want to do?")
            yield RowList(
                (Column(), Column(most=30), Column(), Column(grows=True)),
                id="runs",
                empty="no run yet",
            )
        with Vertical(id="below"):
            yield Heading("The target")
            yield RowList((Column(width=16), Column(grows=True)), id="target")

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        self._show_target()
        self._show_runs(self._runs)
        # Once the screen is drawn: reading journals competes with drawing it.
        self.call_after_refresh(self._read_runs)

    def _read_runs(self) -> None:
        operations = self.session.operations
        self.in_background("runs", operations.runs, self._got_runs, asked=False)

    def _got_runs(self, runs: tuple[RunStatus, ...]) -> None:
        first, self._first = self._first, False
        self._runs = runs
        self._show_runs(runs)
        unfinished = next((run.run for run in runs if not is_over(run)), "")
        if first and unfinished:
            self.query_one("#runs", RowList).move_to(f"run:{unfinished}")
        self._say_ready()
        self.refresh_bindings()

    def _show_runs(self, runs: tuple[RunStatus, ...]) -> None:
        signs = glyphs_of(self)
        unfinished, past = run_sections(runs, signs, self.session.clock())
        rows: list[Row] = []
        if unfinished:
            rows.append(Row(key="h:unfinished", cells=(cell("Unfinished runs"),), heading=True))
            rows += unfinished
            rows.append(Row(key="h:new", cells=(cell("Or"),), heading=True))
        rows.append(
            self._row("new", "A new migration", "inspect the target, then choose and plan")
        )
        if self.session.own is not None:
            rows.append(self._row("leave", "Leave the demo", "ends its sandbox and its runs"))
        elif self.session.demo is not None:
            rows.append(self._row("demo", "The demo", "the whole journey on a sandbox here"))
        if past:
            rows.append(Row(key="h:past", cells=(cell("Past runs"),), heading=True))
            rows += past
        self.query_one("#runs", RowList).set_rows(rows)

    def _row(self, key: str, what: str, how: str) -> Row:
        """Something to begin with, rather than a run."""
        sign = glyphs_of(self).arrow
        return Row(key=key, cells=(cell(f"{sign} {key}"), cell(what), cell(""), cell(how, "dim")))

    def _show_target(self) -> None:
        target = self.session.target
        missing = set(self.session.missing())
        signs = glyphs_of(self)
        rows = []
        for entry in ENTRIES:
            value = entry_of(target, entry)
            if entry in missing:
                shown = cell(f"{signs.bad} missing: {FLAGS[entry][2]}", "bad")
            elif value:
                shown = cell(value)
            else:
                shown = cell(f"({FLAGS[entry][2]})", "dim")
            rows.append(Row(key=entry, cells=(cell(entry, "key"), shown)))
        listed = self.query_one("#target", RowList)
        fresh = not listed.rows
        listed.set_rows(rows)
        if fresh:
            self._to_missing()
        self._say_ready()

    def _to_missing(self) -> None:
        """Put the target's cursor on the first entry that is missing."""
        missing = set(self.session.missing())
        first = next((entry for entry in ENTRIES if entry in missing), "")
        if first:
            self.query_one("#target", RowList).move_to(first)

    def _say_ready(self) -> None:
        missing = self.session.missing()
        unfinished = [run for run in self._runs if not is_over(run)]
        if unfinished:
            said = counted(len(unfinished), "run is", "runs are")
            self.say(f"{said} unfinished: o opens it, b rolls back. 2 inspects again.", "warn")
        elif missing:
            self.say(
                f"Missing: {', '.join(missing)}. e gives the entry under the cursor below.", "bad"
            )
        else:
            self.say("Ready. Press 2 to inspect the cluster; that changes nothing.", "good")

    # --- what is under the cursor ------------------------------------------------------------

    def _status(self) -> RunStatus | None:
        key = self.query_one("#runs", RowList).key if self.is_mounted else ""
        name = key.removeprefix("run:") if key.startswith("run:") else ""
        return next((run for run in self._runs if run.run == name), None)

    HIDES = frozenset({"demo"})

    def label(self, action: str, usual: str) -> str:
        return going_on(self._status()) if action == "resume" else usual

    def impossible(self, action: str) -> str:
        if action in {"resume", "roll_back"}:
            status = self._status()
            if status is None:
                return "No run is under the cursor."
            if status.runner_host:
                return elsewhere(status)
            if action == "resume":
                return why_not_resumed(status)
            return "" if may_roll_back(status) else "The run is rolled back already."
        if action == "demo" and self.session.demo is None:
            return "The app was opened on a demo, or what the demo needs is not installed."
        if action == "demo" and self.session.read_only:
            return "The app was started with --read-only; the demo would start a sandbox."
        return ""

    @on(RowList.Highlighted, "#runs")
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(RowList.Chosen, "#runs")
    def action_open(self) -> None:
        key = self.query_one("#runs", RowList).key
        if key == "new":
            self.host.go("inspect")
        elif key in {"demo", "leave"}:
            self.action_demo()
        elif (status := self._status()) is not None:
            self.session.run, self.session.status = status.run, status
            self.host.go("run")

    # --- runs --------------------------------------------------------------------------------

    def action_resume(self) -> None:
        from mimir_migrate.screens.modals.question import QuestionModal

        status = self._status()
        if status is not None:
            title, words = going_on_words(status)
            self.app.push_screen(
                QuestionModal(title, words, confirm=going_on(status).lower()),
                lambda answer: self._answered("resume", status.run, answer),
            )

    def action_roll_back(self) -> None:
        from mimir_migrate.screens.acting.rolling_back import ask_to_roll_back

        status = self._status()
        if status is not None:
            ask_to_roll_back(
                self, status, lambda answer: self._answered("rollback", status.run, answer)
            )

    def _answered(self, purpose: str, run: str, answer: Answer | None) -> None:
        if answer is not None and answer.confirmed:
            self.in_background("go on", lambda: self._go_on(run, purpose), self._gone_on)

    def _go_on(self, run: str, purpose: str) -> str:
        from mimir_migrate.operations import RunOptions

        return self.session.operations.go_on(run, purpose, RunOptions())

    def _gone_on(self, run: str) -> None:
        self.session.run = run
        self.host.go("run")

    def action_demo(self) -> None:
        demo, session = self.session.demo, self.session
        if demo is None:
            return
        if session.own is not None:
            self._ask_to_leave(demo)
            return
        if self.busy("demo"):
            return

        def started(stage: tuple[Target, Operations]) -> None:
            session.enter_demo(*stage)
            self._runs, self._first = (), True
            self.app.notify("This is a sandbox of its own; m on 1 Start leaves and ends it.")
            self.host.go("inspect")
            self.host.offer_tour()

        def failed(error: MigrateError) -> None:
            self._say_ready()
            self.show_error(error)

        self.in_background(
            "demo",
            lambda: demo.start(lambda text: self.from_thread(self.say, text)),
            started,
            failed,
        )

    def _ask_to_leave(self, demo: Demo) -> None:
        from mimir_migrate.screens.modals.pick import PickModal

        def picked(choice: str | None) -> None:
            if choice == "leave" and not self.busy("demo"):
                self.say("Ending the demo's sandbox and its runs…")
                self.in_background("demo", demo.end, lambda _: self._left_demo())

        self.app.push_screen(
            PickModal(
                "Leave the demo? Its sandbox and every run in it end; nothing of them is kept.",
                offers=(("stay", "stay in the demo"), ("leave", "back to your own target")),
                typed=False,
            ),
            picked,
        )

    def _left_demo(self) -> None:
        self.host.end_tour()
        self.session.leave_demo()
        self._runs, self._first = (), True
        self.show_now()

    # --- the target --------------------------------------------------------------------------

    @on(RowList.Chosen, "#target")
    def action_edit(self) -> None:
        from mimir_migrate.screens.modals.pick import PickModal

        entry = self.query_one("#target", RowList).key
        if not entry:
            return
        offers = METHODS if entry == "deploy-method" else ()
        looks = self.session.finder is not None and entry in OFFERED
        several = " Separate several with commas." if entry in LISTS else ""
        modal = PickModal(
            f"{entry}: {FLAGS[entry][2]}.{several}",
            value=entry_of(self.session.target, entry),
            offers=offers,
            note="Looking for what there is…" if looks else "",
        )
        self.app.push_screen(modal, lambda value: self._edited(entry, value))
        if looks:
            self._offer(entry, modal)

    def _offer(self, entry: str, modal: PickModal) -> None:
        finder, target = self.session.finder, self.session.target

        def found(offers: tuple[str, ...]) -> None:
            modal.offer([(offer, "") for offer in offers], f"{len(offers)} found.")

        def failed(error: MigrateError) -> None:
            modal.offer((), f"Nothing could be found: {error.message}")

        if finder is not None:
            self.in_background("offers", lambda: finder.offers(entry, target), found, failed)

    def _edited(self, entry: str, value: str | None) -> None:
        if value is None:
            return
        before = self.session.target
        try:
            self.session.set_target(with_entry(before, entry, value))
        except ValueError:
            self.app.notify(
                f"{value!r} is none of helm, command, external", severity="error", markup=False
            )
            return
        if self.session.target != before and not self.session.in_demo:
            self.session.typed = True
        self.show_now()
        if value:
            self._to_missing()

    def action_export(self) -> None:
        from mimir_migrate.screens.modals.save import ask_to_save

        ask_to_save(self)

    def step_back(self) -> None:
        self.query_one("#runs", RowList).focus()

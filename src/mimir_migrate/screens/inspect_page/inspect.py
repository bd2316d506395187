"""Inspect: where every ring stands, what that means, and each pod's own answer."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.causes import Cause, by_cause
from mimir_migrate.model.findings import Severity
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.inspect_page.finding_views import (
    finding_key,
    finding_lines,
    finding_rows,
    tally,
)
from mimir_migrate.screens.inspect_page.matrix_views import matrix_of, with_legend
from mimir_migrate.screens.inspect_page.pod_views import detail_rows
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.session import Session
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.matrix import Matrix, MatrixTable
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import Column, Row, RowList
from mimir_migrate.widgets.text import seconds_words
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.operations import Look


_RULED = 4
"""Cells of a heading's line that are its rule, and not its words."""
SPARES = 10.0
"""An inspection that takes long is made again only after so many times what it took."""


PODS_FOLLOW = "a cell's pods, down to what each of them answered"


class InspectScreen(Page):
    """The picture of where things stand."""

    PLACE = "inspect"
    CSS_PATH: ClassVar[list[str | PurePath]] = ["../page.tcss", "inspect.tcss"]
    AUTO_FOCUS = "#matrix"
    HELP = """\
**Inspect.** Above, each row is a ring and each column a component; a cell says the store state, and
how many of its pods see all members. The capital letter is the store that is read; a star says that
the runtime configuration made it so, while the values name the other store first. Below are the findings, what blocks first. Enter on a cell
shows its pods, and each pod unfolds to what it answered; Enter on a finding shows its evidence and
what to do, Space what hangs on it. Escape or `f` goes back to the findings, `i` asks everything
again; that is done by itself about once a minute. Nothing here changes anything.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("inspect")]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._shown: Look | None = None
        self._progress: tuple[str, int, int] | None = None
        self._began = 0.0
        self._ticker: Timer | None = None
        self._error = ""
        self._causes: tuple[Cause, ...] = ()
        self._looked_at = 0.0
        """When the last inspection ended, by the app's clock."""
        self._took = 0.0
        self._quiet = False
        """Whether the inspection under way was begun by time, not by a key."""

    def body(self) -> ComposeResult:
        yield Heading("Rings and components", id="matrix-title")
        yield Matrix(
            id="matrix",
            empty="nothing is known yet; press i to ask Kubernetes, every pod and DynamoDB",
        )
        with Horizontal(id="lower"):
            with Vertical(id="left"):
                yield Heading("Findings", id="findings-title")
                yield RowList(
                    (Column(), Column(grows=True)),
                    id="findings",
                    empty="nothing was found yet",
                )
            with Vertical(id="right"):
                yield Heading("Details", id="details-title")
                with ContentSwitcher(initial="details", id="switch"):
                    yield Reader(id="finding")
                    yield RowList(
                        (Column(grows=True),),
                        id="details",
                        empty=PODS_FOLLOW,
                    )

    def on_mount(self) -> None:
        super().on_mount()
        self._ticker = self.set_interval(0.1, self._tick, pause=True)
        self.set_interval(1.0, self._age)
        if self.session.look is None and not self.session.missing_to_look():
            self.action_look()

    # --- drawing -----------------------------------------------------------------------------

    def refresh_page(self) -> None:
        look = self.session.look
        if look is not self._shown:
            self._shown = look
            self._prepare(look)
        if self.session.look_is_past and self._progress is None and not self._error:
            self._ask_all(quiet=True)
            self._titles()
        self._say_state()

    def _prepare(self, look: Look | None) -> None:
        """Turn facts into rows in a thread: a large cluster's take longer than a frame."""
        signs = glyphs_of(self)
        matrix, findings = self.query_one(Matrix), self.query_one("#findings", RowList)
        if look is None:
            matrix.set_table(MatrixTable())
            findings.set_rows(())
            self.remove_class("-opened")
            return

        causes = self._causes = by_cause(look.findings)

        def work() -> tuple[MatrixTable, list[Row]]:
            return matrix_of(look.inspection, signs), finding_rows(causes, signs)

        def show(prepared: tuple[MatrixTable, list[Row]]) -> None:
            matrix.set_table(prepared[0])
            findings.set_rows(prepared[1])
            self._fill_details()
            if self.query_one(ContentSwitcher).current == "finding":
                self._fill_finding(findings.key)
            self._titles()

        self.in_background("prepare", work, show)

    def _titles(self) -> None:
        look = self._shown
        title = "Rings and components"
        if look is not None:
            pods = counted(len(look.inspection.pods), "pod")
            title = with_legend(f"{pods}, {self._age_words(look)}", self.size.width - _RULED)
        self.query_one("#matrix-title", Heading).say(title)
        counts = dict.fromkeys(Severity, 0)
        for cause in self._causes if look else ():
            counts[cause.finding.severity] += 1
        self.query_one("#findings-title", Heading).say(f"Findings: {tally(counts)}")
        row, column = self.query_one(Matrix).cursor
        about = "Finding"
        if self.query_one(ContentSwitcher).current == "details":
            about = f"Ring {row}" + (f" on {column}" if column else "") if row else "Details"
        back = " (Esc goes back)" if self.has_class("-narrow") else ""
        self.query_one("#details-title", Heading).say(about + back)

    def _age_words(self, look: Look) -> str:
        """How old the inspection is, and whether it is asked again."""
        old = self.session.clock() - look.inspection.at
        said = f"{seconds_words(old)} old" if old >= 1 else "just now"
        if self.session.look_is_past:
            said += ", from before the run's last change"
            if self._progress is not None:
                return f"{said}: being read again"
        if self._progress is not None and self._quiet:
            return f"{said}, asking again"
        return f"{said}, not refreshed: {self._error}" if self._error else said

    def _say_state(self) -> None:
        if self._progress is not None and not self._quiet:
            what, done, of = self._progress
            spent = seconds_words(self.session.clock() - self._began)
            now = "now the stores" if done and done == of else what
            self.say(f"Asking: {done} of {of or '?'} pods, {spent}; {now}")
        elif self._error and self._shown is None:
            self.say(f"The inspection failed: {self._error}. Press i to try again.", "bad")
        elif self._shown is None:
            missing = ", ".join(self.session.missing_to_look())
            said = f"Missing: {missing}. Go to 1 Start." if missing else "Press i to inspect."
            self.say(said, "bad" if missing else "")
        elif self.session.look_is_past and self._progress is not None:
            self.say(
                "What stands here is from before the run's last change: it is being read again…",
                "warn",
            )
        else:
            blocking = sum(
                cause.finding.severity is Severity.BLOCKS
                for cause in by_cause(self._shown.findings)
            )
            if blocking:
                said = counted(blocking, "finding blocks", "findings block")
                self.say(f"{said}: Enter says what to do. 3 shows the choices.", "bad")
            else:
                self.say("Nothing blocks. Press 3 to see the choices side by side.", "good")

    # --- asking ------------------------------------------------------------------------------

    def action_look(self) -> None:
        if self.session.missing_to_look():
            self._say_state()
            return
        self._ask_all(quiet=False)

    def _age(self) -> None:
        """Say how old what is shown is, and ask again when it is old enough."""
        look = self._shown
        if look is None or self.app.screen is not self:
            return
        self._titles()
        every = max(getattr(self.app, "refresh_seconds", 60.0), SPARES * self._took)
        old = self.session.clock() - max(self._looked_at, look.inspection.at)
        past = self.session.look_is_past and not self._error
        if (past or old >= every) and self._progress is None:
            self._ask_all(quiet=True)

    def _ask_all(self, *, quiet: bool) -> None:
        session = self.session
        self._quiet = quiet
        self._progress, self._error = ("Kubernetes", 0, 0), ""
        session.looking = True
        self._began = session.clock()
        target, after = session.target, session.changed_at
        if self._ticker is not None:
            self._ticker.resume()

        def note(what: str, done: int, of: int) -> None:
            self._progress = (what, done, of)

        self.in_background(
            "look",
            lambda: session.operations.look(target, rings=(), progress=note),
            lambda look: self._looked(look, target, after),
            self._failed,
        )
        self._say_state()

    def _tick(self) -> None:
        if self._progress is not None:
            self._say_state()

    def _over(self) -> None:
        self._progress = None
        self.session.looking = False
        self._looked_at = self.session.clock()
        self._took = self._looked_at - self._began
        if self._ticker is not None:
            self._ticker.pause()

    def _looked(self, look: Look, target: object, after: float) -> None:
        self._over()
        if target is self.session.target:
            self.session.look, self.session.looked_after = look, after
        self.show_now()
        self._tell_the_others()

    def _failed(self, error: MigrateError) -> None:
        self._over()
        self._error = error.message.rstrip(".")
        self.show_now()
        self._titles()
        self._tell_the_others()
        if not self._quiet:
            self.show_error(error)

    def _tell_the_others(self) -> None:
        """A screen that is in front meanwhile draws what was found."""
        front = self.app.screen_stack[0]
        if front is not self and isinstance(front, Page):
            front.show_now()

    # --- moving about ------------------------------------------------------------------------

    def _show_right(self, name: str, *, open_: bool) -> None:
        """Show a cell's pods or a finding; in a narrow window it takes the findings' place."""
        self.query_one(ContentSwitcher).current = name
        if open_:
            self.add_class("-opened")
            self.query_one(f"#{name}").focus()
        self._titles()

    @on(Matrix.Highlighted)
    def _cell_moved(self) -> None:
        self._fill_details()
        self._show_right("details", open_=False)

    @on(Matrix.Chosen)
    def _cell_chosen(self) -> None:
        self._fill_details()
        self._show_right("details", open_=True)

    def _fill_details(self) -> None:
        look = self._shown
        row, column = self.query_one(Matrix).cursor
        if look is None or not row:
            return
        signs, now = glyphs_of(self), look.inspection.at
        details = self.query_one("#details", RowList)
        details.empty = f"no pod of {column} works with the ring {row}" if column else PODS_FOLLOW

        def work() -> list[Row]:
            return detail_rows(look.inspection, row, column, signs, now, self.session.scale)

        self.in_background("details", work, details.set_rows)

    @on(RowList.Highlighted, "#findings")
    def _finding_moved(self, event: RowList.Highlighted) -> None:
        if self.focused is event.rows:
            self._fill_finding(event.key)
            self._show_right("finding", open_=False)

    @on(RowList.Chosen, "#findings")
    def _finding_chosen(self, event: RowList.Chosen) -> None:
        if self._fill_finding(event.key):
            self._show_right("finding", open_=True)

    def _fill_finding(self, key: str) -> bool:
        look = self._shown
        found = {finding_key(each): each for each in look.findings} if look else {}
        if key not in found:
            return False
        hanging = next(
            (each.hanging for each in self._causes if finding_key(each.finding) == key), ()
        )
        lines = finding_lines(found[key], glyphs_of(self), hanging)
        self.query_one("#finding", Reader).show(lines, subject=key)
        return True

    @on(RowList.Chosen, "#details")
    def _detail_chosen(self, event: RowList.Chosen) -> None:
        row = next((row for row in event.rows.shown if row.key == event.key), None)
        if row is None or row.folds:
            event.rows.action_turn()
            return
        from mimir_migrate.screens.modals.text import TextModal

        self.app.push_screen(TextModal("What it says", [row.cells[0]]))

    def action_findings(self) -> None:
        self.remove_class("-opened")
        findings = self.query_one("#findings", RowList)
        findings.focus()
        if findings.key and self._fill_finding(findings.key):
            self._show_right("finding", open_=False)

    def step_back(self) -> None:
        current = self.query_one(ContentSwitcher).current
        inside = self.focused is not None and self.focused.id in {"details", "finding"}
        self.remove_class("-opened")
        if inside and current == "finding":
            self.query_one("#findings").focus()
        else:
            self.query_one(Matrix).focus()

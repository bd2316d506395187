"""Run: follow a run from its journal, and ask its runner for something."""

# Longer than 400 lines. One screen: its panes share what was read last.

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from mimir_migrate.engine import traffic
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.events import GateResult, Recorded, RunState
from mimir_migrate.model.facts import Inspection
from mimir_migrate.runs.rollouts import Rollout
from mimir_migrate.screens.actions import bindings_of
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.run_page import run_questions as questions
from mimir_migrate.screens.run_page.asking import Asking
from mimir_migrate.screens.run_page.gate_views import gate_rows, holding, leading
from mimir_migrate.screens.run_page.now_views import can_wait, fitted, now_lines
from mimir_migrate.screens.run_page.pane_views import pane_title
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.run_page.step_views import step_rows
from mimir_migrate.screens.run_page.store_views import gate_store_rows, store_rows
from mimir_migrate.screens.run_page.user_views import user_lines
from mimir_migrate.screens.runs import going_on, is_over
from mimir_migrate.screens.session import Session
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import Column, Row, RowList
from mimir_migrate.widgets.text import Line, line
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.operations.watching import PodStory
    from mimir_migrate.runs.rollouts import Rolled
    from mimir_migrate.runs.status import RunStatus
    from mimir_migrate.runs.verify import Verification

LEAST_BELOW = 5
"""Lines of the steps and the panes, their heading included, that the state leaves to them."""
LEAST_BESIDE = 8
"""Lines of the steps and the panes without which the log does not stand below them as well."""
LOWER = 9
"""Lines of the log below, as the style sheet has them."""
LEAST_TOLD = 4
"""Lines of the state that are told in the lowest window."""
BESIDE = 76
"""Cells from which gates can be read beside the steps."""
PANES = ("gates", "stores", "users", "log")
WATCHED = frozenset({"stores", "users"})
"""Panes for which the pods are looked at again and again."""
STATUS_EVERY = 3.0
"""Seconds after which a status is folded again from the whole journal though nothing was added: time
by itself makes a run STALLED, and a runner can die without a word."""
ROLLOUT_EVERY = 3.0
"""Seconds between two counts of the pods while a rollout is under way: two lists of the API server."""
LOOK_AT_LEAST = 5.0
"""Seconds between two looks at the least, however fast a simulation is."""
LOOK_EVERY = 20.0
"""Seconds between two looks at the stores while their comparison is on the screen."""


class RunScreen(Page):
    """A run as its journal tells it."""

    PLACE = "run"
    OF_RUN = True
    CSS_PATH: ClassVar[list[str | PurePath]] = ["../page.tcss", "run.tcss"]
    AUTO_FOCUS = "#steps"
    HELP = """\
**Run.** The run lives in a process of its own: this screen reads its journal and leaves requests in
it; leaving the app stops nothing. `g` shows the gates of the present step, `=` compares the two
stores pod by pod (seen: on the ring's page, memb: in its memberlist, dyn: in the table), `u` the users' errors, `l` the log. `h` and `y` hold the run: nothing is changed until `r` continues it (resumes it, where its runner is gone).
`z` stops after this step, at once where the run is held. `a` approves and `b` rolls back, each once the release's name was typed;
`!` lets the gate that holds the run pass once. `i` shows what stands behind the failing gate under
the cursor: its pod's answer, log and events; behind users-fine, the users' errors. The cursor goes with the step under way until it is
moved; `.` brings it back.
"""
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("run")]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._book = RunBook()
        self._of = ""
        self._timer: Timer | None = None
        self._verified: tuple[GateResult, ...] = ()
        self._verified_at = 0.0
        self._looked_at = 0.0
        """When the latest look at the stores began."""
        self._failed_at = 0.0
        """When a look of the app's own saw something fail last."""
        self._earlier: Inspection | None = None
        self._latest: Inspection | None = None
        self._status_at = 0.0
        self._rollout: tuple[tuple[int, str], Rollout] = ((0, ""), Rollout())
        """The step whose rollout was counted last, and what was seen of it."""
        self._follows = True
        """Whether the cursor goes with the step under way: until it was moved elsewhere."""
        self._told: list[Line] = []
        """The state's lines, as they were told last."""
        self._led_to = ""
        """The row that the cursor was put on without a key."""
        self._held_row = ""
        """The row of the gate that holds the run, which the cursor was put on."""
        self._asking = Asking(self, redraw=self._show, follow=self._follow)

    def body(self) -> ComposeResult:
        now = Reader(id="now", cuts=True)
        now.can_focus = False
        yield now
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield Heading("Steps", id="steps-title")
                yield RowList((Column(grows=True), Column()), id="steps", empty="no step yet")
            with Vertical(id="right"):
                yield Heading("", id="pane-title")
                with ContentSwitcher(initial="gates", id="panes"):
                    yield RowList(
                        (Column(), Column(), Column(grows=True)),
                        id="gates",
                        empty="no gate is judged yet",
                    )
                    yield RowList(
                        (
                            Column(title="ring or pod", most=32),
                            Column(title="primary"),
                            Column(title="mirror"),
                            Column(title="seen", right=True),
                            Column(title="memb", right=True),
                            Column(title="dyn", right=True),
                            Column(title="", grows=True),
                        ),
                        id="stores",
                        header=True,
                        empty="every pod and the tables are being asked: both stores, pod by pod, follow here",
                    )
                    yield Reader(id="users")
                    yield Reader(id="log", indent=9, follows=True)
        with Vertical(id="lower"):
            yield Heading("Log")
            yield Reader(id="log-below", indent=9, follows=True)

    def on_resize(self) -> None:
        if self.is_mounted:
            self._show()

    def on_mount(self) -> None:
        super().on_mount()
        seconds = getattr(self.app, "poll_seconds", 1.0)
        self._timer = self.set_interval(seconds, self._follow)
        self.set_interval(1.0, self._look_again)
        self.set_interval(ROLLOUT_EVERY, self._count_pods)

    # --- following ---------------------------------------------------------------------------

    def refresh_page(self) -> None:
        if self.session.run != self._of:
            self._of = self.session.run
            self._book = RunBook()
            self._verified, self._earlier, self._latest = (), None, None
            self._failed_at = 0.0
            self._rollout = (0, ""), Rollout()
            self._asking.forget()
            self._follows, self._led_to = True, ""
            self.query_one("#stores", RowList).set_rows(())
            if self.session.status is not None and self.session.status.run != self._of:
                self.session.status = None
        self._show()
        if self.session.run:
            self._follow()
        else:
            questions.follow_newest(self, unfinished=True)

    def _follow(self) -> None:
        run, seq, operations = self.session.run, self._book.seq, self.session.operations
        # Under a question the journal goes on being read: what it asks about may change meanwhile.
        if not run or self not in self.app.screen_stack or self.busy("follow"):
            return

        known = self.session.status
        now = self.session.clock()
        fresh_enough = known is not None and 0 <= now - self._status_at < STATUS_EVERY

        def read() -> tuple[str, Sequence[Recorded], RunStatus]:
            events = operations.events(run, seq)
            if known is not None and fresh_enough and not events:
                return run, events, known
            return run, events, operations.status(run)

        self.in_background("follow", read, self._got, self._unreadable, asked=False)

    def _got(self, found: tuple[str, Sequence[Recorded], RunStatus]) -> None:
        run, events, status = found
        if run != self.session.run:
            return
        before = self.session.status
        fresh = self._book.read(events)
        if self.session.is_of_target(status):
            self.session.changed_at = max(self.session.changed_at, self._book.changed_at)
        if status is not before:
            self.session.status, self._status_at = status, self.session.clock()
        self._asking.read(status)
        self._show()
        self._asking.tell(status, self._book)
        if (
            fresh
            or before is None
            or (before.state, before.runner_pid) != (status.state, status.runner_pid)
        ):
            self.refresh_bindings()

    def _unreadable(self, error: MigrateError) -> None:
        self.say(f"The journal cannot be read: {error.message}", "bad")

    # --- drawing -----------------------------------------------------------------------------

    def _show(self) -> None:
        from mimir_migrate.widgets.bars import WhereLine

        status, signs = self.session.status, glyphs_of(self)
        self.query_one(WhereLine).say(self.session.where(of_run=True))
        self._title()
        if status is None:
            waiting = "Reading its journal…" if self.session.run else "No run is followed."
            self.query_one("#now", Reader).show([line(waiting)])
            self.query_one("#steps", RowList).set_rows(())
            self.say("Start one from 4 Plan, or open one with o.", "warn")
            return
        now = self.session.clock()
        rollout = self._counted_rollout
        self._show_state(now_lines(status, self._book, signs, now, rollout))
        steps = self.query_one("#steps", RowList)
        steps.set_rows(step_rows(self._book, status, signs))
        if self._follows:
            self._lead()
        self.query_one("#gates", RowList).set_rows(
            gate_rows(
                self._book,
                self._verified,
                self._verified_at,
                signs,
                rollout,
                waiting=status.waits_for_gates,
            )
        )
        self._lead_to_gate()
        self.query_one("#users", Reader).show(
            user_lines(
                self._book,
                self._earlier,
                self._latest,
                signs,
                now=now,
                failed_at=self._failed_at,
                every=self._look_every if self.session.active else 0.0,
            ),
            subject="users",
        )
        if self._latest is None:
            self.query_one("#stores", RowList).set_rows(
                gate_store_rows(self._book, signs, waiting=status.waits_for_gates)
            )
        for name in ("log", "log-below"):
            self.query_one(f"#{name}", Reader).show(self._book.log, subject=self._of)
        words = questions.next_words(status, self._book.held_gate, in_demo=self.session.in_demo)
        if asked := self._asking.words(now):
            words = f"{asked[:1].upper()}{asked[1:]}.", "good"
        self.say(*words)

    def _show_state(self, lines: list[Line]) -> None:
        """What is waited for and the rollback get two lines each; the rest is cut.

        In a low and narrow window a pane that stands there without the steps gets the lines of what can
        be read again with Escape; and some rows of the steps are always seen.
        """
        self._told = lines
        if self.has_class("-low") and self.has_class("-narrow") and self.has_class("-full"):
            lines = [each for each in lines if not can_wait(each)]
        box = self.query_one("#now", Reader)
        width = max(20, self.size.width - 3)
        body = self.query_one("#body").size.height
        shown = fitted(lines, width, max(LEAST_TOLD, body - max(LEAST_BELOW, 2 * body // 5)))
        self.set_class(body - len(shown) - LOWER < LEAST_BESIDE, "-tight")
        box.styles.height = len(shown)
        box.show(shown)

    def _title(self) -> None:
        current = self.query_one(ContentSwitcher).current
        at = self._latest.at if current == "stores" and self._latest is not None else None
        title = self.query_one("#pane-title", Heading)
        title.say(pane_title(current or "", at, title.size.width))
        done = len(self.session.status.done_steps) if self.session.status else 0
        plan = self._book.plan
        back = "" if self._follows or plan is None else ", . to now"
        self.query_one("#steps-title", Heading).say(
            f"Steps {done}/{len(plan.steps)}{back}" if plan else "Steps"
        )

    # --- the step under way ------------------------------------------------------------------

    @property
    def _present(self) -> str:
        """The key of the row of the step under way; empty: none is."""
        book = self._book
        return f"{len(book.legs) - 1}:{book.step}" if book.legs and book.step else ""

    def _lead(self) -> None:
        """Put the cursor on the step under way."""
        steps = self.query_one("#steps", RowList)
        if self._present and steps.key != self._present:
            self._led_to = self._present
            steps.move_to(self._present)

    @on(RowList.Highlighted, "#steps")
    def _step_moved(self, event: RowList.Highlighted) -> None:
        if event.key == self._led_to or not event.key or not self._present:
            return
        self._led_to = ""
        self._follows = event.key == self._present
        self._title()

    def _lead_to_gate(self) -> None:
        """Put the cursor on the gate that holds the run, once for each hold, or on the first that is judged now.

        Where somebody reads the gates only a hold moves it.
        """
        if self._counted_rollout and not self._book.rollout_over and not holding(self._book):
            return  # the bars of the rollout stand above the gates, and stay in sight
        key, gates = leading(self._book), self.query_one("#gates", RowList)
        if key and key != self._held_row and (not gates.has_focus or key == holding(self._book)):
            gates.move_to(key)
        self._held_row = key

    def action_here(self) -> None:
        self._follows, self._held_row = True, ""
        if self.has_class("-narrow") and self.has_class("-full"):
            self._pane("gates", beside=True)
        self._lead()
        self._lead_to_gate()
        self.query_one("#steps", RowList).focus()
        self._title()

    # --- panes -------------------------------------------------------------------------------

    def _pane(self, name: str, *, beside: bool = False) -> None:
        """Show a pane; `beside`: the gates with the steps beside them, however narrow the window is."""
        self.query_one(ContentSwitcher).current = name
        if name not in WATCHED:
            self._troubles.pop("compare", None)  # it is not tried again here
        # In a narrow window only the gates leave room for the steps beside them, in a very narrow
        # one not even they can be read there.
        self.set_class(name != "gates" or not (beside or self.size.width >= BESIDE), "-full")
        self.set_class(name == "log", "-log")  # it need not stand there twice
        self._show_state(self._told)
        self.query_one(f"#{name}").focus()
        self._title()

    def action_show_gates(self) -> None:
        self._pane("gates")

    def action_show_stores(self) -> None:
        self._pane("stores")
        self._compare(asked=True)

    def action_show_users(self) -> None:
        self._pane("users")
        if self.session.active and self._latest is None:
            self._compare(asked=False)

    def action_show_log(self) -> None:
        self._pane("log")

    def step_back(self) -> None:
        self._pane("gates", beside=True)
        self.query_one("#steps", RowList).focus()

    @on(RowList.Chosen)
    def _row_chosen(self, event: RowList.Chosen) -> None:
        row = next((row for row in event.rows.shown if row.key == event.key), None)
        if row is None or row.folds:
            event.rows.action_turn()
            return
        from mimir_migrate.screens.modals.text import TextModal

        self.app.push_screen(TextModal("In full", [cell for cell in row.cells if cell]))

    # --- the rollout, and what stands behind a gate --------------------------------------------

    def _count_pods(self) -> None:
        plan, operations, place = self._book.plan, self.session.operations, self._book.place
        in_sight = self in self.app.screen_stack and self.session.active
        if plan is None or not in_sight or not self._book.rolls or self.busy("rollout"):
            return
        self.in_background(
            "rollout",
            lambda: (place, operations.rollout(plan.target)),
            self._counted,
            lambda _: None,
            asked=False,
        )

    def _counted(self, found: tuple[tuple[int, str], tuple[Rolled, ...]]) -> None:
        step, parts = found
        before = self._rollout[1] if self._rollout[0] == step else Rollout()
        self._rollout = step, before.counted(parts)
        self._show()

    @property
    def _counted_rollout(self) -> Rollout | None:
        """What was counted of the rollout under way; None: none is, or nothing was counted of it."""
        step, seen = self._rollout
        return seen if self._book.rolls and step == self._book.place else None

    def action_look_into(self) -> None:
        """Show the answer, the log and the events of the pod behind the gate under the cursor."""
        from mimir_migrate.screens.modals.text import TextModal
        from mimir_migrate.screens.run_page.pod_story import story_lines

        plan, operations = self._book.plan, self.session.operations
        key = self.query_one("#gates", RowList).key
        failing, _ = questions.failing_at(key, self._book, self._verified)
        if failing is not None and questions.is_of_users(failing):
            self.action_show_users()
            return
        words = questions.evidence_at(key, self._book, self._verified)
        if plan is None or not words or self.busy("story"):
            return
        self.say("Asking the pod, and Kubernetes for its log and events; nothing is changed…")

        def show(story: PodStory) -> None:
            self._show()
            self.app.push_screen(
                TextModal(f"{story.pod.name}: its answer, its log, its events", story_lines(story))
            )

        self.in_background("story", lambda: operations.look_into(plan.target, words), show)

    # --- looking -----------------------------------------------------------------------------

    def _look_again(self) -> None:
        watched = self.query_one(ContentSwitcher).current in WATCHED
        due = self.session.clock() - self._looked_at >= self._look_every
        if self.app.screen is self and watched and self.session.active and due:
            self._compare(asked=False)

    @property
    def _look_every(self) -> float:
        """Seconds between two looks: of a simulation's time many pass in twenty, so it is looked more often."""
        return max(LOOK_AT_LEAST, LOOK_EVERY / self._book.scale.factor)

    def _compare(self, *, asked: bool) -> None:
        """Look at the pods and tables once more and compare the stores; changes nothing."""
        plan, operations, signs = self._book.plan, self.session.operations, glyphs_of(self)
        if plan is None or self.busy("compare"):
            return
        self._looked_at = self.session.clock()

        def compare() -> tuple[Inspection, list[Row]]:
            look = operations.look(plan.target, rings=plan.rings, twice=False)
            return look.inspection, store_rows(
                look.inspection, plan.rings, signs, plan.target.scale
            )

        self.in_background("compare", compare, self._compared, asked=asked)

    def _compared(self, found: tuple[Inspection, list[Row]]) -> None:
        self._earlier, self._latest = self._latest, found[0]
        grown = traffic.deltas(self._earlier, self._latest) if self._earlier else None
        if grown is not None and any(traffic.failures(grown)):
            self._failed_at = self._latest.at
        self.query_one("#stores", RowList).set_rows(found[1])
        self._show()

    def action_verify(self) -> None:
        plan, operations = self._book.plan, self.session.operations
        if plan is None or self.busy("verify"):
            return
        self.app.notify("Judging every gate; two looks a moment apart. Nothing is changed.")
        self.in_background(
            "verify", lambda: operations.verify(plan.target, plan.rings), self._verified_now
        )
        self._compare(asked=False)

    def _verified_now(self, found: Verification) -> None:
        self._verified, self._verified_at = found.checks, self.session.clock()
        self._show()
        bad = sum(1 for check in found.checks if check.verdict.value != "pass")
        said = "Every gate passes." if not bad else f"{counted(bad, 'gate')} not passing."
        said += f" {counted(len(found.differences), 'difference')} between the stores."
        self.app.notify(said, severity="information" if found.ok else "warning")

    # --- asking ------------------------------------------------------------------------------

    HIDES = questions.ASKED | {"hand_over", "look_into"}

    def label(self, action: str, usual: str) -> str:
        return going_on(self.session.status) if action == "resume" else usual

    def impossible(self, action: str) -> str:
        status = self.session.status
        if action in {"verify", "hand_over", "here", *questions.ASKED} and status is None:
            return "No run is followed: o opens one, 4 Plan starts one."
        if action == "look_into" and not questions.evidence_at(
            self.query_one("#gates", RowList).key, self._book, self._verified
        ):
            return "No gate fails, or none of its evidence is known."
        if status is None or action not in questions.ASKED:
            return ""
        return questions.impossible(action, status, self._book.held_gate)

    def action_approve(self) -> None:
        self._asking.ask("approve", self._book)

    def action_hold(self) -> None:
        self._asking.ask("hold", self._book)

    def action_stop(self) -> None:
        self._asking.ask("stop", self._book)

    def action_roll_back(self) -> None:
        self._asking.roll_back()

    def action_resume(self) -> None:
        self._asking.ask("resume", self._book)

    def action_override(self) -> None:
        self._asking.ask("override", self._book)

    def action_hand_over(self) -> None:
        questions.show_hand_over(self)

    def action_pick(self) -> None:
        questions.pick_run(self)

    @property
    def over(self) -> bool:
        """Whether the run that is followed is over."""
        status = self.session.status
        return status is not None and is_over(status) and status.state is not RunState.RUNNING

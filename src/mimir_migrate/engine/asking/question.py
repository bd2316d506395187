"""A step's question: asked on evidence that is kept fresh, and answered by a request that names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.engine.asking.hold import Hold, Holds
from mimir_migrate.engine.asking.question_evidence import differing, pods_words, stores_words
from mimir_migrate.engine.gate_wait import Checkpoint, Judging
from mimir_migrate.engine.watch import FILES_PAUSE, SHORTEST_PAUSE, Watch, held_pause
from mimir_migrate.model.events import (
    Approved,
    Asked,
    GateResult,
    Held,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    Request,
    Verdict,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Duration

SAID_AGAIN = 60.0
"""Seconds between two events that say that a question's evidence was seen again and holds."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a question is about."""

    index: int
    of: int
    title: str
    duration: Duration
    rollback: str
    back: tuple[str, ...] | None
    rings: tuple[str, ...]
    beforehand: str
    """Who approved it at the start; empty: nobody, or that does not cover this step."""


class Questions:
    """Asks, one question at a time.

    Args:
        watch: What looks at the cluster.
        judging: What judges the gates.
        holds: What a question holds the run by.
        may_go_on: Refuses to go on where what the plan rests on is otherwise.
    """

    def __init__(
        self,
        watch: Watch,
        judging: Judging,
        holds: Holds,
        may_go_on: Callable[[Checkpoint], None],
    ) -> None:
        self.watch = watch
        self.judging = judging
        self.holds = holds
        self.desk = holds.desk
        self.clock = holds.clock
        self.journal = holds.journal
        self._may_go_on = may_go_on
        self.before: tuple[int, Asked] | None = None
        """The last question, with its number."""

    def begin_leg(self) -> None:
        """What was asked in an earlier leg is not compared with."""
        self.before = None

    def ask(self, at: Checkpoint, about: Subject) -> bool:
        """Ask, and wait for the answer; False: the question is gone, and the gates are to be waited for.

        Raises:
            HeldTooLongError: Nobody answered in time.
            StopAskedError: The operator asked to stop.
        """
        inspection, results = self.judging.sample(at)
        if self.watch.changed:
            self._may_go_on(at)
        if inspection is None or self.judging.standing(at, results):
            return False
        question = _Question(self, at, about, inspection, results)
        if about.beforehand and all(one.verdict is Verdict.PASS for one in results):
            question.approve(by=about.beforehand, beforehand=True)
            return True
        while question.stands:
            self.desk.read()
            if question.answered():
                return True
            question.keep_fresh()
        self._wait_for_ground(at)
        return False

    def event(
        self, at: Checkpoint, about: Subject, seen: Inspection, results: Sequence[GateResult]
    ) -> Asked:
        """The question on what was just seen, and what differs from the one before."""
        asked = Asked(
            step=at.step,
            index=about.index,
            of=about.of,
            title=about.title,
            gates=tuple(results),
            stores=stores_words(seen, about.rings, at.window),
            pods=pods_words(seen),
            seen_at=seen.at,
            duration=about.duration,
            rollback=about.rollback,
            back=about.back,
        )
        if self.before is None or self.before[1].step != at.step:
            return asked
        number, before = self.before
        return msgspec.structs.replace(asked, instead_of=number, differs=differing(before, asked))

    def _wait_for_ground(self, at: Checkpoint) -> None:
        """Hold the run for as long as what the plan rests on is otherwise; nothing is asked meanwhile."""
        if not self.watch.changed:
            return
        names = ", ".join(change.name for change in self.watch.changed if change.matters)
        why = f"changed since the plan was made: {names}"
        hold = self.holds.at(at.step)
        hold.open(
            Held(
                step=at.step,
                reason=why,
                hint="Put it back and the question is asked again; `continue` ends the run with what "
                "a new plan would do, `rollback` goes back.",
                limit=self.holds.limit,
            )
        )
        while self.watch.changed:
            self.desk.read()
            if self.desk.go_on is not None:
                self._may_go_on(at)
            hold.last(why)
            self.watch.attend(at.step, at.window)
            self.clock.sleep(SHORTEST_PAUSE)
        hold.heed_stop()
        hold.close("everything is again what the plan rests on")


class _Question:
    """One question that stands."""

    def __init__(
        self,
        questions: Questions,
        at: Checkpoint,
        about: Subject,
        seen: Inspection,
        results: Sequence[GateResult],
    ) -> None:
        self._all = questions
        self._at = at
        self._about = about
        self._asked = questions.event(at, about, seen, results)
        self._hold: Hold = questions.holds.at(at.step)
        self.number = self._hold.ask(self._asked)
        questions.before = (self.number, self._asked)
        self._suspended = ""
        self._bad_since = 0.0
        now = questions.clock.now()
        self._looked_at = self._files_at = self._said_at = now
        self.stands = True

    def answered(self) -> bool:
        """Whether somebody's yes to this very question holds on a look right now.

        Raises:
            HeldTooLongError: Nobody answered in time.
            StopAskedError: The operator asked to stop, whatever else was asked.
        """
        desk = self._all.desk
        self._hold.heed_stop()
        if desk.hold is not None:
            self.withdraw(f"{desk.hold.by} asked to hold")
            return False
        if not desk.approvals:
            self._hold.last(f"an approval of the step {self._at.step}")
            return False
        self.look()
        if not self.stands:
            return False
        if self._suspended:
            desk.void_approvals(f"the question was suspended: {self._suspended}")
            return False
        request = desk.approvals.pop(0)
        self.approve(by=request.by, request=request)
        return True

    def keep_fresh(self) -> None:
        """Look at the cluster and the files when it is time, and pass a moment."""
        everything = self._all
        if not self.stands:
            return
        now = everything.clock.now()
        pause = held_pause(self._at.window)
        if self._suspended:
            pause = min(pause, max(SHORTEST_PAUSE, self._at.window / 3))
        if now >= self._looked_at + pause:
            self.look()
        elif now >= self._files_at + FILES_PAUSE:
            self._files_at = now
            everything.watch.attend_files(self._at.step)
            self._heed_ground()
        if self.stands:
            everything.watch.renew()
            everything.clock.sleep(SHORTEST_PAUSE)

    def look(self) -> None:
        """Take a sample: it bears the question out, suspends it, or does away with it."""
        everything, at = self._all, self._at
        self._looked_at = everything.clock.now()
        seen, results = everything.judging.sample(at)
        if self._heed_ground():
            return
        bad = everything.judging.standing(at, results)
        if seen is None or bad:
            why = f"{bad[0].gate.value}: {bad[0].summary}" if bad else everything.watch.unasked
            self._suspend(why)
            return
        differs = differing(self._asked, everything.event(at, self._about, seen, results))
        if differs:
            self.withdraw(f"its evidence changed: {'; '.join(differs)}")
            return
        resumed, self._suspended = bool(self._suspended), ""
        if resumed or self._looked_at >= self._said_at + SAID_AGAIN:
            self._said_at = self._looked_at
            everything.journal.append(
                QuestionSeenAgain(step=at.step, question=self.number, resumed=resumed)
            )

    def _heed_ground(self) -> bool:
        changed = [one.name for one in self._all.watch.changed if one.matters]
        if changed:
            self.withdraw(f"what the plan rests on changed: {', '.join(changed)}")
        return bool(changed)

    def _suspend(self, why: str) -> None:
        now = self._all.clock.now()
        if not self._suspended:
            self._bad_since = now
            self._all.journal.append(
                QuestionSuspended(step=self._at.step, question=self.number, why=why)
            )
        self._suspended = why
        if now - self._bad_since >= self._at.window:
            self.withdraw(f"its gates were not good for a window: {why}")

    def approve(
        self, *, by: str, request: Request | None = None, beforehand: bool = False
    ) -> None:
        """The question is answered with yes."""
        self._hold.answer(
            Approved(
                step=self._at.step,
                question=self.number,
                by=by,
                reason=request.reason if request else "",
                beforehand=beforehand,
                answers=self._all.desk.answered(request),
            )
        )

    def withdraw(self, why: str) -> None:
        """The question is gone, and an answer to it is void."""
        self.stands = False
        self._hold.answer(QuestionWithdrawn(step=self._at.step, question=self.number, why=why))

"""Waiting for gates: samples, dwell, patience, holds, and what the operator asks meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from mimir_migrate.durations import format_duration
from mimir_migrate.engine.desk import Desk
from mimir_migrate.engine.effects import LeaseKeeper
from mimir_migrate.engine.gates import GateContext, judge
from mimir_migrate.engine.ground import Ground
from mimir_migrate.errors import BlockedError, DeniedError, MigrateError, UnreachableError
from mimir_migrate.model.events import (
    Continued,
    GateJudged,
    GateOverridden,
    GateResult,
    Held,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Evidence, Inspection
from mimir_migrate.model.plan import FactChange, Gate
from mimir_migrate.ports import Clock, Journal

GOOD_SAMPLES = 3
"""Good samples in a row that a gate asks for at least, besides the window they must span."""

SAMPLES_PER_WINDOW = 6
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two samples, whatever the window."""

PATIENCE_WINDOWS: dict[Gate, float] = {Gate.ROLLOUT_OVER: 10.0, Gate.USERS_FINE: 2.0}
PATIENCE_OTHERS = 5.0
PATIENCE_LEAST = 20.0
PATIENCE_LEAST_BY_GATE: dict[Gate, float] = {Gate.ROLLOUT_OVER: 45.0, Gate.USERS_FINE: 5.0}
"""Windows, and seconds at least, without any progress until a gate is STALLED and the run is held.
Five windows are longer than the kubelet needs to bring a ConfigMap (`KUBELET_SYNC_HIGH`) with every
product's default heartbeats."""


HELD_PAUSES = (5.0, 30.0)
"""Seconds between two looks at the cluster while a run waits for somebody: a gate's window, and no
less and no more than this. Gates are sampled far more often, so a hold is no load."""

FILES_PAUSE = 1.0
"""Seconds between two looks at the values files meanwhile."""


class StopAskedError(Exception):
    """The operator asked to stop while the run was held: nothing is under way."""


class HeldTooLongError(BlockedError):
    """A hold outlasted the time a runner waits for its operator."""


Refuse = Callable[[str, tuple[FactChange, ...], Inspection], MigrateError]
"""Makes the error of a step that may not begin: the step, what changed, and what was seen."""


class Watch:
    """Samples the world and walks a run through its gates."""

    def __init__(
        self,
        *,
        look: Callable[[], Inspection],
        clock: Clock,
        journal: Journal,
        desk: Desk,
        keeper: LeaseKeeper,
        gate_timeout: float,
    ) -> None:
        self._look = look
        self._clock = clock
        self._journal = journal
        self._desk = desk
        self._keeper = keeper
        self._gate_timeout = gate_timeout
        self._history: deque[Inspection] = deque()
        self._verdicts: dict[tuple[str, str, Gate], Verdict] = {}
        self._overridden_gates: set[tuple[str, str, Gate]] = set()
        self._changed_at = 0.0
        self._unasked = ""
        """Why the cluster could not be asked the last time."""
        self._ground: Ground | None = None
        self._refuse: Refuse | None = None
        self._looked_at = self._files_at = 0.0

    def stand_on(self, ground: Ground, refuse: Refuse) -> None:
        """Hold what a leg rests on against every look from now on."""
        self._ground, self._refuse = ground, refuse

    @property
    def latest(self) -> Inspection | None:
        """The last sample since the world was changed."""
        last = self._history[-1] if self._history else None
        return last if last is not None and last.at > self._changed_at else None

    def refuse_changed(self, step: str, inspection: Inspection) -> None:
        """Refuse to go on where a fact that matters is otherwise.

        Raises:
            PlanStaleError: With each fact, and what a new plan would do.
        """
        if self._ground is None or self._refuse is None:
            return
        changes = self._ground.see(step, inspection)
        if changes:
            raise self._refuse(step, changes, inspection)

    def _attend(self, step: str, window: float) -> None:
        """While the run waits for somebody: look at the files often and at the cluster at times."""
        self._keeper.renew_if_due()
        now = self._clock.now()
        if self._ground is None:
            return
        if now >= self._looked_at + min(HELD_PAUSES[1], max(HELD_PAUSES[0], window)):
            self._looked_at = now
            inspection = self._ask()
            if inspection is not None:
                self._ground.see(step, inspection)
        elif now >= self._files_at + FILES_PAUSE:
            self._files_at = now
            self._ground.see_files(step)

    def world_changed(self) -> None:
        """Forget what was seen so far: it says nothing about the world after a change."""
        self._changed_at = self._clock.now()

    def sample(self, step: str, window: float) -> Inspection | None:
        """Inspect once and remember it; None when the cluster could not be asked."""
        inspection = self._ask()
        if inspection is None:
            return None
        if self._ground is not None:
            self._ground.see(step, inspection)
        self._history.append(inspection)
        while (
            len(self._history) > GOOD_SAMPLES and self._history[1].at < inspection.at - 2 * window
        ):
            self._history.popleft()
        return inspection

    def _ask(self) -> Inspection | None:
        self._keeper.renew_if_due()
        try:
            return self._look()
        except (UnreachableError, DeniedError) as error:
            self._unasked = _unasked(error)
            return None

    def look(self, step: str) -> Inspection:
        """Inspect once; a cluster that cannot be asked holds the run until it answers.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            RollbackAskedError: The way back was asked for.
            StopAskedError: The run was held and the operator asked to stop.
        """
        wait = _Wait(self._clock.now())
        while (inspection := self._ask()) is None:
            if self._unasked != wait.said:
                wait.said = self._unasked
                self._journal.append(
                    WaitStarted(step=step, waiting_for=wait.said, bound=PATIENCE_LEAST)
                )
            if wait.held_at is None and self._clock.now() - wait.began > PATIENCE_LEAST:
                wait.held_at = self._clock.now()
                self._journal.append(
                    Held(
                        step=step,
                        reason=wait.said,
                        hint="The run goes on by itself once the cluster answers; `stop` ends it "
                        "here, `resume` goes on later.",
                    )
                )
            self._outlast(step, wait, wait.said)
            self._clock.sleep(LONGEST_PAUSE)
            self._desk.read()
        if wait.held_at is not None:
            answers = self._desk.continued()
            self._journal.append(Continued(step=step, by="the cluster answers", answers=answers))
        return inspection

    def reference(self, inspection: Inspection, window: float) -> Inspection | None:
        """The sample that counters are compared with: about a window older, else the oldest."""
        older = [past for past in self._history if past is not inspection]
        if not older:
            return None
        ripe = [past for past in older if past.at <= inspection.at - window]
        return ripe[-1] if ripe else older[0]

    def pause(self, window: float) -> float:
        """Seconds between two samples."""
        return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, window / SAMPLES_PER_WINDOW))

    def soak(self, step: str, window: float, windows: int) -> None:
        """Watch for some windows before a change that closes the way back."""
        if windows <= 0:
            return
        seconds = windows * window
        self._journal.append(
            WaitStarted(
                step=step,
                waiting_for=f"soak of {format_duration(round(seconds, 1))} before the next change",
                bound=seconds,
            )
        )
        end = self._clock.now() + seconds
        while self._clock.now() < end:
            self._desk.read()
            self._wait_out_hold(step, "before", window)
            self.sample(step, window)
            self._clock.sleep(min(self.pause(window), max(0.0, end - self._clock.now())))

    def until(
        self,
        step: str,
        when: str,
        gates: Sequence[Gate],
        context: Callable[[Inspection, Inspection | None], GateContext],
        window: float,
    ) -> None:
        """Return once every gate was good in enough samples in a row, over the window.

        A gate that makes no progress holds the run; it goes on by itself when the gate passes, but
        after failing users only when the operator says so.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            RollbackAskedError: The way back was asked for.
            StopAskedError: The run was held and the operator asked to stop.
        """
        wait = _Wait(self._clock.now())
        self._count_what_was_seen(wait, gates, context, window)
        if gates:
            names = ", ".join(gate.value for gate in gates)
            self._journal.append(
                WaitStarted(
                    step=step,
                    waiting_for=f"good samples of {names} over "
                    f"{format_duration(round(window, 1))}",
                    bound=window + max(_patience(gate, window) for gate in gates),
                )
            )
        while gates:
            self._desk.read()
            self._wait_out_hold(step, when, window)
            inspection = self.sample(step, window)
            results = self._judge(step, when, gates, inspection, context, window)
            bad = [result for result in results if result.verdict is not Verdict.PASS]
            bad = self._overridden(step, when, bad)
            if not bad:
                if self._dwelt(wait, inspection, window) and self._free(step, wait):
                    for result in results:
                        self._note(step, when, result, wait.good, window, final=True)
                    return
                self._outlast(step, wait, "the gates are good again; the operator has to say so")
            else:
                wait.good, wait.first_good = 0, None
                if wait.held_at is not None and self._desk.go_on is not None:
                    self._may_go_on(step, when)
                self._weigh(step, wait, bad, window)
            self._clock.sleep(self.pause(window))

    def _count_what_was_seen(
        self,
        wait: _Wait,
        gates: Sequence[Gate],
        context: Callable[[Inspection, Inspection | None], GateContext],
        window: float,
    ) -> None:
        """Samples since the last change count for a gate that is asked later, as far as it was good.

        Nothing passes on them alone: a fresh sample always has the last word.
        """
        now = self._clock.now()
        history = [past for past in self._history if past.at > self._changed_at]
        for number, past in enumerate(history):
            if past.at < now - 2 * window:
                continue
            reference = history[number - 1] if number else None
            ripe = [older for older in history[:number] if older.at <= past.at - window]
            held_against = context(past, ripe[-1] if ripe else reference)
            if all(judge(gate, past, held_against).verdict is Verdict.PASS for gate in gates):
                wait.good += 1
                wait.first_good = past.at if wait.first_good is None else wait.first_good
            else:
                wait.good, wait.first_good = 0, None

    def _judge(
        self,
        step: str,
        when: str,
        gates: Sequence[Gate],
        inspection: Inspection | None,
        context: Callable[[Inspection, Inspection | None], GateContext],
        window: float,
    ) -> list[GateResult]:
        if inspection is None:
            return [
                GateResult(
                    gate=gate,
                    verdict=Verdict.UNKNOWN,
                    summary=self._unasked,
                    evidence=(Evidence(source="Kubernetes", detail=self._unasked),),
                    at=self._clock.now(),
                )
                for gate in gates
            ]
        held_against = context(inspection, self.reference(inspection, window))
        results = [judge(gate, inspection, held_against) for gate in gates]
        for result in results:
            self._note(step, when, result, 0, window, final=False)
        return results

    def _note(
        self, step: str, when: str, result: GateResult, good: int, window: float, *, final: bool
    ) -> None:
        key = (step, when, result.gate)
        if final or self._verdicts.get(key) is not result.verdict:
            if not final and result.verdict is Verdict.PASS and key not in self._verdicts:
                self._verdicts[key] = result.verdict
                return  # the passing of a gate is written once it has lasted
            self._verdicts[key] = result.verdict
            self._journal.append(
                GateJudged(step=step, when=when, result=result, good_samples=good, window=window)
            )

    def _dwelt(self, wait: _Wait, inspection: Inspection | None, window: float) -> bool:
        at = inspection.at if inspection is not None else self._clock.now()
        wait.good += 1
        if wait.first_good is None:
            wait.first_good = at
        return wait.good >= GOOD_SAMPLES and at - wait.first_good >= window

    def _free(self, step: str, wait: _Wait) -> bool:
        """Whether a run that is held may go on now that its gates are good."""
        if wait.held_at is None:
            return True
        if wait.sticky and self._desk.go_on is None:
            return False
        by = self._desk.go_on.by if self._desk.go_on else "the gates passed"
        self._journal.append(Continued(step=step, by=by, answers=self._desk.continued()))
        wait.held_at = None
        return True

    def _overridden(self, step: str, when: str, bad: list[GateResult]) -> list[GateResult]:
        left = []
        for result in bad:
            request = self._desk.overrides.get(result.gate)
            if request is None and (step, when, result.gate) not in self._overridden_gates:
                left.append(result)
                continue
            if request is not None:
                del self._desk.overrides[result.gate]
                self._overridden_gates.add((step, when, result.gate))
                self._journal.append(
                    GateOverridden(
                        step=step,
                        gate=result.gate,
                        by=request.by,
                        reason=request.reason,
                        result=result,
                        answers=self._desk.answered(request),
                    )
                )
        return left

    def _weigh(self, step: str, wait: _Wait, bad: list[GateResult], window: float) -> None:
        now = self._clock.now()
        signature = tuple(
            (result.gate, result.verdict, tuple(sorted({e.source for e in result.evidence})))
            for result in bad
        )
        if signature != wait.signature:
            wait.signature, wait.progress_at = signature, now
        waiting_for = f"{bad[0].gate.value}: {bad[0].summary}"
        patience = min(_patience(result.gate, window) for result in bad)
        if waiting_for != wait.said and now - wait.said_at >= SHORTEST_PAUSE:
            wait.said, wait.said_at = waiting_for, now
            self._journal.append(WaitStarted(step=step, waiting_for=waiting_for, bound=patience))
        stalled = now - wait.progress_at > patience or now - wait.began > self._gate_timeout
        if wait.held_at is None and stalled:
            wait.held_at = now
            wait.sticky = any(
                result.gate is Gate.USERS_FINE and result.verdict is Verdict.FAIL for result in bad
            )
            self._journal.append(
                Held(
                    step=step,
                    gate=bad[0].gate,
                    reason=waiting_for,
                    hint="`continue` looks again, `rollback` goes back, "
                    f"`override {bad[0].gate.value} --reason TEXT` lets this one pass once."
                    + ("" if wait.sticky else " The run goes on by itself once the gate passes."),
                    # A `continue` from before the hold cannot have meant it.
                    answers=self._desk.continued(),
                )
            )
        if wait.held_at is not None and self._desk.go_on is not None and not wait.sticky:
            by = self._desk.go_on.by
            self._journal.append(Continued(step=step, by=by, answers=self._desk.continued()))
            wait.held_at, wait.progress_at, wait.began = None, now, now
        self._outlast(step, wait, waiting_for)

    def _outlast(self, step: str, wait: _Wait, waiting_for: str) -> None:
        """End a hold that the operator stops, or that nobody comes for."""
        if wait.held_at is None:
            return
        if self._desk.stop:
            raise StopAskedError
        held_for = self._clock.now() - wait.held_at
        if held_for > self._gate_timeout:
            raise HeldTooLongError(
                f"held for {format_duration(round(held_for))} at the step {step}: {waiting_for}",
                hint="`resume` goes on from here, `rollback` goes back.",
            )

    def _may_go_on(self, step: str, when: str) -> None:
        """Whether somebody's word is enough; after a change the gates go on being judged anyway."""
        if when == "before":
            self.refuse_changed(step, self.look(step))

    def _wait_out_hold(self, step: str, when: str, window: float) -> None:
        request = self._desk.hold
        if request is None:
            return
        self._journal.append(
            Held(
                step=step,
                reason=f"{request.by} asked to hold"
                + (f": {request.reason}" if request.reason else ""),
                hint="`continue` goes on, `rollback` goes back.",
                answers=self._desk.answered(request),
            )
        )
        while self._desk.hold is not None:
            if self._desk.stop:
                raise StopAskedError
            self._attend(step, window)
            self._clock.sleep(SHORTEST_PAUSE)
            self._desk.read()
        self._may_go_on(step, when)
        by = self._desk.go_on.by if self._desk.go_on else ""
        self._journal.append(Continued(step=step, by=by, answers=self._desk.continued()))

    def approval(self, step: str, why: str, window: float) -> None:
        """Wait until the operator approves the step.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            PlanStaleError: It was approved, and what the plan rests on is no longer so.
        """
        began = self._clock.now()
        self._journal.append(
            Held(
                step=step,
                approval=True,
                reason=why,
                hint="`approve` goes on, `rollback` goes back.",
            )
        )
        while True:
            self._desk.read()
            for request in self._desk.approved:
                if request.step in {"", step}:
                    self._desk.approved.remove(request)
                    self._may_go_on(step, "before")
                    self._journal.append(
                        Continued(
                            step=step,
                            by=request.by,
                            reason=request.reason,
                            answers=self._desk.answered(request),
                        )
                    )
                    return
            if self._desk.stop:
                raise StopAskedError
            if self._clock.now() - began > self._gate_timeout:
                raise HeldTooLongError(
                    f"no approval for the step {step} within "
                    f"{format_duration(round(self._gate_timeout))}",
                    hint="`resume` waits again, `rollback` goes back.",
                )
            self._attend(step, window)
            self._clock.sleep(SHORTEST_PAUSE)


class _Wait:
    """What one wait remembers from sample to sample."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.progress_at = now
        self.signature: tuple[object, ...] = ()
        self.good = 0
        self.first_good: float | None = None
        self.held_at: float | None = None
        self.sticky = False
        self.said = ""
        self.said_at = 0.0


def _patience(gate: Gate, window: float) -> float:
    least = PATIENCE_LEAST_BY_GATE.get(gate, PATIENCE_LEAST)
    return max(least, PATIENCE_WINDOWS.get(gate, PATIENCE_OTHERS) * window)


def _unasked(error: MigrateError) -> str:
    hint = f" ({error.hint})" if error.hint else ""
    return f"the cluster could not be asked: {error.message}{hint}"

"""Waiting for gates: samples are judged until all gates were good for long enough, or hold the run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mimir_migrate.engine import watch as watching
from mimir_migrate.engine.asking.hold import Holds
from mimir_migrate.engine.dwell import Dwell
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.engine.watch import Watch
from mimir_migrate.model.events import (
    GateJudged,
    GateOverridden,
    GateResult,
    Held,
    Request,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Evidence, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.words import counted

PATIENCE_WINDOWS: dict[Gate, float] = {Gate.ROLLOUT_OVER: 10.0, Gate.USERS_FINE: 2.0}
PATIENCE_OTHERS = 5.0
PATIENCE_LEAST = 20.0
PATIENCE_LEAST_BY_GATE: dict[Gate, float] = {
    Gate.ROLLOUT_OVER: 45.0,
    Gate.USERS_FINE: 5.0,
    Gate.BRIDGE_UNUSED: 180.0,
}
"""Windows, and seconds at least, without any progress until a gate is STALLED and the run is held.
Five windows are longer than the kubelet needs to bring a ConfigMap (`KUBELET_SYNC_HIGH`) with every
product's default heartbeats."""


WORD_AWAITED = "somebody's word: every gate passes by now"
"""What is waited for once the gates of a hold are good that goes on only when somebody says so."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged before or after the change of a step."""

    step: str
    when: str
    """`before` or `after`."""
    gates: tuple[Gate, ...]
    window: float
    """Seconds that good samples of a gate about time span; others end when their evidence is complete."""
    context: Callable[[Inspection, Inspection | None], GateContext]
    """What the gates hold a sample against, given it and its reference."""
    rings: tuple[str, ...] = ()
    """The rings whose heartbeats are evidence."""
    scale: Scale = TRUE_TIME
    """How durations are said; nothing is waited or judged by it."""


class Judging:
    """Judges samples at checkpoints, writes down what differs, and knows what was overridden."""

    def __init__(self, watch: Watch, holds: Holds) -> None:
        self._watch = watch
        self._desk = holds.desk
        self._journal = holds.journal
        self._clock = holds.clock
        self._verdicts: dict[tuple[str, str, Gate], Verdict] = {}
        self._overridden: set[tuple[str, str, Gate]] = set()

    def begin_leg(self) -> None:
        """Forget the verdicts and overrides of an earlier leg, whose steps may have the same names."""
        self._verdicts.clear()
        self._overridden.clear()

    def sample(self, at: Checkpoint) -> tuple[Inspection | None, list[GateResult]]:
        """Look once and judge every gate; the sample, and what the gates made of it."""
        inspection = self._watch.sample(at.step, at.window)
        if inspection is None:
            why = self._watch.unasked
            return None, [
                GateResult(
                    gate=gate,
                    verdict=Verdict.UNKNOWN,
                    summary=why,
                    evidence=(Evidence(source="Kubernetes", detail=why),),
                    at=self._clock.now(),
                )
                for gate in at.gates
            ]
        context = at.context(inspection, self._watch.reference(inspection, at.window))
        results = [judge(gate, inspection, context) for gate in at.gates]
        for result in results:
            self._note(at, result)
        return inspection, results

    def passed(self, at: Checkpoint, results: list[GateResult], dwell: Dwell) -> None:
        """Write down that gates passed, over how many samples and how long."""
        for result in results:
            self._verdicts[at.step, at.when, result.gate] = result.verdict
            self._append(at, result, dwell.good, dwell.lasted(result.gate))

    def standing(self, at: Checkpoint, results: list[GateResult]) -> list[GateResult]:
        """Those that did not pass and that nobody overrode."""
        left = []
        for result in results:
            if result.verdict is Verdict.PASS:
                continue
            request = self._desk.override(result.gate)
            if request is not None:
                self._override(at, result.gate, request, result)
            elif (at.step, at.when, result.gate) not in self._overridden:
                left.append(result)
        return left

    def lets_pass(self, at: Checkpoint, gate: Gate) -> bool:
        """Whether the operator let a gate pass at this checkpoint, also one that is good again by now."""
        request = self._desk.override(gate)
        if request is not None:
            self._override(at, gate, request, None)
        return (at.step, at.when, gate) in self._overridden

    def _override(
        self, at: Checkpoint, gate: Gate, request: Request, result: GateResult | None
    ) -> None:
        self._overridden.add((at.step, at.when, gate))
        self._journal.append(
            GateOverridden(
                step=at.step,
                gate=gate,
                by=request.by,
                reason=request.reason,
                result=result,
                when=at.when,
                answers=self._desk.answered(request),
            )
        )

    def _note(self, at: Checkpoint, result: GateResult) -> None:
        key = (at.step, at.when, result.gate)
        before = self._verdicts.get(key)
        self._verdicts[key] = result.verdict
        if before is result.verdict or (before is None and result.verdict is Verdict.PASS):
            return  # the passing of a gate is written once it has lasted
        self._append(at, result, 0, at.window)

    def _append(self, at: Checkpoint, result: GateResult, good: int, window: float) -> None:
        self._journal.append(
            GateJudged(step=at.step, when=at.when, result=result, good_samples=good, window=window)
        )


class GateWait:
    """One wait at a checkpoint.

    Args:
        at: The checkpoint.
        watch: What looks.
        judging: What judges.
        holds: What a gate without progress holds the run by.
        operator: Waits out a hold that the operator asked for.
        may_go_on: Refuses to go on on nothing but somebody's word where that is not enough.
    """

    def __init__(
        self,
        at: Checkpoint,
        *,
        watch: Watch,
        judging: Judging,
        holds: Holds,
        operator: Callable[[Checkpoint], None],
        may_go_on: Callable[[Checkpoint], None],
    ) -> None:
        self._at = at
        self._watch = watch
        self._judging = judging
        self._desk = holds.desk
        self._journal = holds.journal
        self._clock = holds.clock
        self._limit = holds.limit
        self._operator = operator
        self._may_go_on = may_go_on
        self._hold = holds.at(at.step)
        self._began = self._progress_at = self._clock.now()
        self._signature: tuple[object, ...] = ()
        self._dwell = Dwell(at.gates, at.rings, at.window, at.scale)
        self._sticky = False
        """Whether going on takes the operator's word also once the gates are good."""
        self._said, self._said_at = "", 0.0
        self._missing_at = self._began

    def until_passed(self) -> None:
        """Return once every gate was good in enough samples in a row and its evidence is complete.

        A gate that makes no progress holds the run; it goes on by itself when the gate passes, but
        after failing users only when the operator says so.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            RollbackAskedError: The rollback was asked for.
            StopAskedError: The run was held and the operator asked to stop.
        """
        at = self._at
        if not at.gates:
            return
        self._count_what_was_seen()
        self._journal.append(
            WaitStarted(
                step=at.step,
                waiting_for=f"{counted(len(at.gates), 'gate')} to be good for "
                f"{at.scale.words(at.window)} without a break: "
                f"{', '.join(gate.value for gate in at.gates)}",
                bound=at.window + max(_patience(gate, at.window) for gate in at.gates),
            )
        )
        while not self._judge_once():
            self._clock.sleep(self._watch.pause(at.window))

    def _judge_once(self) -> bool:
        """Take a sample; whether the gates have been good for long enough."""
        self._desk.read()
        self._hold.heed_stop()
        self._operator(self._at)
        inspection, results = self._judging.sample(self._at)
        bad = self._judging.standing(self._at, results)
        seen_at = inspection.at if inspection is not None else self._clock.now()
        at_once = {result.gate for result in results if result.at_once}
        self._dwell.see(inspection, seen_at, {result.gate for result in bad}, at_once)
        if bad:
            if self._hold.is_open and self._desk.go_on is not None:
                self._may_go_on(self._at)
            self._weigh(bad)
            return False
        missing = self._dwell.missing()
        if not missing and self._free():
            self._judging.passed(self._at, results, self._dwell)
            return True
        self._say_missing(missing)
        self._hold.last("the gates are good again; the operator has to say so")
        return False

    def _count_what_was_seen(self) -> None:
        """Samples since the last change count for a gate that is asked later, as far as it was good.

        Nothing passes only on them: a fresh sample always has the last word.
        """
        for past, reference in self._watch.seen_since_change(self._at.window):
            context = self._at.context(past, reference)
            results = [judge(gate, past, context) for gate in self._at.gates]
            bad = {one.gate for one in results if one.verdict is not Verdict.PASS}
            self._dwell.see(past, past.at, bad, {one.gate for one in results if one.at_once})

    def _say_missing(self, missing: tuple[str, ...]) -> None:
        """Say now and then what good gates still wait for; once, where it is only somebody's word."""
        now, window = self._clock.now(), self._at.window
        if not missing and self._said != WORD_AWAITED:
            self._said, self._said_at = WORD_AWAITED, now
            self._journal.append(
                WaitStarted(step=self._at.step, waiting_for=WORD_AWAITED, bound=self._limit)
            )
        if not missing or now - self._missing_at < max(watching.LONGEST_PAUSE, window / 4):
            return
        self._missing_at = now
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        self._said, self._said_at = f"evidence: {missing[0]}{more}", now
        self._journal.append(
            WaitStarted(step=self._at.step, waiting_for=self._said, bound=2 * window)
        )

    def _free(self) -> bool:
        """Whether a run that is held may go on now that its gates are good."""
        if not self._hold.is_open:
            return True
        said = self._desk.go_on
        let_pass = self._sticky and self._judging.lets_pass(self._at, Gate.USERS_FINE)
        if self._sticky and said is None and not let_pass:
            return False
        by = "the override" if let_pass else "the gates passed"
        self._hold.close(said.by if said else by)
        return True

    def _weigh(self, bad: list[GateResult]) -> None:
        """Say what is waited for, and hold the run where nothing changes about it."""
        now, at = self._clock.now(), self._at
        signature = tuple(
            (result.gate, result.verdict, tuple(sorted({e.source for e in result.evidence})))
            for result in bad
        )
        if signature != self._signature:
            self._signature, self._progress_at = signature, now
        waiting_for = f"{bad[0].gate.value}: {bad[0].summary}"
        patience = min(_patience(result.gate, at.window) for result in bad)
        if waiting_for != self._said and now - self._said_at >= watching.SHORTEST_PAUSE:
            self._said, self._said_at = waiting_for, now
            self._journal.append(
                WaitStarted(step=at.step, waiting_for=waiting_for, bound=patience)
            )
        stalled = now - self._progress_at > patience or now - self._began > self._limit
        needs_word = any(
            one.gate is Gate.USERS_FINE and one.verdict is Verdict.FAIL for one in bad
        )
        if stalled and (not self._hold.is_open or (needs_word and not self._sticky)):
            self._open(bad)
        if self._hold.is_open and self._desk.go_on is not None and not self._sticky:
            self._hold.close(self._desk.go_on.by)
            self._progress_at = self._began = now
        self._hold.last(waiting_for)

    def _open(self, bad: list[GateResult]) -> None:
        """Hold the run by the gate that needs the operator, else by the first that is not good."""
        failing = [
            one for one in bad if one.gate is Gate.USERS_FINE and one.verdict is Verdict.FAIL
        ]
        self._sticky = bool(failing)
        named = (failing or bad)[0]
        ways = f"`override {named.gate.value} --reason TEXT` lets it pass this once, `rollback` goes back."
        self._hold.open(
            Held(
                step=self._at.step,
                gate=named.gate,
                reason=f"{named.gate.value}: {named.summary}",
                hint=f"Once users are fine again, `continue` goes on; {ways}"
                if self._sticky
                else f"The run goes on by itself once the gate passes; `continue` looks again, {ways}",
                limit=self._limit,
            )
        )


def _patience(gate: Gate, window: float) -> float:
    least = PATIENCE_LEAST_BY_GATE.get(gate, PATIENCE_LEAST)
    return max(least, PATIENCE_WINDOWS.get(gate, PATIENCE_OTHERS) * window)

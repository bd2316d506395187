"""Hooks: commands that run beside a run when its journal says certain things.

A hook runs in a thread of its own, so one that hangs keeps neither the watch nor the lease from going
on. All of its words reach the journal from the runner's own thread, and never between a change's
intent and its outcome. A hook that may hold the run does so by the operator's own means, a `hold`
request: it stands before a change and nowhere else, and never on the way of a rollback.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.durations import spoken
from mimir_migrate.engine.journals.passing import PassingJournal
from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Event,
    Held,
    HookRan,
    LegStarted,
    Recorded,
    Request,
    RequestKind,
    RunFinished,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.hooks import HookCall, HookPoint, HookResult, OnFailure
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.target import HooksTarget
from mimir_migrate.ports import Hooks, Journal
from mimir_migrate.words import placed

LONGEST_FACT = 500
"""Characters of a fact that a hook is told: a variable of an environment is not a place for a page."""

_MAY_HOLD = frozenset({HookPoint.GATE_WAIT, HookPoint.APPROVAL, HookPoint.STEP_DONE})
_GRACE = 15.0
"""Seconds that are waited beyond a hook's limit at the end: ending it takes its time too."""


class _Running:
    """One hook that was started."""

    def __init__(self, call: HookCall, leg: int) -> None:
        self.call = call
        self.leg = leg
        self.result: HookResult | None = None
        self.holding = False
        """Whether the run was asked to hold because it has not ended yet."""
        self.thread: threading.Thread | None = None


class HookedJournal(PassingJournal):
    """A run's journal whose events set off the target's hooks. Implements `ports.Journal`.

    Args:
        inner: The run's own journal.
        hooks: Runs them.
        target: Which there are, their limit, and what one that fails does.
        limit: Seconds that each may take.
    """

    def __init__(self, inner: Journal, hooks: Hooks, target: HooksTarget, *, limit: float) -> None:
        super().__init__(inner)
        self._hooks = hooks
        self._target = target
        self._limit = limit
        self._running: list[_Running] = []
        self._in_change = False
        self._leg = 0
        self._numbers: dict[str, str] = {}
        """Each step's place on the whole way, as `3/7`."""
        self._back = False
        self._step = ""
        self._plan: Plan | None = None
        self._skip: set[tuple[int, str, HookPoint]] = set()
        """Points that held the run once and need not be asked again when it goes on."""
        for recorded in inner.events():
            self._see(recorded)

    # --- ports.Journal ---------------------------------------------------------------------------

    def append(self, event: Event) -> Recorded:
        """Write an event, and start the hook that it sets off; at the end, wait for those that run."""
        if isinstance(event, RunFinished):
            self._before_end(event)
        if not self._in_change:
            self._settle()
        recorded = self._inner.append(event)
        self._see(recorded)
        if not isinstance(event, RunFinished):
            for point in points_of(event):
                self._start(point, recorded)
        return recorded

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet; hooks that ended since say so first."""
        if not self._in_change:
            self._settle()
        return super().open_requests()

    # --- what a runner asks besides --------------------------------------------------------------

    def before_change(self) -> None:
        """Right before a change: have the run hold while a hook that may forbid it still runs."""
        self._settle()
        for one in self._running:
            if self._may_hold(one) and not one.holding:
                one.holding = True
                self._ask_to_hold(one, "it has not ended yet")

    # --- hooks -----------------------------------------------------------------------------------

    def _see(self, recorded: Recorded) -> None:
        match recorded.event:
            case RunStarted(plan=plan):
                self._plan = plan
            case LegStarted(plan=plan, purpose=purpose) as leg:
                self._plan, self._leg = plan, recorded.seq
                self._numbers = {name: f"{n}/{leg.of}" for name, n in leg.numbers().items()}
                self._back, self._step = purpose == "rollback", ""
            case StepStarted(step=step):
                self._step = step
            case ChangeIntended():
                self._in_change = True
            case ChangeDone() | ChangeFailed():
                self._in_change = False
            case _:
                pass

    def _command(self, point: HookPoint) -> str:
        return str(getattr(self._target, point.value))

    def _start(self, point: HookPoint, recorded: Recorded) -> None:
        call = self._call(point, recorded)
        key = (self._leg, call.step, point)
        if not call.command:
            return
        if key in self._skip:
            self._skip.discard(key)
            return
        one = _Running(call, self._leg)

        def work() -> None:
            one.result = self._hooks.run(call)

        one.thread = threading.Thread(target=work, name=f"hook-{point.value}", daemon=True)
        self._running.append(one)
        one.thread.start()

    def _call(self, point: HookPoint, recorded: Recorded) -> HookCall:
        step = getattr(recorded.event, "step", "") or self._step
        return HookCall(
            point=point,
            step=step,
            command=self._command(point),
            limit=self._limit,
            facts=self._facts(point, step, recorded),
        )

    def _facts(self, point: HookPoint, step: str, recorded: Recorded) -> dict[str, str]:
        plan, event = self._plan, recorded.event
        found = {"HOOK": point.value, "RUN": self.run, "STEP": step}
        found["PURPOSE"] = "rollback" if self._back else "apply"
        if plan is not None:
            here = plan.identity
            present = next((one for one in plan.steps if one.id == step), None)
            found |= {
                "TO": plan.end.value,
                "RINGS": ",".join(plan.rings),
                "CLUSTER": here.server,
                "NAMESPACE": here.namespace,
                "RELEASE": here.release,
                "ACCOUNT": here.account,
                "REGION": here.region,
                "STEP_NUMBER": self._numbers.get(step, ""),
                "STEP_TITLE": present.title if present else "",
                "SWITCHES": "yes" if present and present.crossing else "no",
            }
        found["REASON"] = str(getattr(event, "reason", ""))
        found["STATE"] = event.state.value if isinstance(event, RunFinished) else ""
        found["QUESTION"] = str(recorded.seq) if isinstance(event, Asked) else ""
        found["MESSAGE"] = _message(point, found)
        return {f"MIMIR_MIGRATE_{name}": _bounded(value) for name, value in found.items()}

    def _settle(self) -> None:
        """Write down which hooks ended, and let them hold the run or let it go."""
        running, self._running = self._running, []
        ended: list[tuple[_Running, HookResult]] = []
        for one in running:
            if one.result is None:
                self._running.append(one)
            else:
                ended.append((one, one.result))
        for one, result in ended:
            self._tell(one, result)

    def _tell(self, one: _Running, result: HookResult) -> None:
        call = one.call
        self._inner.append(
            HookRan(
                step=call.step,
                point=call.point,
                code=result.code,
                seconds=round(result.seconds, 3),
                tail=result.tail,
            )
        )
        if one.holding and result.code == 0:
            self._let_go(one)
        elif not one.holding and result.code != 0 and self._may_hold(one):
            self._ask_to_hold(one, _ended_words(result, self._limit))

    def _may_hold(self, one: _Running) -> bool:
        wants = self._target.on_failure is OnFailure.HOLD and one.call.point in _MAY_HOLD
        return wants and not self._back and one.leg == self._leg

    def _ask_to_hold(self, one: _Running, why: str) -> None:
        self._skip.add((one.leg, one.call.step, one.call.point))
        self._inner.leave(self._request(RequestKind.HOLD, one, reason=why))

    def _let_go(self, one: _Running) -> None:
        """End the hold that the run is in because of this hook, begun or only asked for."""
        if self._back or one.leg != self._leg:
            return
        by = _by(one.call.point)
        held = 0
        for recorded in self._inner.events():
            if isinstance(recorded.event, Held) and recorded.event.reason.startswith(by):
                held = recorded.seq
        asked = any(
            left.kind is RequestKind.HOLD and left.by == by for left in self._inner.open_requests()
        )
        request = self._request(RequestKind.CONTINUE, one, reason="it succeeded")
        if asked:
            self._inner.leave(request)
        elif held:
            self._inner.leave(msgspec.structs.replace(request, question=held))

    def _request(self, kind: RequestKind, one: _Running, *, reason: str) -> Request:
        return Request(
            kind=kind,
            by=_by(one.call.point),
            reason=reason,
            run=self.run,
            leg=self._leg,
            step=self._step,
        )

    def _before_end(self, event: RunFinished) -> None:
        """Run the hooks of the end and wait for all, each for its limit: the lease is given up already."""
        recorded = Recorded(seq=0, at=0.0, event=event)
        for point in points_of(event):
            self._start(point, recorded)
        for one in self._running:
            if one.thread is not None:
                one.thread.join(self._limit + _GRACE)
            if one.result is None:
                one.result = HookResult(code=None, seconds=self._limit + _GRACE)
        self._back = True  # nothing holds a run that is over
        self._settle()


def points_of(event: Event) -> Iterator[HookPoint]:
    """Which hooks an event sets off."""
    match event:
        case StepStarted():
            yield HookPoint.GATE_WAIT
        case Asked():
            yield HookPoint.APPROVAL
        case StepDone():
            yield HookPoint.STEP_DONE
        case ChangeFailed():
            yield HookPoint.FAILURE
        case Held(approval=False, answers=()):
            yield HookPoint.FAILURE  # one that somebody asked for answers their request
        case RunFinished(state=state):
            if state is RunState.FAILED:
                yield HookPoint.FAILURE
            yield HookPoint.END
        case _:
            return


def hook_words(ran: HookRan) -> str:
    """How a hook ended, in one line."""
    said = f": {ran.tail}" if ran.tail and ran.code != 0 else ""
    took = f"after {spoken(ran.seconds)}"
    if ran.code is None:
        return f"the hook {ran.point.value} was ended or could not be started, {took}{said}"
    if ran.code:
        return f"the hook {ran.point.value} ended with exit code {ran.code} {took}{said}"
    return f"the hook {ran.point.value} succeeded {took}"


def _ended_words(result: HookResult, limit: float) -> str:
    said = f": {result.tail}" if result.tail else ""
    if result.code is None:
        return f"it did not end within {spoken(limit)}, or could not be started{said}"
    return f"it ended with exit code {result.code}{said}"


def _by(point: HookPoint) -> str:
    return f"the hook {point.value}"


def _message(point: HookPoint, facts: dict[str, str]) -> str:
    """All of it in one sentence, for a chat."""
    place = f"{facts.get('RELEASE', '')} in {facts.get('NAMESPACE', '')}"
    number = facts.get("STEP_NUMBER", "")
    step = facts["STEP"] or "the run"
    if number:
        index, _, of = number.partition("/")
        step = placed(step, int(index), int(of))
    words = {
        HookPoint.GATE_WAIT: f"{step} begins: its gates are waited for",
        HookPoint.APPROVAL: f"{step} asks for an approval: {facts.get('STEP_TITLE', '')}",
        HookPoint.STEP_DONE: f"{step} is done",
        HookPoint.FAILURE: f"{step}: {facts['REASON']}",
        HookPoint.END: f"{facts['STATE']}: {facts['REASON']}",
    }[point]
    return f"mimir-migrate {facts['RUN']}, {place}: {words}"


def _bounded(text: str) -> str:
    """One printable line of a bounded length: what an environment can hold."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return line if len(line) <= LONGEST_FACT else f"{line[: LONGEST_FACT - 1]}…"

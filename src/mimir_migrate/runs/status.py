"""Where a run stands, folded from its journal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.events import (
    GateResult,
    Recorded,
    Request,
    RequestKind,
    RunState,
    Verdict,
)
from mimir_migrate.model.plan import (
    SCHEMA,
    Duration,
    FactChange,
    Gate,
)
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.questions import Approval, OpenQuestion
from mimir_migrate.runs.run_fold import ONLY_A_WORD, Override, RunFold, StepPlace
from mimir_migrate.runs.story import takes_words

RUNNER_BEGINS_WITHIN = 15.0
"""Seconds after which a run whose runner wrote nothing, and is not there, is dead."""


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen or a command shows of a run."""

    schema: str = SCHEMA
    run: str
    state: RunState
    purpose: str
    """`apply`, `resume` or `rollback`."""
    to: str
    """The store that the present leg leads to."""
    asked_to: str = ""
    """The store that the run was started to; empty: that is not known."""
    rings: tuple[str, ...]
    product: str
    context: str
    """The context of the kubeconfig that the plan was made with; empty: the current one."""
    cluster: str
    namespace: str
    release: str
    account: str
    region: str
    cluster_uid: str = ""
    """The uid of the cluster's namespace `kube-system`; empty: it was not told."""
    by: str
    step: StepPlace | None
    done_steps: tuple[str, ...]
    waiting_for: str
    waiting_since: float | None
    stalled: bool
    hint: str
    """What the operator can do while the run is held."""
    approval_for: str
    """The step that waits for an approval; empty: none does."""
    question: OpenQuestion | None
    """The question that waits for an approval, with its evidence; None: none does."""
    hold: int
    """The number of the hold that is open, for `continue` and `override`; 0: none is."""
    held_gate: Gate | None
    """The gate that the run is held by; None: none."""
    deadline: float | None
    """When the runner ends where nobody answers a hold or a question; None: nothing is asked, or it does
    not say."""
    leg: int
    """The number of the present leg's first event; 0: none began."""
    approvals: tuple[Approval, ...]
    """Who approved which step, when."""
    hold_asked: str
    """Who asked to hold, where nothing is held by it yet; empty: nobody."""
    runner_version: str
    """The version of the last runner; empty: there was none."""
    way_back: str
    """Begins with `open` where one switch or rollout takes everything back, and with `closed` where
    no rollback can be planned from what is observed, with the reason."""
    way_back_steps: tuple[str, ...] | None
    """The steps that lead back from here, as the plan says; on a rollback those that are left of
    it. None: the plan does not say."""
    way_back_closes: str
    """The step after which the rollback takes more than that, as `unmirror, step 5 of 7`; empty:
    it is behind, or there is none."""
    changed: tuple[FactChange, ...]
    """Facts that the plan rests on and that are otherwise now, while the run waits; what does not
    matter stands beside what does. Empty: nothing that matters changed."""
    runner_pid: int | None
    """None: no runner works on it now."""
    runner_host: str = ""
    """The machine of that runner, where it is another than this one: what is asked here does not reach
    it, and whether it lives is not known here. Empty: it is this one, or there is none."""
    started_at: float
    updated_at: float
    last_change: str
    gates: tuple[GateResult, ...]
    """The latest judgement of each gate of the present step."""
    overrides: tuple[Override, ...]
    users_failed: tuple[str, ...]
    """What users lost, step by step, as `12 of 756 pushes failed in the step swap`."""
    reason: str
    """How it ended; empty while it works."""
    exit_code: int | None
    simulation: float = 1.0
    """How many times as fast as a real cluster the run's lives; 1: it is real. Every number here is in
    seconds of its own clock."""
    eta: Duration | None
    """What is left, from the steps' own ranges, gates included and less what the present step has taken;
    None: nothing or unknown."""

    late: bool = False
    """Whether the present step has taken longer than planned."""

    @property
    def led(self) -> str:
        """Where the run led, and where it is now: `to dynamodb`, or `to dynamodb and back to memberlist`."""
        if self.purpose != "rollback" or not self.asked_to or self.asked_to == self.to:
            return f"to {self.to}"
        if self.state is RunState.ROLLED_BACK:
            return f"to {self.asked_to} and back, now on {self.to}"
        return f"to {self.asked_to}, going back to {self.to}"

    def waited_words(self, seconds: float) -> str:
        """How long was waited so far: for somebody's answer, which takes no simulation's time, or for the cluster."""
        held = self.state is RunState.HELD
        return self.scale.own_words(seconds) if held else self.scale.words(seconds)

    @property
    def users_lost(self) -> tuple[str, ...]:
        """`users_failed` for a person: a simulation's users are nobody, and say so."""
        of = "" if self.scale.is_true else " (simulated users)"
        return tuple(f"{failed}{of}" for failed in self.users_failed)

    @property
    def waits(self) -> str:
        """`waits for …`, or `held: …` while a hold stands; empty: nothing is waited for."""
        if not self.waiting_for:
            return ""
        held = self.state is RunState.HELD and self.question is None and not self.approval_for
        return f"held: {self.waiting_for}" if held else f"waits for {self.waiting_for}"

    @property
    def awaits_word(self) -> bool:
        """Whether every gate of a hold passes by now, and only somebody's `continue` is missing."""
        return self.state is RunState.HELD and ONLY_A_WORD in self.waiting_for

    @property
    def failing(self) -> tuple[GateResult, ...]:
        """The gates of the present step that did not pass when they were judged last, users' own first.

        Those that somebody let pass are not among them.
        """
        step = self.step.id if self.step else ""
        let_pass = {one.gate for one in self.overrides if one.step == step}
        bad = [
            one
            for one in self.gates
            if one.verdict is not Verdict.PASS and one.gate not in let_pass
        ]
        return tuple(sorted(bad, key=lambda one: one.gate is not Gate.USERS_FINE))

    @property
    def waits_for_gates(self) -> bool:
        """Whether a gate that does not pass is only waited for: none holds the run, and its time lasts."""
        alive = self.state in {RunState.RUNNING, RunState.HELD} and not self.stalled
        return alive and self.held_gate is None and self.question is None

    @property
    def rollback_lines(self) -> tuple[str, ...]:
        """What stands under the rollback: the steps that it would take, and until when it stays quick.

        Both plans have steps of the same names, so each line says whose step it is about.
        """
        if self.purpose == "rollback":
            return ()
        found = [takes_words(self.way_back_steps)] if self.way_back_steps else []
        if self.way_back_closes:
            name, _, place = self.way_back_closes.rpartition(", ")
            found.append(f"quick until this run's {place}, {name}")
        return tuple(found)

    @property
    def scale(self) -> Scale:
        """How durations of the run's cluster are shown."""
        return Scale(self.simulation)


def status_of(
    run: str,
    events: Sequence[Recorded],
    *,
    now: float,
    runner_alive: bool | None = None,
    asked: Sequence[Request] = (),
) -> RunStatus:
    """Fold a run's events.

    Args:
        run: The run's id.
        events: All of its events, in order.
        now: Seconds since the epoch, for the STALLED verdict.
        runner_alive: Whether the runner's process lives; None: it cannot be told from here (it is
            on another machine), and then what the journal says stands.
        asked: What was asked of the run and no event answers yet.

    Raises:
        LookupError: The journal holds no start.
    """
    fold = RunFold()
    for recorded in events:
        fold.take(recorded)
    plan = fold.leg
    if plan is None:
        raise LookupError("a journal without a start")
    state = fold.state
    working = fold.finished is None and fold.runner is not None
    never_began = fold.runner is None and now - fold.updated_at > RUNNER_BEGINS_WITHIN
    if runner_alive is False and (working or never_began):
        state = RunState.DEAD
    silent = now - (fold.waiting_since or now)
    return RunStatus(
        run=run,
        state=state,
        purpose=fold.purpose,
        to=plan.to.value,
        asked_to=fold.plan.to.value if fold.plan is not None else "",
        rings=plan.rings,
        product=plan.product.value,
        context=plan.target.kubernetes.context,
        cluster=plan.identity.server,
        namespace=plan.identity.namespace,
        release=plan.identity.release,
        account=plan.identity.account,
        region=plan.identity.region,
        cluster_uid=plan.identity.cluster_uid,
        by=fold.by,
        step=fold.place(),
        done_steps=tuple(fold.done),
        waiting_for=fold.waits_for(),
        waiting_since=fold.waiting_since,
        # A run that is held waits for somebody, however long its gates need meanwhile.
        stalled=working
        and state is not RunState.HELD
        and bool(fold.bound)
        and silent > fold.bound,
        hint=_hint(state, fold.hint, run, asked, changed=bool(fold.changed)),
        approval_for=fold.approval,
        question=fold.questions.open if state is RunState.HELD else None,
        hold=fold.hold if state is RunState.HELD else 0,
        held_gate=fold.held_gate,
        deadline=fold.deadline if state is RunState.HELD else None,
        leg=fold.leg_number,
        approvals=tuple(fold.questions.approvals),
        hold_asked=next((one.by for one in asked if one.kind is RequestKind.HOLD), ""),
        runner_version=fold.runner_version,
        way_back=fold.rollback_words(),
        way_back_steps=None if fold.closed else fold.way_back_steps(),
        way_back_closes=fold.closes(),
        changed=fold.changed,
        runner_pid=fold.runner.pid
        if working and fold.runner and runner_alive is not False
        else None,
        started_at=fold.started_at,
        updated_at=fold.updated_at,
        last_change=fold.last_change,
        gates=tuple(fold.gates.values()),
        overrides=tuple(fold.overrides),
        users_failed=fold.users_failed,
        reason=fold.finished.reason if fold.finished else "",
        exit_code=fold.finished.exit_code if fold.finished else None,
        simulation=plan.target.simulation.speed,
        eta=fold.eta(now),
        late=fold.is_late(now),
    )


def _hint(
    state: RunState, said: str, run: str, asked: Sequence[Request], *, changed: bool = False
) -> str:
    if changed and state in {RunState.HELD, RunState.RUNNING}:
        return (
            "Going on is refused (exit code 5) while this is so. Put it back and the run goes on as "
            "planned; or `stop` and `resume`, which plans again; `rollback` goes back."
        )
    ways = f"`mimir-migrate resume {run}` goes on, `rollback {run}` goes back"
    back = next((one for one in asked if one.kind is RequestKind.ROLLBACK), None)
    if back is not None:
        ways = f"{back.by} asked to roll back: `mimir-migrate rollback {run}` goes back, and so does `resume`"
    if state is RunState.DEAD:
        return f"its runner is gone: {ways}; `runs --forget {run}` closes it"
    if state in {RunState.STOPPED, RunState.FAILED}:
        return ways
    return said

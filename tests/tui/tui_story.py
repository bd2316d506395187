"""A run's journal as its runner would have written it, up to a moment that a test names."""

from __future__ import annotations

import msgspec

from mimir_migrate import __version__
from mimir_migrate.model.changes import CreateTable, Deploy, Outcome, WriteFile
from mimir_migrate.model.events import (
    Approved,
    Asked,
    BaselineTaken,
    ChangeDone,
    ChangeIntended,
    Event,
    GateJudged,
    GateResult,
    LegStarted,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters, Evidence
from mimir_migrate.model.plan import Gate, Plan, Step, StepKind

SEEN = 1_795_342_000.0
"""When the evidence of the question was seen."""
RUN = "20261122-101320-5f2a"
RATES = Counters(
    pushes=90_000.0,
    failed_pushes=9.0,
    queries=4_000.0,
    failed_queries=1.0,
    rule_evaluations=1_200.0,
    failed_rule_evaluations=0.0,
    requests=140_000.0,
    server_errors=12.0,
)
_SAID = {
    Gate.STORES_EQUAL: "both stores hold the same 13 members of the chosen rings",
    Gate.ROLLOUT_OVER: "all 16 pods are Ready with the wanted configuration, none is old",
    Gate.SWITCH_FOLLOWED: "all 31 clients read memberlist, mirrored",
    Gate.RING_HEALTHY: "26 views of the chosen rings show every member ACTIVE",
    Gate.USERS_FINE: "pushes, queries and rules fail no more than before the run",
    Gate.NOTHING_ELSE_MOVES: "no rollout, scaling or other deploy is under way",
}


def begun(plan: Plan, purpose: str = "apply") -> list[Event]:
    """The first events of every run."""
    return [
        RunStarted(run=RUN, by="ana@bastion", host="bastion", tool_version="0.2.0", plan=plan),
        RunnerStarted(
            pid=4711,
            host="bastion",
            by="ana@bastion",
            purpose=purpose,
            version=__version__,
        ),
        LegStarted(purpose=purpose, plan=plan),
        WaitStarted(step="", waiting_for="a baseline of what users see", bound=50.0),
        BaselineTaken(seconds=50.0, rates=RATES),
    ]


def gate(step: Step, when: str, name: Gate, verdict: Verdict = Verdict.PASS) -> Event:
    """A gate that passed, or another judgement of it."""
    good = verdict is Verdict.PASS
    return GateJudged(
        step=step.id,
        when=when,
        good_samples=7 if good else 0,
        window=50.0,
        result=GateResult(
            gate=name,
            verdict=verdict,
            summary=_SAID.get(name, "as it should be")
            if good
            else "mimir-alertmanager-0: missing",
            evidence=()
            if good
            else (
                Evidence(
                    source="ring alertmanager, dynamodb", detail="mimir-alertmanager-0: missing"
                ),
                Evidence(
                    source="ring alertmanager, dynamodb",
                    detail="mimir-alertmanager-1: address differs",
                ),
            ),
        ),
    )


def before(step: Step) -> list[Event]:
    """A step up to its change."""
    found: list[Event] = [StepStarted(step=step.id)]
    if step.crossing or step.closes_way_back:
        found += [approval(step), Approved(step=step.id, question=0, by="ana@bastion")]
    return found + [gate(step, "before", name) for name in step.before]


def change(step: Step, plan: Plan) -> list[Event]:
    """A step's changes and their outcomes."""
    found: list[Event] = []
    for table in step.tables:
        found += [
            ChangeIntended(step=step.id, change=CreateTable(table=table)),
            ChangeDone(step=step.id, outcome=Outcome(detail=f"{table.name} is ACTIVE")),
        ]
    for edit in step.edits:
        found += [
            ChangeIntended(step=step.id, change=WriteFile(edit=edit)),
            ChangeDone(step=step.id, outcome=Outcome(detail=f"wrote {edit.path}")),
        ]
    if step.kind is not StepKind.TABLES:
        deploy = Deploy(
            deploy=plan.target.deploy,
            files=plan.target.values.files,
            release="mimir",
            namespace="observability",
        )
        found += [
            ChangeIntended(step=step.id, change=deploy),
            ChangeDone(step=step.id, outcome=Outcome(detail="helm revision 8 is deployed")),
        ]
    return found


def whole(step: Step, plan: Plan) -> list[Event]:
    """A step from its beginning to its end."""
    after = [gate(step, "after", name) for name in step.after]
    return [*before(step), *change(step, plan), *after, StepDone(step=step.id)]


def approval(step: Step) -> Event:
    """The run waits for the operator."""
    return Asked(
        step=step.id,
        index=4,
        of=6,
        title=step.title,
        gates=tuple(
            GateResult(gate=name, verdict=Verdict.PASS, summary="good", at=SEEN)
            for name in step.before
        ),
        stores="ruler: both stores hold the same 2 members",
        pods="12 pods, all Ready: distributor 2, ingester 3, ruler 2",
        seen_at=SEEN,
        duration=step.duration,
        rollback=step.way_back,
        back=None if step.back is None else tuple(one.id for one in step.back),
    )


def up_to_switch(plan: Plan) -> list[Event]:
    """Everything before the crossing, which waits for its approval."""
    found = begun(plan)
    for step in plan.steps:
        if step.crossing:
            return [*found, StepStarted(step=step.id), approval(step)]
        found += whole(step, plan)
    return found


def in_rollout(plan: Plan) -> list[Event]:
    """In the first rollout: it was deployed, and its pods come one after the other."""
    found = begun(plan)
    for step in plan.steps:
        if step.kind is StepKind.ROLLOUT:
            waiting = (
                "rollout-over: StatefulSet mimir-ingester: 1 of 3 pods are Ready (and 10 more)"
            )
            wait = WaitStarted(step=step.id, waiting_for=waiting, bound=1800.0)
            return [*found, *before(step), *change(step, plan), wait]
        found += whole(step, plan)
    raise LookupError("no rollout")


def in_mirror(plan: Plan) -> list[Event]:
    """In the middle of the mirroring step: its stores are not equal yet."""
    found = begun(plan)
    for step in plan.steps:
        if step.id == "mirror":
            waiting = "stores-equal: ring alertmanager, dynamodb: mimir-alertmanager-0: missing (and 2 more)"
            return [
                *found,
                *before(step),
                *change(step, plan),
                gate(step, "after", Gate.SWITCH_FOLLOWED),
                gate(step, "after", Gate.STORES_EQUAL, Verdict.FAIL),
                WaitStarted(step=step.id, waiting_for=waiting, bound=250.0),
            ]
        found += whole(step, plan)
    return found


def numbered(events: list[Event]) -> list[Event]:
    """The events of a whole journal, each approval with the number of the question before it."""
    found: list[Event] = []
    asked = 0
    for number, event in enumerate(events, 1):
        if isinstance(event, Asked):
            asked = number
        elif isinstance(event, Approved):
            event = msgspec.structs.replace(event, question=asked)  # noqa: PLW2901
        found.append(event)
    return found


def done(plan: Plan) -> list[Event]:
    """The run from its beginning to its end."""
    found = begun(plan)
    for step in plan.steps:
        found += whole(step, plan)
    return [
        *numbered(found),
        RunFinished(state=RunState.DONE, reason="every chosen ring is on dynamodb", exit_code=0),
    ]

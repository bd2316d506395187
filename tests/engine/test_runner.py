"""The runner and its watch: gates that dwell, hold and go on; what the operator may ask; every ending."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import release as fake
from quick_world import VALUES, QuickWorld
from small_values import SMALL

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.errors import ExitCode, UnreachableError
from mimir_migrate.model.changes import Change, CreateTable, Deploy, LeaseClaim, Outcome, WriteFile
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Continued,
    Event,
    GateOverridden,
    Held,
    LegStarted,
    RequestKind,
    RunFinished,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters, Inspection, PodFacts
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

pytestmark = pytest.mark.usefixtures("brisk")

START = SMALL[Product.CORTEX]
MEANT = START.replace(b"num_tokens: 8", b"num_tokens: 16", 1)
"""Edited by somebody so that another deploy would follow."""
Spoil = Callable[[Inspection], Inspection]


def done(world: QuickWorld) -> list[str]:
    """The steps that were done."""
    return [event.step for event in world.events() if isinstance(event, StepDone)]


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def at_step(world: QuickWorld, step: str, act: Callable[[], None]) -> None:
    """Do something once, when a step begins."""

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == step:
            world.heard = lambda _: None
            act()

    world.heard = hear


def gone(name: str) -> Spoil:
    """A pod's page lacks every member."""
    return lambda seen: fake.with_view(seen, name, "ruler", members=())


def failing(seen: Inspection) -> Inspection:
    """Half of all pushes fail."""

    def spoil(facts: PodFacts) -> PodFacts:
        counters = facts.counters or Counters()
        pushes = counters.pushes or 0.0
        return msgspec.structs.replace(
            facts, counters=msgspec.structs.replace(counters, failed_pushes=pushes / 2)
        )

    return msgspec.structs.replace(seen, pods=tuple(spoil(facts) for facts in seen.pods))


RULER = "cortex-ruler-0"


def test_a_run_that_nothing_happens_to() -> None:
    """Done, exit 0, the lease given back, and the journal names the changes that were made."""
    world = QuickWorld()
    assert world.run(world.start()) is ExitCode.DONE
    assert done(world) == ["tables", "both", "swap", "settle"]
    assert world.holder is None
    kinds = [type(intended.change) for intended in of(world, ChangeIntended)]
    assert len(of(world, ChangeDone)) == len(kinds)
    assert kinds == [CreateTable] + [WriteFile, Deploy] * 3
    assert world.ending() == RunFinished(
        state=RunState.DONE, reason="every chosen ring is on dynamodb", exit_code=0
    )


def test_no_progress_holds_and_a_gate_that_passes_goes_on() -> None:
    """Held with the reason once its patience is over; on by itself once the ring is well."""
    world = QuickWorld()
    plan = world.start()

    def mend(event: Event) -> None:
        if isinstance(event, Held):
            world.clock.after(30, spoiled(world, lambda seen: seen))

    at_step_once(world, "both", spoiled(world, gone(RULER)), mend)
    assert world.run(plan) is ExitCode.DONE
    (held,) = of(world, Held)
    assert held.gate is Gate.RING_HEALTHY
    assert RULER in held.reason
    assert "goes on by itself" in held.hint
    (continued,) = of(world, Continued)
    assert continued.by == "the gates passed"


def at_step_once(
    world: QuickWorld,
    step: str,
    act: Callable[[], None],
    then: Callable[[Event], None],
) -> None:
    """Do something when a step begins, and hear every event."""
    begun: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == step and not begun:
            begun.append(step)
            act()
        then(event)

    world.heard = hear


def spoiled(world: QuickWorld, how: Spoil) -> Callable[[], None]:
    """Spoil what is seen from now on."""
    return lambda: setattr(world, "spoil", how)


def test_nobody_comes_to_a_hold() -> None:
    """The runner ends with exit 3; nothing of the step was changed; `resume` goes on."""
    world = QuickWorld()
    plan = world.start()
    at_step(world, "swap", spoiled(world, gone(RULER)))
    assert world.run(plan) is ExitCode.BLOCKED
    assert world.ending().state is RunState.HELD
    assert "ring-healthy" in world.ending().reason
    assert "`resume` goes on from here" in world.ending().reason
    assert done(world) == ["tables", "both"]
    assert len(world.deployed) == 2
    assert world.holder is None
    world.spoil = lambda seen: seen
    assert world.run(plan, "resume") is ExitCode.DONE


def test_failing_users_need_the_operators_word() -> None:
    """Fine again they do not let the run go on by themselves; `continue` does.

    What was approved beforehand was approved by somebody who had not seen it: the step asks anyway.
    """
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, Held) and event.gate is Gate.USERS_FINE:
            world.spoil = lambda seen: seen
            world.clock.after(300, lambda: world.ask(RequestKind.CONTINUE))
        if isinstance(event, Asked):
            world.clock.after(20, lambda: world.ask(RequestKind.APPROVE))

    at_step_once(world, "swap", spoiled(world, failing), hear)
    assert world.run(plan) is ExitCode.DONE
    assert [event.beforehand for event in of(world, Approved)] == [True, False]
    held = next(r for r in world.journal.events() if isinstance(r.event, Held))
    continued = next(r for r in world.journal.events() if isinstance(r.event, Continued))
    assert continued.event.by == "olga@laptop"
    assert continued.at - held.at >= 300
    assert "by itself" not in held.event.hint


def test_failing_users_that_recover_end_the_hold_when_nobody_comes() -> None:
    """Even with every gate good the runner does not wait for ever."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, Held):
            world.spoil = lambda seen: seen

    at_step_once(world, "swap", spoiled(world, failing), hear)
    assert world.run(plan) is ExitCode.BLOCKED
    assert "operator" in world.ending().reason


def test_an_override_lets_one_gate_pass_once() -> None:
    """With who and why in the journal; at the next step the same gate holds again."""
    world = QuickWorld()
    plan = world.start()
    world.ask(RequestKind.OVERRIDE, Gate.NOTHING_ELSE_MOVES, "the other rollout is ours")
    pending = msgspec.structs.replace

    def spoil(seen: Inspection) -> Inspection:
        assert seen.release is not None
        return pending(seen, release=pending(seen.release, status="pending-upgrade"))

    world.spoil = spoil
    assert world.run(plan) is ExitCode.BLOCKED
    (override,) = of(world, GateOverridden)
    assert override.gate is Gate.NOTHING_ELSE_MOVES
    assert (override.by, override.reason) == ("olga@laptop", "the other rollout is ours")
    assert override.result is not None
    assert override.result.verdict is Verdict.FAIL
    assert done(world) == ["tables", "both"]
    assert "nothing-else-moves" in world.ending().reason


def test_a_crossing_waits_for_approval() -> None:
    """Before the primary changes and before the rollback closes somebody says yes, each time."""
    world = QuickWorld()
    plan = world.start()
    seen: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Asked):
            seen.append(event.step)
            world.clock.after(20, lambda: world.ask(RequestKind.APPROVE))

    world.heard = hear
    assert world.run(plan, approve_all=False) is ExitCode.DONE
    assert seen == ["swap", "settle"]


def test_no_approval_in_time_changes_nothing() -> None:
    """Exit 3; the step that waited has changed nothing."""
    world = QuickWorld()
    assert world.run(world.start(), approve_all=False) is ExitCode.BLOCKED
    assert done(world) == ["tables", "both"]
    assert "approval" in world.ending().reason


def test_hold_and_continue() -> None:
    """A hold on request lasts until `continue`."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, Held):
            world.clock.after(500, lambda: world.ask(RequestKind.CONTINUE))

    at_step_once(world, "swap", lambda: world.ask(RequestKind.HOLD, reason="lunch"), hear)
    assert world.run(plan) is ExitCode.DONE
    (held,) = of(world, Held)
    assert "lunch" in held.reason
    recorded = world.journal.events()
    begin = next(r.at for r in recorded if isinstance(r.event, Held))
    end = next(r.at for r in recorded if isinstance(r.event, Continued))
    assert end - begin >= 500


@pytest.mark.parametrize("held", [False, True])
def test_stop(held: bool) -> None:
    """Between two steps, or at once where the run is held; `resume` goes on."""
    world = QuickWorld()
    plan = world.start()

    def act() -> None:
        if held:
            world.ask(RequestKind.HOLD)
            world.clock.after(100, lambda: world.ask(RequestKind.STOP))
        else:
            world.ask(RequestKind.STOP)

    at_step(world, "both", act)
    world.run(plan)
    assert world.ending().state is RunState.STOPPED
    assert done(world) == (["tables"] if held else ["tables", "both"])
    assert world.holder is None
    assert world.run(plan, "resume") is ExitCode.DONE


def test_rollback_on_request() -> None:
    """In the middle of a wait; exit 6, the bytes are back, a leg of its own is in the journal."""
    world = QuickWorld()
    plan = world.start()
    at_step(world, "swap", lambda: world.ask(RequestKind.ROLLBACK))
    assert world.run(plan) is ExitCode.ROLLED_BACK
    assert world.ending().state is RunState.ROLLED_BACK
    assert world.files[VALUES] == START
    assert world.running == START
    assert [leg.purpose for leg in of(world, LegStarted)] == ["apply", "rollback"]


def test_a_file_changed_in_between_stops_before_the_next_step() -> None:
    """Exit 5 with the fact, old and new, and the new plan; nothing was changed; `resume` plans again."""
    world = QuickWorld()
    plan = world.start()
    at_step(world, "both", lambda: world.files.update({VALUES: MEANT}))
    assert world.run(plan) is ExitCode.STALE
    assert world.ending().state is RunState.STOPPED
    reason = world.ending().reason
    assert f"file {VALUES}: {file_edits.sha256(START)} -> {file_edits.sha256(MEANT)}" in reason
    assert "config.ingester.lifecycler.num_tokens" in reason
    assert "steps of this plan: both, swap, settle" in reason
    assert "steps of a new plan: both, swap, settle" in reason
    assert len(world.deployed) == 1
    assert world.run(plan, "resume") is ExitCode.DONE
    assert b"num_tokens: 16" in world.files[VALUES]


def test_a_lease_that_is_lost_stops_before_the_next_change() -> None:
    """Somebody took it over meanwhile: exit 4, nothing more is changed, theirs is left alone."""
    world = QuickWorld()
    plan = world.start()
    theirs = LeaseClaim(name="x", holder="eva", run="run-2", store="memberlist", rings=("ruler",))
    at_step(world, "swap", lambda: setattr(world, "holder", theirs))
    assert world.run(plan) is ExitCode.LEASE
    assert world.ending().state is RunState.STOPPED
    assert world.holder is theirs
    assert len(world.deployed) == 2


def test_a_lease_that_somebody_holds_is_not_taken() -> None:
    """Nothing is looked at or changed."""
    world = QuickWorld()
    plan = world.start()
    world.holder = LeaseClaim(name="x", holder="eva", run="run-2", store="x", rings=())
    assert world.run(plan) is ExitCode.LEASE
    assert done(world) == []


def test_a_deploy_that_fails_ends_the_run_and_can_be_gone_on_with() -> None:
    """Exit 1; the failure is in the journal; `resume` deploys again; the file is edited once."""
    world = QuickWorld()
    plan = world.start()
    world.fail_deploys = 1
    assert world.run(plan) is ExitCode.FAILED
    assert world.ending().state is RunState.FAILED
    (failed,) = of(world, ChangeFailed)
    assert "ended with 1" in failed.reason
    assert world.holder is None
    assert world.run(plan, "resume") is ExitCode.DONE
    assert len(world.written) == 3


def test_a_cluster_that_does_not_answer_is_asked_again() -> None:
    """An unreachable API server is unknown, holds if it lasts, and is forgotten once it answers."""
    world = QuickWorld()
    plan = world.start()

    def away(seen: Inspection) -> Inspection:
        raise UnreachableError("the API server does not answer")

    def break_it() -> None:
        world.clock.after(5, spoiled(world, away))
        world.clock.after(60, spoiled(world, lambda seen: seen))

    at_step(world, "both", break_it)
    assert world.run(plan) is ExitCode.DONE
    waits = [wait.waiting_for for wait in of(world, WaitStarted)]
    assert any("could not be asked" in said or "the cluster to answer: " in said for said in waits)


def test_every_wait_says_for_what_and_until_when() -> None:
    """Bound and reason are in the journal, so that a screen can tell STALLED from slow."""
    world = QuickWorld()
    world.run(world.start())
    waits = of(world, WaitStarted)
    assert waits
    assert all(wait.waiting_for and wait.bound > 0 for wait in waits)


def test_a_dry_run_changes_nothing_and_waits_for_nothing() -> None:
    """No gate is waited for, and the world sees the same calls in the same order."""
    dry, real = QuickWorld(), QuickWorld()
    real.run(real.start())
    plan = dry.start()
    before = dry.clock.now()
    calls: list[object] = []

    def record(change: Change) -> Outcome:
        calls.append(change)
        return Outcome(detail="recorded")

    dry.perform = record  # type: ignore[method-assign]
    assert dry.run(plan, dry=True) is ExitCode.DONE
    assert dry.clock.now() == before
    assert dry.files[VALUES] == START
    made = (CreateTable, WriteFile, Deploy)
    assert [c for c in calls if isinstance(c, made)] == [
        c for c in real.attempts if isinstance(c, made)
    ]


def test_there_and_back_in_one_world() -> None:
    """Both rings, one by the runtime configuration and one by rollouts, and back."""
    in_blocks = START.replace(
        b"kvstore: {store: memberlist}   # in one line", b"kvstore:\n        store: memberlist"
    )
    world = QuickWorld(in_blocks)
    assert world.run(world.start(rings=("ingester", "ruler"))) is ExitCode.DONE
    assert done(world) == ["tables", "both", "switch", "swap", "settle", "clear"]
    back = QuickWorld(world.files[VALUES])
    back.tables = world.tables
    assert back.run(back.start(Store.MEMBERLIST, ("ingester", "ruler"))) is ExitCode.DONE
    assert done(back) == ["both", "switch", "swap", "settle", "clear"]

"""How long a run waits for its gates: until their evidence is complete, or a window, and from when."""

from __future__ import annotations

import msgspec
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.engine.dwell import AT_ONCE, BY_EVIDENCE, GOOD_SAMPLES
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    Event,
    GateJudged,
    Held,
    RequestKind,
    StepDone,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate

RULER = "cortex-ruler-0"


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def gone(seen: Inspection) -> Inspection:
    """A pod's page lacks every member."""
    return fake.with_view(seen, RULER, "ruler", members=())


def failing(seen: Inspection) -> Inspection:
    """Half of all pushes fail."""
    return msgspec.structs.replace(
        seen,
        pods=tuple(
            msgspec.structs.replace(
                facts,
                counters=msgspec.structs.replace(
                    facts.counters or Counters(),
                    failed_pushes=((facts.counters or Counters()).pushes or 0.0) / 2,
                ),
            )
            for facts in seen.pods
        ),
    )


def written_at(world: QuickWorld) -> float:
    """When the first file was about to be written."""
    return next(
        recorded.at
        for recorded in world.journal.events()
        if isinstance(recorded.event, ChangeIntended)
        and isinstance(recorded.event.change, WriteFile)
    )


def test_a_gate_asks_for_good_samples_in_a_row() -> None:
    """Three samples at least; a gate about time over its window, one about rings until its evidence is there."""
    world = QuickWorld()
    world.run(world.start())
    passed = [e for e in of(world, GateJudged) if e.good_samples]
    assert passed
    assert all(event.good_samples >= GOOD_SAMPLES for event in passed)
    assert all(event.result.verdict is Verdict.PASS for event in passed)
    timed = [e.window for e in passed if e.result.gate not in BY_EVIDENCE | AT_ONCE]
    assert min(timed) >= fake.WINDOW - fake.POLL
    rings = [e.window for e in passed if e.result.gate in BY_EVIDENCE]
    assert min(rings) < fake.WINDOW - fake.POLL, "here everybody beats once a second"
    assert {Gate.USERS_FINE, Gate.NOTHING_ELSE_MOVES} <= {e.result.gate for e in passed}


def test_what_was_seen_for_the_baseline_counts_for_the_first_step() -> None:
    """Its gates are judged on those samples too, so nobody waits for a second window."""
    world = QuickWorld()
    world.run(world.start())
    recorded = world.journal.events()
    began = next(r.at for r in recorded if isinstance(r.event, StepStarted))
    assert written_at(world) - began < fake.WINDOW - fake.POLL
    assert written_at(world) - recorded[0].at >= fake.WINDOW - fake.POLL


@pytest.mark.parametrize("when", [4, 25])
@pytest.mark.parametrize("kind", ["users", "ring"])
def test_one_bad_sample_begins_anew(kind: str, when: float) -> None:
    """Good, bad, good: the time before the bad one does not count, nor what was seen of rings."""
    world = QuickWorld()
    plan = world.start()
    bad: list[float] = []

    def once(seen: Inspection) -> Inspection:
        if not bad:
            bad.append(world.clock.now())
            return failing(seen) if kind == "users" else gone(seen)
        return seen

    def hiccup() -> None:
        world.spoil = once

    world.clock.after(when, hiccup)
    assert world.run(plan) is ExitCode.DONE
    least = fake.WINDOW - fake.POLL if kind == "users" else 2 * (fake.WINDOW - fake.POLL) / 6
    assert written_at(world) - bad[0] >= least


def test_patience_is_counted_in_windows_and_not_in_evidence() -> None:
    """Gates that end sooner do not hold a run sooner: what takes its windows to mend still has them."""
    world = QuickWorld()
    plan = world.start()
    bad: list[float] = []

    def spoilt(seen: Inspection) -> Inspection:
        bad.append(world.clock.now())
        return gone(seen)

    def begin() -> None:
        world.spoil = spoilt

    def end() -> None:
        world.spoil = lambda seen: seen

    world.clock.after(4, begin)
    world.clock.after(4 + 8 * fake.WINDOW, end)
    world.run(plan)
    held = next(one.at for one in world.journal.events() if isinstance(one.event, Held))
    # What was bad is waited for since the gates began to be, a little before the first bad sample.
    assert 4 * fake.WINDOW < held - bad[0] < 6 * fake.WINDOW


def test_a_change_voids_what_was_seen_before_it() -> None:
    """The gates after a change pass on samples from after it alone."""
    world = QuickWorld()
    world.run(world.start())
    changed = 0.0
    for recorded in world.journal.events():
        event = recorded.event
        if isinstance(event, ChangeDone):
            changed = recorded.at
        if isinstance(event, GateJudged) and event.good_samples and event.when == "after":
            assert recorded.at - event.window >= changed


def test_errors_from_before_a_hold_are_not_of_the_last_window() -> None:
    """DynamoDB failed while somebody was waited for; what is compared with is not an older than two windows."""
    world = QuickWorld()
    plan = world.start()
    failed = [False]

    def erring(seen: Inspection) -> Inspection:
        if not failed[0]:
            return seen
        return msgspec.structs.replace(
            seen,
            pods=tuple(
                msgspec.structs.replace(
                    facts,
                    counters=msgspec.structs.replace(
                        facts.counters or Counters(), dynamodb_errors=900.0
                    ),
                )
                for facts in seen.pods
            ),
        )

    world.spoil = erring

    def hold(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "both":
            world.ask(RequestKind.HOLD)
            world.clock.after(300, lambda: failed.__setitem__(0, True))
            world.clock.after(400, lambda: world.ask(RequestKind.CONTINUE))

    world.heard = hold
    assert world.run(plan) is ExitCode.DONE
    judged = [e.result for e in of(world, GateJudged)]
    reach = [r for r in judged if r.gate is Gate.PODS_REACH_DYNAMODB]
    assert reach
    assert not [r for r in reach if r.verdict is Verdict.FAIL]

"""What `stop` says is what the runner does: each sentence is held against a run that is then stopped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import release as fake
from quick_world import VALUES, QuickWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeIntended,
    Continued,
    Event,
    Held,
    RequestKind,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.stopping import stop_words

pytestmark = pytest.mark.usefixtures("brisk")

RULER = "cortex-ruler-0"


def status(world: QuickWorld) -> RunStatus:
    """Where the run stands."""
    return status_of("run-1", world.journal.events(), now=world.clock.now())


def heard(world: QuickWorld, kind: type, act: Callable[[], None]) -> None:
    """Act once, at the first event of a kind."""
    acted: list[Event] = []

    def hear(event: Event) -> None:
        if isinstance(event, kind) and not acted:
            acted.append(event)
            act()

    world.heard = hear


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


@pytest.mark.parametrize("also", [(), (RequestKind.APPROVE,)], ids=["stop", "stop and approve"])
def test_a_step_that_waits_for_its_approval_is_not_made(also: tuple[RequestKind, ...]) -> None:
    """The runner ends at once and nothing is changed, also where an approval comes with the stop."""
    world = QuickWorld()
    said: list[str] = []
    files: list[str] = []

    def act() -> None:
        said.extend(stop_words(status(world)))
        files.append(world.files[VALUES])
        for kind in (*also, RequestKind.STOP):
            world.ask(kind)

    heard(world, Asked, act)
    assert world.run(world.start(), approve_all=False) is ExitCode.BLOCKED
    assert said == [
        "swap waits for its approval and is not made: the runner ends now, and nothing is changed."
    ]
    assert world.files[VALUES] == files[0]
    assert [one.step for one in of(world, ChangeIntended)].count("swap") == 0
    assert not of(world, Approved)
    ending = world.ending()
    assert ending.state is RunState.STOPPED
    assert ending.reason.startswith("stopped while swap waited for its approval, as ")
    assert ending.reason.endswith(": it was not made")
    assert not world.journal.open_requests()


@pytest.mark.parametrize("also", [(), (RequestKind.CONTINUE,)], ids=["stop", "stop and continue"])
def test_a_run_that_is_held_ends_there(also: tuple[RequestKind, ...]) -> None:
    """Nothing more is changed, also where somebody says `continue` in the same moment."""
    world = QuickWorld()
    said: list[str] = []

    def at_hold() -> None:
        said.extend(stop_words(status(world)))
        for kind in (*also, RequestKind.STOP):
            world.ask(kind)

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.ask(RequestKind.HOLD)
        if isinstance(event, Held):
            world.clock.after(0.1, at_hold)

    world.heard = hear
    assert world.run(world.start()) is ExitCode.BLOCKED
    assert said == [
        "The run is held at the step both: the runner ends now, and nothing more is changed."
    ]
    assert not [one for one in of(world, ChangeIntended) if one.step == "both"]
    assert not of(world, Continued)
    assert world.ending().reason.endswith(": nothing more was changed")


def test_a_step_under_way_is_finished() -> None:
    """Its change and its gates, and then the runner ends before the next one."""
    world = QuickWorld()
    said: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            said.extend(stop_words(status(world)))
            world.ask(RequestKind.STOP)

    world.heard = hear
    assert world.run(world.start()) is ExitCode.INTERRUPTED
    assert said[0] == (
        "The step both is finished, its changes and its gates included; then the runner ends."
    )
    assert [one.step for one in of(world, StepDone)] == ["tables", "both"]


def test_a_step_that_comes_to_its_question_after_the_stop_is_not_made() -> None:
    """It ends where it has to wait, as was said, and an approval that comes later is void."""
    world = QuickWorld()
    said: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "swap":
            said.extend(stop_words(status(world)))
            world.ask(RequestKind.STOP)
        if isinstance(event, Asked):
            world.ask(RequestKind.APPROVE)

    world.heard = hear
    assert world.run(world.start(), approve_all=False) is ExitCode.BLOCKED
    assert said[1] == (
        "Where it has to wait for an approval, or is held, it ends there and changes nothing more."
    )
    assert [one.step for one in of(world, StepDone)] == ["tables", "both"]
    assert not [one for one in of(world, ChangeIntended) if one.step == "swap"]
    assert len(of(world, Asked)) == 1
    assert not of(world, Approved)


def test_a_gate_that_passes_at_the_very_look_of_the_stop_lets_nothing_be_made() -> None:
    """The hold would have closed by itself there; who asked to stop was told that nothing more is changed."""

    def walked(stop_after: float | None) -> QuickWorld:
        world = QuickWorld()

        def hear(event: Event) -> None:
            if isinstance(event, StepStarted) and event.step == "both":
                world.spoil = lambda seen: fake.with_view(seen, RULER, "ruler", members=())
            if isinstance(event, Held):
                world.spoil = lambda seen: seen
                if stop_after is not None:
                    world.clock.after(stop_after, lambda: world.ask(RequestKind.STOP))

        world.heard = hear
        world.run(world.start())
        return world

    undisturbed = walked(None).journal.events()
    held = next(one.at for one in undisturbed if isinstance(one.event, Held))
    went_on = next(one.at for one in undisturbed if isinstance(one.event, Continued))
    stopped = walked(went_on - held - 0.001)
    assert not [one for one in of(stopped, ChangeIntended) if one.step == "both"]
    assert stopped.ending().reason.startswith("stopped while held")

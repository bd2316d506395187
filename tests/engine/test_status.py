"""What a journal folds into: status, one line, a hand-over, a report; and `verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
import release as fake
from quick_world import VALUES, QuickWorld

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.engine.history import edits_made, first_plan, inverses, last_purpose
from mimir_migrate.errors import UsageError
from mimir_migrate.model.events import (
    Asked,
    ChangeIntended,
    GateJudged,
    Held,
    LegStarted,
    Recorded,
    RequestKind,
    RunnerStarted,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Unanswered
from mimir_migrate.model.plan import BRIDGE_GATES, Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, StoreState
from mimir_migrate.runs.handing_over import brief, hand_over
from mimir_migrate.runs.report import render, to_markdown
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.verify import verify

pytestmark = pytest.mark.usefixtures("brisk")


@pytest.fixture
def finished() -> QuickWorld:
    """A world whose run is done."""
    world = QuickWorld()
    world.run(world.start())
    return world


def until(world: QuickWorld, kind: type, nth: int = 1) -> Sequence[Recorded]:
    """The journal up to the n-th event of a kind, as if the process had died there."""
    found: list[Recorded] = []
    for recorded in world.journal.events():
        found.append(recorded)
        nth -= isinstance(recorded.event, kind)
        if not nth:
            return found
    raise LookupError(kind)


def status(
    events: Sequence[Recorded], *, alive: bool | None = True, later: float = 0
) -> RunStatus:
    """The status at the last event, or later."""
    return status_of("run-1", events, now=events[-1].at + later, runner_alive=alive)


def test_a_run_that_is_done(finished: QuickWorld) -> None:
    """Every step is done, nothing is waited for, no runner works, no time is left."""
    found = status(finished.journal.events())
    assert found.state is RunState.DONE
    assert found.done_steps == ("tables", "both", "swap", "settle")
    assert found.exit_code == 0
    assert (found.runner_pid, found.waiting_for, found.eta) == (None, "", None)
    assert found.rings == ("ruler",)
    assert found.by == "olga@laptop"


def test_in_the_middle_of_a_step(finished: QuickWorld) -> None:
    """Which step of how many, what it waits for, which rollback, what is left."""
    found = status(until(finished, StepStarted, 3))
    assert found.state is RunState.RUNNING
    assert found.step is not None
    assert (found.step.id, found.step.index, found.step.of) == ("swap", 3, 4)
    assert found.runner_pid == 4711
    assert found.done_steps == ("tables", "both")
    assert found.way_back.startswith("open")
    assert found.eta is not None
    assert found.eta.high > found.eta.low


def test_the_rollback_is_told_by_the_step_that_is_done(finished: QuickWorld) -> None:
    """Open before anything and until the last rollout; then it says what it takes."""
    assert status(until(finished, RunnerStarted)).way_back.startswith("open")
    assert status(until(finished, StepDone, 3)).way_back.startswith("open")
    assert not status(until(finished, StepDone, 4)).way_back.startswith("open")


def test_a_runner_that_is_gone_without_a_word(finished: QuickWorld) -> None:
    """Dead where its process is known to be gone; as the journal says where that cannot be told."""
    events = until(finished, ChangeIntended, 2)
    dead = status(events, alive=False)
    assert dead.state is RunState.DEAD
    assert dead.runner_pid is None
    assert "resume run-1" in dead.hint
    assert "rollback run-1" in dead.hint
    assert status(events, alive=None).state is RunState.RUNNING
    assert "edit values.yaml" in dead.last_change


def test_stalled_is_told_by_the_bound(finished: QuickWorld) -> None:
    """A wait that outlasts its own bound is STALLED, in the one line as well."""
    events = until(finished, WaitStarted)
    bound = events[-1].event.bound
    assert bound > 0
    assert not status(events, later=bound - 1).stalled
    late = status(events, later=bound + 1)
    assert late.stalled
    assert "STALLED" in brief(late)


def held(world: QuickWorld) -> None:
    """A run that nobody came to."""
    plan = world.start()
    world.spoil = lambda seen: fake.with_view(seen, "cortex-ruler-0", "ruler", members=())
    world.run(plan)


def test_a_hold_says_what_for_and_what_can_be_done() -> None:
    """Its gate, its evidence, and the commands."""
    world = QuickWorld()
    held(world)
    found = status(until(world, Held))
    assert found.state is RunState.HELD
    assert "ring-healthy" in found.waiting_for
    assert "rollback" in found.hint
    assert found.approval_for == ""
    gate = next(result for result in found.gates if result.gate is Gate.RING_HEALTHY)
    assert gate.verdict is Verdict.FAIL
    assert gate.evidence


def test_an_approval_that_is_awaited_names_its_step() -> None:
    """So that a screen asks about the right one."""
    world = QuickWorld()
    world.run(world.start(), approve_all=False)
    assert status(until(world, Asked)).approval_for == "swap"


def test_overrides_are_kept_with_who_and_why() -> None:
    """Also in the report."""
    world = QuickWorld()
    plan = world.start()
    world.ask(RequestKind.OVERRIDE, Gate.RING_HEALTHY, "a known page bug")
    world.spoil = lambda seen: fake.with_view(seen, "cortex-ruler-0", "ruler", members=())
    world.run(plan)
    found = status(world.journal.events())
    assert [(o.gate, o.by, o.reason) for o in found.overrides] == [
        (Gate.RING_HEALTHY, "olga@laptop", "a known page bug")
    ]
    assert "a known page bug" in render("run-1", world.journal.events(), ".md")


def test_one_line_and_the_hand_over(finished: QuickWorld) -> None:
    """Where, what it waits for, the rollback; and for the next person what there is to decide."""
    running = status(until(finished, StepStarted, 3))
    line = brief(running)
    assert "\n" not in line
    for words in ("run-1", "running", "swap, step 3 of 4", "rollback open"):
        assert words in line
    world = QuickWorld()
    held(world)
    text = hand_over(status(world.journal.events()))
    for words in (
        "ruler",
        "observability",
        "kubernetes.test:6443",
        "rollback open",
        "next:",
        "ended:",
    ):
        assert words in text


def test_what_a_run_waits_for_is_said_in_one_sentence(finished: QuickWorld) -> None:
    """Whatever the last event was: a thing that is waited for, and while a hold stands its reason."""
    said = []
    for number in range(1, len(finished.journal.events())):
        status_then = status(finished.journal.events()[:number])
        said.append(status_then.waits)
    world = QuickWorld()
    held(world)
    stopped = [status(world.journal.events()[:n]) for n in range(1, len(world.journal.events()))]
    holds = [one.waits for one in stopped if one.state is RunState.HELD and one.hold]

    assert {one.split()[0] for one in said if one} == {"waits"}
    assert {
        "waits for its plan",
        "waits for the step's first look at the cluster; its gates follow",
        "waits for the next step",
    } <= set(said)
    assert any(one.startswith("waits for its change: edit ") for one in said)
    assert any(one.startswith("waits for what follows: ") for one in said)
    assert holds
    assert all(one.startswith("held: ") for one in holds)


def test_a_second_leg_begins_its_steps_anew() -> None:
    """After the rollback began, the steps are those of the rollback."""
    world = QuickWorld()
    plan = world.start()
    world.run(plan)
    world.run(plan, "rollback")
    found = status(world.journal.events())
    assert found.state is RunState.ROLLED_BACK
    assert found.purpose == "rollback"
    assert found.to == "memberlist"
    assert found.led == "to dynamodb and back, now on memberlist"
    said = to_markdown("run-1", world.journal.events(), found)
    for text in (brief(found), hand_over(found), said):
        assert found.led in text
    under_way = until(world, LegStarted, 2)
    assert status(under_way).led == "to dynamodb, going back to memberlist"
    assert status(until(world, LegStarted)).led == "to dynamodb"
    assert set(found.done_steps) <= {"both", "swap", "settle", "clear"}
    assert last_purpose(until(world, LegStarted, 2)) == "rollback"


def test_a_journal_without_a_start_is_no_run() -> None:
    """It says so instead of showing an empty run."""
    with pytest.raises(LookupError):
        status_of("run-1", (), now=0.0)
    with pytest.raises(LookupError):
        first_plan(())


# --- history ------------------------------------------------------------------------------------


def test_what_was_done_to_the_file_is_in_the_journal(finished: QuickWorld) -> None:
    """Every edit in order; taken back they give the first bytes."""
    made = edits_made(finished.journal.events(), finished.read)
    assert [edit.after_sha256 for edit in made] == finished.written
    content = finished.files[VALUES]
    for edit in inverses(made):
        content = file_edits.apply(edit, content)
    assert content == finished.deployed[0]


@pytest.mark.parametrize("took_place", [True, False])
def test_an_edit_that_was_intended_is_asked_of_the_file(
    finished: QuickWorld, took_place: bool
) -> None:
    """The process died between intent and outcome: the file tells."""
    events = until(finished, ChangeIntended, 2)
    edit = events[-1].event.change.edit
    before = finished.deployed[0]
    content = file_edits.apply(edit, before) if took_place else before
    assert edits_made(events, lambda _: content) == ((edit,) if took_place else ())


# --- report -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".md", ".json", ".html"])
def test_the_report_tells_every_step_and_gate(finished: QuickWorld, suffix: str) -> None:
    """From the journal only, in each form."""
    text = render("run-1", finished.journal.events(), suffix)
    passed = {e.result.gate for e in finished.events() if isinstance(e, GateJudged)}
    for words in ("tables", "both", "swap", "settle", "olga@laptop", *(g.value for g in passed)):
        assert words in text
    if suffix == ".json":
        assert json.loads(text)["schema"] == "mimir-migrate/1"


def test_the_report_shows_text_of_the_world_as_text() -> None:
    """Markup from a pod's answer is neither a tag nor a table cell."""
    world = QuickWorld()
    world.spoil = lambda seen: msgspec.structs.replace(
        seen,
        unanswered=(Unanswered(source="Kubernetes autoscalers", reason="<script>|x`y`"),),
    )
    world.run(world.start())
    page = render("run-1", world.journal.events(), ".html")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_another_form_is_refused(finished: QuickWorld) -> None:
    """With the endings that there are."""
    with pytest.raises(UsageError, match=r"\.pdf") as caught:
        render("run-1", finished.journal.events(), ".pdf")
    assert ".html" in caught.value.hint


# --- verify -------------------------------------------------------------------------------------


RINGS = ("ingester", "ruler")


@pytest.mark.parametrize(
    ("state", "mirror", "skipped"),
    [
        (
            StoreState.MEMBERLIST,
            True,
            {"stores-equal", "pods-reach-dynamodb", "blast-radius", "way-back-open"},
        ),
        (
            StoreState.DYNAMODB,
            True,
            {"stores-equal", "gossip-whole", "blast-radius", "way-back-open"},
        ),
        (StoreState.MEMBERLIST_DYNAMODB, True, {"blast-radius", "way-back-open"}),
        (StoreState.DYNAMODB_MEMBERLIST, False, {"stores-equal", "blast-radius", "way-back-open"}),
    ],
)
def test_verify_judges_what_applies(state: StoreState, mirror: bool, skipped: set[str]) -> None:
    """In each state a healthy release is well; what does not apply is named with its reason."""
    earlier = fake.release(Product.CORTEX, state, mirror=mirror, at=fake.NOW - fake.WINDOW)
    found = verify(earlier, fake.release(Product.CORTEX, state, mirror=mirror), RINGS)
    assert found.ok, [c for c in found.checks if c.verdict is not Verdict.PASS]
    assert set(found.skipped) == skipped
    said = {check.gate for check in found.checks} | {Gate(name) for name in found.skipped}
    assert said == set(Gate) - set(BRIDGE_GATES), "no ring goes through the bridge"
    assert all(found.skipped.values())
    assert found.differences == ()


def test_verify_lists_each_difference() -> None:
    """Ring, pod, store, member and kind."""
    state = StoreState.MEMBERLIST_DYNAMODB
    block = RuntimeBlock(primary="memberlist", mirror_enabled=True)
    earlier = fake.release(Product.CORTEX, state, block=block, at=fake.NOW - fake.WINDOW)
    seen = fake.with_item(
        fake.release(Product.CORTEX, state, block=block), "ruler", 0, tokens=(1, 2, 9)
    )
    found = verify(earlier, seen, RINGS)
    assert not found.ok
    assert {(d.ring, d.store, d.member, d.kind) for d in found.differences} == {
        ("ruler", "memberlist", "cortex-ruler-0", "tokens")
    }


def test_verify_sees_pods_that_disagree() -> None:
    """One pod on another store than the rest."""
    state = StoreState.MEMBERLIST
    earlier = fake.release(Product.CORTEX, state, at=fake.NOW - fake.WINDOW)
    seen = fake.with_view(
        fake.release(Product.CORTEX, state),
        "cortex-ruler-0",
        "ruler",
        config=fake.kv_config(StoreState.DYNAMODB),
    )
    assert not verify(earlier, seen, RINGS).ok


def test_a_step_is_late_by_what_it_took_and_not_by_what_it_waited_for_somebody(
    finished: QuickWorld,
) -> None:
    """A question that stood for an hour makes no step late; an hour of its own does."""
    events = until(finished, Asked)
    asked = status(events, later=3600.0)
    assert (asked.state, asked.late) == (RunState.HELD, False)
    assert status(until(finished, StepStarted, 2), later=36_000.0).late
    assert not status(finished.journal.events(), later=36_000.0).late


def test_what_somebody_lets_wait_takes_no_simulation_s_time(finished: QuickWorld) -> None:
    """The cluster's seconds are a simulation's; those until somebody answers are everybody's."""
    fast = msgspec.structs.replace(status(until(finished, Asked)), simulation=30.0)
    assert fast.waited_words(60.0) == "1 min of your own time"
    running = msgspec.structs.replace(fast, state=RunState.RUNNING)
    assert running.waited_words(60.0) == "30 min"
    assert status(until(finished, Asked)).waited_words(60.0) == "1 min", "only one time is there"

"""What a plan rests on, compared all the while a run waits; and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
import release as fake
from gate_cases import without_gossip_member
from quick_world import VALUES, Dead, QuickWorld
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.engine.ground import Ground
from mimir_migrate.errors import BlockedError, DocumentError, ExitCode, PlanStaleError
from mimir_migrate.model.events import (
    Asked,
    ChangeIntended,
    EditsRemade,
    Event,
    FactsChanged,
    GateWarned,
    Held,
    RequestKind,
    RunState,
    StepDone,
    StepStarted,
    WayBackFound,
)
from mimir_migrate.model.facts import Evidence, Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import FactChange, Gate, Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations.requests import Wish
from mimir_migrate.plans.files.edited import edited_paths, remade
from mimir_migrate.runs.handing_over import brief, hand_over
from mimir_migrate.runs.status import RunStatus, status_of

pytestmark = pytest.mark.usefixtures("brisk")

START = SMALL[Product.CORTEX]
RULER = "cortex-ruler-0"


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def now(world: QuickWorld) -> RunStatus:
    """Where the run stands, as every screen and command has it."""
    return status_of("run-1", world.journal.events(), now=world.clock.now())


def meant(world: QuickWorld) -> None:
    """Somebody edits a setting in the values file."""
    content = world.files[VALUES].replace(b"num_tokens: 8", b"num_tokens: 16", 1)
    assert content != world.files[VALUES]
    world.files[VALUES] = content


def noted(world: QuickWorld) -> None:
    """Somebody writes a comment into it, amid the places that are edited."""
    content = world.files[VALUES].replace(b"config:\n", b"# whose is this?\nconfig:\n", 1)
    assert content != world.files[VALUES]
    world.files[VALUES] = content + b"# mine\n"


def at_hold(world: QuickWorld, *acts: tuple[float, Callable[[], None]]) -> None:
    """Do things so long after the first hold began."""
    begun: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Held | Asked) and not begun:
            begun.append(event.step)
            for seconds, act in acts:
                world.clock.after(seconds, act)
        elif isinstance(event, Asked):
            world.clock.after(5, lambda: world.ask(RequestKind.APPROVE))

    world.heard = hear


HOLDS = {
    "approval": (False, RequestKind.APPROVE),
    "a hold on request": (True, RequestKind.CONTINUE),
}


def held(
    world: QuickWorld, which: str, *acts: tuple[float, Callable[[], None]]
) -> ExitCode | None:
    """Run into a hold before the step `swap`, and do things meanwhile; the operator goes on at 300 s."""
    approves, word = HOLDS[which]
    plan = world.start()

    def go_on() -> None:
        # Where the question was withdrawn, the run is held by what changed.
        world.ask(RequestKind.CONTINUE if now(world).hold else word)

    at_hold(world, *acts, (300, go_on))
    if approves:
        heard = world.heard

        def hear(event: Event) -> None:
            if isinstance(event, StepStarted) and event.step == "swap":
                world.ask(RequestKind.HOLD)
            heard(event)

        world.heard = hear
    return world.run(plan, approve_all=approves)


@pytest.mark.parametrize("which", list(HOLDS))
def test_a_file_edited_at_a_hold_is_told_at_once_and_going_on_is_refused(which: str) -> None:
    """The status has it within two seconds, old and new and what it comes to; going on ends with 5."""
    world = QuickWorld()
    seen: list[RunStatus] = []
    acts = ((100, lambda: meant(world)), (102, lambda: seen.append(now(world))))
    assert held(world, which, *acts) is ExitCode.STALE
    before = world.deployed[-1]
    (told,) = of(world, FactsChanged)
    (change,) = [one for one in told.changes if one.matters]
    after = before.replace(b"num_tokens: 8", b"num_tokens: 16", 1)
    assert change.name == f"file {VALUES}"
    assert (change.before, change.after) == (file_edits.sha256(before), file_edits.sha256(after))
    assert "config.ingester.lifecycler.num_tokens" in change.why
    assert "16" not in change.why
    (status,) = seen
    assert status.state is RunState.HELD
    assert status.changed == told.changes
    assert f"file {VALUES}" in status.waiting_for
    assert "refused" in status.hint
    assert f"file {VALUES}" in brief(status)
    assert f"changed: file {VALUES}: {change.before[:12]} -> {change.after[:12]}" in hand_over(
        status
    )
    reason = world.ending().reason
    assert f"{change.before} -> {change.after}" in reason
    assert "steps of this plan: swap, settle" in reason
    assert "steps of a new plan: swap, settle" in reason
    assert world.deployed[-1] == before
    assert [event.step for event in of(world, StepDone)] == ["tables", "both"]


@pytest.mark.parametrize("which", list(HOLDS))
def test_a_fact_that_comes_back_is_no_reason_any_more(which: str) -> None:
    """The edit is taken back: the reason goes away, and the run goes on as planned."""
    world = QuickWorld()
    kept: list[bytes] = []
    seen: list[RunStatus] = []
    acts = (
        (50, lambda: kept.append(world.files[VALUES])),
        (100, lambda: meant(world)),
        (200, lambda: world.files.update({VALUES: kept[0]})),
        (202, lambda: seen.append(now(world))),
    )
    assert held(world, which, *acts) is ExitCode.DONE
    first, second = of(world, FactsChanged)
    assert first.changes
    assert second.changes == ()
    assert seen[0].changed == ()
    assert "changed" not in seen[0].waiting_for


def test_an_edit_that_changes_no_meaning_is_kept_and_edited_around() -> None:
    """A comment is no reason; the step is made as planned, and the comment is still there."""
    world = QuickWorld()
    assert held(world, "approval", (100, lambda: noted(world))) is ExitCode.DONE
    assert of(world, FactsChanged) == []
    (made,) = of(world, EditsRemade)
    assert (made.step, made.paths) == ("swap", (VALUES,))
    content = world.files[VALUES]
    assert content.startswith(START[: START.index(b"config:")] + b"# whose is this?\nconfig:")
    assert content.endswith(b"# mine\n")
    undisturbed = QuickWorld()
    undisturbed.run(undisturbed.start())
    assert edited_paths(undisturbed.files[VALUES], content) == ()
    assert world.run(world.events()[0].plan, "rollback") is ExitCode.DONE
    assert edited_paths(START, world.files[VALUES]) == ()
    assert b"# mine" in world.files[VALUES]


def helm(**fields: object) -> Callable[[Inspection], Inspection]:
    """Another helm release."""

    def spoil(seen: Inspection) -> Inspection:
        assert seen.release is not None
        return msgspec.structs.replace(
            seen, release=msgspec.structs.replace(seen.release, **fields)
        )

    return spoil


IRRELEVANT: dict[str, Callable[[Inspection], Inspection]] = {
    "a pod was restarted": lambda seen: fake.with_pod(seen, RULER, uid="another"),
    "an autoscaler adds a replica": lambda seen: fake.with_workload(
        seen, "ruler", replicas=3, ready_replicas=3, updated_replicas=3
    ),
    "the same was deployed again": helm(revision=42),
}
RELEVANT: dict[str, Callable[[Inspection], Inspection]] = {
    "images": lambda seen: fake.with_pod(seen, RULER, image="example.test/cortex:2"),
    "chart version": helm(chart_version="9.9.9"),
    "ring ruler: configuration": lambda seen: fake.with_view(
        seen, RULER, "ruler", config=fake.kv_config(fake.StoreState.MEMBERLIST)
    ),
}


@pytest.mark.parametrize("name", list(IRRELEVANT))
def test_what_does_not_matter_is_no_reason(name: str) -> None:
    """At a hold, and to the very end of the run."""
    world = QuickWorld()
    spoil = (100, lambda: setattr(world, "spoil", IRRELEVANT[name]))
    assert held(world, "approval", spoil) is ExitCode.DONE
    assert of(world, FactsChanged) == []


@pytest.mark.parametrize("name", list(RELEVANT))
def test_what_matters_in_the_cluster_is_told_at_a_hold(name: str) -> None:
    """Within one look at the cluster, and approving is refused."""
    world = QuickWorld()
    seen: list[RunStatus] = []
    acts = (
        (100, lambda: setattr(world, "spoil", RELEVANT[name])),
        (135, lambda: seen.append(now(world))),
    )
    assert held(world, "approval", *acts) is ExitCode.STALE
    assert [one.name for one in seen[0].changed if one.matters] == [name]
    assert f"    {name}: " in world.ending().reason


def test_a_cluster_that_does_not_tell_is_no_change() -> None:
    """Not knowing is for the gates; the account and the region have not become others."""
    world = QuickWorld()

    def unknown(seen: Inspection) -> Inspection:
        identity = msgspec.structs.replace(seen.identity, account="", region="")
        return msgspec.structs.replace(seen, identity=identity, tables={})

    acts = ((100, lambda: setattr(world, "spoil", unknown)),)
    assert held(world, "approval", *acts) is ExitCode.DONE
    assert of(world, FactsChanged) == []


def test_a_file_that_is_gone_is_told() -> None:
    """An editor that moves it away for a moment is a reason for as long as it is away."""
    world = QuickWorld()
    kept: list[bytes] = []
    acts = (
        (100, lambda: kept.append(world.files.pop(VALUES))),
        (200, lambda: world.files.update({VALUES: kept[0]})),
    )
    assert held(world, "approval", *acts) is ExitCode.DONE
    first, second = of(world, FactsChanged)
    assert "cannot be read" in first.changes[0].why
    assert second.changes == ()


def test_a_hold_asks_the_cluster_seldom() -> None:
    """An hour at a hold is far less asked of the pods than an hour of gates."""
    world = QuickWorld()
    plan = world.start()
    looks: list[float] = []
    begun: list[float] = []

    def count(seen: Inspection) -> Inspection:
        looks.append(world.clock.now())
        return seen

    def hear(event: Event) -> None:
        if isinstance(event, Asked) and not begun:
            begun.append(world.clock.now())
            world.spoil = count
            world.clock.after(500, lambda: world.ask(RequestKind.ROLLBACK))

    world.heard = hear
    world.run(plan, approve_all=False)
    asked = [at for at in looks if at < begun[0] + 500]
    assert 500 / 30 - 2 <= len(asked) <= 500 / 30 + 2


def test_a_gate_that_passes_by_itself_does_not_carry_a_changed_file_along() -> None:
    """Held by a gate, the file is edited, the gate passes: the step is not made."""
    world = QuickWorld()
    plan = world.start()

    def blind(seen: Inspection) -> Inspection:
        return fake.with_view(seen, RULER, "ruler", members=())

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "swap":
            world.spoil = blind
        if isinstance(event, Held):
            world.clock.after(10, lambda: meant(world))
            world.clock.after(60, lambda: setattr(world, "spoil", lambda seen: seen))

    world.heard = hear
    assert world.run(plan) is ExitCode.STALE
    assert len(world.deployed) == 2
    assert "num_tokens" in world.ending().reason


# --- going on and going back --------------------------------------------------------------------


def stopped_after(world: QuickWorld, step: str) -> None:
    """A run that was stopped after a step."""

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == step:
            world.heard = lambda _: None
            world.ask(RequestKind.STOP)

    plan = world.start()
    world.heard = hear
    assert world.run(plan) is ExitCode.INTERRUPTED


def test_a_finding_that_came_up_blocks_going_on_and_not_going_back() -> None:
    """Exit 3 with the finding, nothing changed; `rollback` walks to the start."""
    world = QuickWorld()
    stopped_after(world, "both")
    plan = world.events()[0].plan
    deployed = list(world.deployed)
    world.findings = (
        Finding(
            id="table-missing",
            severity=Severity.BLOCKS,
            title="The table rings does not exist, yet pods are configured for it",
            evidence=(Evidence(source="DynamoDB DescribeTable rings", detail="not found"),),
            fix="Make it.",
        ),
    )
    assert world.run(plan, "resume") is ExitCode.BLOCKED
    ending = world.ending()
    assert ending.state is RunState.STOPPED
    assert "[table-missing]" in ending.reason
    assert "DynamoDB DescribeTable rings: not found" in ending.reason
    assert world.deployed == deployed
    assert world.run(plan, "rollback") is ExitCode.DONE
    assert world.files[VALUES] == START


def test_the_rollback_is_the_one_that_the_plan_said() -> None:
    """Asked for between two steps, it is what the plan says after the last one, and said to be."""
    world = QuickWorld()
    stopped_after(world, "swap")
    plan = world.events()[0].plan
    step = next(one for one in plan.steps if one.id == "swap")
    assert now(world).way_back_steps == tuple(one.id for one in step.back)
    assert now(world).way_back_closes == "settle, step 4 of 4"
    assert world.run(plan, "rollback") is ExitCode.DONE
    (found,) = of(world, WayBackFound)
    assert found.same
    assert found.planned == found.found == ("swap", "settle")
    assert now(world).way_back_steps == ()


def test_a_rollback_that_is_another_says_why() -> None:
    """Dead before a change that was meant took place, and a file edited: each fact; then it is walked."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, ChangeIntended) and event.step == "settle":
            world.heard = lambda _: None
            raise Dead

    world.heard = hear
    assert world.run(plan) is None
    meant(world)
    assert world.run(plan, "rollback") is ExitCode.DONE
    (found,) = of(world, WayBackFound)
    assert not found.same
    assert (found.step, found.planned) == ("settle", ("both", "swap", "settle"))
    assert found.found == ("swap", "settle")
    changes = {change.name: (change.before, change.after) for change in found.changes}
    assert changes["ring ruler: configuration"] == ("dynamodb", "dynamodb+memberlist")
    assert f"file {VALUES}" in changes
    assert edited_paths(START, world.files[VALUES]) == ("config.ingester.lifecycler.num_tokens",)


def test_a_rollback_says_what_it_goes_past() -> None:
    """A ring that is unwell does not close it, and is written down before the step."""
    world = QuickWorld()
    stopped_after(world, "both")
    world.spoil = helm(status="pending-upgrade")
    assert world.run(world.events()[0].plan, "rollback") is ExitCode.DONE
    warned = of(world, GateWarned)
    assert {event.result.gate for event in warned} == {Gate.NOTHING_ELSE_MOVES}
    assert {event.step for event in warned} == {"settle"}


@pytest.mark.parametrize(("step", "before"), [("swap", ["tables", "both"])])
def test_a_store_is_not_left_while_the_rollback_is_not_proven(
    step: str, before: list[str]
) -> None:
    """Gossip that is not whole holds the crossing to DynamoDB: memberlist could not be read again."""
    world = QuickWorld()
    plan = world.start()
    world.spoil = without_gossip_member(RULER, "cortex-ingester-0")
    assert world.run(plan) is ExitCode.BLOCKED
    assert [event.step for event in of(world, StepDone)] == before
    held_at = of(world, Held)[-1]
    assert held_at.step == step
    assert "way-back-open" in held_at.reason


# --- what an edit comes to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        (b"a: 1\n", b"a: 1\n", ()),
        (b"a: 1\n", b"# why\na:   1\n", ()),
        (b"a: 1\nb: {c: 2}\n", b"b:\n  c: 2\na: 1\n", ()),
        (b"a: {b: 1}\n", b"a: {b: 2}\n", ("a.b",)),
        (b"a: [1, 2]\n", b"a: [1, 3]\n", ("a",)),
        (b"a: 1\n", b"a: 1\n---\nb: 1\n", ("the whole file",)),
        (b"a: 1\n", b"a: [1\n", None),
        (b"a: 1\n", b"\xff\xfe", None),
        (b"password: hunter2\n", b"password: hunter3\n", ("password",)),
    ],
)
def test_what_an_edit_comes_to(before: bytes, after: bytes, paths: tuple[str, ...] | None) -> None:
    """Places, never values; layout is nothing; what is not YAML cannot be told."""
    assert edited_paths(before, after) == paths


def test_edits_are_made_anew_around_anothers_edit_or_not_at_all() -> None:
    """The same places get the same bytes; a place that is gone makes it impossible."""
    texts = [b"a: 1\nb: 1\n", b"a: 2\nb: 1\n", b"a: 2\nb: 2\n"]
    chain = [file_edits.from_texts("values.yaml", old, new) for old, new in pairwise(texts)]
    fresh = remade(chain, texts[0], b"# note\n" + texts[0])
    assert fresh is not None
    content = b"# note\n" + texts[0]
    for edit in fresh:
        content = file_edits.apply(edit, content)
    assert content == b"# note\n" + texts[2]
    assert remade(chain, texts[0], b"b: 1\na:  1\n") is None


class Vanishing:
    """Files of which one goes away after so many reads."""

    def __init__(self, content: bytes, reads: int) -> None:
        self.content = content
        self.left = reads

    def read(self, path: str) -> bytes:
        """The content, until the file is gone."""
        self.left -= 1
        if self.left < 0:
            raise DocumentError("cannot be read: no such file or directory", path=path)
        return self.content

    def exists(self, path: str) -> bool:
        """Whether it is there still."""
        return bool(path) and self.left > 0


@pytest.mark.parametrize("reads", range(1, 9))
def test_a_file_that_vanishes_between_two_reads_is_a_change_and_no_error(reads: int) -> None:
    """Whichever read meets the gap, the file is told as one that cannot be read."""
    world = QuickWorld()
    plan = world.start()
    inspection = world.inspect()
    files = Vanishing(world.files[VALUES], reads)

    def drift(_: Plan, __: Inspection) -> tuple[FactChange, ...]:
        content = files.read(VALUES)
        return (
            FactChange(name=f"file {VALUES}", before="a", after=str(len(content)), matters=True),
        )

    ground = Ground(plan, drift=drift, files=files, journal=world.journal)
    files.content += b"# a comment"

    looks = [ground.changes(inspection) for _ in range(4)]
    ground.fit("both")

    assert [change.name for change in looks[-1]] == [f"file {VALUES}"]
    assert looks[-1][0].why == "it cannot be read"
    assert ground.see("both", inspection) == looks[-1]


# --- what the operator's own command answers ----------------------------------------------------


def test_approving_is_refused_at_once_and_the_run_waits_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit 5 with each fact and the new plan; put back, it asks again, and that is approved."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    world.options = msgspec.structs.replace(world.options, approve_all=False)
    monkeypatch.setattr(world.store, "runner_pid", lambda run: 4711)
    told: list[PlanStaleError] = []

    def edit() -> None:
        kept.append(world.values)
        world.files.contents["values.yaml"] = kept[0].replace(
            b"num_tokens: 8", b"num_tokens: 16", 1
        )

    def approve() -> None:
        try:
            world.operations.ask("run-1", Wish(kind=RequestKind.APPROVE))
        except PlanStaleError as error:
            told.append(error)
        except BlockedError:
            pass  # it does not ask again yet

    kept: list[bytes] = []
    world.listeners.append(lambda run, event: later(event))

    def later(event: Event) -> None:
        if isinstance(event, Asked):
            after = world.sandbox.cluster.after
            if not kept:
                after(50, edit)
                after(60, approve)
                after(70, lambda: world.files.contents.update({"values.yaml": kept[0]}))
            after(80, approve)

    run = world.migrate(Store.DYNAMODB, ("ruler",))
    assert world.ending(run).state is RunState.DONE, world.ending(run)
    (error,) = told
    assert error.exit_code is ExitCode.STALE
    assert "config.ingester.lifecycler.num_tokens" in error.message
    assert "steps of this plan: swap, settle" in error.message
    assert "steps of a new plan: none" in error.message
    assert "values-differ-from-release" in error.message
    assert "it goes on waiting" in error.hint
    assert world.lost_sight == 0, world.missed


def test_a_table_that_is_gone_blocks_going_on_and_not_going_back() -> None:
    """The real rules on a run that was stopped halfway: nothing else of it counts against going on."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])

    def stop(run: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.listeners.remove(stop)
            world.ask(run, RequestKind.STOP)

    world.listeners.append(stop)
    start = world.values
    run = world.migrate(Store.DYNAMODB, ("ruler",))
    assert world.ending(run).state is RunState.STOPPED
    world.tables.clear()
    world.resume(run)
    assert world.exit_code == ExitCode.BLOCKED
    assert "[table-missing]" in world.ending(run).reason
    world.rollback(run)
    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert world.values == start

"""What operations ask, hand back and tell, with nothing behind them but what they need."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import release as fake
from quick_world import FakeClock, QuickWorld
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.replanning import Replanning
from mimir_migrate.errors import BlockedError, DeniedError, LeaseError, UsageError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.events import (
    Event,
    Recorded,
    RequestKind,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepStarted,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import (
    CopyPlace,
    HooksTarget,
    JournalTarget,
    KubernetesTarget,
    Target,
)
from mimir_migrate.operations import RunOptions
from mimir_migrate.operations.asking import Asking
from mimir_migrate.operations.cleaning import Cleaning
from mimir_migrate.operations.copies import Copies
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.requests import Wish
from mimir_migrate.operations.running import Running
from mimir_migrate.operations.watching import Watching
from mimir_migrate.operations.working import Working
from mimir_migrate.ports import Page
from mimir_migrate.runs.status import RunStatus, status_of

TARGET = Target(kubernetes=KubernetesTarget(namespace="metrics", release="mimir"))


class Place(SimpleNamespace):
    """An environment, and everything else that an operation asks for, as far as a test gives it."""


@pytest.fixture(scope="module")
def status() -> RunStatus:
    """A run that nobody works on yet."""
    world = QuickWorld()
    world.start()
    return status_of("run-1", world.journal.events(), now=world.clock.now())


@pytest.mark.parametrize(
    ("fields", "purpose", "yes", "asked"),
    [
        ({}, "rollback", False, RequestKind.ROLLBACK),
        ({"question": object()}, "resume", True, RequestKind.APPROVE),
        ({"question": object()}, "resume", False, None),
        ({"hold": 7}, "resume", False, RequestKind.CONTINUE),
        ({"hold_asked": "ana"}, "resume", True, RequestKind.CONTINUE),
        ({}, "resume", True, None),
    ],
)
def test_going_on_asks_a_living_runner_what_it_waits_for(
    status: RunStatus,
    fields: dict[str, Any],
    purpose: str,
    *,
    yes: bool,
    asked: RequestKind | None,
) -> None:
    """A question only with a yes; nothing where it is at work already."""
    now = msgspec.structs.replace(status, **fields)
    assert Running._asked_by_going_on(now, purpose, RunOptions(approve_all=yes)) is asked


REFUSED: list[Event] = [
    RunnerStarted(pid=1, host="here", by="ben@here", purpose="resume"),
    RunFinished(state=RunState.STOPPED, reason="the lease is held", exit_code=4),
]
"""What a runner leaves that was refused the lease."""


@pytest.mark.parametrize("kind", sorted(RequestKind))
def test_nothing_is_left_for_a_runner_on_another_machine(
    status: RunStatus, kind: RequestKind
) -> None:
    """A request in this machine's copy of a journal would be read by nobody: it says where to go."""
    there = msgspec.structs.replace(status, runner_pid=4711, runner_host="bastion")
    place = Place(resolve=lambda run: run, status=lambda run: there, clock=Place(now=lambda: 1.0))
    with pytest.raises(BlockedError) as refused:
        Asking(place, place, place).ask("run-1", Wish(kind=kind))  # type: ignore[arg-type]
    assert refused.value.exit_code == 3
    assert "bastion" in refused.value.message
    assert "resume run-1 --takeover" in refused.value.hint


def test_a_run_whose_runner_is_elsewhere_is_gone_on_with_only_by_a_takeover(
    status: RunStatus,
) -> None:
    """Its lease decides: without the word for it nothing begins where it is held or was left behind."""
    there = msgspec.structs.replace(status, runner_pid=4711, runner_host="bastion")
    claim = LeaseClaim(
        name="x", holder="ana@bastion run-1 pid 7", run="run-1", store="dynamodb", rings=()
    )
    spawned: list[str] = []
    plan = QuickWorld().start()
    begun = RunStarted(run="run-1", by="ana", host="bastion", tool_version="1", plan=plan)
    store = Place(
        open=lambda run: Place(events=lambda: [Recorded(seq=1, at=1.0, event=begun)]),
        list_runs=lambda: [Place(run="run-1")],
    )
    cluster = Place(lease=lambda name: None, abandoned_lease=lambda name: claim)
    place = Place(
        resolve=lambda run: run,
        store=store,
        host="here",
        settled=lambda run: there,
        world_for=lambda target: Place(cluster=cluster),
        spawn=lambda run, *_: spawned.append(run),
    )
    running = Running(place, place, place, place, place)  # type: ignore[arg-type]
    with pytest.raises(LeaseError) as refused:
        running.go_on("run-1", "resume", RunOptions())
    assert "resume run-1 --takeover" in refused.value.hint
    assert spawned == []
    running.go_on("run-1", "resume", RunOptions(takeover=True))
    assert spawned == ["run-1"]


def test_a_run_whose_copy_may_not_be_written_is_not_begun() -> None:
    """It would end at its first change; nothing is journaled and no runner is started."""

    def refuse() -> None:
        raise DeniedError("the Secret mimir-migrate-mimir-0 may not be made")

    plan = QuickWorld().start()
    journal = JournalTarget(copy=CopyPlace.CLUSTER)
    plan = msgspec.structs.replace(
        plan, target=msgspec.structs.replace(plan.target, journal=journal)
    )
    place = Place(copies_for=lambda target: Place(check=refuse))
    running = Running(place, place, place, place, Copies(place))  # type: ignore[arg-type]
    with pytest.raises(DeniedError):
        running.start(plan, options=RunOptions())


@pytest.mark.parametrize("pid", [4711, None])
def test_going_on_says_which_run_it_is(status: RunStatus, pid: int | None) -> None:
    """Also where only a part of its name was given, and where its runner works already."""
    spawned: list[str] = []
    place = Place(
        resolve=lambda run: f"run-{run}",
        store=Place(open=lambda run: None),
        settled=lambda run: msgspec.structs.replace(status, runner_pid=pid),
        spawn=lambda run, *_: spawned.append(run),
    )
    running = Running(place, place, place, place, place)  # type: ignore[arg-type]
    assert running.go_on("1", "resume", RunOptions()) == "run-1"
    assert spawned == ([] if pid else ["run-1"])


@pytest.mark.parametrize(
    ("adopted", "own", "only"),
    [
        (0, [], False),
        (3, [], True),
        (3, [StepStarted(step="both")], False),
        (0, [StepStarted(step="both")], False),
        (3, [REFUSED[0]], True),
        (3, REFUSED, True),
    ],
)
def test_a_run_is_only_copied_while_nothing_of_it_is_from_here(
    adopted: int, own: list[Event], *, only: bool
) -> None:
    """A run without an event is not a copy; a runner that was refused the lease did nothing here."""
    rows = [Recorded(seq=adopted + 1 + n, at=1.0, event=event) for n, event in enumerate(own)]
    journal = Place(events=lambda after: rows)
    store = Place(
        adopted_events=lambda run: adopted,
        open=lambda run: journal,
        runner_pid=lambda run: None,
    )
    assert Copies(Place(store=store)).is_only_copied("run-1") is only  # type: ignore[arg-type]


def test_the_story_of_a_pod_has_what_tells_of_its_rings() -> None:
    """Of its metrics the lines about rings without comments; that there are no events is said."""
    pod = fake.facts_of(fake.release(), "cortex-ruler-0").pod
    text = b"# HELP ring_members x\nring_members 3\ngo_goroutines 7\n"
    world = Place(
        cluster=Place(pods=lambda: [pod]),
        pages=Place(get=lambda *_: Page(status=200, content_type="", body=text)),
        stories=Place(log=lambda *_: "", events=lambda _: ()),
    )
    place = Place(world_for=lambda _: world, redact=lambda words: words)
    story = Watching(place).look_into(TARGET, "pod cortex-ruler-0 GET /metrics")  # type: ignore[arg-type]
    assert dict(story.answers)["GET /metrics"] == "200\nring_members 3"
    assert story.events == ("there are none",)
    assert story.log == "it is empty"


def test_cleaning_needs_a_release() -> None:
    """Whose tables they were is told by it."""
    bare = Target(kubernetes=KubernetesTarget(namespace="", release=""))
    place = Place(world_for=lambda _: None)
    Cleaning(place, place, TARGET)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="namespace"):
        Cleaning(place, place, bare)  # type: ignore[arg-type]


def test_looks_are_a_second_apart_at_least_where_no_pod_says_how_often_it_writes() -> None:
    """`verify` and `verify --watch`: counters need time to move, and pods are not asked without a pause."""
    slept: list[float] = []
    clock = FakeClock()
    pause = clock.sleep
    clock.sleep = lambda seconds: (slept.append(seconds), pause(seconds))[1]  # type: ignore[method-assign]
    planning = Planning(
        Place(world_for=lambda _target: Place(clock=clock), redact=str),  # type: ignore[arg-type]
        Place(),  # type: ignore[arg-type]
    )
    silent = fake.release()
    views = {
        facts.pod.name: tuple(
            msgspec.structs.replace(view, heartbeat_period=None) for view in facts.rings
        )
        for facts in silent.pods
    }
    pods = tuple(
        msgspec.structs.replace(facts, rings=views[facts.pod.name]) for facts in silent.pods
    )
    planning.inspect = lambda *_a, **_k: msgspec.structs.replace(  # type: ignore[method-assign]
        silent, pods=pods, at=clock.now()
    )
    target = Target(kubernetes=KubernetesTarget(namespace="n", release="r"))
    planning.verify(target)
    assert slept == [1.0]
    list(planning.watch(target, seconds=2.5))
    assert slept[1:] == [1.0, 1.0, 0.5]


def test_the_run_under_way_is_the_newest_of_this_release_that_is_not_over(
    status: RunStatus,
) -> None:
    """Runs that are over, or of another place, are none; a cluster is known by its uid."""
    seen = fake.release()
    here = seen.identity
    mine = msgspec.structs.replace(
        status, cluster=here.server, namespace=here.namespace, release=here.release
    )
    runs = {
        "over": mine,
        "elsewhere": msgspec.structs.replace(mine, namespace="x"),
        "this": msgspec.structs.replace(mine, run="this"),
    }
    listed = [Place(run=name, unfinished=name != "over") for name in runs]
    planning = Planning(
        Place(store=Place(list_runs=lambda: listed)),  # type: ignore[arg-type]
        Place(status=lambda run: runs[run]),  # type: ignore[arg-type]
    )
    found = planning._under_way(seen)
    assert found is not None
    assert found.run == "this"
    runs["this"] = msgspec.structs.replace(
        runs["this"], cluster="moved.test:443", cluster_uid=here.cluster_uid
    )
    assert planning._under_way(seen) is not None
    runs["this"] = msgspec.structs.replace(runs["this"], cluster=here.server, cluster_uid="other")
    assert planning._under_way(seen) is None
    listed.pop()
    assert planning._under_way(seen) is None


def test_a_rollback_restores_what_the_run_made_and_a_resume_the_plan_s_own_as_well() -> None:
    """The plan's restoring edits fit the files as they were before the run."""
    plan = QuickWorld().start()
    (edit,) = next(step.edits for step in plan.steps if step.edits)
    plan = msgspec.structs.replace(plan, restore=(edit,))
    services = Place(
        journal=Place(events=tuple),
        world=Place(files=Place(read=lambda path: b"")),
        navigator=Place(plan=lambda seen, order, restore: restore, findings=lambda *_: ()),
    )
    replanning = Replanning(services, plan)  # type: ignore[arg-type]
    assert replanning.planned(fake.release(), back=True) == ()
    assert replanning.planned(fake.release(), back=False) == (edit,)


def test_a_runner_s_journal_is_copied_and_hooked_where_the_target_asks_for_it() -> None:
    """And is itself where it does not."""
    journal = MemoryJournal("run-1", FakeClock())
    place = Place(
        copies_for=lambda _: Place(read=lambda: None, write=lambda _: None),
        hooks_for=lambda _: Place(),
        clock=FakeClock(),
        who="olga",
    )
    working = Working(place, place, place)  # type: ignore[arg-type]
    assert working._with_copy(journal, TARGET) is journal
    copied = msgspec.structs.replace(TARGET, journal=JournalTarget(copy=CopyPlace.CLUSTER))
    assert working._with_copy(journal, copied).run == "run-1"
    assert working._with_copy(journal, copied) is not journal
    kept, ready = working._with_hooks(journal, TARGET)
    assert kept is journal
    assert ready() is None
    hooked = msgspec.structs.replace(TARGET, hooks=HooksTarget(gate_wait="true", timeout="5s"))
    kept, ready = working._with_hooks(journal, hooked)
    assert kept is not journal
    assert kept.run == "run-1"
    assert ready() is None


@pytest.mark.usefixtures("brisk")
def test_a_dry_run_begins_where_its_run_is_or_at_the_start() -> None:
    """Without a run the whole plan, of one that was made nothing more than what is left of it."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    plan = world.plan(Store.DYNAMODB, ("ruler",))
    whole = world.operations.dry_run(plan)
    assert [step.id for step in whole.plan.steps] == [step.id for step in plan.steps]
    assert whole.changes
    run = world.apply(plan)
    back = world.operations.dry_run_of(run, "rollback")
    assert back.plan.to is Store.MEMBERLIST
    assert world.events(run)[-1] == world.ending(run)

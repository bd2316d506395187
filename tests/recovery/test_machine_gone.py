"""The machine is gone: another one takes the run over from the cluster's copy, with its own copies of the files.

The values file of the second machine is what it was before the first edit, or after the last, or
between two, and every ending has the bytes that the first machine would have had; or it is neither,
and that is refused with both hashes unless the canonical form is asked for.
"""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from quick_world import VALUES, MortalJournal, QuickWorld

from mimir_migrate.documents.journal_copy import decode, localised
from mimir_migrate.engine.history import edits_made, first_plan
from mimir_migrate.engine.journals.copied import LAG, CopiedJournal
from mimir_migrate.errors import ExitCode, UnreachableError
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    ChangeIntended,
    FilesBroughtUp,
    LegStarted,
    RunFinished,
    RunnerStarted,
    RunState,
    WaitStarted,
)

pytestmark = pytest.mark.usefixtures("brisk")

THERE = "/home/ben/values.yaml"
EVENTS = 110
"""More than a run to the other store writes."""


class MemoryCopies:
    """What the cluster keeps."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.writes = 0
        self.failing = False

    def read(self) -> bytes | None:
        return self.content

    def check(self) -> None:
        pass

    def write(self, content: bytes) -> None:
        if self.failing:
            raise UnreachableError("the API server does not answer")
        self.content = content
        self.writes += 1


def begun(dies_at: int = 0, *, written: bool = True) -> tuple[QuickWorld, MemoryCopies, bytes]:
    """A run with a copy in the cluster whose machine is gone after so many events; its first bytes."""
    world, copies = QuickWorld(), MemoryCopies()
    before = world.files[VALUES]
    world.around = lambda journal: CopiedJournal(journal, copies, world.clock, by="ana@bastion")
    plan = world.start()
    world.journal.dies_at, world.journal.written = dies_at, written
    world.run(plan)
    world.journal.dies_at = 0
    return world, copies, before


def second_machine(world: QuickWorld, copies: MemoryCopies, content: bytes) -> None:
    """Somebody else, with the copy, a values file of their own, and nothing else."""
    found = decode(copies.content or b"")
    here = msgspec.structs.replace(
        world.target,
        folder="/home/ben",
        values=msgspec.structs.replace(world.target.values, files=(THERE,)),
    )
    world.target, world.path = here, THERE
    world.files = {THERE: content}
    world.journal = MortalJournal(world.clock, world._hear)
    for recorded in localised(found.events, here):
        world.journal._events.append(recorded)
    world.adopted = True
    if world.holder is not None:
        world.holder = None  # it ran out, and `--takeover` was given


def after_the_last_edit(world: QuickWorld) -> bytes:
    """The first machine's file as the copy knows it; as it is there where nothing was edited."""
    return world.files[VALUES]


def takes_over(world: QuickWorld, purpose: str) -> ExitCode | None:
    return world.run(first_plan(world.journal.events()), purpose)


def sampled() -> list[int]:
    return list(range(6, EVENTS, 9))


@pytest.fixture(scope="module")
def reference() -> bytes:
    """What the values file ends as where nobody dies."""
    world, _, _ = begun()
    return world.files[VALUES]


def walk(at: int, purpose: str, file: str, reference: bytes) -> None:
    """Let the first machine go at an event, and end the run on the second one."""
    world, copies, before = begun(at)
    content = before if file == "before" else after_the_last_edit(world)
    if copies.content is None:
        return  # not even the first runner's first word: there is nothing to take over
    second_machine(world, copies, content)

    assert takes_over(world, purpose) is ExitCode.DONE

    last = world.events()[-1]
    assert isinstance(last, RunFinished)
    assert last.state is (RunState.ROLLED_BACK if purpose == "rollback" else RunState.DONE)
    assert world.files[THERE] == (before if purpose == "rollback" else reference)


@pytest.mark.parametrize("file", ["before", "after"])
@pytest.mark.parametrize("purpose", ["resume", "rollback"])
@pytest.mark.parametrize("at", sampled())
def test_the_other_machine_ends_the_run_byte_for_byte(
    at: int, purpose: str, file: str, reference: bytes
) -> None:
    """Wherever the first one died."""
    walk(at, purpose, file, reference)


@pytest.mark.soak
@pytest.mark.parametrize("file", ["before", "after"])
@pytest.mark.parametrize("purpose", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(1, EVENTS))
def test_the_other_machine_ends_the_run_byte_for_byte_from_every_event(
    at: int, purpose: str, file: str, reference: bytes
) -> None:
    """All of them."""
    walk(at, purpose, file, reference)


@pytest.mark.parametrize("purpose", ["resume", "rollback"])
def test_a_file_between_two_edits_is_brought_to_the_last(purpose: str, reference: bytes) -> None:
    """Somebody pulled the repository in the middle of the run."""
    world, copies, before = begun(75)
    made = edits_made(world.journal.events(), world.read)
    assert len(made) > 1
    from mimir_migrate.documents import edits

    between = edits.apply(made[0], before)
    second_machine(world, copies, between)

    assert takes_over(world, purpose) is ExitCode.DONE
    assert any(isinstance(event, FilesBroughtUp) for event in world.events())
    assert world.files[THERE] == (before if purpose == "rollback" else reference)


@pytest.mark.parametrize("purpose", ["resume", "rollback"])
def test_another_file_is_refused_with_both_hashes_and_nothing_is_changed(purpose: str) -> None:
    """Until somebody gets the right one, or asks for the canonical form."""
    world, copies, before = begun(75)
    made = edits_made(world.journal.events(), world.read)
    other = before + b"# mine\n"
    second_machine(world, copies, other)

    assert takes_over(world, purpose) is ExitCode.BLOCKED
    reason = world.events()[-1].reason  # type: ignore[union-attr]
    for found in (
        hashlib.sha256(other).hexdigest(),
        made[0].before_sha256,
        made[-1].after_sha256,
    ):
        assert found[:12] in reason
    assert "--canonical" in reason
    assert world.files[THERE] == other
    assert world.holder is None


def test_the_canonical_form_is_written_where_it_is_asked_for() -> None:
    """The rings end where the run wants them, in a file that keeps what is its own."""
    world, copies, before = begun(75)
    second_machine(world, copies, before + b"# mine\n")
    world.canonical = True

    assert takes_over(world, "rollback") is ExitCode.DONE
    assert world.files[THERE].endswith(b"# mine\n")


def test_the_intent_of_a_change_is_in_the_copy_before_the_change() -> None:
    """Whoever reads the copy knows at least what may have been done."""
    world, copies = QuickWorld(), MemoryCopies()
    world.around = lambda journal: CopiedJournal(journal, copies, world.clock, by="a")
    plan = world.start()
    perform = world.perform

    def checked(change):  # type: ignore[no-untyped-def]
        if isinstance(change, WriteFile):
            last = decode(copies.content or b"").events[-1].event
            assert isinstance(last, ChangeIntended)
            assert last.change == change
        return perform(change)

    world.perform = checked  # type: ignore[method-assign]
    assert world.run(plan) is ExitCode.DONE
    assert isinstance(decode(copies.content or b"").events[-1].event, RunFinished)


def test_no_change_is_made_while_the_copy_cannot_be_written() -> None:
    """The API server is needed for the lease anyway; gates go on being judged."""
    world, copies = QuickWorld(), MemoryCopies()
    world.around = lambda journal: CopiedJournal(journal, copies, world.clock, by="a")
    plan = world.start()
    copies.failing = True
    assert world.run(plan) is ExitCode.FAILED
    assert world.tables == []
    assert world.written == []

    copies.failing = False
    assert world.run(plan, "resume") is ExitCode.DONE


def test_chatter_is_written_seldom_and_not_lost() -> None:
    """A gate's samples cost the API server nothing."""
    world, copies, _ = begun()
    events = world.events()
    assert copies.writes < len(events)
    assert decode(copies.content or b"").events == tuple(world.journal.events())
    assert LAG >= 10


def test_a_takeover_plans_from_what_is_observed() -> None:
    """Steps that took place are not made again, whatever the copy says of them."""
    world, copies, before = begun(75)
    second_machine(world, copies, before)
    takes_over(world, "resume")

    legs = [event for event in world.events() if isinstance(event, LegStarted)]
    assert len(legs) == 2
    assert len(legs[-1].plan.steps) < len(legs[0].plan.steps)


def test_a_runner_that_is_refused_the_lease_leaves_the_copy_alone() -> None:
    """The run's living runner writes there, and whoever watches reads what that one does."""
    world, copies, _ = begun()
    there = copies.content
    journal = CopiedJournal(world.journal, copies, world.clock, by="ben@other")
    journal.append(RunnerStarted(pid=1, host="other", by="ben@other", purpose="resume"))
    journal.append(RunFinished(state=RunState.STOPPED, reason="it is held", exit_code=4))
    assert copies.content == there


def test_a_runner_that_lost_its_lease_leaves_the_copy_alone() -> None:
    """Whoever took the run over writes there now."""
    world, copies, _ = begun()
    journal = CopiedJournal(world.journal, copies, world.clock, by="ana@bastion")
    journal.append(WaitStarted(step="", waiting_for="something", bound=1.0))
    there = copies.content
    journal.append(RunFinished(state=RunState.STOPPED, reason="lost it", exit_code=4))
    assert copies.content == there

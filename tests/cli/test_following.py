"""Following a run: Ctrl-C only sets a flag, Ctrl-D is a no, and `--detach` does not wait for what takes long."""

from __future__ import annotations

import argparse
import io
import os
import signal

import pytest
from quick_world import asking
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.cli import following
from mimir_migrate.cli.running import request
from mimir_migrate.cli.sandbox.ending import ENDS, values_words
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Event,
    LegStarted,
    QuestionWithdrawn,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepStarted,
    WaitStarted,
)
from mimir_migrate.model.plan import Duration, Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations.requests import Wish


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> VirtualWorld:
    """A run whose runner lives and waits; its journal is written by the tests."""
    made = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    monkeypatch.setattr(made.store, "runner_pid", lambda run: 4711)
    monkeypatch.setattr(following, "ANSWERS_ITSELF_WITHIN", 0.0)
    return made


def begin(world: VirtualWorld, *events: Event) -> Plan:
    """Write a run's first events, and more."""
    from mimir_migrate import __version__

    plan = world.plan(Store.DYNAMODB, ("ruler",))
    journal = world.store.create("run-1")
    journal.append(
        RunStarted(run="run-1", by="o@l", host="laptop", tool_version=__version__, plan=plan)
    )
    journal.append(
        RunnerStarted(pid=4711, host="laptop", by="o@l", purpose="apply", version=__version__)
    )
    for event in (LegStarted(purpose="apply", plan=plan), *events):
        journal.append(event)
    return plan


def question(step: str = "swap") -> Asked:
    """A question."""
    return Asked(
        step=step,
        index=3,
        of=4,
        title="Switch",
        gates=(),
        stores="ruler: both stores hold the same 2 members",
        pods="7 pods",
        seen_at=1.0,
        duration=Duration(low=1.0, high=2.0, basis="seen"),
        rollback="open",
    )


def test_ctrl_c_is_a_flag_that_is_heeded_between_two_looks(world: VirtualWorld) -> None:
    """The handler itself asks nothing of the journal; the first one stops, the second leaves."""
    begin(world)
    journal = world.store.journals["run-1"]
    with following.Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert not journal.open_requests()
        interrupts.heed(world.operations, "run-1", stops=True)
        (left,) = journal.open_requests()
        assert left.kind is RequestKind.STOP
        interrupts.heed(world.operations, "run-1", stops=True)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.heed(world.operations, "run-1", stops=True)
    assert len(journal.open_requests()) == 1


class Terminal(io.StringIO):
    """Somebody's screen, as far as it is written to."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What is seen: a line that was begun again shows what was written last."""
        return [line.split("\r\x1b[K")[-1] for line in self.getvalue().split("\n")]


def test_what_ctrl_c_did_stays_the_last_line_until_the_run_stops(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines about gates go by above it."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    begin(world)
    said = following.Interrupts().leaving.stopping
    with following.Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        interrupts.heed(world.operations, "run-1", stops=True)
        for number in range(40):
            following.narrate(f"gate {number}")
            assert terminal.lines()[-2:] == [f"gate {number}", said]
    assert terminal.lines()[-2:] == ["gate 39", ""]


def test_the_last_line_is_only_for_terminals(
    world: VirtualWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file it is said once, and no sign moves a cursor."""
    begin(world)
    with following.Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        interrupts.heed(world.operations, "run-1", stops=True)
        following.narrate("gate 1")
    said = capsys.readouterr().err
    assert said == f"{interrupts.leaving.stopping}\ngate 1\n"


def test_who_only_watches_leaves_the_run_alone(world: VirtualWorld) -> None:
    """Ctrl-C at `status --follow` asks nothing."""
    begin(world)
    with following.Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.heed(world.operations, "run-1", stops=False)
    assert not world.store.journals["run-1"].open_requests()


def test_ctrl_d_at_a_question_is_a_no(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on waiting, and nothing is left for its runner."""
    begin(world, question())
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    standing = world.operations.status("run-1").question
    assert standing is not None
    with following.Interrupts() as interrupts:
        following._ask(world.operations, "run-1", standing, "cortex", interrupts)
    assert "not approved; it goes on waiting" in capsys.readouterr().err
    assert not world.store.journals["run-1"].open_requests()


def test_a_wrong_word_is_asked_for_again(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is approved by it, and the next word counts."""
    begin(world, question())
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n\n"))
    standing = world.operations.status("run-1").question
    assert standing is not None
    with following.Interrupts() as interrupts:
        assert following._ask(world.operations, "run-1", standing, "cortex", interrupts)
        assert "'yes' is not it, and nothing was approved" in capsys.readouterr().err
        assert not following._ask(world.operations, "run-1", standing, "cortex", interrupts)
    assert "not approved; it goes on waiting" in capsys.readouterr().err
    assert not world.store.journals["run-1"].open_requests()


def test_what_is_typed_answers_the_question_that_was_shown(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another question stands by the time: the request names the old one, and its end is told."""
    begin(world, question())
    journal = world.store.journals["run-1"]
    standing = world.operations.status("run-1").question
    assert standing is not None
    journal.append(QuestionWithdrawn(step="swap", question=standing.number, why="pods"))
    journal.append(question("settle"))
    monkeypatch.setattr("sys.stdin", io.StringIO("cortex\n"))
    leave = journal.leave

    def answering(request):
        left = leave(request)
        assert left.question == standing.number
        journal.append(
            RequestVoid(kind=left.kind, by=left.by, why="it was withdrawn", answers=(left.id,))
        )
        return left

    monkeypatch.setattr(journal, "leave", answering)
    with following.Interrupts() as interrupts:
        following._ask(world.operations, "run-1", standing, "cortex", interrupts)
    assert "not approved: it was withdrawn" in capsys.readouterr().err


def test_a_run_that_asks_ends_a_command_that_nobody_can_answer(
    world: VirtualWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3 with the command that answers; a question that is answered beforehand is none."""
    begin(world, question())
    code = following.follow(
        world.operations, "run-1", after=0, as_json=False, asks=False, stops=False
    )
    assert code == ExitCode.BLOCKED
    told = capsys.readouterr().err
    assert "`approve run-1`" in told
    assert "both stores hold the same 2 members" in told


def test_a_demo_that_is_held_names_no_command_on_a_run_that_goes_with_it(
    world: VirtualWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cluster and its journal are gone by the time that anybody typed it."""
    begin(world, question())
    code = following.follow(
        world.operations,
        "run-1",
        after=0,
        as_json=False,
        asks=False,
        interrupts=following.Interrupts(ENDS),
    )
    assert code == ExitCode.BLOCKED
    told = capsys.readouterr().err
    assert "it ends here" in told
    for command in ("status run-1", "approve run-1", "rollback run-1"):
        assert command not in told


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_only_a_whole_walk_is_expected_to_bring_the_values_file_back(
    same: bool, whole: bool
) -> None:
    """Where a demo ended in the middle, a file that differs is no failure of the tool."""
    assert ("NOT" in values_words(same=same, whole=whole)) == (whole and not same)


def test_nothing_is_said_of_a_values_file_that_goes_with_a_demo_that_was_stopped() -> None:
    """The next line says that the demo's files are removed."""
    assert values_words(same=False, whole=False, stays=False) == ""
    assert values_words(same=True, whole=True, stays=False) != ""
    assert "where the run left it" in values_words(same=False, whole=False, stays=True)


def test_who_pressed_ctrl_c_is_not_told_their_own_name(
    world: VirtualWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal has it for everybody else."""
    begin(world)
    journal = world.store.journals["run-1"]
    leave = journal.leave

    def stopping(request):
        left = leave(request)
        reason = f"stopped after the step, as {left.by} asked"
        journal.append(RunFinished(state=RunState.STOPPED, reason=reason, exit_code=130))
        return left

    monkeypatch.setattr(journal, "leave", stopping)
    interrupts = following.Interrupts()
    interrupts._interrupt(signal.SIGINT, None)
    code = following.follow(
        world.operations, "run-1", after=0, as_json=False, asks=False, interrupts=interrupts
    )

    assert code == ExitCode.INTERRUPTED
    assert "stopped after the step, as you asked" in capsys.readouterr().err


def test_detach_returns_once_the_runner_says_what_it_waits_for(
    world: VirtualWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deploy command that was left over can take long: the lease is held by then."""
    from mimir_migrate import __version__

    plan = world.plan(Store.DYNAMODB, ("ruler",))
    journal = world.store.create("run-1")
    journal.append(
        RunStarted(run="run-1", by="o@l", host="laptop", tool_version=__version__, plan=plan)
    )
    journal.append(RunnerStarted(pid=4711, host="laptop", by="o@l", purpose="resume"))
    journal.append(WaitStarted(step="", waiting_for="the deploy command (pid 77)", bound=1800.0))
    assert following.until_working(world.operations, "run-1", after=0) is ExitCode.DONE
    assert "the deploy command (pid 77)" in capsys.readouterr().err


def test_an_approval_is_answered_by_the_runner_within_the_time(world: VirtualWorld) -> None:
    """`answer` returns the event that names the request, and nothing where none does."""
    begin(world, question())
    journal = world.store.journals["run-1"]
    left = world.operations.ask("run-1", Wish(kind=RequestKind.APPROVE, step="swap"))
    assert world.operations.answer(left, within=0.0) is None
    journal.append(
        Approved(
            step="swap",
            question=left.request.question,
            by=left.request.by,
            answers=(left.request.id,),
        )
    )
    found = world.operations.answer(left, within=0.0)
    assert found is not None
    assert isinstance(found.event, Approved)
    assert asking(journal, Wish(kind=RequestKind.APPROVE), 2.0).question == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((question(),), "swap waits for its approval and is not made: the runner ends now"),
        ((StepStarted(step="both"),), "The step both is finished, its changes and its gates"),
    ],
    ids=["asked", "under way"],
)
def test_stop_says_what_becomes_of_the_step(
    world: VirtualWorld,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[Event, ...],
    said: str,
) -> None:
    """Whether it is made or not is what the operator has to know."""
    monkeypatch.setattr("mimir_migrate.bootstrap.operations", lambda: world.operations)
    begin(world, *more)
    options = argparse.Namespace(request="stop", reason="", run="run-1")
    assert request(options) == ExitCode.DONE
    assert said in capsys.readouterr().err

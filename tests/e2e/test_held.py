"""What holds a run, what it says then, and how it goes on or back."""

from __future__ import annotations

import signal

import pytest

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    GateJudged,
    RunState,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.sandbox import commands


def in_step(step: str):
    """Whether an event is of a step."""
    return lambda event: event.step == step


def gates(status: dict) -> dict[str, str]:
    return {gate["gate"]: gate["verdict"] for gate in status["gates"]}


def test_errors_of_users_hold_a_run_and_the_rollback_leads_to_the_start(cortex, outside) -> None:
    """Exit 3 at `users-fine`, the rollback in the text; the run goes back on demand alone."""
    look = outside(cortex)
    start = look.everything()
    plan = cortex.plan("dynamodb", "ruler")
    apply = cortex.begin("apply", plan, "--yes")
    cortex.wait_for(ChangeDone, matching=in_step("both"))
    cortex.inject("errors-5xx")

    answer = cortex.end(apply, ExitCode.BLOCKED)
    assert "users-fine" in answer.err
    assert f"rollback {cortex.run()}" in answer.err
    status = cortex.status()
    assert status["state"] == "held"
    assert gates(status)["users-fine"] == "fail"
    assert status["way_back"].startswith("open")
    assert isinstance(status["runner_pid"], int)

    cortex.clear()
    cortex.call("rollback", code=ExitCode.DONE)
    assert cortex.ending().state is RunState.ROLLED_BACK
    assert look.everything() == start


@pytest.mark.soak
def test_an_old_pod_that_stays_holds_a_run(mimir, outside) -> None:
    """Held at `rollout-over` after the last rollout; over as soon as the pod is gone."""
    look = outside(mimir)
    start = look.everything()
    lost = commands.status(mimir.sandbox)["lost_sight"]
    apply = mimir.begin("apply", mimir.plan("dynamodb", "ruler"), "--yes")
    mimir.wait_for(StepStarted, matching=in_step("settle"))
    mimir.inject("old-pod-stays", component="ruler")
    answer = mimir.end(apply, ExitCode.BLOCKED)
    assert "rollout-over" in answer.err
    status = mimir.status()
    assert (status["state"], status["step"]["id"]) == ("held", "settle")
    assert gates(status)["rollout-over"] == "fail"
    mimir.wait(lambda: look.terminating() == 1 and mimir.status()["state"] == "held")
    mimir.clear()
    assert mimir.ending().state is RunState.DONE

    mimir.call("rollback")
    assert look.everything() == start
    assert commands.status(mimir.sandbox)["lost_sight"] == lost


def test_an_operator_stops_goes_on_is_asked_and_goes_back(cortex, outside, tmp_path) -> None:
    """Ctrl-C twice, `resume` without `--yes`, a second operator, and the rollback on request."""
    look = outside(cortex)
    start = look.everything()
    plan = cortex.plan("dynamodb", "ruler")
    apply = cortex.begin("apply", plan, "--yes")
    cortex.wait_for(StepStarted, matching=in_step("both"))
    apply.send_signal(signal.SIGINT)
    assert "it stops after the present step" in _line_with(apply, "it stops after")
    apply.send_signal(signal.SIGINT)
    answer = cortex.end(apply, ExitCode.INTERRUPTED)
    assert f"left the run {cortex.run()} to itself" in answer.err
    ending = cortex.ending()
    assert (ending.state, ending.exit_code) == (RunState.STOPPED, ExitCode.INTERRUPTED)
    assert cortex.status()["done_steps"] == ["tables", "both"]

    cortex.call("resume", "--detach")
    held = cortex.held()
    assert isinstance(held, Asked)
    status = cortex.status()
    assert (status["state"], status["approval_for"]) == ("held", "swap")
    assert any(_passed(event, Gate.STORES_EQUAL) for event in cortex.events())

    other = type(cortex)(cortex.sandbox, tmp_path / "other-state")
    answer = other.call("apply", plan, "--yes", code=ExitCode.LEASE)
    assert cortex.run() in answer.err
    assert look.lease().split(" ", maxsplit=1)[0] in answer.err
    assert "ruler" in answer.err
    assert list(other.store.list_runs()) == []

    cortex.call("rollback", "--detach")
    ending = cortex.ending()
    assert (ending.state, ending.exit_code) == (RunState.ROLLED_BACK, ExitCode.ROLLED_BACK)
    assert look.everything() == start
    report = cortex.call("report").out
    assert cortex.run() in report
    assert "rolled-back" in report
    assert "rolled-back" in cortex.call("status", "--brief").out


def _line_with(begun, text: str) -> str:
    """The next line of a command's narration that holds a text."""
    return next(line for line in begun.stderr if text in line)


def _passed(event, gate: Gate) -> bool:
    return (
        isinstance(event, GateJudged)
        and event.result.gate is gate
        and event.result.verdict is Verdict.PASS
    )

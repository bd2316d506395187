"""A runner on real processes that kills itself with SIGKILL at a change or an event of its journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.adapters.crash_points import VARIABLE
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    RunFinished,
    RunnerStarted,
    RunState,
)
from mimir_migrate.sandbox import commands

PLANTED = {
    "DEPLOY_TOKEN": "Planted-9f2c71d0e6b84a35",
    "AWS_SECRET_ACCESS_KEY": "PlantedwJalrXUtnFEMIK7MDENGbPxRfiCY99",
}
"""Secrets in the environment; the deploy command prints the first."""


def die(operator, at: str, arguments: tuple[str, ...]) -> None:
    """Run a command whose runner kills itself there."""
    operator._environment[VARIABLE] = at
    try:
        operator.call(*arguments, "--detach", code=None)
        operator.wait(operator.store.list_runs)
        operator.wait(lambda: len(operator.events()) > 1)
        operator.wait(lambda: operator.store.runner_pid(operator.run()) is None)
    finally:
        del operator._environment[VARIABLE]
    assert not isinstance(operator.events()[-1], RunFinished), operator.events()[-1]
    assert operator.status()["state"] == "dead"


def chatty(operator) -> str:
    """A target whose deploy command prints secrets of the environment."""
    target = Path(operator.target)
    lines = target.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if line.startswith("command"))
    name, _, command = lines[number].partition("=")
    quote = command.strip()[0]
    inner = command.strip()[1:]
    said = "echo token $DEPLOY_TOKEN; echo key $AWS_SECRET_ACCESS_KEY >&2; "
    lines[number] = f"{name}= {quote}{said}{inner}\n"
    chatty_target = target.with_name("chatty.toml")
    chatty_target.write_text("".join(lines))
    return str(chatty_target)


def check_spans(operator, look) -> None:
    """Every mutating request that the servers saw falls into a change, or into a runner's life."""
    recorded = list(operator.store.open(operator.run()).events())
    spans, lives = [], []
    for number, one in enumerate(recorded):
        if isinstance(one.event, ChangeIntended):
            end = recorded[number + 1].at if number + 1 < len(recorded) else float("inf")
            spans.append((one.at, end))
        if isinstance(one.event, RunnerStarted):
            later = (
                after.at
                for after in recorded[number + 1 :]
                if isinstance(after.event, RunnerStarted | RunFinished)
            )
            lives.append((one.at, next(later, float("inf"))))
    writes = [one for one in look.writes() if one["at"] >= recorded[0].at]
    assert writes
    for write in writes:
        allowed = lives if "/leases" in write["path"] else spans
        assert any(begin <= write["at"] <= end for begin, end in allowed), write
    assert any("/leases" not in write["path"] for write in writes) == bool(spans)


def check_no_secret(operator, token: str) -> None:
    """Planted secrets are in nothing that the tool wrote or says; nobody else can read it."""
    folder = operator.state
    assert folder.stat().st_mode & 0o777 == 0o700
    found = list(folder.rglob("*"))
    assert {path.suffix for path in found} >= {".db", ".log", ".lock"}
    said = [
        operator.call("status", "--json", code=None).out,
        operator.call("report", code=None).out,
        operator.call("status", "--follow", "--json", code=None).out,
    ]
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    texts = [path.read_bytes() for path in found if path.is_file()]
    texts += [one.encode() for one in said]
    for secret in (*PLANTED.values(), token):
        assert len(secret) > 8
        assert sum(text.count(secret.encode()) for text in texts) == 0


def killed(operator, outside, at: str, command: str) -> None:
    """Forward, dead there, and then one command; checked from outside."""
    look = outside(operator)
    start = look.everything()
    lost = commands.status(operator.sandbox)["lost_sight"]
    operator._environment.update(PLANTED)
    operator.target = chatty(operator)
    plan = operator.plan("dynamodb", "ruler")
    die(operator, at, ("apply", plan, "--yes"))
    if command == "resume":
        operator.call("resume", "--yes", code=ExitCode.DONE)
        assert operator.ending().state is RunState.DONE
        assert look.stores()["ruler"] == {"dynamodb"}
        written = [
            event.change.edit.after_sha256
            for event in operator.events()
            if isinstance(event, ChangeIntended) and isinstance(event.change, WriteFile)
        ]
        fresh = [
            event
            for event in operator.events()
            if isinstance(event, ChangeDone) and event.outcome.detail.endswith("…)")
        ]
        assert len(fresh) <= len(set(written))
        check_spans(operator, look)
    operator.call("rollback", "--yes", code=ExitCode.DONE)
    assert operator.ending().state is RunState.ROLLED_BACK
    assert look.everything() == start
    assert look.lease() is None
    assert commands.status(operator.sandbox)["lost_sight"] == lost
    check_spans(operator, look)
    check_no_secret(operator, look._token)


@pytest.mark.parametrize("operator", ["cortex"], indirect=True)
def test_dies_right_after_a_deploy_and_goes_on(operator, outside) -> None:
    """The deploy happened and nothing says so: `resume` ends the run, `rollback` the whole."""
    killed(operator, outside, "after:4", "resume")


@pytest.mark.parametrize("operator", ["cortex"], indirect=True)
def test_dies_right_before_a_file_is_written_and_goes_back(operator, outside) -> None:
    """It was intended and did not happen: `rollback` gives the start."""
    killed(operator, outside, "before:5", "rollback")


MORE = [
    ("mimir", "before:2", "rollback"),
    ("mimir", "after:3", "resume"),
    ("mimir", "before-event:30", "resume"),
    ("mimir", "after:8", "rollback"),
    ("mimir", "before:12", "resume"),
    ("mimir", "after-event:60", "rollback"),
    ("cortex", "after:1", "rollback"),
    ("cortex", "before-event:12", "resume"),
    ("cortex", "after:7", "rollback"),
    ("cortex", "before:8", "resume"),
]


@pytest.mark.soak
@pytest.mark.parametrize(("operator", "at", "command"), MORE, indirect=["operator"])
def test_dies_anywhere(operator, outside, at: str, command: str) -> None:
    """Sampled changes and events of both products."""
    killed(operator, outside, at, command)

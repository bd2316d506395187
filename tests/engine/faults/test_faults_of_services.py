"""DynamoDB, the API server, credentials and deploys that fail in the middle of a migration."""

from __future__ import annotations

import pytest
from faulted import Migration

from mimir_migrate.errors import DeniedError, UnreachableError
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    GateJudged,
    GateOverridden,
    Held,
    RequestKind,
    RunState,
    StepStarted,
)
from mimir_migrate.model.plan import Gate

pytestmark = pytest.mark.usefixtures("steady")


def test_dynamodb_that_throttles_the_pods() -> None:
    """Their mirrored writes do not arrive: held before the switch."""
    moved = Migration("ruler")
    moved.at("both", moved.inject("dynamodb-throttled"), ChangeDone)
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "dynamodb", "missing")
    moved.went_on()


def test_dynamodb_that_throttles_the_tool() -> None:
    """What it holds is not known: held with DynamoDB's words; on by itself once it answers."""
    moved = Migration("ruler")
    throttled = UnreachableError("Query of rulers/ring: ThrottlingException")
    moved.at("swap", lambda: moved.world.failing.update(dynamodb=throttled))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "the items of the ring ruler in DynamoDB could not be read")
    moved.went_on()


def test_dynamodb_that_denies_the_pods() -> None:
    """Where the pods need it the failed requests hold; nothing is switched to it."""
    moved = Migration("ruler")
    moved.while_held_at("swap", moved.inject("dynamodb-denied"), 60)
    moved.once_held(moved.clear)
    moved.go()
    found = next(
        event.gate
        for event in moved.of(Held)
        if "asked to hold" not in event.reason  # type: ignore[attr-defined]
    )
    assert found in {Gate.STORES_EQUAL, Gate.PODS_REACH_DYNAMODB}
    said = {
        event.result.gate: event.result.summary  # type: ignore[attr-defined]
        for event in moved.of(GateJudged)
        if event.result.verdict != "pass"  # type: ignore[attr-defined]
    }
    assert "failed requests to DynamoDB" in said[Gate.PODS_REACH_DYNAMODB]
    moved.went_on()


def test_expired_aws_credentials_in_the_middle() -> None:
    """The tool cannot read the table any more: held; on by itself after a new login."""
    moved = Migration("ruler")
    expired = DeniedError("Query of rulers/ring: ExpiredTokenException", hint="log in again")
    moved.at("swap", lambda: moved.world.failing.update(dynamodb=expired))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "could not be read")
    moved.went_on()


# --- the API server


def is_retried(fault: str, count: int) -> Migration:
    """A fault that meets some requests, from the crossing on, is not even noticed."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject(fault, count=str(count)))
    moved.go()
    assert not moved.world.sandbox.api_faults.active, "nobody met the fault"
    assert not moved.of(Held)
    moved.done()
    return moved


def is_held(fault: str, *words: str) -> None:
    """One that lasts holds the run before a step with the server's words; it goes on by itself."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject(fault, count="1000000"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(None, "the cluster could not be asked", *words)
    moved.went_on()


def test_409_from_the_api_server() -> None:
    """Conflicts on the lease are written through; endless ones stop before the next change."""
    is_retried("api-409", 3)
    moved = Migration("ruler")
    moved.at("swap", moved.inject("api-409", count="1000000"))
    ending = moved.go()
    assert (ending.state, ending.exit_code) == (RunState.STOPPED, 4)
    assert "written by others" in ending.reason
    assert "resume" in ending.reason
    moved.nobody_lost()
    moved.clear()
    assert moved.resume().state is RunState.DONE
    moved.done()


def test_410_from_the_api_server() -> None:
    """Expired lists are read again; for ever expired is held."""
    is_retried("api-410", 2)
    is_held("api-410", "too old")


def test_429_from_the_api_server() -> None:
    """Throttled requests are made again; for ever throttled is held."""
    is_retried("api-429", 3)
    is_held("api-429", "too many requests")


def test_500_from_the_api_server() -> None:
    """As long as it has a bad moment it is asked again; then held with its words, at a gate too."""
    is_retried("api-500", 3)
    is_held("api-500", "leader changed")
    moved = Migration("ruler")
    away = moved.inject("api-500", count="1000000")
    moved.after("swap", lambda: moved.world.sandbox.cluster.after(10, away))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.ROLLOUT_OVER, "the cluster could not be asked", "leader changed")
    moved.went_on()


def test_dropped_connections() -> None:
    """The same without any words of its own."""
    is_retried("api-drop", 3)
    is_held("api-drop", "closed connection")


def test_an_api_server_that_fails_during_a_change() -> None:
    """The change is made again, which the journal shows; it was made once in effect."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("api-500", count="9"), ChangeIntended)
    moved.go()
    events = moved.world.events(moved.run)
    failed = next(i for i, event in enumerate(events) if isinstance(event, ChangeFailed))
    assert "leader changed" in events[failed].reason  # type: ignore[union-attr]
    assert any(isinstance(event, ChangeIntended) for event in events[failed:])
    moved.done()


def test_answers_that_are_lost() -> None:
    """Changes that were made though nobody said so are made again, to no other effect."""
    moved = Migration("ruler")

    def lose() -> None:
        moved.world.changes.lose = 2

    moved.at("swap", lose)
    moved.go()
    assert len(moved.of(ChangeFailed)) == 2
    deployed = [change for change in moved.world.changes.performed if isinstance(change, Deploy)]
    assert len(deployed) <= len(moved.steps) + 1
    moved.done()


def test_an_api_server_that_is_slow() -> None:
    """Answers that take ten seconds only make it slower."""
    moved = Migration("ruler")

    def slow() -> None:
        moved.world.delay = 10.0

    moved.at("swap", slow)
    moved.go()
    moved.world.delay = 0.0
    moved.done()


def test_expired_kubernetes_credentials_in_the_middle() -> None:
    """Held with what to do; on by itself after a new login."""
    is_held("credentials-expired", "Unauthorized", "log in to the cluster again")


def test_credentials_that_expire_before_a_change() -> None:
    """The change fails and is held, not given up; after a login it is made."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("credentials-expired"), ChangeIntended)
    moved.once_held(moved.clear)
    moved.go()
    moved.held(None, "log in to the cluster again")
    assert moved.of(ChangeFailed)
    moved.went_on()


def test_credentials_that_do_not_allow_a_change() -> None:
    """Failed with what is missing; with the permission `resume` and `rollback` both work."""
    for way in ("resume", "rollback"):
        moved = Migration("ruler")
        denied = DeniedError("CreateTable of rings: AccessDenied", hint="see `mimir-migrate rbac`")
        moved.at("tables", lambda: moved.world.failing.update(changes=denied), ChangeIntended)  # noqa: B023
        ending = moved.go()
        assert (ending.state, ending.exit_code) == (RunState.FAILED, 1)
        for words in ("CreateTable of rings", "rbac", "`resume` goes on", "`rollback` goes back"):
            assert words in ending.reason
        moved.clear()
        if way == "resume":
            moved.resume()
            moved.done()
        else:
            moved.rollback()
            moved.taken_back()


# --- deploys


def fails_and_goes_on(fault: str, *words: str) -> None:
    """A deploy that ends halfway fails the run, which can be gone on with and taken back."""
    for way in ("resume", "rollback"):
        moved = Migration("ruler")
        moved.at("swap", moved.inject(fault, count="3"))
        ending = moved.go()
        assert (ending.state, ending.exit_code) == (RunState.FAILED, 1), ending
        for word in (*words, "`resume` goes on", "`rollback` goes back"):
            assert word in ending.reason
        assert "swap" not in moved.steps
        moved.world.settle()
        moved.nobody_lost()
        moved.clear()
        if way == "resume":
            moved.resume()
            moved.done()
        else:
            moved.rollback()
            moved.taken_back()


def test_a_deploy_that_fails_halfway() -> None:
    """Some objects are new, some are not: failed with the command's words."""
    fails_and_goes_on("deploy-fails", "request timed out")


def test_helm_killed_in_mid_upgrade() -> None:
    """The release stays pending-upgrade; `helm rollback`, which `clear` stands for, and then on."""
    fails_and_goes_on("helm-killed", "no answer")


def test_a_release_left_pending_before_a_step() -> None:
    """Somebody's helm died meanwhile: held with revision and status until it is mended."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("release-pending"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.NOTHING_ELSE_MOVES, "pending-upgrade", "helm rollback cortex 2 -n ")
    moved.went_on()


# --- overrides


def test_an_override_is_by_name_typed_and_spent() -> None:
    """It lets its gate pass once and no other gate; the second hold of the same gate needs another."""
    moved = Migration("ruler")
    world = moved.world
    moved.patience(200)

    def pend() -> None:
        world.sandbox.inject("release-pending")

    moved.at("swap", pend)
    moved.at("settle", pend)
    asked = []

    def answer(run: str, event: object) -> None:
        if isinstance(event, Held) and not asked:
            world.ask(run, RequestKind.OVERRIDE, Gate.USERS_FINE)
            asked.append(event)
            world.sandbox.cluster.after(
                60, lambda: world.ask(run, RequestKind.OVERRIDE, Gate.NOTHING_ELSE_MOVES)
            )

    world.listeners.append(answer)
    ending = moved.go()
    spent = moved.of(GateOverridden)
    assert [(e.gate, e.step, e.by, e.reason) for e in spent] == [  # type: ignore[attr-defined]
        (Gate.NOTHING_ELSE_MOVES, "swap", "olga@laptop", "test")
    ]
    assert "pending-upgrade" in spent[0].result.summary  # type: ignore[attr-defined]
    assert (ending.state, ending.exit_code) == (RunState.HELD, 3), "the second hold was let pass"
    assert [event.step for event in moved.of(StepStarted)][-1] == "settle"  # type: ignore[attr-defined]
    moved.clear()
    moved.resume()
    moved.done()

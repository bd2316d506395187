"""Pods that answer badly or say what is not so, in the middle of a migration: held, and never wrong."""

from __future__ import annotations

import pytest
from faulted import CORTEX, Migration
from small_values import SMALL

from mimir_migrate.model.events import (
    ChangeDone,
    Continued,
    GateJudged,
    Held,
    RequestKind,
    Verdict,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store

pytestmark = pytest.mark.usefixtures("steady")


def evidence(moved: Migration, gate: Gate) -> str:
    """Everything that a gate said while it was not good."""
    return "\n".join(
        f"{each.source}: {each.detail}"
        for event in moved.of(GateJudged)
        for each in event.result.evidence  # type: ignore[attr-defined]
        if event.result.gate is gate  # type: ignore[attr-defined]
    )


def without_answer(fault: str, *words: str) -> None:
    """A ruler gives no usable answer as the crossing begins: held before anything is changed."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject(fault, pod="ruler"))
    moved.once_held(moved.clear)
    moved.go()
    (pod,) = moved.befallen
    moved.held(Gate.RING_HEALTHY, f"pod {pod} GET /")
    for word in words:
        assert word in evidence(moved, Gate.RING_HEALTHY)
    moved.done(blinded=moved.befallen)
    assert moved.of(Held)


def test_a_pod_that_times_out() -> None:
    """Held with the pod and its page; on by itself once it answers."""
    without_answer("pod-silent", "does not answer")


def test_a_pod_that_answers_garbage() -> None:
    """Held with what the page is not."""
    without_answer("pod-garbage", "not a configuration")


def test_a_page_of_50_mb() -> None:
    """Held with how much was read before it was given up."""
    without_answer("pod-huge", "more than 33554432 bytes")


def test_one_of_30_pods_unreachable() -> None:
    """29 good answers do not outvote the one that is missing."""
    values = SMALL[CORTEX].replace(b"querier: {replicas: 1}", b"querier: {replicas: 24}")
    moved = Migration("ruler", values=values)
    assert len(moved.world.inspect().pods) == 30
    moved.at("swap", moved.inject("pod-silent", pod="querier"))
    moved.once_held(moved.clear)
    moved.go()
    (pod,) = moved.befallen
    moved.held(Gate.USERS_FINE, f"pod {pod} GET /metrics: no answer")
    assert evidence(moved, Gate.USERS_FINE).count(pod) >= 1
    moved.done(blinded=moved.befallen)


def test_a_metric_that_is_missing() -> None:
    """Nobody knows what a client reads: held after the switch, with client and pod."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("metric-missing"), ChangeDone)
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.SWITCH_FOLLOWED, "GET /metrics: nothing about the client")
    moved.went_on()


def test_a_metric_that_is_nan() -> None:
    """NaN is not a number: unknown, as if it were missing."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("metric-nan"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.SWITCH_FOLLOWED, "GET /metrics: nothing about the client")
    moved.went_on()


def test_request_counters_that_vanish_are_not_fine_users() -> None:
    """Where failures can no longer be seen the gate says unknown, not pass."""
    moved = Migration("ruler")
    counted = {"metric": "cortex_request_duration_seconds_count", "seconds": "25"}
    moved.while_held_at("swap", lambda: None, 60)
    moved.at("swap", moved.inject("metric-missing", **counted), Continued)
    moved.go()
    judged = [event for event in moved.of(GateJudged) if event.result.gate is Gate.USERS_FINE]  # type: ignore[attr-defined]
    assert any(event.result.verdict is Verdict.UNKNOWN for event in judged)  # type: ignore[attr-defined]
    assert "told its" in evidence(moved, Gate.USERS_FINE)
    moved.done()


def test_clock_skew_of_a_pod() -> None:
    """A clock that is 45 s behind makes heartbeats too old for the window: held with age and member."""
    moved = Migration("ruler")
    moved.while_held_at("swap", moved.inject("clock-skew", pod="ruler", offset="-45"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "stale-heartbeat last heartbeat", *moved.befallen)
    moved.went_on()


def test_clock_skew_of_this_machine() -> None:
    """Ahead of the pods every heartbeat looks old: held. Behind them old ones do not look young."""
    moved = Migration("ruler")
    clock = moved.world.clock
    now = type(clock).now
    ahead = 0.0

    def skewed() -> float:
        return now(clock) + ahead

    clock.now = skewed  # type: ignore[method-assign]

    def skew() -> None:
        nonlocal ahead
        ahead = 300.0

    def right() -> None:
        nonlocal ahead
        ahead = 0.0

    moved.while_held_at("swap", skew)
    moved.once_held(right)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "stale-heartbeat last heartbeat 5 min")
    moved.went_on()

    behind = Migration("ruler")
    clock = behind.world.clock
    now = type(clock).now
    ahead = -300.0
    clock.now = skewed  # type: ignore[method-assign]
    behind.while_held_at("swap", behind.inject("frozen-mirror"))
    behind.once_held(behind.clear)
    behind.go()
    behind.held(Gate.STORES_EQUAL, "stale-heartbeat")
    behind.went_on()


def test_a_frozen_mirror() -> None:
    """Equal members with old heartbeats are no live copy: held, and the switch is not made."""
    moved = Migration("ruler")
    moved.while_held_at("swap", moved.inject("frozen-mirror"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "dynamodb", "stale-heartbeat")
    moved.went_on()


def test_a_member_with_the_wrong_address() -> None:
    """An address that is not a pod's: held by every view that shows it."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("wrong-address", pod="ruler"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.RING_HEALTHY, "ring ruler", "10.")
    assert "10.255.255.254" in evidence(moved, Gate.RING_HEALTHY)
    moved.done(blinded=moved.befallen)


def test_a_token_changed() -> None:
    """One token of one member differs in DynamoDB: held with the number that differ."""
    moved = Migration("ingester")
    moved.at("switch", moved.inject("token-changed", pod="ingester"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.STORES_EQUAL, "tokens", "2 differ")
    moved.went_on()


def test_gossip_blocked() -> None:
    """Before memberlist is read again every pod's gossip must see all others: held."""
    moved = Migration(to=Store.MEMBERLIST)
    moved.at("both", moved.inject("gossip-blocked", pod="ingester"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.GOSSIP_WHOLE, "is not among its alive members")
    moved.went_on()


def test_users_that_fail() -> None:
    """Failing requests hold, and only the operator's word goes on."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("errors-5xx", seconds="60"))
    moved.once_held(lambda: moved.world.ask(moved.run or "run-1", RequestKind.CONTINUE), 200)
    moved.go()
    held = moved.held(Gate.USERS_FINE, "failed pushes")
    assert "goes on by itself" not in held.hint
    assert [event.by for event in moved.of(Continued)] == ["olga@laptop"]  # type: ignore[attr-defined]
    moved.done()

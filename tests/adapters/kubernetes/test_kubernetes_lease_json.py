"""A claim survives being written as a Lease object."""

import msgspec

from mimir_migrate.adapters.kubernetes.lease_json import (
    claim_from_json,
    claim_to_json,
    has_run_out,
    released_to_json,
    runs_out_at,
)
from mimir_migrate.model.changes import LeaseClaim

CLAIM = LeaseClaim(
    name="mimir-migrate",
    holder="ann@laptop run-1 4711",
    run="run-1",
    store="dynamodb",
    rings=("ingester", "ruler"),
    step="2-rollout",
    since=1_795_337_000.25,
    duration=60.0,
)
NOW = 1_795_337_732.5


def test_a_claim_reads_back_as_it_was_written() -> None:
    """Holder, run, store, rings, step, since and duration are all in the object."""
    assert claim_from_json(claim_to_json(CLAIM, now=NOW)) == CLAIM


def test_a_claim_runs_out_after_its_duration() -> None:
    """It holds until the duration after the last renewal and not longer."""
    lease = claim_to_json(CLAIM, now=NOW)

    assert runs_out_at(lease) == NOW + 60
    assert not has_run_out(lease, NOW + 59.9)
    assert has_run_out(lease, NOW + 60)


def test_renewing_keeps_what_is_not_ours() -> None:
    """The resource version, foreign annotations and the time it was taken stay."""
    first = claim_to_json(CLAIM, now=NOW, namespace="mimir")
    first["metadata"]["resourceVersion"] = "17"
    first["metadata"]["managedFields"] = [{}]
    first["metadata"]["annotations"]["team"] = "observability"

    later = claim_to_json(CLAIM, now=NOW + 20, namespace="mimir", existing=first)

    assert later["metadata"]["resourceVersion"] == "17"
    assert later["metadata"]["annotations"]["team"] == "observability"
    assert "managedFields" not in later["metadata"]
    assert later["spec"]["acquireTime"] == first["spec"]["acquireTime"]
    assert later["spec"]["leaseTransitions"] == 0
    assert runs_out_at(later) == NOW + 80


def test_taking_over_counts_as_a_transition() -> None:
    """Another holder begins a new time and is counted."""
    first = claim_to_json(CLAIM, now=NOW)
    other = msgspec.structs.replace(CLAIM, holder="bob@jump run-2 1", run="run-2")

    taken = claim_to_json(other, now=NOW + 100, existing=first)

    assert taken["spec"]["leaseTransitions"] == 1
    assert taken["spec"]["acquireTime"] != first["spec"]["acquireTime"]
    assert claim_from_json(taken) == other


def test_a_released_lease_is_held_by_nobody() -> None:
    """Releasing takes the holder and our annotations out and leaves the rest."""
    lease = claim_to_json(CLAIM, now=NOW)
    lease["metadata"]["annotations"]["team"] = "observability"

    released = released_to_json(lease)

    assert claim_from_json(released) is None
    assert has_run_out(released, NOW)
    assert released["metadata"]["annotations"] == {"team": "observability"}


def test_a_lease_of_another_tool_is_still_a_claim() -> None:
    """Without our annotations the holder is known and the rest is empty."""
    claim = claim_from_json(
        {
            "metadata": {"name": "mimir-migrate"},
            "spec": {"holderIdentity": "someone", "acquireTime": "2026-11-22T09:09:07.000000Z"},
        }
    )

    assert claim is not None
    assert claim.holder == "someone"
    assert claim.rings == ()
    assert claim.since == 1795338547.0

"""The release's Secrets as Helm 4.2.3 wrote them (its own library, a chart of one ConfigMap), and the sandbox's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.adapters.kubernetes.helm_secret import deployed_before, release_from_secret
from mimir_migrate.sandbox.charts.release_secret import (
    next_revision,
    release_secret,
    rolled_back,
    unpack,
    with_status,
)

FIXTURE = Path(__file__).parents[2] / "fixtures" / "odd_moments" / "helm-4.2.3.json"
AT = "2026-11-28T07:25:14Z"


def real(moment: str) -> list[dict[str, Any]]:
    """Both revisions at one moment of an upgrade."""
    found: list[dict[str, Any]] = json.loads(FIXTURE.read_text())[moment]
    return found


def simulated(revision: int, *statuses: str) -> dict[str, Any]:
    """The sandbox's Secret after it had these statuses."""
    first, *others = statuses
    secret = release_secret(
        name="tiny",
        namespace="metrics",
        revision=revision,
        status=first,
        chart={"name": "tiny", "version": "0.1.0", "appVersion": "1"},
        values={"rings": {"store": "memberlist"}},
        manifest="",
        at=AT,
    )
    for status in others:
        secret = with_status(secret, status)
    return secret


def after_rollback() -> tuple[dict[str, Any], ...]:
    """What the sandbox's `helm rollback` writes over an upgrade whose helm died."""
    first = simulated(1, "pending-install", "deployed")
    return rolled_back([first, next_revision(first, 2, "pending-upgrade", AT)], AT)


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("at the pending upgrade", [(1, "deployed"), (2, "pending-upgrade")]),
        ("after it", [(1, "superseded"), (2, "deployed")]),
        ("rolled back over it", [(1, "superseded"), (2, "pending-upgrade"), (3, "deployed")]),
    ],
)
def test_every_revision_of_an_upgrade_is_read(moment: str, read: list[tuple[int, str]]) -> None:
    """With the chart, and the values of each."""
    found = [release_from_secret(secret) for secret in real(moment)]
    assert [(one.revision, one.status) for one in found] == read
    assert {(one.name, one.chart, one.chart_version) for one in found} == {
        ("tiny", "tiny", "0.1.0")
    }
    stores = [one.values["rings"] for one in found]
    assert (
        stores
        == [{"store": "memberlist"}, {"store": "dynamodb"}, {"store": "memberlist"}][: len(read)]
    )


@pytest.mark.parametrize(
    ("moment", "which", "ours"),
    [
        ("at the pending upgrade", 0, simulated(1, "pending-install", "deployed")),
        ("at the pending upgrade", 1, simulated(2, "pending-upgrade")),
        ("after it", 0, simulated(1, "pending-install", "deployed", "superseded")),
        ("after it", 1, simulated(2, "pending-upgrade", "deployed")),
        ("rolled back over it", 0, after_rollback()[0]),
        ("rolled back over it", 2, after_rollback()[1]),
    ],
    ids=[
        "deployed",
        "pending-upgrade",
        "superseded",
        "upgraded",
        "superseded-by-rollback",
        "rolled-back",
    ],
)
def test_the_sandbox_writes_the_same_secret(moment: str, which: int, ours: dict[str, Any]) -> None:
    """Names, type, labels, status and description; the chart's own files are left out there."""
    theirs = real(moment)[which]
    assert ours["type"] == theirs["type"]
    assert ours["metadata"]["name"] == theirs["metadata"]["name"]
    stamps = {"createdAt", "modifiedAt"}
    labels, wanted = ours["metadata"]["labels"], theirs["metadata"]["labels"]
    assert labels.keys() == wanted.keys()
    assert {k: v for k, v in labels.items() if k not in stamps} == {
        k: v for k, v in wanted.items() if k not in stamps
    }
    here, there = unpack(ours), unpack(theirs)
    assert here.keys() == there.keys()
    assert here["info"].keys() == there["info"].keys()
    for key in ("status", "description"):
        assert here["info"][key] == there["info"][key]


def test_a_further_revision_is_the_upgrade_that_helm_began() -> None:
    """The fault `release-pending`: labels, status and words as of Helm; the revision below stays."""
    first = simulated(1, "pending-install", "deployed")
    ours, theirs = (
        next_revision(first, 2, "pending-upgrade", AT),
        real("at the pending upgrade")[1],
    )
    assert ours["metadata"].keys() == theirs["metadata"].keys()
    assert ours["metadata"]["labels"].keys() == theirs["metadata"]["labels"].keys()
    assert unpack(ours)["info"]["description"] == unpack(theirs)["info"]["description"]
    assert release_from_secret(ours).revision == 2


def test_helm_goes_back_only_over_what_is_pending() -> None:
    """`helm rollback` stands for the repair; without a dead helm nothing is written."""
    first = simulated(1, "pending-install", "deployed")
    assert rolled_back([first], AT) == ()
    assert rolled_back([next_revision(first, 2, "pending-upgrade", AT)], AT) == ()


@pytest.mark.parametrize(
    ("moment", "over"),
    [("at the pending upgrade", 1), ("rolled back over it", 1), ("after it", 1)],
)
def test_what_a_pending_revision_stands_over_is_told_by_the_labels(moment: str, over: int) -> None:
    """Without reading another Secret whole."""
    assert deployed_before(real(moment), 2) == over

"""The release's Secrets as Helm 4.2.3 wrote them (its own library, a chart of one ConfigMap), and the sandbox's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.adapters.kubernetes.helm_secret import release_from_secret
from mimir_migrate.sandbox.charts.release_secret import release_secret, unpack, with_status

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


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        ("at the pending upgrade", [(1, "deployed"), (2, "pending-upgrade")]),
        ("after it", [(1, "superseded"), (2, "deployed")]),
    ],
)
def test_both_revisions_of_an_upgrade_are_read(moment: str, read: list[tuple[int, str]]) -> None:
    """With the chart, and the values of each."""
    found = [release_from_secret(secret) for secret in real(moment)]
    assert [(one.revision, one.status) for one in found] == read
    assert {(one.name, one.chart, one.chart_version) for one in found} == {
        ("tiny", "tiny", "0.1.0")
    }
    stores = [one.values["rings"] for one in found]
    assert stores == [{"store": "memberlist"}, {"store": "dynamodb"}]


@pytest.mark.parametrize(
    ("moment", "which", "ours"),
    [
        ("at the pending upgrade", 0, simulated(1, "pending-install", "deployed")),
        ("at the pending upgrade", 1, simulated(2, "pending-upgrade")),
        ("after it", 0, simulated(1, "pending-install", "deployed", "superseded")),
        ("after it", 1, simulated(2, "pending-upgrade", "deployed")),
    ],
    ids=["deployed", "pending-upgrade", "superseded", "upgraded"],
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

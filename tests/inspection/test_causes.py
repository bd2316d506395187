"""Findings that only say what a silent pod did not tell stand below its silence."""

from __future__ import annotations

from mimir_migrate.inspection.causes import by_cause
from mimir_migrate.model.findings import Finding, Severity


def finding(name: str, *, unknown: bool = True, pods: str = "", rings: str = "") -> Finding:
    return Finding(
        id=name,
        severity=Severity.BLOCKS,
        title=name,
        pods=tuple(pods.split()),
        rings=tuple(rings.split()),
        unknown=unknown,
    )


SILENT = finding("pod-unanswered", pods="a")


def ids(findings: tuple[Finding, ...]) -> list[str]:
    """Which findings stand by themselves."""
    return [cause.finding.id for cause in by_cause(findings)]


def test_one_silent_pod_is_one_finding_with_what_hangs_on_it() -> None:
    """What names the pod and what names the rings that it hides go below it."""
    below = (
        finding("other-store", pods="a", rings="ingester"),
        finding("runtime-block-left", pods="a"),
        finding("mixed-state", rings="ingester"),
    )

    (cause,) = by_cause((below[0], SILENT, *below[1:]))

    assert cause.finding is SILENT
    assert cause.hanging == below


def test_what_has_another_cause_stands_by_itself() -> None:
    """A known failure, another pod besides, another ring, or nothing named: not the silent pod's doing."""
    others = (
        finding("known", unknown=False, pods="a"),
        finding("two-pods", pods="a b"),
        finding("another-ring", rings="ruler"),
        finding("nothing-named"),
    )

    assert ids((SILENT, *others)) == ["pod-unanswered", *(each.id for each in others)]


def test_without_a_silent_pod_nothing_is_grouped() -> None:
    """Every finding is its own cause, in its order."""
    found = (finding("mixed-state", rings="ingester"), finding("other-store", pods="a"))

    assert ids(found) == ["mixed-state", "other-store"]

"""Findings grouped by what they come from: a pod that does not answer leaves many questions open."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.findings import Finding

SILENT = "pod-unanswered"
"""The finding that others hang on: what a pod did not answer is not known elsewhere either."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and those that go away with it."""

    finding: Finding
    hanging: tuple[Finding, ...] = ()


def by_cause(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """The findings in their order, those that only say what silent pods did not tell below the silence.

    A finding hangs on it when it says that something is not known, and names silent pods and no
    others; one that names rings only hangs on it when each of them is a ring that such a finding is
    about.
    """
    heads = [finding for finding in findings if finding.id == SILENT]
    silent = {pod for finding in heads for pod in finding.pods}
    below = [
        finding
        for finding in findings
        if finding.unknown
        and finding.id != SILENT
        and finding.pods
        and silent.issuperset(finding.pods)
    ]
    rings = {ring for finding in below for ring in finding.rings}
    below += [
        finding
        for finding in findings
        if finding.unknown
        and finding.id != SILENT
        and not finding.pods
        and finding.rings
        and rings.issuperset(finding.rings)
    ]
    hanging = {id(finding) for finding in below}
    return tuple(
        Cause(
            finding=finding,
            hanging=tuple(each for each in findings if id(each) in hanging)
            if finding is heads[0]
            else (),
        )
        if finding.id == SILENT
        else Cause(finding=finding)
        for finding in findings
        if id(finding) not in hanging
    )

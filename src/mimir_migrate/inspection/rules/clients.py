"""Findings about ring clients: those that pods have and the table of rings has not, and the other way round.

Nothing rests on them: what a pod reads where its metrics are silent is inferred, and `pods-disagree` and the
gates say where that is not enough.
"""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted


def unknown_ring_client(question: Question) -> Iterator[Finding]:
    """`unknown-ring-client`: metrics name a client or a reader that this tool does not know there."""
    found = [facts for facts in question.inspection.pods if facts.unexpected]
    if not found:
        return
    names = dict.fromkeys(name for facts in found for name in facts.unexpected)
    yield Finding(
        id="unknown-ring-client",
        severity=Severity.WARNS,
        title=f"{counted(len(found), 'pod')} {'has' if len(found) == 1 else 'have'} ring clients that "
        f"are not known there: {listed(names)}",
        evidence=shown(
            question.evidence(told_by(facts.pod.name, "/metrics"), listed(facts.unexpected))
            for facts in found
        ),
        fix="They are neither moved nor watched. Find out which ring each belongs to (the pod's /config "
        "and its log name it) before you change stores: a client that this tool does not know may read a "
        "ring that it moves. A newer version of mimir-migrate may know them.",
        pods=tuple(facts.pod.name for facts in found),
    )


def absent_ring_client(question: Question) -> Iterator[Finding]:
    """`absent-ring-client`: a Ready pod's metrics lack a client or a reader that its rings should have."""
    found = {
        facts.pod.name: tuple(name for view in facts.rings for name in view.absent)
        for facts in question.inspection.pods
        if facts.pod.ready and not facts.pod.terminating
    }
    found = {pod: names for pod, names in found.items() if names}
    if not found:
        return
    names = dict.fromkeys(name for absent in found.values() for name in absent)
    rings = {
        view.ring
        for facts in question.inspection.pods
        for view in facts.rings
        if facts.pod.name in found and view.absent
    }
    yield Finding(
        id="absent-ring-client",
        severity=Severity.INFORMS,
        title=f"The metrics of {counted(len(found), 'pod')} do not show ring clients that should be "
        f"there: {listed(names)}",
        evidence=shown(
            question.evidence(told_by(pod, "/metrics"), f"not there: {listed(absent)}")
            for pod, absent in found.items()
        ),
        fix="Nothing to do where the pod started a moment ago. Else the build names its clients otherwise; "
        "what they read is inferred from the pod's configuration, which is never trusted while mirroring "
        "is off.",
        rings=tuple(sorted(rings)),
        pods=tuple(found),
    )


RULES = {
    "unknown-ring-client": unknown_ring_client,
    "absent-ring-client": absent_ring_client,
}

"""Findings about pods and workloads: rollouts, what lives on from before, and silence."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Evidence, PodFacts
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted


def rollout_in_progress(question: Question) -> Iterator[Finding]:
    """`rollout-in-progress`: a workload has not brought all its pods to its newest revision."""
    evidence: list[Evidence] = []
    unclear: list[Evidence] = []
    for workload in question.inspection.workloads:
        source = f"{workload.kind} {workload.name}"
        if workload.observed_generation < workload.generation:
            evidence.append(
                question.evidence(source, "its controller has not seen the last change")
            )
        if workload.updated_replicas < workload.replicas:
            detail = f"{workload.updated_replicas} of {workload.replicas} pods are of the newest revision"
            if workload.update_strategy == "OnDelete":
                detail += " (OnDelete: the rollout operator, or somebody, deletes the pods)"
            evidence.append(question.evidence(source, detail))
        if workload.ready_replicas < workload.replicas:
            detail = f"{workload.ready_replicas} of {workload.replicas} pods are Ready"
            evidence.append(question.evidence(source, detail))
        if workload.replicas and not workload.current_revision:
            unclear.append(question.evidence(source, "its newest revision is not known"))
    if evidence:
        yield Finding(
            id="rollout-in-progress",
            severity=Severity.BLOCKS,
            title="A rollout is under way, or pods are not Ready",
            evidence=shown(evidence),
            fix="Wait until every pod is Ready and of the newest revision, then inspect again.",
        )
    elif unclear:
        yield Finding(
            id="rollout-in-progress",
            severity=Severity.BLOCKS,
            title="Whether a rollout is under way is not known",
            evidence=shown(unclear),
            fix="Check that the workload's ReplicaSets or ControllerRevisions can be read.",
            unknown=True,
        )


def old_pods_alive(question: Question) -> Iterator[Finding]:
    """`old-pods-alive`: pods that terminate, are of an older revision, or sit on a lost node."""
    workloads = {
        (workload.kind, workload.name): workload for workload in question.inspection.workloads
    }
    old: list[tuple[str, Evidence]] = []
    unclear: list[tuple[str, Evidence]] = []
    for facts in question.inspection.pods:
        pod = facts.pod
        owner = workloads.get((pod.owner_kind, pod.owner))
        source = f"pod {pod.name}"
        if pod.terminating:
            detail = "it is terminating and writes its heartbeats until it is gone"
            old.append((pod.name, question.evidence(source, detail)))
        elif pod.node_lost:
            detail = f"its node {pod.node} is lost: it may still be running there"
            old.append((pod.name, question.evidence(source, detail)))
        elif owner is None or not pod.revision:
            detail = "no StatefulSet or Deployment of the release owns it"
            unclear.append((pod.name, question.evidence(source, detail)))
        elif owner.current_revision and pod.revision != owner.current_revision:
            detail = (
                f"it is of the revision {pod.revision}, the newest is {owner.current_revision}"
            )
            old.append((pod.name, question.evidence(source, detail)))
    if old:
        yield Finding(
            id="old-pods-alive",
            severity=Severity.BLOCKS,
            title=f"{counted(len(old), 'pod')} of an earlier time still live",
            evidence=shown(evidence for _, evidence in old),
            fix="Wait until they are gone. Delete pods of a lost node by hand once its machine is off.",
            pods=tuple(name for name, _ in old),
        )
    if unclear:
        yield Finding(
            id="old-pods-alive",
            severity=Severity.BLOCKS,
            title=f"How old the configuration of {listed(name for name, _ in unclear)} is, is not known",
            evidence=shown(evidence for _, evidence in unclear),
            fix="Find out what started these pods; a deploy will not restart them.",
            pods=tuple(name for name, _ in unclear),
            unknown=True,
        )


def pod_unanswered(question: Question) -> Iterator[Finding]:
    """`pod-unanswered`: questions that pods of the release left without a usable answer."""
    silent = [facts for facts in question.inspection.pods if _matters(facts)]
    if not silent:
        return
    yield Finding(
        id="pod-unanswered",
        severity=Severity.BLOCKS,
        title=f"{counted(len(silent), 'pod')} left questions unanswered: "
        f"{listed(facts.pod.name for facts in silent)}",
        evidence=shown(
            question.evidence(each.source, each.reason)
            for facts in silent
            for each in facts.unanswered
        ),
        fix="See the pods' logs and events, and whether the API server reaches them, then inspect again.",
        pods=tuple(facts.pod.name for facts in silent),
        unknown=True,
    )


def _matters(facts: PodFacts) -> bool:
    """A pod that terminates may fall silent; `old-pods-alive` speaks of it."""
    return bool(facts.unanswered) and not facts.pod.terminating


def source_unanswered(question: Question) -> Iterator[Finding]:
    """`source-unanswered`: something besides pods did not answer, and no other finding says so."""
    others = ("autoscalers", "release's Secret", "DynamoDB ", "/config?mode=defaults")
    silent = [
        each
        for each in question.inspection.unanswered
        if not any(word in each.source for word in others)
    ]
    if silent:
        yield Finding(
            id="source-unanswered",
            severity=Severity.BLOCKS,
            title=f"{listed(each.source for each in silent)} could not be read",
            evidence=shown(question.evidence(each.source, each.reason) for each in silent),
            fix="`mimir-migrate rbac` prints the permissions that the tool needs.",
            unknown=True,
        )


RULES = {
    "rollout-in-progress": rollout_in_progress,
    "old-pods-alive": old_pods_alive,
    "pod-unanswered": pod_unanswered,
    "source-unanswered": source_unanswered,
}

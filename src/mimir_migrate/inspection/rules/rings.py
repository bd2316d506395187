"""Findings about the rings as the pods see them: health, agreement, and what stays where it is."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Evidence, MemberState, PodRing, RingSummary, told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted

_WELL = frozenset({MemberState.ACTIVE, MemberState.READONLY, MemberState.LEFT})
_COUNTED_WELL = frozenset(state.value for state in _WELL)


def ring_unhealthy(question: Question) -> Iterator[Finding]:
    """`ring-unhealthy`: a member that is not ACTIVE, a ghost, or a pod that is not shown."""
    for name in question.rings:
        writers = {
            facts.pod.ip: facts.pod.name
            for facts, view in question.views((name,))
            if view.writes and facts.pod.ready and not facts.pod.terminating
        }
        evidence: list[Evidence] = []
        observers = 0
        for facts, view in question.views((name,)):
            troubles = _troubles(view, writers)
            if troubles is None:
                continue
            observers += 1
            page = question.ring(name).page if view.members is not None else "/metrics"
            source = told_by(facts.pod.name, page)
            evidence += [question.evidence(source, trouble) for trouble in troubles]
        if evidence:
            yield Finding(
                id="ring-unhealthy",
                severity=Severity.BLOCKS,
                title=f"The ring {name} is not healthy ({counted(len(evidence), 'observation')})",
                evidence=shown(evidence),
                fix="Bring every member to ACTIVE first: forget members whose pod is gone on the ring's "
                "page, and see the log of pods that do not get there.",
                rings=(name,),
            )
        elif not observers:
            yield Finding(
                id="ring-unhealthy",
                severity=Severity.BLOCKS,
                title=f"No pod shows the ring {name}, so its health is not known",
                evidence=(
                    question.evidence(f"ring {name}", "no page and no metric of it answered"),
                ),
                fix=f"Make a pod answer {question.ring(name).page}, then inspect again.",
                rings=(name,),
                unknown=True,
            )


def _troubles(view: PodRing, writers: dict[str, str]) -> list[str] | None:
    """What is wrong in one pod's view of a ring; None where the pod does not show it."""
    if view.members is None:
        if view.member_count is None:
            return None
        return [
            f"{counted(number, 'member is', 'members are')} {state}"
            for state, number in sorted(view.member_count.items())
            if number and state not in _COUNTED_WELL
        ]
    troubles = []
    seen: dict[str, str] = {}
    for member in view.members:
        if member.unread:
            troubles.append(
                f"{member.id} ({member.address}): not known, it says {', '.join(member.unread)}"
            )
        elif member.state not in _WELL:
            troubles.append(f"{member.id} ({member.address}) is {member.state.value}")
        elif member.state is not MemberState.LEFT:
            if member.timestamp == 0:
                troubles.append(f"{member.id} ({member.address}) has never sent a heartbeat")
            if member.address in seen:
                troubles.append(f"{member.id} and {seen[member.address]} share {member.address}")
            if member.ip not in writers:
                troubles.append(
                    f"{member.id} ({member.address}) is not a Ready pod of this release"
                )
        seen[member.address] = member.id
    shown_ips = {member.ip for member in view.members}
    troubles += [f"{pod} ({ip}) is missing" for ip, pod in writers.items() if ip not in shown_ips]
    return troubles


def pods_disagree(question: Question) -> Iterator[Finding]:
    """`pods-disagree`: pods have different configurations of one ring, or read different stores."""
    for name in question.rings:
        summary = question.inspection.ring(name)
        if summary is None:
            continue
        about = [text for text, differs in _disagreements(question, summary).items() if differs]
        if about:
            yield Finding(
                id="pods-disagree",
                severity=Severity.BLOCKS,
                title=f"Pods disagree about the ring {name}: {listed(about)}",
                evidence=shown(_positions(question, name)),
                fix=_restart(question, name)
                or "Wait until a rollout that is under way is over; restart pods that kept an older "
                "configuration. A ring read from two stores can be split meanwhile.",
                rings=(name,),
                pods=summary.pods,
            )
        elif untold := question.untold(summary):
            yield Finding(
                id="pods-disagree",
                severity=Severity.BLOCKS,
                title=f"Whether all pods agree about the ring {name} is not known: "
                f"{listed(untold)} gave no usable answer",
                evidence=shown(_positions(question, name)),
                fix="Make these pods answer /config and /metrics, then inspect again.",
                rings=(name,),
                pods=untold,
                unknown=True,
            )


def _restart(question: Question, name: str) -> str:
    """The pods that no rollout brings the present configuration; empty: a rollout may, or none is odd.

    They are Ready and of their workload's newest revision, as most are, and have another state than most
    of those: they started before the ConfigMap had come.
    """
    newest = {
        (workload.kind, workload.name): workload.current_revision
        for workload in question.inspection.workloads
    }
    states = {
        facts.pod.name: view.state
        for facts, view in question.views((name,))
        if view.state is not None
        and facts.pod.ready
        and not facts.pod.terminating
        and facts.pod.revision == newest.get((facts.pod.owner_kind, facts.pod.owner)) != ""
    }
    every = list(states.values())
    if len(set(every)) < 2:  # noqa: PLR2004 - two that differ
        return ""
    usual = max(every, key=every.count)
    odd = sorted(pod for pod, state in states.items() if state is not usual)
    if len(odd) * 2 >= len(every):
        return ""
    return (
        f"{listed(odd)}: Ready, of the newest revision and on an earlier configuration; restart "
        f"{'this pod' if len(odd) == 1 else 'these pods'} (kubectl delete pod), which started before "
        "the ConfigMap had come. A ring read from two stores can be split meanwhile."
    )


def _disagreements(question: Question, summary: RingSummary) -> dict[str, bool]:
    configs = [view.config for _, view in question.views((summary.ring,)) if view.config]
    places = {
        (config.dynamodb.region, config.dynamodb.table_name)
        for config in configs
        if config.dynamodb and config.dynamodb.table_name
    }
    return {
        "different stores": len(summary.states) + len(summary.other_stores) > 1,
        "different primaries": len(summary.primaries) > 1,
        "mirroring on and off": len(summary.mirrors) > 1,
        "different tables": len(places) > 1,
        "different prefixes": len({config.prefix for config in configs}) > 1,
    }


def _positions(question: Question, name: str) -> list[Evidence]:
    """What each pod has of a ring; the rarest positions first, since they are the odd ones out."""
    found: list[tuple[str, Evidence]] = []
    for facts, view in question.views((name,)):
        mirror = {client.mirror_enabled for client in view.clients}
        words = "unknown"
        if view.config is not None:
            state = view.state.value if view.state else view.config.store
            words = f"{state}, reads {view.primary or 'unknown'}"
            words += ", mirrored" if mirror == {True} else ""
            if view.config.dynamodb and view.config.dynamodb.table_name:
                words += f", table {view.config.dynamodb.table_name}"
            words += f", prefix {view.config.prefix}"
        source = told_by(facts.pod.name, "/config, /metrics")
        found.append((words, question.evidence(source, f"{name}: {words}")))
    every = [words for words, _ in found]
    return [evidence for words, evidence in sorted(found, key=lambda each: every.count(each[0]))]


def ring_left(question: Question) -> Iterator[Finding]:
    """`ring-left`: a ring that is on and stays where it is, with the reason."""
    for summary in question.inspection.rings:
        if summary.enabled and not summary.movable:
            stores = [state.value for state in summary.states] + list(summary.other_stores)
            yield Finding(
                id="ring-left",
                severity=Severity.INFORMS,
                title=f"{summary.ring} stays on {listed(stores) or 'its store'}: "
                f"{summary.left_because}",
                evidence=(
                    question.evidence(f"ring {summary.ring}", f"on in {listed(summary.pods)}"),
                ),
                fix="Nothing to do. Keep the top-level memberlist block: it needs it.",
                rings=(summary.ring,),
            )


RULES = {
    "ring-unhealthy": ring_unhealthy,
    "pods-disagree": pods_disagree,
    "ring-left": ring_left,
}

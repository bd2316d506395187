"""Findings about the network: what policies close, and how the pods are asked instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.documents.network_policies import closing
from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.inspection.rules.gossip import GOSSIP_PORT
from mimir_migrate.model.facts import Evidence, Pod
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.network import NetworkPolicy
from mimir_migrate.model.stores import Store

"""The default `memberlist.bind_port` of both products."""
_HTTPS = 443
_CONSUL = 8500
"""Where a Consul listens."""


def network_policy_closes(question: Question) -> Iterator[Finding]:
    """`network-policy-closes`: policies close a port to somebody who needs it."""
    policies = question.inspection.policies
    if not policies:
        return
    pods = [facts.pod for facts in question.inspection.pods if not facts.pod.terminating]
    proxy = _closed_to_the_proxy(question, policies, pods)
    inside = [
        *_closed_gossip(question, policies),
        *_closed_stores(question, policies),
    ]
    if not proxy and not inside:
        return
    reached = bool(question.inspection.forwards_because) or not any(
        facts.unanswered for facts in question.inspection.pods
    )
    yield Finding(
        id="network-policy-closes",
        severity=Severity.WARNS if inside or not reached else Severity.INFORMS,
        title="Network policies close ports that are needed"
        if inside
        else "Network policies keep the API server's proxy from the pods",
        evidence=shown([*inside, *proxy]),
        fix="Let these ports through in the policies that are named."
        if inside
        else "Nothing to do while the pods answer through port-forwards.",
    )


def _closed_to_the_proxy(
    question: Question, policies: Sequence[NetworkPolicy], pods: Sequence[Pod]
) -> list[Evidence]:
    found: dict[tuple[int, tuple[str, ...]], list[str]] = {}
    for pod in pods:
        names = closing(policies, dict(pod.labels), pod.http_port)
        if names:
            found.setdefault((pod.http_port, names), []).append(pod.name)
    return [
        question.evidence(
            f"NetworkPolicy {listed(names)}",
            f"TCP {port} of {listed(closed)} is closed to whoever is not a pod, as the API server's "
            "pod proxy",
        )
        for (port, names), closed in found.items()
    ]


def _closed_gossip(question: Question, policies: Sequence[NetworkPolicy]) -> list[Evidence]:
    """Gossip goes from each pod to each other, both ways."""
    gossiping = [
        facts.pod
        for facts in question.inspection.pods
        if not facts.pod.terminating
        and (facts.pod.gossips or (facts.gossip is not None and facts.gossip.running))
    ]
    peers = [dict(labels) for labels in dict.fromkeys(pod.labels for pod in gossiping)]
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for pod in gossiping:
        for way, egress in (("to it", False), ("from it", True)):
            names = closing(policies, dict(pod.labels), GOSSIP_PORT, egress=egress, peers=peers)
            if names:
                found.setdefault((way, names), []).append(pod.name)
    return [
        question.evidence(
            f"NetworkPolicy {listed(names)}",
            f"TCP {GOSSIP_PORT} (gossip) is closed {way} between the release's pods: {listed(closed)}",
        )
        for (way, names), closed in found.items()
    ]


def _closed_stores(question: Question, policies: Sequence[NetworkPolicy]) -> list[Evidence]:
    """DynamoDB's endpoints outside, and a store that is asked as a Consul."""
    stores = {
        store
        for facts in question.inspection.pods
        for view in facts.rings
        if view.config is not None
        for store in view.config.stores
    }
    through = question.target.through_bridge is not None
    wanted = {}
    if question.to is Store.DYNAMODB and not through:
        wanted[_HTTPS] = "DynamoDB and STS"
    if through and (question.to is Store.DYNAMODB or Store.DYNAMODB.value in stores):
        wanted[question.target.bridge.port] = "the ring bridge"
    elif "consul" in stores:
        wanted[_CONSUL] = "the store that is asked as a Consul"
    found = []
    for port, whom in wanted.items():
        closed: dict[tuple[str, ...], list[str]] = {}
        for facts in question.inspection.pods:
            labels = dict(facts.pod.labels)
            names = closing(policies, labels, port, egress=True, anybody=port != _HTTPS)
            if names and any(view.writes for view in facts.rings):
                closed.setdefault(names, []).append(facts.pod.name)
        found += [
            question.evidence(
                f"NetworkPolicy {listed(names)}",
                f"TCP {port} ({whom}) is closed from {listed(pods)}",
            )
            for names, pods in closed.items()
        ]
    return found


def pods_asked_through_port_forward(question: Question) -> Iterator[Finding]:
    """`pods-asked-through-port-forward`: the API server's proxy does not reach the pods."""
    because = question.inspection.forwards_because
    if because:
        yield Finding(
            id="pods-asked-through-port-forward",
            severity=Severity.INFORMS,
            title="The pods are asked through port-forwards, not through the API server's proxy",
            evidence=(question.evidence("the pod proxy", because),),
            fix="Nothing to do; each question takes a connection of its own.",
        )


RULES = {
    "network-policy-closes": network_policy_closes,
    "pods-asked-through-port-forward": pods_asked_through_port_forward,
}

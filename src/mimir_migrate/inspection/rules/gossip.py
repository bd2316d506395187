"""Findings about gossip: whether it is whole now, and whether it would start again in a rollback."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from mimir_migrate.inspection.gossip import gossip_notes, gossiping
from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Evidence, GossipConfig, PodFacts, told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.stores import Store

GOSSIP_PORT = 7946
"""The default `memberlist.bind_port` of both products, and the port of the charts' gossip service."""


def gossip_broken(question: Question) -> Iterator[Finding]:
    """`gossip-broken`: some pod's memberlist does not list every gossiping pod alive, and nobody else."""
    notes = gossip_notes(question.inspection.pods)
    broken = [question.evidence(note.source, note.detail) for note in notes if not note.unknown]
    unknown = [note for note in notes if note.unknown]
    if broken:
        yield Finding(
            id="gossip-broken",
            severity=Severity.BLOCKS,
            title="Gossip is not one whole cluster of this release's pods",
            evidence=shown(broken),
            fix="Open TCP 7946 between all pods of the release (network policies, mesh)"
            + _advice(
                gossiping(question.inspection.pods),
                rejoin_interval="set memberlist.rejoin_interval",
                cluster_label="give each cluster a memberlist.cluster_label of its own",
            ),
        )
    if unknown:
        silent = dict.fromkeys(note.pod for note in unknown)
        yield Finding(
            id="gossip-broken",
            severity=Severity.BLOCKS,
            title=f"Whether gossip is whole is not known: {listed(silent)} gave no usable answer",
            evidence=shown(question.evidence(note.source, note.detail) for note in unknown),
            fix="Make these pods answer /memberlist, then inspect again.",
            pods=tuple(silent),
            unknown=True,
        )


def gossip_cannot_start(question: Question) -> Iterator[Finding]:
    """`gossip-cannot-start`: on memberlist again, pods would not find each other.

    It blocks the rollback; before the way there it warns, since the rollback is to stay open.
    """
    pods = [facts for facts in question.inspection.pods if _needs_gossip(question, facts)]
    silent = [facts.pod.name for facts in pods if facts.gossip_config is None]
    blocking: dict[str, list[Evidence]] = {}
    warning: dict[str, list[Evidence]] = {}
    for facts in pods:
        if facts.gossip_config is None:
            continue
        for text, serious in _obstacles(facts, facts.gossip_config, pods).items():
            source = told_by(facts.pod.name, "/config: memberlist")
            place = blocking if serious else warning
            place.setdefault(text, []).append(question.evidence(source, text))
    for text in _disagreements(pods):
        blocking[text] = [question.evidence("GET /config: memberlist, of all pods", text)]
    if pods and all(_aborts(facts) for facts in pods) and not _gossips_now(question):
        text = "every pod ends itself when it cannot join, and nobody gossips yet"
        blocking[text] = [question.evidence("GET /config: memberlist, of all pods", text)]
    if blocking:
        yield Finding(
            id="gossip-cannot-start",
            severity=Severity.BLOCKS if question.to is Store.MEMBERLIST else Severity.WARNS,
            title=f"Gossip would not start whole: {listed(blocking, at_most=3)}",
            evidence=shown(each[0] for each in blocking.values()),
            fix="Set memberlist.join_members to the gossip service in the form dns+NAME:7946"
            + _advice(
                pods,
                bind_port="set the same bind_port everywhere",
                cluster_label="set the same cluster_label everywhere",
                abort_if_cluster_join_fails="set abort_if_cluster_join_fails: false",
            ),
        )
    if warning:
        yield Finding(
            id="gossip-cannot-start",
            severity=Severity.WARNS,
            title=f"Gossip could be cut for good by a bad start: {listed(warning, at_most=3)}",
            evidence=shown(each[0] for each in warning.values()),
            fix="Join by dns+ and watch the first pods that start it"
            + _advice(
                pods,
                rejoin_interval="set memberlist.rejoin_interval: 60s",
                cluster_label="set a memberlist.cluster_label",
            ),
        )
    if silent:
        yield Finding(
            id="gossip-cannot-start",
            severity=Severity.BLOCKS,
            title=f"Whether gossip would start is not known: {listed(silent)} gave no usable answer",
            evidence=(question.evidence("GET /config", f"no answer of {listed(silent)}"),),
            fix="Make these pods answer /config, then inspect again.",
            pods=tuple(silent),
            unknown=True,
        )


def _advice(pods: Sequence[PodFacts], **settings: str) -> str:
    """What else to set, as far as every pod's binary has the setting: one that has not would not start.

    Args:
        pods: Those that would get the setting.
        settings: The advice by the key under `memberlist`.
    """
    known = [
        words
        for key, words in settings.items()
        if pods and all(facts.knows(f"memberlist.{key}") for facts in pods)
    ]
    return "".join(f"; {words}" for words in known) + "."


def _needs_gossip(question: Question, facts: PodFacts) -> bool:
    """Whether the pod touches a chosen ring, and so gossips when that ring is on memberlist."""
    return not facts.pod.terminating and any(
        view.enabled and view.ring in question.rings for view in facts.rings
    )


def _gossips_now(question: Question) -> bool:
    return any(facts.gossip and facts.gossip.running for facts in question.inspection.pods)


def _aborts(facts: PodFacts) -> bool:
    config = facts.gossip_config
    return config is not None and (
        config.abort_if_cluster_join_fails is True or config.abort_if_fast_join_fails is True
    )


def _obstacles(facts: PodFacts, config: GossipConfig, pods: Sequence[PodFacts]) -> dict[str, bool]:
    """What stands in the way of one pod's gossip, and whether it is serious."""
    found: dict[str, bool] = {}
    if not config.join_members:
        found["join_members is empty"] = True
    elif not _reaches_all(config, {each.pod.ip for each in pods}):
        found["join_members lists some pods only: who starts before them stays alone"] = True
    if config.join_members and not _port_fits(config):
        found[f"join_members names another port than bind_port {config.bind_port}"] = True
    if config.rejoin_interval <= 0 and facts.knows("memberlist.rejoin_interval"):
        found["rejoin_interval is 0: a pod that starts alone stays alone"] = False
    if not config.cluster_label and facts.knows("memberlist.cluster_label"):
        found["cluster_label is empty: another cluster's gossip can merge with this one"] = False
    if config.abort_if_fast_join_fails:
        found[
            "abort_if_cluster_fast_join_fails: the first pods end themselves until one is up"
        ] = False
    if not facts.pod.gossips:
        found["a pod is not labelled part-of: memberlist, so the gossip service leaves it out"] = (
            False
        )
    return found


def _reaches_all(config: GossipConfig, ips: set[str]) -> bool:
    """Whether the seeds stand for all pods: a name resolves to all of them, a list of IPs may not."""
    hosts = {_host(seed) for seed in config.join_members}
    if any(not _is_ip(host) for host in hosts):
        return True
    return ips <= hosts


def _port_fits(config: GossipConfig) -> bool:
    """A seed without a port means memberlist's own default."""
    for seed in config.join_members:
        if seed.startswith("dnssrv"):
            continue  # SRV records carry the port
        _, _, port = seed.removeprefix("dns+").rpartition(":")
        number = int(port) if port.isdigit() else GOSSIP_PORT
        if number != config.bind_port:
            return False
    return True


def _host(seed: str) -> str:
    name = seed.removeprefix("dns+").removeprefix("dnssrv+").removeprefix("dnssrvnoa+")
    host, separator, port = name.rpartition(":")
    return host.strip("[]") if separator and port.isdigit() else name.strip("[]")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _disagreements(pods: Sequence[PodFacts]) -> list[str]:
    configs = [facts.gossip_config for facts in pods if facts.gossip_config]
    labels = {config.cluster_label for config in configs}
    ports = {config.bind_port for config in configs}
    found = []
    if len(labels) > 1 and not all(
        config.cluster_label_verification_disabled for config in configs
    ):
        found.append(f"pods have different cluster labels ({listed(map(repr, sorted(labels)))})")
    if len(ports) > 1:
        found.append(f"pods gossip on different ports ({listed(map(str, sorted(ports)))})")
    return found


RULES = {
    "gossip-broken": gossip_broken,
    "gossip-cannot-start": gossip_cannot_start,
}

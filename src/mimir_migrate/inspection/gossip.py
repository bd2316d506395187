"""Whether gossip is one whole cluster of a release's pods, for the finding and for the gate alike.

And what would make it safer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.model.facts import GossipConfig, PodFacts, told_by
from mimir_migrate.model.stores import Store


class GossipNote(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with one pod's gossip, or that it does not tell."""

    pod: str
    detail: str
    unknown: bool = False
    """Whether the pod does not tell, rather than tells something bad."""

    @property
    def source(self) -> str:
        """Where it is from."""
        return told_by(self.pod, "/memberlist")


def gossiping(pods: Sequence[PodFacts]) -> tuple[PodFacts, ...]:
    """The pods that gossip or should; those about to go are judged in nobody's view."""
    return tuple(facts for facts in pods if not facts.pod.terminating and _wants_gossip(facts))


def gossip_notes(pods: Sequence[PodFacts]) -> tuple[GossipNote, ...]:
    """What stands against whole gossip: each gossiping pod lists every other alive, and no stranger."""
    found: list[GossipNote] = []
    expected = gossiping(pods)
    own = {facts.pod.ip for facts in pods}
    for facts in expected:
        name = facts.pod.name
        if facts.gossip is None:
            found.append(GossipNote(pod=name, detail="no answer", unknown=True))
            continue
        if not facts.gossip.running:
            found.append(
                GossipNote(pod=name, detail="a ring is on memberlist, yet it does not gossip")
            )
            continue
        members = facts.gossip.members
        alive = {member.ip for member in members if member.alive}
        unread = {member.ip for member in members if member.unread}
        for member in members:
            if member.unread:
                detail = f"of {member.name} it says {', '.join(member.unread)}"
                found.append(GossipNote(pod=name, detail=detail, unknown=True))
        for other in expected:
            if other.pod.ip not in alive | unread:
                detail = f"{other.pod.name} ({other.pod.ip}) is not among its alive members"
                found.append(GossipNote(pod=name, detail=detail))
        for ip in sorted(alive - own):
            detail = f"{ip} is alive in its gossip and is not a pod of this release"
            found.append(GossipNote(pod=name, detail=detail))
    return tuple(found)


def safer_gossip(pods: Sequence[PodFacts]) -> tuple[str, ...]:
    """What would make staying on memberlist safer, for these pods and what their binaries know."""
    configs = [facts.gossip_config for facts in pods if facts.gossip_config]
    advice: tuple[tuple[str, str, Callable[[GossipConfig], bool]], ...] = (
        (
            "memberlist.rejoin_interval",
            "set memberlist.rejoin_interval: 60s, so that a pod left alone comes back",
            lambda config: config.rejoin_interval <= 0,
        ),
        (
            "memberlist.cluster_label",
            "set a memberlist.cluster_label of its own, so that clusters cannot merge",
            lambda config: not config.cluster_label,
        ),
        (
            "",
            "join by dns+SERVICE:7946, which names every pod, also those not Ready",
            lambda config: not any(seed.startswith("dns") for seed in config.join_members),
        ),
    )
    found = [
        text
        for setting, text, applies in advice
        if any(applies(config) for config in configs)
        and (not setting or all(each.knows(setting) for each in pods if each.gossip_config))
    ]
    if any(not facts.pod.gossips for facts in pods):
        found.append("label every pod part-of: memberlist, so that the gossip service names it")
    return tuple(found)


def _wants_gossip(facts: PodFacts) -> bool:
    """Whether a ring of the pod uses memberlist, or the pod gossips whatever its rings say."""
    if facts.gossip is not None and facts.gossip.running:
        return True
    return any(view.enabled and Store.MEMBERLIST in view.stores for view in facts.rings)

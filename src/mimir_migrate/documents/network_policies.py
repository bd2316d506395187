"""Reads network policies, and says which of them close a port to whom needs it.

Where a policy cannot be judged from here (an address range, another namespace's labels, a port by its
name) it counts as open: what is said is then true, and nothing is made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mimir_migrate.model.network import NetworkPolicy, Opening, Peer, Port, Requirement, Selector

Json = Mapping[str, Any]


def policy_from_json(item: Json) -> NetworkPolicy:
    """Read a NetworkPolicy as the API server answers it."""
    spec = item.get("spec") or {}
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return NetworkPolicy(
        name=str((item.get("metadata") or {}).get("name", "")),
        pods=_selector(spec.get("podSelector") or {}),
        closes_ingress="Ingress" in types,
        closes_egress="Egress" in types,
        ingress=tuple(_opening(one, "from") for one in spec.get("ingress") or ()),
        egress=tuple(_opening(one, "to") for one in spec.get("egress") or ()),
    )


def closing(
    policies: Iterable[NetworkPolicy],
    labels: Mapping[str, str],
    port: int,
    *,
    egress: bool = False,
    peers: Sequence[Mapping[str, str]] = (),
    anybody: bool = False,
) -> tuple[str, ...]:
    """The policies that close a port of a pod; empty: it is open, or that cannot be told.

    Args:
        policies: Those of the pod's namespace.
        labels: The pod's.
        port: A TCP port: the pod's own, or with `egress` that of whom it calls.
        egress: Whether it is about what the pod calls.
        peers: Labels of the pods of the same namespace on the other side, all of which have to get
            through; none: somebody outside of the cluster's pods.
        anybody: Whether it counts as open where anybody is let through at that port.
    """
    selecting = [
        one
        for one in policies
        if (one.closes_egress if egress else one.closes_ingress) and one.pods.matches(labels)
    ]
    openings = [
        opening for one in selecting for opening in (one.egress if egress else one.ingress)
    ]
    fitting = [one for one in openings if _has_port(one, port)]
    if not selecting or (anybody and fitting):
        return ()
    if all(any(_lets(opening, peer) for opening in fitting) for peer in (peers or (None,))):
        return ()
    return tuple(sorted(one.name for one in selecting))


def _has_port(opening: Opening, port: int) -> bool:
    return not opening.ports or any(
        one.protocol == "TCP"
        and (bool(one.name) or one.number in {0, port} or one.number <= port <= one.end)
        for one in opening.ports
    )


def _lets(opening: Opening, labels: Mapping[str, str] | None) -> bool:
    if not opening.peers:
        return True
    for peer in opening.peers:
        if peer.cidr:
            return True
        if labels is None:
            continue  # a selector of pods or namespaces never means the API server
        if peer.namespaces is not None and (peer.namespaces.labels or peer.namespaces.expressions):
            return True  # it may be this namespace
        if peer.pods is None or peer.pods.matches(labels):
            return True
    return False


def _opening(rule: Json, key: str) -> Opening:
    return Opening(
        peers=tuple(_peer(one) for one in rule.get(key) or ()),
        ports=tuple(_port(one) for one in rule.get("ports") or ()),
    )


def _peer(peer: Json) -> Peer:
    pods, namespaces = peer.get("podSelector"), peer.get("namespaceSelector")
    return Peer(
        pods=None if pods is None else _selector(pods),
        namespaces=None if namespaces is None else _selector(namespaces),
        cidr=str((peer.get("ipBlock") or {}).get("cidr", "")),
    )


def _port(port: Json) -> Port:
    written = port.get("port", 0)
    is_number = isinstance(written, int)
    return Port(
        number=written if is_number else 0,
        name="" if is_number else str(written),
        end=int(port.get("endPort") or 0),
        protocol=str(port.get("protocol") or "TCP"),
    )


def _selector(selector: Json) -> Selector:
    return Selector(
        labels={
            str(key): str(value) for key, value in (selector.get("matchLabels") or {}).items()
        },
        expressions=tuple(
            Requirement(
                key=str(one.get("key", "")),
                operator=str(one.get("operator", "")),
                values=tuple(map(str, one.get("values") or ())),
            )
            for one in selector.get("matchExpressions") or ()
        ),
    )

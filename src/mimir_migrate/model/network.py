"""Network policies as Kubernetes has them (networking.k8s.io/v1), as far as they decide about one port."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One expression over labels."""

    key: str
    operator: str
    """`In`, `NotIn`, `Exists` or `DoesNotExist`."""
    values: tuple[str, ...] = ()


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """Which labels are meant; an empty one means all."""

    labels: dict[str, str] = {}
    expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are meant."""
        return all(labels.get(key) == value for key, value in self.labels.items()) and all(
            _holds(one, labels) for one in self.expressions
        )


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who may talk to, or be talked to by, the pods of a policy."""

    pods: Selector | None = None
    namespaces: Selector | None = None
    cidr: str = ""


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A port or a range of them; 0: every port of the protocol."""

    number: int = 0
    name: str = ""
    """Of a container's port; then the number is not known here."""
    end: int = 0
    protocol: str = "TCP"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule lets through; no peers mean everybody, no ports every port."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[Port, ...] = ()


class NetworkPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy: the pods that it selects are closed but for its openings and those of other policies."""

    name: str
    pods: Selector
    closes_ingress: bool
    closes_egress: bool
    ingress: tuple[Opening, ...] = ()
    egress: tuple[Opening, ...] = ()


def _holds(one: Requirement, labels: Mapping[str, str]) -> bool:
    match one.operator:
        case "In":
            return labels.get(one.key) in one.values
        case "NotIn":
            return labels.get(one.key) not in one.values
        case "Exists":
            return one.key in labels
        case _:
            return one.key not in labels

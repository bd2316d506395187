"""IAM's simulator as a second opinion on what a role may do; never on whom it trusts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mimir_migrate.documents.policies import Verdict
from mimir_migrate.ports import SimulatedAction

Opinions = Mapping[tuple[str, str], SimulatedAction]
"""By action and resource."""

_DECISIONS = {
    "allowed": Verdict.ALLOWED,
    "implicitDeny": Verdict.MISSING,
    "explicitDeny": Verdict.DENIED,
}


def opinions(simulations: Iterable[SimulatedAction]) -> Opinions:
    """Simulations by what they are about."""
    return {(one.action, one.resource): one for one in simulations}


def verdict_of(one: SimulatedAction) -> Verdict:
    """What a simulation says; an answer that hangs on keys that nobody gave it is none.

    A denial stays one: policies that deny unless a key has a value deny where it is missing too.
    """
    found = _DECISIONS.get(one.decision, Verdict.UNKNOWN)
    return Verdict.UNKNOWN if one.missing and found is not Verdict.DENIED else found


def settled(own: Verdict, other: Verdict) -> Verdict:
    """One verdict of two: a denial on either side stands, a contradiction is unknown.

    Where one side does not know, the other is taken.
    """
    if Verdict.DENIED in {own, other}:
        return Verdict.DENIED
    if own is Verdict.UNKNOWN or own is other:
        return other
    return own if other is Verdict.UNKNOWN else Verdict.UNKNOWN


def contradiction(own: Verdict, one: SimulatedAction) -> str:
    """Both sides in words, where they do not agree; empty where they do."""
    other = verdict_of(one)
    if own is other or Verdict.UNKNOWN in {own, other}:
        return ""
    return f"{one.action}: {own.value} by the policies that were read, {one.decision} by IAM's simulator"

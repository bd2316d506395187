"""In what a run, a plan and the target here are of different places."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mimir_migrate.model.facts import Identity
from mimir_migrate.model.target import Target
from mimir_migrate.runs.status import RunStatus


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something that both say, and not the same."""

    name: str
    """For example `namespace`."""
    own: str
    """What the run or plan says, which is what counts."""
    here: str


def differences(own: Mapping[str, str], here: Mapping[str, str]) -> tuple[Difference, ...]:
    """In what two places differ, by name; what either of them leaves out differs in nothing."""
    return tuple(
        Difference(name=name, own=own[name], here=mine)
        for name, mine in here.items()
        if mine and own.get(name) and mine != own[name]
    )


def named_by(target: Target) -> dict[str, str]:
    """The place that a target file names, as it is written there."""
    return {
        "context": target.kubernetes.context,
        "namespace": target.kubernetes.namespace,
        "release": target.kubernetes.release,
        "region": target.aws.region,
        "table": target.dynamodb.table,
    }


def seen_at(place: Identity | RunStatus) -> dict[str, str]:
    """The place of a run, or of what a target leads to now, as cluster and account say."""
    return {
        "cluster": place.server if isinstance(place, Identity) else place.cluster,
        "namespace": place.namespace,
        "release": place.release,
        "account": place.account,
    }

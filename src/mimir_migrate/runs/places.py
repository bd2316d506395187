"""In what a run, a plan and the target here are of different places.

The one rule: two clusters are compared by the strongest name that both know, the uid before the API
server's address before the context, since addresses and names of contexts change and a uid does not.
Everything else is compared where both say it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from mimir_migrate.errors import MigrateError
from mimir_migrate.model.facts import Identity
from mimir_migrate.model.target import Target
from mimir_migrate.ports import World
from mimir_migrate.runs.status import RunStatus

_OF_CLUSTER = ("cluster", "context")
_OF_RELEASE = (*_OF_CLUSTER, "namespace", "release")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where something acts, as far as it is known; what is empty is not."""

    cluster_uid: str = ""
    cluster: str = ""
    """The API server's address."""
    context: str = ""
    namespace: str = ""
    release: str = ""
    account: str = ""
    region: str = ""
    table: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something that both say, and not the same."""

    name: str
    """For example `namespace`."""
    own: str
    """What the run or plan says, which is what counts."""
    here: str


def differences(own: Place, here: Place) -> tuple[Difference, ...]:
    """In what two places differ; what either of them leaves out differs in nothing."""
    return tuple(_differences(own, here))


def same_release(one: Place, other: Place) -> bool:
    """Whether both can be one release of one cluster, whatever their accounts, regions and tables."""
    return not any(each.name in _OF_RELEASE for each in _differences(one, other))


def named_by(target: Target) -> Place:
    """The place that a target file names, as it is written there."""
    return Place(
        context=target.kubernetes.context,
        namespace=target.kubernetes.namespace,
        release=target.kubernetes.release,
        region=target.aws.region,
        table=target.dynamodb.table,
    )


def seen_at(place: Identity | RunStatus) -> Place:
    """The place of a run, or of what a target leads to now, as cluster and account say."""
    return Place(
        cluster_uid=place.cluster_uid,
        cluster=place.server if isinstance(place, Identity) else place.cluster,
        context="" if isinstance(place, Identity) else place.context,
        namespace=place.namespace,
        release=place.release,
        account=place.account,
        region=place.region,
    )


def meant_by(target: Target, world: World) -> Identity:
    """Which cluster, release and account a target means now; what is not told is empty."""
    uid = account = ""
    with suppress(MigrateError):
        uid = world.cluster.cluster_uid()
    with suppress(MigrateError):
        account = world.tables.account()
    return Identity(
        server=world.cluster.server(),
        cluster_uid=uid,
        namespace=target.kubernetes.namespace,
        release=target.kubernetes.release,
        account=account,
        region=target.aws.region,
    )


def _differences(own: Place, here: Place) -> Iterator[Difference]:
    if own.cluster_uid and here.cluster_uid:
        if own.cluster_uid != here.cluster_uid:
            yield Difference(
                name="cluster", own=_cluster_words(own, here), here=_cluster_words(here, own)
            )
        compared = set(_OF_CLUSTER) | {"cluster_uid"}
    elif own.cluster and here.cluster:
        compared = {"cluster_uid", "context"}
    else:
        compared = {"cluster_uid", "cluster"}
    for name in Place.__struct_fields__:
        mine, theirs = getattr(own, name), getattr(here, name)
        if name not in compared and mine and theirs and mine != theirs:
            yield Difference(name=name, own=mine, here=theirs)


def _cluster_words(place: Place, other: Place) -> str:
    """The address, and the uid where addresses do not tell the two apart."""
    if place.cluster and place.cluster != other.cluster:
        return place.cluster
    return f"{place.cluster or 'the one'} with the uid {place.cluster_uid}"

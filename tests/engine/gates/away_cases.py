"""Cases of `stores-equal` towards memberlist while DynamoDB tells nothing of rings that pods read in it."""

from __future__ import annotations

import functools

import msgspec
import release as fake
from bridge_cases import QUERIER as MIMIR_QUERIER
from bridge_cases import gossip
from gate_cases import BLOCK, FAIL, PASS, QUERIER, UNKNOWN, Case, Change, tuned

from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Inspection, Member, MemberState
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

STOOD = int(fake.WINDOW) + 20
"""Seconds since which nobody's heartbeat got through."""


@functools.cache
def _read_from_dynamodb(product: Product) -> Inspection:
    primaries = dict.fromkeys(fake.ON[product], Store.DYNAMODB)
    seen = fake.release(product, primaries=primaries, block=BLOCK)
    return msgspec.structs.replace(seen, items=())


def _older(members: tuple[Member, ...] | None, **fields: object) -> tuple[Member, ...] | None:
    return members and tuple(
        msgspec.structs.replace(one, timestamp=one.timestamp - STOOD, **fields) for one in members
    )


def away(product: Product, change: Change = lambda seen: seen) -> Change:
    """The tool gets no answer; pods are well."""
    return lambda _: change(_read_from_dynamodb(product))


def stands(**shown: object) -> Change:
    """No heartbeat has got through for a while, neither into gossip nor to what pods show."""

    def change(seen: Inspection) -> Inspection:
        for facts in seen.pods:
            for view in facts.rings:
                seen = fake.with_view(
                    seen,
                    facts.pod.name,
                    view.ring,
                    memberlist=_older(view.memberlist),
                    members=_older(view.members, **shown),
                )
        return seen

    return change


def lacking(pod: str, change: Change = lambda seen: seen) -> Change:
    """A pod whose gossip does not have the second ingester."""
    return lambda seen: gossip(pod, lambda known: known[:1] + known[2:])(change(seen))


def case(name: str, verdict: Verdict, *names: str, change: Change, back: bool = True) -> Case:
    return Case(
        gate=Gate.STORES_EQUAL,
        name=f"DynamoDB is away: {name}",
        verdict=verdict,
        change=change,
        tune=tuned(to_memberlist=back),
        names=names,
    )


CASES = (
    *(
        case(f"{product.value}, gossip is mirrored", PASS, "could not", change=away(product))
        for product in Product
    ),
    case("mimir, all stands still", PASS, "could not", change=away(Product.MIMIR, stands())),
    case(
        "mimir, members are UNHEALTHY by age for pods",
        PASS,
        "could not",
        change=away(Product.MIMIR, stands(state=MemberState.UNHEALTHY)),
    ),
    case(
        "mimir, gossip lacks somebody whom the pod shows",
        FAIL,
        "mimir-ingester-1",
        MIMIR_QUERIER,
        change=away(Product.MIMIR, lacking(MIMIR_QUERIER, stands())),
    ),
    case(
        "mimir, gossip has other tokens than the pod shows",
        FAIL,
        "tokens",
        change=away(
            Product.MIMIR,
            gossip(
                MIMIR_QUERIER,
                lambda known: (msgspec.structs.replace(known[0], tokens=(1, 9)), *known[1:]),
            ),
        ),
    ),
    case(
        "cortex, all stands still",
        FAIL,
        "nobody is out of sight as long as no pod restarts",
        "override stores-equal",
        change=away(Product.CORTEX, stands()),
    ),
    case(
        "cortex, gossip lacks somebody whom the pod shows",
        FAIL,
        "cortex-ingester-1",
        QUERIER,
        change=away(Product.CORTEX, lacking(QUERIER)),
    ),
    case("on the way there", UNKNOWN, "could not", change=away(Product.MIMIR), back=False),
)

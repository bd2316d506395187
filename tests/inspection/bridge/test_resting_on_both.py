"""Rings that rest switched and still mirrored: the runtime block bears it, and nothing offers it away."""

from __future__ import annotations

import bridged
import msgspec
import pytest
import release as fake

from mimir_migrate.inspection.findings import judge
from mimir_migrate.inspection.question import ValuesFacts
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice, Finding, Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import KubernetesTarget, Target
from mimir_migrate.plans.choices import choices

BASE = Target(kubernetes=KubernetesTarget(namespace="observability", release="mimir"))
THROUGH = bridged.target(BASE, heartbeat_timeout="4m")
BLOCK = RuntimeBlock(primary="dynamodb", mirror_enabled=True)
RULER = "mimir-ruler-0"


def resting(**more: object) -> Inspection:
    """Static memberlist first, switched by the block, mirrored."""
    return bridged.release(
        StoreState.MEMBERLIST_DYNAMODB,
        primaries=dict.fromkeys(fake.ON[Product.MIMIR], Store.DYNAMODB),
        block=BLOCK,
        **more,
    )


def without_block(seen: Inspection, block: RuntimeBlock = RuntimeBlock()) -> Inspection:  # noqa: B008
    runtime = fake.facts_of(seen, RULER).runtime
    assert runtime is not None
    return fake.with_facts(seen, RULER, runtime=msgspec.structs.replace(runtime, block=block))


def found(
    seen: Inspection, *, to: Store | None = None, said: RuntimeBlock | None = BLOCK
) -> dict[str, Finding]:
    values = ValuesFacts(runtime=said)
    return {one.id: one for one in judge(seen, target=THROUGH, to=to, values=values)}


def test_at_rest_the_block_is_neither_left_over_nor_missing() -> None:
    """It is what a pod that restarts reads its store from."""
    ids = set(found(resting()))
    assert not ids & {"runtime-block-left", "runtime-block-missing"}


@pytest.mark.parametrize("block", [RuntimeBlock(), RuntimeBlock(primary="memberlist")])
def test_a_pod_without_the_block_blocks(block: RuntimeBlock) -> None:
    """It reads memberlist while the others read DynamoDB. On the way to memberlist it only warns."""
    seen = without_block(resting(), block)

    missing = found(seen)["runtime-block-missing"]

    assert (missing.severity, missing.pods) == (Severity.BLOCKS, (RULER,))
    away = found(seen, to=Store.MEMBERLIST)["runtime-block-missing"]
    assert away.severity is Severity.WARNS


def test_values_without_the_block_block_too() -> None:
    """The next deploy would take it from every pod."""
    missing = found(resting(), said=None)["runtime-block-missing"]
    assert missing.severity is Severity.BLOCKS
    assert "the values files" in missing.title


def test_before_the_switch_nothing_is_missing() -> None:
    """The block names the store that is read statically as well."""
    seen = bridged.release(
        StoreState.MEMBERLIST_DYNAMODB,
        block=RuntimeBlock(primary="memberlist", mirror_enabled=True),
    )
    assert "runtime-block-missing" not in found(seen, said=None)


def by_id(seen: Inspection, target: Target) -> dict[str, Choice]:
    return {one.id: one for one in choices(seen, target)}


def offered(seen: Inspection) -> Inspection:
    from mimir_migrate.model.facts import Evidence, StoreOffer

    return msgspec.structs.replace(
        seen,
        offers=tuple(
            StoreOffer(
                image="i",
                ring=ring,
                stores=("dynamodb", "memberlist", "multi"),
                evidence=Evidence(source="s", detail="d"),
            )
            for ring in fake.ON[Product.MIMIR]
        ),
    )


def test_choices_through_the_bridge_stay_mirrored_and_recommend_to_stay() -> None:
    """With what it costs in plain words, and no price that nobody measured."""
    found = by_id(offered(bridged.release(StoreState.MEMBERLIST)), THROUGH)

    assert found["all"].goal == "dynamodb+memberlist"
    assert found["all"].possible
    assert found["all"].rollouts == 1
    assert found["all"].cost_per_month is None
    assert "write path" in " ".join(found["all"].costs)
    assert "experimental" in found["all"].title
    assert found["stay"].recommended
    assert "write path" in found["stay"].reason


def test_at_rest_staying_is_recommended() -> None:
    """Two stores at once are no half of a migration there."""
    assert by_id(offered(resting()), THROUGH)["stay"].recommended

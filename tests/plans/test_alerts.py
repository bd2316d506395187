"""Which of the mixins' alerts a plan says will or may fire, in which step, and why."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import planning
import pytest
import release as fake

from mimir_migrate.cli.pictures import print_plan
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Chance, Duration, Plan, Step, StepKind
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.alerts import with_alerts
from mimir_migrate.plans.export import to_json, to_markdown, to_shell

MIMIR_RINGS = fake.ON[Product.MIMIR]


def plan(product: Product) -> Plan:
    here = planning.start(product)
    return planning.plan(here, Store.DYNAMODB, (planning.example(product),))


def named(plan: Plan) -> dict[str, dict[str, Chance]]:
    return {step.id: {one.name: one.chance for one in step.alerts} for step in plan.steps}


def rollout(
    state: StoreState,
    *,
    low: float = 60.0,
    high: float = 300.0,
    rings: tuple[str, ...] = MIMIR_RINGS,
) -> Step:
    return Step(
        id=f"to-{state.value}",
        kind=StepKind.ROLLOUT,
        title="t",
        what="w",
        why="y",
        states=dict.fromkeys(rings, state),
        primaries=dict.fromkeys(rings, state.primary),
        mirror=state.secondary is not None,
        duration=Duration(low=low, high=high, basis="b"),
        undo="u",
        way_back="w",
    )


def alerts(
    *steps: Step,
    product: Product = Product.MIMIR,
    rings: tuple[str, ...] = MIMIR_RINGS,
    **how: Any,
) -> list[dict[str, Chance]]:
    here = fake.release(product, StoreState.MEMBERLIST, **how)
    return [
        {one.name: one.chance for one in step.alerts} for step in with_alerts(steps, here, rings)
    ]


def test_the_second_rollout_restarts_ingesters_twice_within_half_an_hour() -> None:
    """The one alert that a quick migration is sure to set off; the first rollout does not."""
    first, second = alerts(
        rollout(StoreState.MEMBERLIST_DYNAMODB), rollout(StoreState.DYNAMODB_MEMBERLIST)
    )

    assert "MimirIngesterRestarts" not in first
    assert second["MimirIngesterRestarts"] is Chance.WILL


@pytest.mark.parametrize(
    ("low", "high", "chance"),
    [(60, 300, Chance.WILL), (600, 2000, Chance.MAY), (1800, 3600, None)],
)
def test_restarts_that_lie_further_apart_may_or_cannot_set_it_off(
    low: float, high: float, chance: Chance | None
) -> None:
    """It looks back half an hour."""
    _, second = alerts(
        rollout(StoreState.MEMBERLIST_DYNAMODB, low=low, high=high),
        rollout(StoreState.DYNAMODB_MEMBERLIST, low=low, high=high),
    )
    assert second.get("MimirIngesterRestarts") is chance


def test_an_alert_that_must_hold_longer_than_the_rollout_lasts_is_not_named() -> None:
    """A quarter of an hour for ring members, twenty minutes for gossip."""
    (quick,) = alerts(rollout(StoreState.MEMBERLIST_DYNAMODB, high=300))
    (slow,) = alerts(rollout(StoreState.MEMBERLIST_DYNAMODB, high=1300))

    assert set(quick) == {"MimirKVStoreFailure"}
    assert set(slow) == {
        "MimirKVStoreFailure",
        "MimirGossipMembersTooHigh",
        "MimirGossipMembersMismatch",
        "MimirRingMembersMismatch",
        "MimirIngesterUnhealthy",
    }
    assert set(slow.values()) == {Chance.MAY}


def test_when_the_last_ring_leaves_memberlist_the_gossip_alerts_are_blind() -> None:
    """Whoever relies on them has to know that they will be silent whatever happens."""
    _, last = alerts(rollout(StoreState.DYNAMODB_MEMBERLIST), rollout(StoreState.DYNAMODB))

    for name in ("TooHigh", "TooLow", "Mismatch"):
        assert last[f"MimirGossipMembers{name}"] is Chance.ENDS


def test_where_some_rings_stay_the_pods_that_gossip_no_more_are_missed_for_good() -> None:
    """Rulers have two rings: their own and the ingesters'; compactors have one only."""
    here = fake.release(Product.MIMIR, StoreState.MEMBERLIST)
    rings = ("compactor",)
    (step,) = with_alerts((rollout(StoreState.DYNAMODB, rings=rings),), here, rings)
    found = {one.name: one for one in step.alerts}

    assert found["MimirGossipMembersMismatch"].chance is Chance.WILL
    assert "compactor" in found["MimirGossipMembersMismatch"].why
    assert "MimirGossipMembersTooLow" not in found


def test_where_most_pods_stop_gossiping_it_looks_like_a_split() -> None:
    """Fewer than half of the pods that are up."""
    here = fake.release(Product.MIMIR, StoreState.MEMBERLIST)
    rings = tuple(name for name in MIMIR_RINGS if name != "alertmanager")
    (step,) = with_alerts((rollout(StoreState.DYNAMODB, rings=rings),), here, rings)

    chances = {one.name: one.chance for one in step.alerts}
    assert chances["MimirGossipMembersTooLow"] is Chance.WILL


def test_cortex_has_its_own_names_and_times() -> None:
    """Five minutes for gossip, and no alerts about members too many, too few or mismatched in a ring."""
    (found,) = alerts(
        rollout(StoreState.MEMBERLIST_DYNAMODB, high=400, rings=fake.ON[Product.CORTEX]),
        product=Product.CORTEX,
        rings=fake.ON[Product.CORTEX],
    )
    assert found == {
        "CortexGossipMembersMismatch": Chance.MAY,
        "CortexKVStoreFailure": Chance.MAY,
    }


def test_a_runtime_step_and_a_table_set_nothing_off_but_the_first_request() -> None:
    """Nothing restarts; the first step in which DynamoDB is asked names the store's own alert."""
    made = named(plan(Product.MIMIR))

    assert made["tables"] == {}
    assert made["both"] == {}
    assert made["mirror"] == {"MimirKVStoreFailure": Chance.MAY}
    assert made["switch"] == {}


def test_a_rollback_says_that_gossip_grows_again() -> None:
    """From no pod to all of them while the rollout lasts; DynamoDB is nothing new to the pods."""
    here = fake.release(Product.MIMIR, StoreState.DYNAMODB)
    step = rollout(StoreState.DYNAMODB_MEMBERLIST, low=1000, high=1300)
    (made,) = with_alerts((step,), here, MIMIR_RINGS)

    found = {one.name: one for one in made.alerts}
    assert "grows pod by pod" in found["MimirGossipMembersTooLow"].why
    assert found["MimirGossipMembersMismatch"].chance is Chance.WILL
    assert "MimirKVStoreFailure" not in found


@pytest.mark.parametrize("product", list(Product))
def test_text_markdown_shell_and_json_name_them(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever silences alerts reads it in the form they have."""
    made = plan(product)
    names = {name for names in named(made).values() for name in names}
    assert names
    print_plan(made)
    text = capsys.readouterr().out

    for name in names:
        assert f"alert {name} " in text
        assert f"- `{name}` " in to_markdown(made)
        assert f"#   alert: {name} " in to_shell(made)
    document = json.loads(to_json(made))
    assert {one["name"] for step in document["steps"] for one in step["alerts"]} == names


def test_a_plan_of_a_version_without_alerts_can_be_read() -> None:
    """The entry has a default."""
    made = json.loads(to_json(plan(Product.MIMIR)))
    for step in made["steps"]:
        del step["alerts"]
    assert msgspec.convert(made["steps"][0], Step).alerts == ()


def test_pods_that_do_not_tell_count_as_gossiping() -> None:
    """Memberlist is every ring's default; nothing is called blind because a page was silent."""
    here: Inspection = fake.release(Product.MIMIR, StoreState.MEMBERLIST)
    pods = tuple(
        msgspec.structs.replace(
            facts,
            rings=tuple(
                msgspec.structs.replace(view, config=None) if view.ring == "ruler" else view
                for view in facts.rings
            ),
        )
        for facts in here.pods
    )
    rings = tuple(name for name in MIMIR_RINGS if name != "ruler")
    (step,) = with_alerts(
        (rollout(StoreState.DYNAMODB, rings=rings),),
        msgspec.structs.replace(here, pods=pods),
        rings,
    )
    assert Chance.ENDS not in {one.chance for one in step.alerts}

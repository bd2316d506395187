"""The choices stand side by side with what each takes, and one of them is recommended with a reason."""

from __future__ import annotations

from types import ModuleType

import msgspec
import pytest

from mimir_migrate.inspection.findings import judge
from mimir_migrate.model.facts import Inspection, Pod, Workload
from mimir_migrate.model.findings import Choice
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.choices import UnderWay, choices
from mimir_migrate.plans.costs import KEY_READ_LIMIT, MONTH, WRITE_PRICE, RingLoad, ring_load
from mimir_migrate.plans.timing import rollout_duration


def by_id(inspection: Inspection, build: ModuleType) -> dict[str, Choice]:
    """The choices of an inspection."""
    findings = judge(inspection, target=build.TARGET)
    return {choice.id: choice for choice in choices(inspection, build.TARGET, findings)}


def without_dynamodb(inspection: Inspection, *others: str) -> Inspection:
    """The images offer no DynamoDB, and what is named."""
    return msgspec.structs.replace(
        inspection,
        offers=tuple(
            msgspec.structs.replace(offer, stores=("memberlist", "multi", *others))
            for offer in inspection.offers
        ),
    )


def test_stay_some_and_all_are_offered(build: ModuleType) -> None:
    """Staying takes nothing; some is the ruler's ring; exactly one is recommended."""
    found = by_id(build.own(), build)

    assert list(found) == ["stay", "some", "all"]
    assert found["stay"].rollouts == 0
    assert found["stay"].cost_per_month == 0
    assert found["some"].rings == ("ruler",)
    assert len(found["all"].rings) == 5
    recommended = [choice for choice in found.values() if choice.recommended]
    assert len(recommended) == 1
    assert recommended[0].reason


@pytest.mark.parametrize(
    ("product", "state", "some", "every"),
    [
        (Product.MIMIR, StoreState.MEMBERLIST, 2, 2),
        (Product.CORTEX, StoreState.MEMBERLIST, 3, 3),
        (Product.CORTEX, StoreState.MEMBERLIST_DYNAMODB, 2, 2),
        (Product.MIMIR, StoreState.MEMBERLIST_DYNAMODB, 1, 1),
        (Product.CORTEX, StoreState.DYNAMODB_MEMBERLIST, 1, 1),
        (Product.MIMIR, StoreState.DYNAMODB, 2, 2),
        (Product.CORTEX, StoreState.DYNAMODB, 3, 3),
    ],
)
def test_rollouts_are_counted_from_where_the_rings_stand(
    build: ModuleType, product: Product, state: StoreState, some: int, every: int
) -> None:
    """A ring that follows the runtime configuration needs one rollout less across the middle."""
    found = by_id(build.own(state, product), build)

    assert found["some"].rollouts == some
    assert found["all"].rollouts == every


def test_without_a_runtime_file_every_ring_takes_three(build: ModuleType) -> None:
    """Nobody follows a switch then."""
    inspection = build.own(StoreState.MEMBERLIST, Product.MIMIR)
    for facts in inspection.pods:
        runtime = msgspec.structs.replace(facts.runtime, file="")
        inspection = build.with_facts(inspection, facts.pod.name, runtime=runtime)

    assert by_id(inspection, build)["all"].rollouts == 3


def test_what_is_not_offered_is_not_possible(build: ModuleType) -> None:
    """The reason names the image, and staying is recommended for it."""
    found = by_id(without_dynamodb(build.own()), build)

    assert not found["all"].possible
    assert "cortex:1.21.1 offers no dynamodb" in found["all"].why_not
    assert found["stay"].recommended
    assert found["stay"].reason == found["all"].why_not


def test_stock_mimir_is_told_of_the_bridge_once_and_not_recommended_it(build: ModuleType) -> None:
    """With the move that is not possible; never for Cortex, and not where the bridge is chosen already."""
    mimir = without_dynamodb(build.own(StoreState.MEMBERLIST, Product.MIMIR), "consul")

    found = by_id(mimir, build)

    assert [name for name, choice in found.items() if "ring bridge" in str(choice)] == ["all"]
    assert "experimental" in found["all"].why_not
    assert found["stay"].recommended
    assert "bridge" not in str(by_id(without_dynamodb(build.own(), "consul"), build))
    assert "bridge" not in str(
        by_id(without_dynamodb(build.own(StoreState.MEMBERLIST, Product.MIMIR)), build)
    )


def test_an_unknown_image_is_not_possible_either(build: ModuleType) -> None:
    """Unknown blocks here as well."""
    inspection = msgspec.structs.replace(build.own(), offers=())

    assert "not known" in by_id(inspection, build)["all"].why_not


def test_a_healthy_memberlist_is_recommended_to_stay(build: ModuleType) -> None:
    """Nothing is moved without a reason to; the reason carries the numbers."""
    found = by_id(build.own(), build)

    assert found["stay"].recommended
    assert "10 s" in found["stay"].reason


def test_a_migration_that_was_begun_is_to_be_ended(build: ModuleType) -> None:
    """Two stores at once are no place to stay."""
    found = by_id(build.own(StoreState.MEMBERLIST_DYNAMODB), build)

    assert found["all"].recommended


def test_broken_gossip_is_mended_first(build: ModuleType) -> None:
    """A migration needs whole gossip to begin."""
    name = build.name_of(build.own(), "ruler")
    inspection = build.with_facts(
        build.own(),
        name,
        gossip=msgspec.structs.replace(build.facts_of(build.own(), "ruler").gossip, members=()),
    )

    found = by_id(inspection, build)

    assert found["stay"].recommended
    assert "mend gossip" in found["stay"].reason


def test_on_dynamodb_the_rollback_is_what_is_offered(build: ModuleType) -> None:
    """Then staying costs and going back does not."""
    found = by_id(build.own(StoreState.DYNAMODB), build)

    assert "dynamodb" in found["stay"].title
    assert found["stay"].visibility_delay == 10
    assert (found["stay"].cost_per_month or 0) > 0
    assert "memberlist" in found["all"].title
    assert found["all"].cost_per_month == 0
    assert found["stay"].recommended


def test_what_makes_staying_safer_is_said(build: ModuleType) -> None:
    """Only what this cluster lacks."""
    lacking = build.own()
    for facts in lacking.pods:
        config = msgspec.structs.replace(
            facts.gossip_config, rejoin_interval=0.0, cluster_label="", join_members=("10.0.0.1",)
        )
        lacking = build.with_facts(lacking, facts.pod.name, gossip_config=config)

    assert by_id(build.own(), build)["stay"].gains == ()
    advice = " ".join(by_id(lacking, build)["stay"].gains)
    assert "rejoin_interval" in advice
    assert "cluster_label" in advice
    assert "dns+" in advice


def test_visibility_is_gossip_or_the_poll(build: ModuleType) -> None:
    """About a second against puller_sync_time."""
    found = by_id(build.own(), build)

    assert found["stay"].visibility_delay == 1
    assert found["all"].visibility_delay == 10


def test_a_ring_too_hot_for_one_key_is_not_possible(build: ModuleType) -> None:
    """A ring is one partition key, and a key has its limits."""
    inspection = build.own()
    members = tuple(
        msgspec.structs.replace(
            build.small_cluster.member_of(inspection.pods[0].pod, 0.0, 512), id=f"i-{number}"
        )
        for number in range(2000)
    )
    inspection = build.with_view(inspection, "distributor", "ingester", members=members)

    found = by_id(inspection, build)

    assert not found["all"].possible
    assert "partition key" in found["all"].why_not
    assert found["some"].possible


def test_the_cost_of_a_ring_is_heartbeats_and_polls(build: ModuleType) -> None:
    """Two rulers at 5 s, each item 1 KB in a transaction; polls of 1 read unit at most."""
    inspection = build.own()

    load = ring_load(inspection, "ruler", poll=10.0)

    assert load is not None
    assert load.writes == pytest.approx(2 * 2 * 1 / 5)
    assert load.reads == pytest.approx(0.5 * (2 / 10 + 2 / 5))
    assert load.fits


def test_an_older_client_writes_without_transactions(build: ModuleType) -> None:
    """Before 1.20 a put costs half."""
    inspection = build.own()
    for facts in build.own().pods:
        older = msgspec.structs.replace(facts.build, version="1.18.0")
        inspection = build.with_facts(inspection, facts.pod.name, build=older)

    newer = ring_load(build.own(), "ruler", poll=10.0)
    older_load = ring_load(inspection, "ruler", poll=10.0)

    assert newer is not None
    assert older_load is not None
    assert older_load.writes == newer.writes / 2


def test_a_month_is_priced_by_the_unit() -> None:
    """One write unit a second for 730 hours, at the price for a million."""
    load = RingLoad(ring="ruler", writes=1.0, reads=0.0)

    assert load.month == pytest.approx(MONTH * WRITE_PRICE / 1e6)
    assert not RingLoad(ring="ruler", writes=0.0, reads=KEY_READ_LIMIT + 1).fits


def test_a_cost_that_cannot_be_computed_is_unknown(build: ModuleType) -> None:
    """Without a heartbeat period there is no number, rather than a wrong one."""
    inspection = build.with_every_view(build.own(), "ruler", heartbeat_period=None)

    found = by_id(inspection, build)

    assert found["some"].cost_per_month is None
    assert found["all"].cost_per_month is None


def test_a_rollout_lasts_as_long_as_its_slowest_workload(build: ModuleType) -> None:
    """StatefulSets go pod by pod with a stop and a start each; zones go one after the other."""
    base = build.own()
    alone = msgspec.structs.replace(
        base,
        workloads=(
            Workload(
                kind="StatefulSet", name="ingester", replicas=3, termination_grace_seconds=1200.0
            ),
        ),
    )
    zones = msgspec.structs.replace(
        base,
        workloads=tuple(
            Workload(
                kind="StatefulSet",
                name=f"ingester-zone-{zone}",
                replicas=10,
                max_unavailable=50,
                rollout_group="ingester",
                termination_grace_seconds=60.0,
            )
            for zone in "abc"
        ),
    )

    found = rollout_duration(alone)

    assert (found.low, found.high) == (3 * 100, 3 * (100 + 1200))
    assert "ingester" in found.basis
    rolled = rollout_duration(zones)
    assert (rolled.low, rolled.high) == (3 * 100, 3 * (100 + 60))


def test_a_rollout_takes_what_its_own_pods_take(build: ModuleType) -> None:
    """Where ingesters take 50 s each, a pod that starts in 3 s makes no rollout of them quick."""
    base = build.own()
    quick, slow = base.pods[0].pod, base.pods[1].pod

    def taking(pod: Pod, owner: str, seconds: float, restarts: int = 0) -> Pod:
        return msgspec.structs.replace(
            pod,
            owner=owner,
            created_at=1000.0,
            ready_since=1000.0 + seconds,
            restarts=restarts,
        )

    pods = (
        taking(quick, "overrides", 3.0),
        taking(slow, "ingester", 50.0),
        taking(slow, "ingester", 900.0, restarts=2),
    )
    inspection = msgspec.structs.replace(
        base,
        pods=tuple(msgspec.structs.replace(base.pods[0], pod=pod) for pod in pods),
        workloads=(
            Workload(kind="Deployment", name="overrides", replicas=1, termination_grace_seconds=5),
            Workload(
                kind="StatefulSet",
                name="ingester",
                replicas=3,
                termination_grace_seconds=20,
                min_ready_seconds=30,
            ),
        ),
    )

    found = rollout_duration(inspection)

    assert (found.low, found.high) == (3 * (50 + 30), 3 * (50 + 30 + 20))
    assert found.basis.startswith("ingester decides, 3 times one after the other")


def test_the_last_pod_of_a_deployment_ends_in_its_grace(build: ModuleType) -> None:
    """New pods come first; only the last old one is waited for."""
    base = build.own()
    inspection = msgspec.structs.replace(
        base,
        workloads=(
            Workload(
                kind="Deployment",
                name="querier",
                replicas=4,
                surge=1,
                max_unavailable=1,
                termination_grace_seconds=30,
            ),
        ),
    )

    found = rollout_duration(inspection)

    assert (found.low, found.high) == (2 * 100, 2 * 100 + 30)


@pytest.mark.parametrize("back", [True, False])
def test_while_a_run_is_not_over_nothing_but_its_own_end_is_recommended(
    build: ModuleType, back: bool
) -> None:
    """In the middle of a rollback nobody is sent anywhere: the choice is to let it end."""
    inspection = build.own(StoreState.MEMBERLIST_DYNAMODB)
    to = Store.MEMBERLIST if back else Store.DYNAMODB
    run = UnderWay(run="cortex-1", to=to, rings=(), going_back=back)

    found = choices(inspection, build.TARGET, judge(inspection, target=build.TARGET), run)

    (recommended,) = [choice for choice in found if choice.recommended]
    titles = {
        True: "Let the rollback to memberlist end",
        False: "Move all rings to dynamodb",
    }
    assert recommended.title == titles[back]
    assert "let it end" in recommended.reason
    assert ("rolled back" in recommended.reason) is back


def test_more_rollouts_take_longer(build: ModuleType) -> None:
    """The range is ordered, and its basis is told."""
    found = by_id(build.own(), build)

    assert 0 < found["all"].duration_low <= found["all"].duration_high
    assert "rollouts of" in found["all"].duration_basis
    assert found["stay"].duration_high == 0

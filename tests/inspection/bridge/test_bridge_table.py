"""Whose a table is, before a bridge is asked to serve it: in words, not as a replica that is not ready."""

from __future__ import annotations

from collections.abc import Callable

import bridged
import msgspec
import release as fake
import small_cluster
from builders import TARGET

from mimir_migrate.bridge import head
from mimir_migrate.inspection.findings import judge
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.inspection.rules import bridge_table as rules
from mimir_migrate.model.facts import Bridge, Inspection, Member, MemberState, RingHead
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import KubernetesTarget, TableTarget, Target

BASE = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="mimir"),
    dynamodb=TableTarget(table=fake.TABLE),
)
THROUGH = bridged.target(BASE)
Change = Callable[[Inspection], Inspection]


def heads(*clusters: str, format_: str = "1") -> tuple[RingHead, ...]:
    rings = ("ingester", "ruler", "compactor")
    return tuple(
        RingHead(ring=ring, table=fake.TABLE, ring_key=f"{ring}/key", cluster=name, format=format_)
        for ring, name in zip(rings, clusters, strict=False)
    )


def found(
    *clusters: str,
    format_: str = "1",
    change: Change = lambda seen: seen,
    target: Target = THROUGH,
    to: Store = Store.DYNAMODB,
) -> dict[str, Finding]:
    """The findings of these rules where heads are of these clusters."""
    seen = msgspec.structs.replace(
        change(bridged.release(StoreState.MEMBERLIST)), heads=heads(*clusters, format_=format_)
    )
    return {one.id: one for one in judge(seen, target=target, to=to) if one.id in rules.RULES}


def started(cluster: str, table: str = fake.TABLE, replicas: int = 3) -> Change:
    """Replicas that serve, and say what they were started with."""

    def change(seen: Inspection) -> Inspection:
        for number in range(replicas):
            seen = bridged.with_page(seen, number, cluster=cluster, table=table)
        return seen

    return change


def refusing(cluster: str) -> Change:
    """Replicas that end themselves at once: only their pods' arguments tell."""

    def change(seen: Inspection) -> Inspection:
        assert seen.bridge is not None
        for number, one in enumerate(seen.bridge.replicas):
            pod = msgspec.structs.replace(
                one.pod,
                args=("bridge", "serve", f"--cluster={cluster}"),
                waiting_reason="CrashLoopBackOff",
            )
            seen = bridged.with_replica(
                seen, number, pod=pod, page=None, reason="connection refused"
            )
        return seen

    return change


def absent(seen: Inspection) -> Inspection:
    return msgspec.structs.replace(seen, bridge=Bridge())


def test_the_table_of_ones_own_cluster_is_nothing_to_say() -> None:
    """Nor one without a head; nor any, where rings leave it."""
    assert found("prod", "prod", change=started("prod")) == {}
    assert found(change=started("prod")) == {}
    assert found("observability-mimir", change=absent) == {}
    assert found("prod", change=started("dev"), to=Store.MEMBERLIST) == {}


def test_two_clusters_on_one_table_are_named_before_a_run_starts() -> None:
    """Also where the replicas refused to serve, and are only seen to start again and again."""
    for change in (started("dev"), refusing("dev")):
        taken = found("prod", "prod", change=change)["bridge-table-taken"]

        assert taken.severity is Severity.BLOCKS
        assert taken.rings == ("ingester", "ruler")
        assert "belong to the cluster prod" in taken.title
        assert "started for dev, and refuses" in taken.title
        assert "--cluster=prod" in taken.fix


def test_a_replica_that_does_not_answer_is_told_with_what_kubernetes_says_of_it() -> None:
    """The plan's step waits for it; the log has the reason."""
    seen = refusing("dev")(bridged.release(StoreState.MEMBERLIST))
    missing = [
        one for one in judge(seen, target=THROUGH, to=Store.DYNAMODB) if one.id == "bridge-missing"
    ]

    assert [one.severity for one in missing] == [Severity.INFORMS]
    assert "connection refused; CrashLoopBackOff" in missing[0].evidence[0].detail


def test_a_bridge_that_is_not_there_yet_may_be_started_with_the_name_in_the_table() -> None:
    """So it is a warning, with both names."""
    taken = found("prod", change=absent)["bridge-table-taken"]

    assert taken.severity is Severity.WARNS
    assert "another --cluster refuses" in taken.title


def test_replicas_of_different_clusters_are_told_apart() -> None:
    """A rollout of the bridge that stands halfway."""
    taken = found("prod", change=lambda seen: started("dev", replicas=1)(started("prod")(seen)))

    assert "prod, dev" in taken["bridge-table-taken"].title or "dev, prod" in (
        taken["bridge-table-taken"].title
    )


def test_a_format_that_is_not_known_is_named() -> None:
    """A newer bridge was here."""
    taken = found("prod", format_="2", change=started("prod"))["bridge-table-taken"]

    assert "format" in taken.title
    assert str(head.FORMAT) == rules.FORMAT


def test_a_client_of_the_pods_own_is_kept_off_a_bridges_table() -> None:
    """Its members look left over, because their heartbeats are in the heads; they live."""
    taken = found("prod", change=absent, target=BASE)["bridge-table-taken"]

    assert taken.severity is Severity.BLOCKS
    assert "A ring bridge keeps ingester" in taken.title


def test_members_of_a_bridge_elsewhere_are_never_called_left_over() -> None:
    """What stands still in their items beats in the head; nobody is told to delete them."""
    cluster = small_cluster.SmallCluster(Product.CORTEX, StoreState.MEMBERLIST)
    cluster.dynamodb["rings"] = small_cluster.ring_table()
    cluster.ring_items["ingester"] = (
        Member(
            id="ingester-9",
            address="10.9.9.9:9095",
            state=MemberState.ACTIVE,
            timestamp=7,
            tokens=(1,),
        ),
    )

    def ids() -> set[str]:
        seen = inspect(cluster.world(), TARGET, wait_for_heartbeat=True)
        return {one.id for one in judge(seen, target=TARGET, to=Store.DYNAMODB)}

    assert "table-in-use" in ids()
    assert "bridge-table-taken" not in ids()

    cluster.heads["ingester"] = RingHead(
        ring="ingester", table="rings", ring_key="collectors/ring", cluster="prod", format="1"
    )

    assert "table-in-use" not in ids()
    assert "bridge-table-taken" in ids()


def test_replicas_on_another_table_than_the_targets_are_named() -> None:
    """Stores are compared in the target's table, where nothing would ever be."""
    other = found(change=started("prod", table="rings-of-dev"))["bridge-other-table"]

    assert other.severity is Severity.BLOCKS
    assert "rings-of-dev" in other.title

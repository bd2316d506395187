"""Plans through the ring bridge: the same states and moves, written as Consul, and the bridge proven."""

from __future__ import annotations

import bridged
import msgspec
import planning
import pytest
import release as fake
import yaml

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.errors import UsageError
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate, Plan, StepKind, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans.planner import Order, make_plan

FILE = planning.example(Product.MIMIR)
TARGET = bridged.target(planning.target(Product.MIMIR), heartbeat_timeout="4m")


def plan(
    seen: Inspection,
    to: Store,
    files: tuple[SourceFile, ...] = (FILE,),
    *,
    target: Target = TARGET,
    strategy: Strategy = Strategy.AUTO,
    rings: tuple[str, ...] = (),
    restore: tuple[FileEdit, ...] = (),
    returning: bool = False,
) -> Plan:
    return make_plan(
        seen,
        target,
        Order(to=to, rings=rings, strategy=strategy, returning=returning),
        files,
        origin=planning.ORIGIN,
        restore=restore,
        blast_check=lambda *_: (),
    )


def start(**more: object) -> Inspection:
    """On memberlist, with the bridge deployed."""
    return bridged.release(StoreState.MEMBERLIST, **more)


def ruler(file: SourceFile) -> dict[str, object]:
    values = yaml.safe_load(file.content)
    return values["mimir"]["structuredConfig"]["ruler"]["ring"]


def block(file: SourceFile) -> object:
    return (yaml.safe_load(file.content).get("runtimeConfig") or {}).get("multi_kv_config")


def test_the_way_to_the_bridge_has_the_moves_of_every_migration() -> None:
    """Table, proof of the bridge, then the five of a switch by the runtime configuration."""
    steps = plan(start(tables=()), Store.DYNAMODB).steps

    assert [step.id for step in steps] == [
        "tables",
        "bridge",
        "both",
        "mirror",
        "switch",
        "unmirror",
        "settle",
        "clear",
    ]
    assert steps[1].kind is StepKind.BRIDGE
    assert steps[1].after == (Gate.BRIDGE_READY, Gate.BRIDGE_CONSISTENT, Gate.BRIDGE_HEADROOM)


def test_every_state_is_written_as_consul_at_the_bridges_host() -> None:
    """In the rings and in the runtime block; the plan's own words stay the two stores'."""
    made = plan(start(), Store.DYNAMODB)
    texts = dict(zip([step.id for step in made.steps], planning.walk(made, (FILE,)), strict=True))

    both, switched, settled = (texts[name][0] for name in ("both", "switch", "settle"))
    consul = {"host": bridged.HOST, "acl_token": "${RING_BRIDGE_TOKEN}"}
    pair = {"primary": "memberlist", "secondary": "consul", "mirror_enabled": False}
    assert ruler(both)["kvstore"] == {"store": "multi", "multi": pair, "consul": consul}
    assert block(both) == {"primary": "memberlist", "mirror_enabled": False}
    assert block(switched) == {"primary": "consul", "mirror_enabled": True}
    assert ruler(settled)["kvstore"] == {"store": "consul", "consul": consul}
    assert b"dynamodb" not in settled.content
    switch = next(step for step in made.steps if step.id == "switch")
    assert switch.runtime == RuntimeBlock(primary="dynamodb", mirror_enabled=True)
    assert "primary: consul" in switch.diff
    written = ValuesFiles((settled,), product=Product.MIMIR, bridge=TARGET.through_bridge).view
    assert {config.state for config in written.rings.values() if config and config.store} == {
        StoreState.DYNAMODB
    }


def test_there_and_back_gives_the_bytes_from_before() -> None:
    """With the timeouts; the last step proves that nothing uses the bridge."""
    there = plan(start(timeout=60.0), Store.DYNAMODB)
    after = planning.walk(there, (FILE,))[-1]
    assert after[0].content != FILE.content
    made = [edit for step in there.steps for edit in step.edits]
    back = plan(
        bridged.release(StoreState.DYNAMODB),
        Store.MEMBERLIST,
        after,
        restore=tuple(file_edits.inverse(edit) for edit in reversed(made)),
    )

    assert planning.walk(back, after)[-1][0].content == FILE.content
    assert [step.id for step in back.steps][-2:] == ["clear", "unbridge"]
    assert back.steps[-1].after == (Gate.BRIDGE_UNUSED,)
    assert "kubectl --namespace observability delete deployment" in back.steps[-1].commands[0]


def test_short_timeouts_are_written_with_the_first_rollout() -> None:
    """Those that pods have too short, and no other; none where the target does not ask for it."""
    seen = start()
    name = fake.pod_of(seen, "ruler")
    seen = fake.with_view(seen, name, "ruler", heartbeat_timeout=60.0)

    made = plan(seen, Store.DYNAMODB)
    both = next(step for step in made.steps if step.id == "both")
    written = planning.walk(made, (FILE,))[[step.id for step in made.steps].index("both")][0]

    assert ruler(written)["heartbeat_timeout"] == "4m"
    longer = [one.path for one in both.paths if one.path.endswith("heartbeat_timeout")]
    assert longer == ["mimir.structuredConfig.ruler.ring.heartbeat_timeout"]
    silent = bridged.target(planning.target(Product.MIMIR))
    unasked = plan(seen, Store.DYNAMODB, target=silent)
    assert not [
        one.path
        for step in unasked.steps
        for one in step.paths
        if one.path.endswith("heartbeat_timeout")
    ]


def test_the_timeouts_come_back_only_once_no_pod_reads_the_bridge() -> None:
    """On the way back the first rollout and the switch leave them as they are."""
    there = plan(start(timeout=60.0), Store.DYNAMODB)
    after = planning.walk(there, (FILE,))[-1]
    made = [edit for step in there.steps for edit in step.edits]
    back = plan(
        bridged.release(StoreState.DYNAMODB),
        Store.MEMBERLIST,
        after,
        restore=tuple(file_edits.inverse(edit) for edit in reversed(made)),
    )

    for step, files in zip(back.steps, planning.walk(back, after), strict=True):
        reads = Store.DYNAMODB in step.primaries.values()
        longer = ruler(files[0]).get("heartbeat_timeout") == "4m"
        assert longer or not reads
    assert ruler(planning.walk(back, after)[-1][0])["heartbeat_timeout"] == "1m"


def test_gates_of_the_bridge_stand_where_pods_begin_to_depend_on_it() -> None:
    """None of them before a rollback: it has to be open while the bridge is dead."""
    steps = {step.id: step.before for step in plan(start(), Store.DYNAMODB).steps}

    of_the_bridge = {Gate.BRIDGE_READY, Gate.BRIDGE_CONSISTENT, Gate.BRIDGE_HEADROOM}
    assert of_the_bridge <= set(steps["both"])
    assert {
        *of_the_bridge,
        Gate.MIRROR_CLEAN,
        Gate.HEARTBEAT_TIMEOUTS,
        Gate.PODS_REACH_DYNAMODB,
        Gate.STORES_EQUAL,
    } <= set(steps["switch"])
    assert Gate.HEARTBEAT_TIMEOUTS in steps["settle"]
    switched = bridged.release(
        StoreState.MEMBERLIST_DYNAMODB,
        primaries=dict.fromkeys(fake.ON[Product.MIMIR], Store.DYNAMODB),
        block=RuntimeBlock(primary="dynamodb", mirror_enabled=True),
    )
    files = planning.walk(plan(start(), Store.DYNAMODB), (FILE,))[3]
    back = plan(switched, Store.MEMBERLIST, files, returning=True)
    ours = {gate for gate in Gate if gate.value.startswith(("bridge-", "mirror-", "heartbeat-"))}
    assert not ours & {gate for step in back.steps for gate in step.before}
    assert "unbridge" not in [step.id for step in back.steps]


def test_the_plan_says_what_the_bridge_is() -> None:
    """Experimental, a service on the write path, a client that upstream may remove; and to stay."""
    notes = " ".join(plan(start(), Store.DYNAMODB).notes)

    assert "Experimental: " in notes
    assert "stand-in for DynamoDB; never on AWS" in notes
    assert "write path" in notes
    assert "deprecation upstream has proposed" in notes
    assert "memberlist that works, stay there" in notes


def test_words_name_what_is_seen_on_a_pod() -> None:
    """`store: consul`, and the metric's own label."""
    made = plan(start(), Store.DYNAMODB)
    said = " ".join(
        " ".join((step.what, step.undo, step.way_back, *step.expected)) for step in made.steps
    )

    assert "`store: dynamodb`" not in said
    assert "names dynamodb" not in said
    assert "cortex_multikv_primary_store names consul" in said


def test_other_rings_on_the_bridge_keep_it() -> None:
    """The last step is only there when no ring is left on it."""
    files = planning.walk(plan(start(), Store.DYNAMODB), (FILE,))[-1]
    back = plan(bridged.release(StoreState.DYNAMODB), Store.MEMBERLIST, files, rings=("ruler",))
    assert "unbridge" not in [step.id for step in back.steps]


def test_cortex_is_refused() -> None:
    """It has a client of its own."""
    target = bridged.target(planning.target(Product.CORTEX))
    with pytest.raises(UsageError, match="client of its own"):
        make_plan(
            fake.release(Product.CORTEX, StoreState.MEMBERLIST),
            target,
            Order(to=Store.DYNAMODB),
            (planning.example(Product.CORTEX),),
            origin=planning.ORIGIN,
        )


def test_a_plan_comes_through_json_as_it_was() -> None:
    """A runner reads it again from the journal."""
    made = plan(start(), Store.DYNAMODB)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Plan) == made

"""The planner: steps with edits that chain, that can be taken back, and that explain themselves."""

from __future__ import annotations

from functools import cache

import msgspec
import planning
import pytest
import release as fake

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values import loaded, rewrite
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView
from mimir_migrate.documents.yaml.positions import Node, Text, parse
from mimir_migrate.errors import BlockedError, EditRefusedError, UsageError
from mimir_migrate.model.facts import Evidence, Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import Gate, Plan, Step, StepKind, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import DeployMethod, TerraformTarget
from mimir_migrate.plans.facts import compare, facts_of
from mimir_migrate.plans.files.blast import differences as blast_differences
from mimir_migrate.plans.planner import Order, make_plan
from mimir_migrate.plans.refusals import refuse_blocked

WAYS = [
    (Product.MIMIR, (), Strategy.AUTO),
    (Product.MIMIR, ("ruler",), Strategy.AUTO),
    (Product.MIMIR, (), Strategy.STATIC),
    (Product.CORTEX, (), Strategy.AUTO),
    (Product.CORTEX, ("ruler",), Strategy.AUTO),
    (Product.CORTEX, (), Strategy.STATIC),
]
BLOCK = {"dynamodb", "memberlist"}


@cache
def both_ways(product: Product, rings: tuple[str, ...], strategy: Strategy) -> tuple[Plan, Plan]:
    return planning.forth_and_back(product, rings, strategy)


@cache
def mimir() -> Plan:
    return both_ways(Product.MIMIR, (), Strategy.AUTO)[0]


@pytest.mark.parametrize(
    ("product", "rings", "strategy", "there", "back"),
    [
        (
            *WAYS[0],
            ["tables", "both", "mirror", "switch", "unmirror", "settle", "clear"],
            ["both", "mirror", "switch", "unmirror", "settle", "clear"],
        ),
        (
            *WAYS[3],
            ["tables", "both", "switch", "swap", "settle", "clear"],
            ["both", "switch", "swap", "settle", "clear"],
        ),
        (*WAYS[4], ["tables", "both", "swap", "settle"], ["both", "swap", "settle"]),
        (*WAYS[5], ["tables", "both", "swap", "settle"], ["both", "swap", "settle"]),
    ],
)
def test_the_steps_of_each_way(
    product: Product, rings: tuple[str, ...], strategy: Strategy, there: list[str], back: list[str]
) -> None:
    """Which steps, in which order; restarts are rollouts, the others are not."""
    forward, return_ = both_ways(product, rings, strategy)
    assert [step.id for step in forward.steps] == there
    assert [step.id for step in return_.steps] == back
    rolls = {"both", "swap", "settle"}
    for step in (*forward.steps, *return_.steps):
        wanted = StepKind.ROLLOUT if step.id in rolls else StepKind.RUNTIME
        assert step.kind is (StepKind.TABLES if step.id == "tables" else wanted), step.id
        assert step.crossing is (step.id in {"switch", "swap"})


@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_edits_chain_and_the_rollback_gives_the_same_bytes(
    product: Product, rings: tuple[str, ...], strategy: Strategy
) -> None:
    """Each edit is made for what the one before left; the last one back leads to the start."""
    there, back = both_ways(product, rings, strategy)
    files = (planning.example(product),)
    before = files[0].content
    after = planning.walk(there, files)
    for step, texts in zip(there.steps, after, strict=True):
        for edit in step.edits:
            assert edit.before_sha256 == file_edits.sha256(before)
            assert edit.after_sha256 == file_edits.sha256(texts[0].content)
        before = texts[0].content
    home = planning.walk(back, after[-1])[-1]
    assert home == files
    assert file_edits.sha256(home[0].content) == file_edits.sha256(files[0].content)


@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_the_files_say_what_each_step_says(
    product: Product, rings: tuple[str, ...], strategy: Strategy
) -> None:
    """After each step the values give every chosen ring the step's state, and the step's block."""
    there, back = both_ways(product, rings, strategy)
    files: tuple[SourceFile, ...] = (planning.example(product),)
    first = ValuesFiles(files, product=product).view
    for plan in (there, back):
        for step, texts in zip(plan.steps, planning.walk(plan, files), strict=True):
            if step.kind is StepKind.TABLES:
                continue
            view = ValuesFiles(texts, product=product).view
            check_values(step, view, plan.rings)
            unchosen = set(view.rings) - set(plan.rings)
            assert {name: view.rings[name] for name in unchosen} == {
                name: first.rings[name] for name in unchosen
            }
        files = planning.walk(plan, files)[-1]


def check_values(step: Step, view: ValuesView, rings: tuple[str, ...]) -> None:
    """The values and the step tell the same."""
    for ring in rings:
        config = view.rings[ring]
        state = config.state if config is not None and config.store else StoreState.MEMBERLIST
        assert state is step.states[ring], (step.id, ring)
        if config is not None and state is not None and state.is_multi:
            assert config.dynamodb is not None
            assert config.dynamodb.table_name == fake.TABLE
            assert config.dynamodb.puller_sync_time == "10s"
    have = view.runtime if view.runtime is not None and view.runtime.is_set else None
    assert have == step.runtime, step.id
    if have is not None:
        assert have.primary in BLOCK
        assert have.mirror_enabled is not None


@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_every_step_explains_itself(
    product: Product, rings: tuple[str, ...], strategy: Strategy
) -> None:
    """What, why, by hand, expected, how long and why so long, what it touches, undo, rollback."""
    for plan in both_ways(product, rings, strategy):
        for step in plan.steps:
            for text in (step.title, step.what, step.why, step.undo, step.way_back):
                assert len(text.split()) >= 3, step.id
            assert step.commands
            assert step.expected
            assert step.duration.basis
            assert step.duration.high >= step.duration.low >= 0
            assert step.touches
            assert step.edits or step.kind is StepKind.TABLES
            assert bool(step.diff) is bool(step.edits)
            assert bool(step.paths) is bool(step.edits)
        assert sum(step.closes_way_back for step in plan.steps) == 1
        assert all(step.soak for step in plan.steps if step.closes_way_back)


@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_the_gates_that_keep_members_in_sight_stand_where_they_must(
    product: Product, rings: tuple[str, ...], strategy: Strategy
) -> None:
    """Equal stores before every crossing; gossip whole before memberlist is read or left alone."""
    there, back = both_ways(product, rings, strategy)
    for plan in (there, back):
        for step in plan.steps:
            if step.kind is StepKind.TABLES:
                continue
            assert Gate.BLAST_RADIUS in step.before
            assert {Gate.SWITCH_FOLLOWED, Gate.RING_HEALTHY, Gate.USERS_FINE} <= set(step.after)
            assert (Gate.ROLLOUT_OVER in step.after) is (step.kind is StepKind.ROLLOUT)
            assert (Gate.STORES_EQUAL in step.before) is (
                step.crossing or step.id == "unmirror"
            ), step.id
            reads_new = step.crossing or step.id in {"unmirror", "settle"}
            assert (Gate.GOSSIP_WHOLE in step.before) is (reads_new and plan is back), step.id
            assert (Gate.PODS_REACH_DYNAMODB in step.before) is (reads_new and plan is there)
            assert (Gate.WAY_BACK_OPEN in step.before) is reads_new, step.id
            if step.mirror and any(state.is_multi for state in step.states.values()):
                assert Gate.STORES_EQUAL in step.after


def test_tables_are_made_only_where_they_are_missing() -> None:
    """A table that is there is not made again; one for each ring makes as many."""
    files = (planning.example(Product.CORTEX),)
    there = planning.start(Product.CORTEX, tables=(fake.TABLE,))
    assert planning.plan(there, Store.DYNAMODB, files).steps[0].id == "both"
    step = both_ways(*WAYS[3])[0].steps[0]
    assert step.id == "tables"
    (table,) = step.tables
    assert (table.name, table.region) == (fake.TABLE, "eu-west-1")
    assert table.deletion_protection
    assert "PAY_PER_REQUEST" in step.commands[0]
    assert "RingKey" in step.commands[0]


def test_tables_are_left_to_terraform_where_the_target_names_its_folder() -> None:
    """A missing one leaves no plan; a rollback needs none; one that is there changes nothing."""
    files = (planning.example(Product.CORTEX),)
    target = msgspec.structs.replace(
        planning.target(Product.CORTEX), terraform=TerraformTarget(dir="terraform")
    )

    def made(inspection: Inspection, to: Store) -> Plan:
        return make_plan(inspection, target, Order(to=to), files, origin=planning.ORIGIN)

    with pytest.raises(BlockedError, match=fake.TABLE) as raised:
        made(planning.start(Product.CORTEX), Store.DYNAMODB)

    assert "mimir-migrate terraform" in raised.value.hint
    there = planning.start(Product.CORTEX, tables=(fake.TABLE,))
    assert made(there, Store.DYNAMODB).steps[0].id == "both"
    assert made(planning.start(Product.CORTEX), Store.MEMBERLIST).steps == ()


def test_the_order_of_steps_survives_json() -> None:
    """A plan is data: encoded and decoded it is the same."""
    for way in WAYS:
        for plan in both_ways(*way):
            assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_a_blocking_finding_leaves_no_plan() -> None:
    """The message holds each finding's evidence and what to do; warnings come along with the plan."""
    blocking = Finding(
        id="store-not-offered",
        severity=Severity.BLOCKS,
        title="upstream has no dynamodb",
        evidence=(Evidence(source="pod x GET /config?mode=defaults", detail="no such block"),),
        fix="stay, or build your own",
    )
    warning = Finding(id="w", severity=Severity.WARNS, title="mind this")
    with pytest.raises(BlockedError) as caught:
        refuse_blocked((warning, blocking))
    for words in ("store-not-offered", "no such block", "stay, or build your own", "pod x"):
        assert words in caught.value.message
    assert "mind this" not in caught.value.message
    files = (planning.example(Product.CORTEX),)
    made = make_plan(
        planning.start(Product.CORTEX),
        planning.target(Product.CORTEX),
        planning.Order(to=Store.DYNAMODB),
        files,
        origin=planning.ORIGIN,
        findings=(warning,),
    )
    assert made.findings == (warning,)


def test_a_deploy_that_would_change_more_is_refused() -> None:
    """The blast radius is proven for each step before there is a plan."""
    files = (planning.example(Product.CORTEX),)
    asked = []

    def check(before: tuple[SourceFile, ...], after: tuple[SourceFile, ...]) -> tuple[str, ...]:
        asked.append((before, after))
        return ("Deployment/ruler: spec.replicas",) if len(asked) == 3 else ()

    with pytest.raises(BlockedError, match=r"Deployment/ruler: spec\.replicas"):
        planning.plan(planning.start(Product.CORTEX), Store.DYNAMODB, files, blast_check=check)
    assert len(asked) == 3


def test_the_blast_radius_is_configuration_and_checksums() -> None:
    """Anything else that differs between two renderings is told by object and path."""
    old = [manifest("a", replicas=2), manifest("gone")]
    new = [manifest("a", replicas=3, config="y", checksum="2"), manifest("new")]
    assert blast_differences(old, new) == (
        "Deployment/a: spec.replicas",
        "Deployment/gone: removed",
        "Deployment/new: added",
    )
    assert blast_differences([manifest("a")], [manifest("a", config="z", checksum="9")]) == ()


def test_the_blast_radius_keeps_types_apart() -> None:
    """To a cluster 1 is not `true`, although it is to Python."""
    old, new = manifest("a", replicas=1), manifest("a", replicas=True)

    assert blast_differences([old], [new]) == ("Deployment/a: spec.replicas",)


def manifest(
    name: str, *, replicas: int = 2, config: str = "x", checksum: str = "1"
) -> dict[str, object]:
    """A manifest with everything that may change and something that may not."""
    annotations = {"checksum/config": checksum}
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "data": {"mimir.yaml": config, "runtime.yaml": config},
        "spec": {"replicas": replicas, "template": {"metadata": {"annotations": annotations}}},
    }


def test_a_change_that_is_under_way_is_carried_on() -> None:
    """Edited and not deployed, or half rolled out: the step is marked begun and not gated again."""
    plan = mimir()
    files = (planning.example(Product.MIMIR),)
    both = plan.steps[1]
    texts = planning.walk(plan, files)[1]
    half = planning.plan(
        planning.start(Product.MIMIR, tables=(fake.TABLE,)), Store.DYNAMODB, texts
    )
    assert half.steps[0].id == "both"
    assert half.steps[0].begun
    assert not half.steps[0].edits
    assert Gate.RING_HEALTHY not in half.steps[0].before
    assert Gate.RING_HEALTHY in both.before
    assert [step.id for step in half.steps] == [step.id for step in plan.steps[1:]]


def test_a_rollback_is_open_while_something_is_unwell() -> None:
    """Its steps wait only for what keeps members in sight."""
    there = mimir()
    files = planning.walk(there, (planning.example(Product.MIMIR),))[-1]
    seen = planning.observed(Product.MIMIR, there.steps[-1], files=files)
    back = planning.plan(seen, Store.MEMBERLIST, files, returning=True)
    for step in back.steps:
        assert not {Gate.RING_HEALTHY, Gate.NOTHING_ELSE_MOVES, Gate.USERS_FINE} & set(step.before)
        if step.crossing:
            assert {Gate.STORES_EQUAL, Gate.GOSSIP_WHOLE} <= set(step.before)


def test_a_mirror_that_is_half_on_is_taken_out_without_asking_for_equal_stores() -> None:
    """The store that nobody reads and that was never filled is in no rollback's way."""
    there = mimir()
    mirror = next(step for step in there.steps if step.id == "mirror")
    number = there.steps.index(mirror)
    after = planning.walk(there, (planning.example(Product.MIMIR),))
    unmirrored = planning.observed(Product.MIMIR, there.steps[number - 1], files=after[number - 1])
    for returning in (True, False):
        back = planning.plan(unmirrored, Store.MEMBERLIST, after[number], returning=returning)
        assert back.steps[0].id == "unmirror"
        assert Gate.STORES_EQUAL not in back.steps[0].before


def test_only_the_chosen_rings_are_touched() -> None:
    """The others' settings keep their bytes, and they are in no step."""
    there, _ = both_ways(Product.MIMIR, ("ruler",), Strategy.AUTO)
    assert there.rings == ("ruler",)
    for step in there.steps:
        assert set(step.states) <= {"ruler"}
        assert all(
            "ruler" in path.path or path.path.startswith("runtimeConfig") for path in step.paths
        ), step.paths


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("rulers", "no ring named"),
        ("ha-tracker", "cannot be moved"),
        ("query-scheduler", "cannot be"),
    ],
)
def test_a_ring_that_cannot_be_moved_is_refused(asked: str, words: str) -> None:
    """Unknown, left where it is by design, or off: each with its reason."""
    files = (planning.example(Product.MIMIR),)
    with pytest.raises(UsageError, match=words):
        planning.plan(planning.start(Product.MIMIR), Store.DYNAMODB, files, rings=(asked,))


def test_bytes_that_do_not_come_back_give_the_canonical_form() -> None:
    """Where somebody changed the very lines since, the plan still leads home, and says so."""
    there, _ = both_ways(Product.CORTEX, ("ruler",), Strategy.STATIC)
    files = planning.walk(there, (planning.example(Product.CORTEX),))[-1]
    content = files[0].content.replace(fake.TABLE.encode(), b"another-table")
    assert content != files[0].content
    changed = (SourceFile(path=files[0].path, content=content),)
    made = [edit for step in there.steps for edit in step.edits]
    restore = tuple(file_edits.inverse(edit) for edit in reversed(made))
    seen = planning.observed(Product.CORTEX, there.steps[-1], files=changed)
    back = planning.plan(
        seen,
        Store.MEMBERLIST,
        changed,
        rings=("ruler",),
        strategy=Strategy.STATIC,
        restore=restore,
    )
    assert any("do not come back" in note for note in back.notes)
    view = ValuesFiles(planning.walk(back, changed)[-1], product=Product.CORTEX).view
    config = view.rings["ruler"]
    assert config is not None
    assert config.state is StoreState.MEMBERLIST


def test_an_unrelated_change_since_then_is_kept() -> None:
    """The bytes of our places come back around somebody's edit elsewhere."""
    there, _ = both_ways(Product.CORTEX, ("ruler",), Strategy.STATIC)
    start = planning.example(Product.CORTEX)
    files = planning.walk(there, (start,))[-1]
    changed = (
        SourceFile(path=files[0].path, content=files[0].content + b"\n# a note of somebody's\n"),
    )
    made = [edit for step in there.steps for edit in step.edits]
    restore = tuple(file_edits.inverse(edit) for edit in reversed(made))
    seen = planning.observed(Product.CORTEX, there.steps[-1], files=changed)
    back = planning.plan(
        seen,
        Store.MEMBERLIST,
        changed,
        rings=("ruler",),
        strategy=Strategy.STATIC,
        restore=restore,
    )
    home = planning.walk(back, changed)[-1][0].content
    assert home == start.content + b"\n# a note of somebody's\n"


def test_home_with_other_bytes_is_one_step_from_home() -> None:
    """All rings are back and the file still says it in our words: the bytes alone are restored."""
    start = (planning.example(Product.CORTEX),)
    ours = start[0].content.replace(
        b"kvstore: {store: memberlist}", b"kvstore: {store: 'memberlist'}"
    )
    assert ours != start[0].content
    files = (SourceFile(path=start[0].path, content=ours),)
    made = file_edits.from_texts(start[0].path, start[0].content, ours)
    last = planning.plan(
        planning.start(Product.CORTEX, tables=(fake.TABLE,)),
        Store.MEMBERLIST,
        files,
        restore=(file_edits.inverse(made),),
    )
    assert [step.id for step in last.steps] == ["restore"]
    assert last.steps[0].kind is StepKind.RUNTIME
    assert not last.steps[0].crossing
    assert planning.walk(last, files)[-1] == start


# --- facts --------------------------------------------------------------------------------------


def facts(inspection: Inspection, files: tuple[SourceFile, ...]) -> tuple[object, ...]:
    return facts_of(inspection, planning.target(inspection.product), ("ingester", "ruler"), files)


MATTERS = {
    "cluster": lambda i: identity(i, cluster_uid="another"),
    "namespace": lambda i: identity(i, namespace="another"),
    "release": lambda i: identity(i, release="another"),
    "aws account": lambda i: identity(i, account="999999999999"),
    "aws region": lambda i: identity(i, region="us-east-1"),
    "product": lambda i: msgspec.structs.replace(i, product=Product.MIMIR),
    "ring ruler: configuration": lambda i: fake.release(
        Product.CORTEX, StoreState.MEMBERLIST, states={"ruler": StoreState.MEMBERLIST_DYNAMODB}
    ),
    "ring ruler: primary": lambda i: fake.release(
        Product.CORTEX, StoreState.MEMBERLIST, states={"ruler": StoreState.DYNAMODB}
    ),
    f"table {fake.TABLE}": lambda i: msgspec.structs.replace(i, tables={fake.TABLE: None}),
    "images": lambda i: fake.with_pod(i, "cortex-ruler-0", image="example.test/cortex:2"),
    "chart version": lambda i: helm(i, chart_version="9.9.9"),
}
LOOSE = {
    "release revision": lambda i: helm(i, revision=42),
    "replicas of cortex-ruler": lambda i: fake.with_workload(i, "ruler", replicas=3),
}


def identity(inspection: Inspection, **fields: str) -> Inspection:
    changed = msgspec.structs.replace(inspection.identity, **fields)
    return msgspec.structs.replace(inspection, identity=changed)


def helm(inspection: Inspection, **fields: object) -> Inspection:
    assert inspection.release is not None
    changed = msgspec.structs.replace(inspection.release, **fields)
    return msgspec.structs.replace(inspection, release=changed)


@pytest.mark.parametrize("name", [*MATTERS, *LOOSE])
def test_each_changed_fact_is_told_with_old_and_new(name: str) -> None:
    """What the plan rests on makes it stale; what it does not rest on is told and does not."""
    files = (planning.example(Product.CORTEX),)
    before = fake.release(Product.CORTEX, StoreState.MEMBERLIST)
    after = {**MATTERS, **LOOSE}[name](before)
    plan = planning.plan(before, Store.DYNAMODB, files, rings=("ingester", "ruler"))
    changes = {change.name: change for change in compare(plan, facts(after, files))}
    assert name in changes
    assert changes[name].matters is (name in MATTERS)
    assert changes[name].before != changes[name].after
    assert changes[name].before
    if name in MATTERS:
        assert changes[name].why


def test_a_changed_file_makes_the_plan_stale() -> None:
    """One byte more."""
    files = (planning.example(Product.CORTEX),)
    before = fake.release(Product.CORTEX, StoreState.MEMBERLIST)
    plan = planning.plan(before, Store.DYNAMODB, files)
    assert compare(plan, plan.facts) == ()
    changed = (SourceFile(path=files[0].path, content=files[0].content + b"#"),)
    found = compare(plan, facts_of(before, plan.target, plan.rings, changed))
    assert [change.name for change in found] == [f"file {files[0].path}"]
    assert found[0].matters


def test_pods_that_restart_or_heartbeats_that_go_on_change_no_fact() -> None:
    """A plan does not go stale by itself."""
    files = (planning.example(Product.CORTEX),)
    before = fake.release(Product.CORTEX, StoreState.MEMBERLIST)
    plan = planning.plan(before, Store.DYNAMODB, files)
    later = fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=fake.NOW + 900)
    later = fake.with_pod(later, "cortex-ruler-0", uid="another", ip="10.1.0.77")
    assert compare(plan, facts_of(later, plan.target, plan.rings, files)) == ()


def test_external_deploys_are_told_to_somebody_else() -> None:
    """The runbook says whom to wait for, and no rendering is asked for that there is not."""
    files = (planning.example(Product.CORTEX),)
    plan = planning.plan(
        planning.start(Product.CORTEX),
        Store.DYNAMODB,
        files,
        method=DeployMethod.EXTERNAL,
        blast_check=None,
    )
    step = plan.steps[1]
    assert Gate.BLAST_RADIUS not in step.before
    assert any("whatever deploys this release" in command for command in step.commands)


def test_a_file_that_cannot_be_edited_is_refused_with_its_place() -> None:
    """Nothing is planned on a file whose edit is not safe."""
    files = (SourceFile(path="values.yaml", content=b"config: [1, 2\n"),)
    with pytest.raises(EditRefusedError) as caught:
        planning.plan(planning.start(Product.CORTEX), Store.DYNAMODB, files)
    assert caught.value.path == "values.yaml"
    assert caught.value.refusal


@pytest.mark.parametrize("product", Product)
def test_a_plan_parses_each_content_of_a_values_file_once(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before and after each step, and none of them again; not for the proof of an edit either."""
    parsed: list[str] = []

    def counted(text: Text, **kinds: bool) -> list[Node]:
        parsed.append(text.original)
        return parse(text, **kinds)

    monkeypatch.setattr(loaded, "parse", counted)
    monkeypatch.setattr(rewrite, "parse", counted)

    file = planning.example(product)
    plan = planning.plan(planning.start(product), Store.DYNAMODB, (file,))

    content = file.content
    contents = {content.decode()}
    for step in plan.steps:
        for edit in step.edits:
            content = file_edits.apply(edit, content)
            contents.add(content.decode())
    assert len(contents) > 3
    assert sorted(parsed) == sorted(contents)

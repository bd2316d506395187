"""Plans made from a healthy release and the example values, step after step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import release as fake

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Plan, Step, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import (
    AwsTarget,
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.plans.planner import Order, Origin, applied, make_plan

ROOT = Path(__file__).parents[2]
EXAMPLES = {Product.MIMIR: "values.yaml", Product.CORTEX: "values-cortex.yaml"}
ORIGIN = Origin(plan_id="20260305-101500", created_at=fake.NOW, tool_version="0.1.0")


@cache
def example(product: Product) -> SourceFile:
    """The example values of a product, by a path relative to the repository."""
    path = f"examples/{EXAMPLES[product]}"
    return SourceFile(path=path, content=(ROOT / path).read_bytes())


def target(product: Product, *, method: DeployMethod = DeployMethod.HELM) -> Target:
    """A target without any path of a machine."""
    return Target(
        kubernetes=KubernetesTarget(namespace="observability", release=product.value),
        values=ValuesTarget(files=(example(product).path,)),
        aws=AwsTarget(region="eu-west-1"),
        dynamodb=TableTarget(table=fake.TABLE, puller_sync_time="10s"),
        deploy=DeployTarget(
            method=method,
            chart="grafana/mimir-distributed" if product is Product.MIMIR else "cortex/cortex",
            version="5.8.0",
            command="make deploy",
        ),
    )


def plan(
    inspection: Inspection,
    to: Store,
    files: Sequence[SourceFile],
    *,
    rings: tuple[str, ...] = (),
    strategy: Strategy = Strategy.AUTO,
    restore: tuple[FileEdit, ...] = (),
    returning: bool = False,
    blast_check: Callable[..., tuple[str, ...]] | None = lambda *_: (),
    method: DeployMethod = DeployMethod.HELM,
) -> Plan:
    """A plan with fixed stamps."""
    return make_plan(
        inspection,
        target(inspection.product, method=method),
        Order(to=to, rings=rings, strategy=strategy, returning=returning),
        files,
        origin=ORIGIN,
        restore=restore,
        blast_check=blast_check,
    )


def observed(
    product: Product,
    step: Step,
    *,
    files: Sequence[SourceFile],
    tables: tuple[str, ...] = (fake.TABLE,),
) -> Inspection:
    """What is seen once a step is over."""
    view = ValuesFiles(files, product=product).view
    default = StoreState.MEMBERLIST
    states = {
        name: step.states.get(name)
        or ((config.state or default) if (config := view.rings.get(name)) else default)
        for name in fake.ON[product]
    }
    return fake.release(
        product,
        states=states,
        primaries=step.primaries,
        mirror=step.mirror,
        block=step.runtime or RuntimeBlock(),
        tables=tables,
        revision=2,
    )


def start(product: Product, *, tables: tuple[str, ...] = ()) -> Inspection:
    """Every ring on memberlist, and no table."""
    return fake.release(product, StoreState.MEMBERLIST, tables=tables)


def walk(plan: Plan, files: Sequence[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """The files after each step."""
    texts = tuple(files)
    found = []
    for step in plan.steps:
        texts = applied(texts, step.edits)
        found.append(texts)
    return found


@cache
def forth_and_back(
    product: Product, rings: tuple[str, ...] = (), strategy: Strategy = Strategy.AUTO
) -> tuple[Plan, Plan]:
    """A plan to DynamoDB, and the plan back with the bytes that were there before."""
    files = (example(product),)
    there = plan(start(product), Store.DYNAMODB, files, rings=rings, strategy=strategy)
    after = walk(there, files)[-1]
    made = [edit for step in there.steps for edit in step.edits]
    restore = tuple(file_edits.inverse(edit) for edit in reversed(made))
    back = plan(
        observed(product, there.steps[-1], files=after),
        Store.MEMBERLIST,
        after,
        rings=rings,
        strategy=strategy,
        restore=restore,
    )
    return there, back

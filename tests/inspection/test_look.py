"""One look of an operator: what values files and the Terraform folder say joins the other findings."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest

from mimir_migrate.errors import BlockedError, DocumentError, UnreachableError
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import (
    AwsTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    TerraformTarget,
    ValuesTarget,
)
from mimir_migrate.operations import Environment, Operations
from mimir_migrate.plans.planner import Order
from mimir_migrate.ports import TerraformText, World

TARGET = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="metrics"),
    values=ValuesTarget(files=("values.yaml",)),
    aws=AwsTarget(region="eu-west-1"),
    dynamodb=TableTarget(table="rings"),
)
GOOD = "config:\n  ruler:\n    ring:\n      kvstore:\n        store: memberlist\n"
WRONG = GOOD + "      colour: red\n"


class Files:
    """One values file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, path: str) -> bytes:
        if path != "values.yaml":
            raise DocumentError("no such file", path=path)
        return self.text.encode()

    def exists(self, path: str) -> bool:
        return path == "values.yaml"


class Renderer:
    """Cannot render; the files are what is deployed."""

    def render(self, files: Any) -> None:
        return None

    def values(self, files: Any) -> None:
        return None


class Folders:
    """A folder that makes no table."""

    def read(self, folder: str) -> TerraformText:
        return TerraformText(files={"main.tf": "locals { x = 1 }\n"})


def operations(world: World) -> Operations:
    """An operator who only looks."""

    def never(*_: Any) -> Any:
        raise AssertionError("looking changes nothing")

    class NoRuns:
        def list_runs(self) -> tuple[()]:
            return ()

    return Operations(
        Environment(
            store=NoRuns(),  # type: ignore[arg-type]
            clock=world.clock,
            world_for=lambda _: world,
            changes_for=never,
            recorder=never,
            spawn=never,
            who="olga@laptop",
            host="laptop",
            pid=1,
        )
    )


@pytest.fixture
def cluster(small: ModuleType) -> Any:
    found = small.SmallCluster()
    found.dynamodb["rings"] = small.ring_table()
    return found


def world_of(cluster: Any, text: str) -> World:
    return msgspec.structs.replace(
        cluster.world(), files=Files(text), renderer=Renderer(), terraform=Folders()
    )


def looked(cluster: Any, text: str = GOOD, target: Target = TARGET) -> dict[str, Finding]:
    look = operations(world_of(cluster, text)).look(target, to=Store.DYNAMODB, rings=("ruler",))
    return {finding.id: finding for finding in look.findings}


def test_a_key_that_the_running_binary_lacks_blocks(cluster: Any) -> None:
    """With its line; what the binary's own page shows is fine."""
    assert "unknown-keys" not in looked(cluster)

    found = looked(cluster, WRONG)["unknown-keys"]

    assert found.severity is Severity.BLOCKS
    assert [one.source for one in found.evidence] == ["values.yaml:6"]
    assert "config.ruler.ring.colour" not in found.title
    assert "ruler.ring.colour" in found.title


def test_a_binary_that_does_not_tell_what_it_knows_blocks(cluster: Any) -> None:
    """Nothing is wrong as far as anybody can see, and that is not enough."""
    cluster.answers["*", "/config?mode=defaults"] = UnreachableError("timed out")

    found = looked(cluster)["unknown-keys"]

    assert found.unknown
    assert found.severity is Severity.BLOCKS


def test_the_terraform_folder_is_judged_where_the_target_names_it(cluster: Any) -> None:
    """A table that is there and that Terraform does not make is told; without a folder it is not."""
    with_folder = msgspec.structs.replace(TARGET, terraform=TerraformTarget(dir="terraform"))

    assert "terraform-table-missing" not in looked(cluster)
    assert looked(cluster, target=with_folder)["terraform-table-missing"].evidence


def test_no_plan_goes_round_terraform(cluster: Any) -> None:
    """Where Terraform makes the tables, a missing one blocks before anything is planned."""
    del cluster.dynamodb["rings"]
    target = msgspec.structs.replace(TARGET, terraform=TerraformTarget(dir="terraform"))

    with pytest.raises(BlockedError, match="table-missing") as raised:
        operations(world_of(cluster, GOOD)).plan(
            target, Order(to=Store.DYNAMODB, rings=("ruler",))
        )

    assert "mimir-migrate terraform" in raised.value.message

"""What `clean`, `rbac` and `terraform` say where rings are on the ring bridge."""

from __future__ import annotations

import json
from pathlib import Path

import bridged
import pytest
import release as fake

from mimir_migrate.cli.permissions import manifests
from mimir_migrate.cli.terraforming import assess_folder
from mimir_migrate.documents.bridge_manifest import BRIDGE_ACTIONS
from mimir_migrate.errors import UsageError
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.leftovers import Leftovers
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import AwsTarget, KubernetesTarget, Target
from mimir_migrate.runs.leftovers import ItemPlace, Seen, leftovers

BASE = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="mimir"),
    aws=AwsTarget(region="eu-west-1"),
)
THROUGH = bridged.target(BASE)


def test_nothing_of_the_bridges_table_is_offered() -> None:
    """Not an item that nobody here writes, not the table that a run made."""
    seen = bridged.release(StoreState.MEMBERLIST)
    old = bridged.release(StoreState.DYNAMODB, at=fake.NOW - 90_000).table_items("ingester")
    found = leftovers(
        Seen(
            inspection=seen,
            target=THROUGH,
            tables=dict(seen.tables),
            places=(
                ItemPlace(
                    ring="ingester",
                    table=fake.TABLE,
                    ring_key="collectors/ring",
                    before=old,
                    after=old,
                ),
            ),
            empty={fake.TABLE: True},
            made=(TableSpec(name=fake.TABLE, region="eu-west-1"),),
        )
    )

    assert Leftovers(at=seen.at, found=found).removable == ()
    table = next(one for one in found if one.name == f"bridge-table/{fake.TABLE}")
    assert "only the bridge may write" in table.kept_because
    assert not any(one.name == "permissions" for one in found)


def test_the_block_that_switched_rings_rest_on_is_not_offered() -> None:
    """It is no leftover while a ring is on both stores."""
    seen = bridged.release(
        primaries=dict.fromkeys(fake.ON[Product.MIMIR], Store.DYNAMODB),
        block=RuntimeBlock(primary="dynamodb", mirror_enabled=True),
    )
    found = leftovers(Seen(inspection=seen, target=THROUGH, tables=dict(seen.tables)))
    assert not any(one.name == "runtime-block" for one in found)


def test_rbac_prints_the_bridges_policy_and_none_for_the_pods() -> None:
    """They need no right at all."""
    text = manifests(THROUGH)
    assert all(action in text for action in BRIDGE_ACTIONS)
    assert "pods' role" not in text
    assert json.dumps("dynamodb:UpdateItem") not in text


def test_terraform_is_refused_for_what_it_would_write(tmp_path: Path) -> None:
    """A policy of the pods that use a client of their own."""
    import argparse

    (tmp_path / "target.toml").write_text(
        '[kubernetes]\nnamespace = "mimir"\n[terraform]\ndir = "."\n'
        '[dynamodb]\ntable = "rings"\nthrough = "bridge"\n'
        '[bridge]\nservice = "ring-bridge.mimir.svc"\n'
    )
    options = argparse.Namespace(
        target=str(tmp_path / "target.toml"), product="mimir", rings="all", trust_target=False
    )
    with pytest.raises(UsageError, match="need no right"):
        assess_folder(options)

"""The values of a twin: fewer replicas, no secrets, everything else as the release has it."""

from __future__ import annotations

import pytest
import yaml

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.furnishing import example_path
from mimir_migrate.sandbox.rehearsal_twin import REPLACED, twin_values

VALUES = yaml.safe_load("""
config:
  blocks_storage: {s3: {secret_access_key: hunter2, access_key_id: AKIA1, bucket_name: blocks}}
  ingester: {lifecycler: {num_tokens: 512, tokens_file_path: /data/tokens}}
ingester: {replicas: 30, autoscaling: {enabled: true}}
distributor: {replicas: 9}
querier: {replicas: 1}
query_frontend: {enabled: false}
""")


def test_replicas_are_scaled_down_and_it_is_said_from_what() -> None:
    """What replicates keeps three, the others two; what is off stays off."""
    found, told = twin_values(VALUES, Product.CORTEX, 40)
    assert found["ingester"]["replicas"] == 3
    assert found["distributor"]["replicas"] == 2
    assert found["querier"]["replicas"] == 1
    assert "replicas" not in found["query_frontend"]
    assert "ingester: 3 of 30 replicas" in told
    assert "autoscaling" not in found["ingester"]


def test_secrets_are_replaced_and_named_by_their_place_alone() -> None:
    """Their text is neither in the twin nor in what is told; tokens of rings are none."""
    found, told = twin_values(VALUES, Product.CORTEX, 40)
    s3 = found["config"]["blocks_storage"]["s3"]
    assert s3 == {
        "secret_access_key": REPLACED,
        "access_key_id": REPLACED,
        "bucket_name": "blocks",
    }
    assert found["config"]["ingester"] == VALUES["config"]["ingester"]
    assert "config.blocks_storage.s3.secret_access_key" in " ".join(told)
    assert "hunter2" not in " ".join(told)
    assert VALUES["config"]["blocks_storage"]["s3"]["secret_access_key"] == "hunter2"


def test_a_small_machine_gets_one_pod_of_each_and_a_tiny_one_is_refused() -> None:
    """Three ingesters stay: fewer would be another ring."""
    found, _ = twin_values(VALUES, Product.CORTEX, 9)
    assert (found["ingester"]["replicas"], found["distributor"]["replicas"]) == (3, 1)
    with pytest.raises(UsageError, match="this machine carries 2"):
        twin_values(VALUES, Product.CORTEX, 2)


@pytest.mark.parametrize("product", list(Product))
def test_the_examples_fit(product: Product) -> None:
    """With every setting of their configuration as it is."""
    values = yaml.safe_load(example_path(product).read_text())
    found, _ = twin_values(values, product, 30)
    key = "config" if product is Product.CORTEX else "mimir"
    assert found[key] == values[key]

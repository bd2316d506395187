"""Which version of the product a sandbox pretends to run, by the generation of its DynamoDB client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts import mimir as mimir_chart

_CORTEX: Final[Mapping[str, tuple[str, str]]] = {
    # Client → the image's tag, and what `cortex_build_info` says: nothing in a build of a branch.
    "1.16": ("v1.16.0", "1.16.0"),
    "1.20": ("v1.20.1", "1.20.1"),
    "master": ("master-a8c6358", ""),
}


def app_version_of(product: Product, client: str) -> str:
    """The tag of the image."""
    return mimir_chart.APP_VERSION if product is Product.MIMIR else _CORTEX[client][0]


def build_version_of(product: Product, client: str) -> str:
    """What the pods say in `cortex_build_info`."""
    return mimir_chart.APP_VERSION if product is Product.MIMIR else _CORTEX[client][1]

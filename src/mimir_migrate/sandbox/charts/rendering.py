"""Renders values as the charts mimir-distributed and cortex would, as far as this tool touches them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts import cortex as cortex_chart
from mimir_migrate.sandbox.charts import mimir as mimir_chart
from mimir_migrate.sandbox.charts.manifests import Release
from mimir_migrate.sandbox.charts.values import load_values, merged_values


def release_of(
    product: Product,
    *,
    name: str = "",
    namespace: str = "observability",
    app_version: str = "",
    speed: float = 1.0,
) -> Release:
    """The release of a product with the chart version that the sandbox simulates.

    Args:
        product: Which chart.
        name: The release's name; left out: the product's.
        namespace: Where it runs.
        app_version: The image's tag where the values give none; left out: the chart's.
        speed: What grace periods are divided by.
    """
    chart = mimir_chart if product is Product.MIMIR else cortex_chart
    return Release(
        name=name or product.value,
        namespace=namespace,
        chart=chart.CHART,
        chart_version=chart.CHART_VERSION,
        app_version=app_version or chart.APP_VERSION,
        speed=speed,
    )


def values_root(product: Product, text: bytes, path: str) -> tuple[str, ...]:
    """Keys down to the chart's values: none, or the chart's name in an umbrella chart's values."""
    found = load_values(text, path)
    chart = mimir_chart.CHART if product is Product.MIMIR else cortex_chart.CHART
    own = "mimir" if product is Product.MIMIR else "config"
    if own not in found and isinstance(found.get(chart), dict):
        return (chart,)
    return ()


def render(
    product: Product, files: Sequence[tuple[str, bytes]], release: Release
) -> list[dict[str, Any]]:
    """The manifests of values files (path, content), the last one winning.

    Raises:
        DocumentError: A file is not a values file.
        UsageError: The values use something of the chart that is not simulated.
    """
    values = merged(product, files)
    if product is Product.MIMIR:
        return list(mimir_chart.MimirChart(values, release).manifests())
    return list(cortex_chart.CortexChart(values, release).manifests())


def merged(product: Product, files: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """Values files (path, content) laid over each other, down to the chart's own values."""
    root = values_root(product, files[-1][1], files[-1][0]) if files else ()
    return merged_values(files, root)

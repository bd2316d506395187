"""A release's values as a twin of it on one machine starts from them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts import cortex as cortex_chart
from mimir_migrate.sandbox.charts import mimir as mimir_chart
from mimir_migrate.sandbox.charts.manifests import Workload
from mimir_migrate.sandbox.charts.values import lay_over

MOST: Final[Mapping[str, int]] = {"ingester": 3, "store-gateway": 3, "alertmanager": 3}
"""Replicas that a twin keeps of components whose rings replicate; of the others 2."""
_MOST_OTHERS: Final = 2
_MEMORY: Final = 150_000_000
"""Bytes that a process of an empty cluster takes: 75 to 120 MB were seen, and a little more for queries."""
_SHARE: Final = 0.6
"""Of the memory that is free."""
_SECRET: Final = re.compile(
    r"(?:^|_)(?:password|secret|secret_key|secret_access_key|access_key|access_key_id|account_key|"
    r"api_key|bearer_token|credentials?|service_account)$",
    re.IGNORECASE,
)
REPLACED: Final = "replaced-by-the-rehearsal"


def room() -> int:
    """How many processes this machine carries."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return 20
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    free = int(found[1]) * 1024 if found else 20 * _MEMORY
    return max(1, int(free * _SHARE / _MEMORY))


def twin_values(
    values: Mapping[str, Any], product: Product, most_pods: int
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The values that the twin is deployed with, and in what they differ from the release's.

    Args:
        values: The release's own, all files laid over each other.
        product: Which product.
        most_pods: How many pods this machine carries.

    Raises:
        UsageError: Not even one pod of each component fits.
    """
    wanted, told = _replicas(values, product, most_pods)
    scaled = lay_over(values, {key: {"replicas": count} for key, count in wanted.items()})
    secrets: list[str] = []
    found = _without_secrets(scaled, (), secrets)
    if secrets:
        told.append(f"secrets are replaced: {', '.join(sorted(secrets))}")
    told.append("autoscalers are left out")
    for key in wanted:
        for name in ("kedaAutoscaling", "autoscaling"):
            if isinstance(found.get(key), dict):
                found[key].pop(name, None)
    return found, tuple(told)


def _replicas(
    values: Mapping[str, Any], product: Product, most_pods: int
) -> tuple[dict[str, int], list[str]]:
    now = {one.component: count for one, count in _enabled(values, product)}
    keys = {one.component: one.values_key for one, _ in _enabled(values, product)}
    least = {name: min(count, 3 if name == "ingester" else 1) for name, count in now.items()}
    usual = {name: min(count, MOST.get(name, _MOST_OTHERS)) for name, count in now.items()}
    chosen = usual if sum(usual.values()) <= most_pods else least
    if sum(chosen.values()) > most_pods:
        raise UsageError(
            f"the twin needs {sum(chosen.values())} pods at least, and this machine carries {most_pods}",
            hint=f"Free memory ({_MEMORY // 1_000_000} MB a pod), or rehearse without --binary.",
        )
    told = [
        f"{name}: {chosen[name]} of {count} replicas"
        for name, count in now.items()
        if chosen[name] != count
    ]
    return {keys[name]: count for name, count in chosen.items()}, told


def _enabled(values: Mapping[str, Any], product: Product) -> Iterator[tuple[Workload, int]]:
    """The components that run, with their replicas."""
    chart = mimir_chart if product is Product.MIMIR else cortex_chart
    for workload in chart.WORKLOADS:
        own = values.get(workload.values_key) or {}
        if own.get("enabled", workload.enabled):
            yield workload, int(own.get("replicas", workload.replicas) or 0)


def _without_secrets(value: Any, path: tuple[str, ...], secrets: list[str]) -> Any:
    """A copy without what nobody is to find in a folder of a rehearsal."""
    if isinstance(value, Mapping):
        copy: dict[str, Any] = {}
        for key, one in value.items():
            here = (*path, str(key))
            if isinstance(one, str) and one and _SECRET.search(str(key)):
                secrets.append(".".join(here))
                copy[key] = REPLACED
            else:
                copy[key] = _without_secrets(one, here, secrets)
        return copy
    if isinstance(value, list):
        return [_without_secrets(one, path, secrets) for one in value]
    return value

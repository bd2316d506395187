"""How long a ring waits for heartbeats, as values files say it.

That decides whether an outage of the ring bridge is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mimir_migrate.documents.values.files import ValuesFiles
from mimir_migrate.documents.values.ring_blocks import CONFIG_PATHS, at_path
from mimir_migrate.durations import read_duration
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.target_check import LEAST_HEARTBEAT_TIMEOUT

LEAST: Final = LEAST_HEARTBEAT_TIMEOUT
"""Seconds."""
_CHART: Final = {"ingester": "10m", "distributor": "4m", "store-gateway": "10m", "compactor": "4m"}
"""What the chart's own configuration sets (mimir-distributed 5.8.0, `mimir.config`)."""


def short_timeouts(values: ValuesFiles, rings: Sequence[str]) -> dict[str, str]:
    """The rings whose `heartbeat_timeout` is below `LEAST`, with what it is.

    One that cannot be read, such as a template's placeholder, counts as short.
    """
    found = {}
    for name in rings:
        ring = ring_named(values.product, name)
        if ring is None:
            continue
        path = (*CONFIG_PATHS[values.product], *ring.heartbeat_timeout_path)
        said = at_path(values.values, path)
        if said is None and values.product is Product.MIMIR:
            said = _CHART.get(name)
        said = ring.heartbeat_timeout if said is None else said
        seconds = read_duration(said)
        if seconds is None or seconds < LEAST:
            found[name] = str(said)
    return found

"""What `make real` runs: one row of its table for each procedure, product and kind of binary."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.bridging.setup import TOKEN
from mimir_migrate.sandbox.charts.rendering import merged
from mimir_migrate.sandbox.charts.values import lay_over
from mimir_migrate.sandbox.processes.binary import Binary
from mimir_migrate.sandbox.walking import Leg

_BEAT: Final = {"heartbeat_period": "5s", "heartbeat_timeout": "1m"}
_STEADY: Final = {**_BEAT, "wait_stability_min_duration": "5s"}
_KILLED: Final = ("runner-killed",)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    name: str
    product: Product
    what: str
    with_client: bool = True
    """Whether it is for binaries that have a DynamoDB client, or for those that have none."""
    rings: str = "all"
    strategy: str = "auto"
    advice: bool = False
    """Whether the plan is asked for the `min_ready_duration` that it advises."""
    back_too: bool = True
    """Whether it is rolled back afterwards."""
    through: str = ""
    """`bridge`: through the ring bridge; empty: by the pods' own client."""
    refused: bool = False
    """Whether the plan is to be refused."""
    there: dict[str, tuple[str, ...]] = {}
    """Step → faults on the way there."""
    back: dict[str, tuple[str, ...]] = {}
    """Step → faults of the rollback."""
    values: dict[str, Any] = {}
    """Laid over the example's values."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it was run."""

    row: str
    what: str = ""
    """What it is about, as it was run."""
    product: str
    version: str
    revision: str
    sha256: str
    at: str
    """The day, UTC."""
    tool: str
    passed: bool
    why: str = ""
    """What was not as it is to be; empty: nothing."""
    chart: str = ""
    """The chart that Helm rendered; empty: an imitation."""
    least: bool = False
    """Whether the tool was allowed what `rbac` prints and nothing else."""
    pods: int = 0
    up_seconds: float = 0.0
    findings: tuple[str, ...] = ()
    legs: tuple[Leg, ...] = ()


_HASTY_CORTEX: Final[dict[str, Any]] = {
    "config": {"ingester": {"lifecycler": {"min_ready_duration": "0s"}}}
}
_HASTY_MIMIR: Final[dict[str, Any]] = {
    "mimir": {"structuredConfig": {"ingester": {"ring": {"min_ready_duration": "0s"}}}}
}

ROWS: Final = (
    Row(
        name="cortex-auto",
        product=Product.CORTEX,
        what="all rings, auto (ingester by runtime, the others static), there and back, the runner killed in each step of both ways",
        there=dict.fromkeys(("tables", "both", "switch", "swap", "settle", "clear"), _KILLED),
        back=dict.fromkeys(("both", "switch", "swap", "settle", "clear"), _KILLED),
    ),
    Row(
        name="cortex-static",
        product=Product.CORTEX,
        what="all rings, static, there and back, the runner killed in each step",
        strategy="static",
        there={
            "both": ("runner-killed", "pod-killed"),
            "swap": _KILLED,
            "settle": _KILLED,
        },
        back=dict.fromkeys(("both", "swap", "settle"), _KILLED),
    ),
    Row(
        name="cortex-ruler",
        product=Product.CORTEX,
        what="the ruler's ring alone, there and back, with everything away for 30 s once",
        rings="ruler",
        there={"both": ("api-hangs",), "swap": ("dynamodb-away",), "settle": ("api-refuses",)},
    ),
    Row(
        name="cortex-hasty",
        product=Product.CORTEX,
        what="all rings, auto, without the advised `min_ready_duration`, there, the runner killed in each step: pushes may fail, and the report has to say how many",
        there=dict.fromkeys(("both", "switch", "swap", "settle", "clear"), _KILLED),
        back_too=False,
        values=_HASTY_CORTEX,
    ),
    Row(
        name="mimir-refused",
        product=Product.MIMIR,
        what="a build without a DynamoDB client is refused",
        with_client=False,
        refused=True,
    ),
    Row(
        name="mimir-bridge",
        product=Product.MIMIR,
        what="all rings of a build without a DynamoDB client through the ring bridge, there and back, a replica of the bridge killed once on each way, and the runner once",
        with_client=False,
        through="bridge",
        there={"mirror": ("bridge-killed",), "switch": ("bridge-killed",), "settle": _KILLED},
        back={"switch": ("bridge-killed",)},
        values={"global": {"extraEnv": [TOKEN]}},
    ),
    Row(
        name="mimir-runtime",
        product=Product.MIMIR,
        what="all rings by runtime, there and back, the runner killed in each step of both ways",
        there=dict.fromkeys(
            ("tables", "both", "mirror", "switch", "unmirror", "settle", "clear"), _KILLED
        ),
        back=dict.fromkeys(("both", "mirror", "switch", "unmirror", "settle", "clear"), _KILLED),
    ),
    Row(
        name="mimir-faults",
        product=Product.MIMIR,
        what="all rings with the query-scheduler's, there and back, each fault once and the runner killed in five of six steps, with the `min_ready_duration` that the plan offers",
        advice=True,
        there={
            "both": ("runner-killed", "pod-killed"),
            "mirror": ("api-hangs",),
            "switch": ("dynamodb-away",),
            "unmirror": _KILLED,
            "settle": ("api-refuses",),
            "clear": _KILLED,
        },
        back=dict.fromkeys(("mirror", "switch"), _KILLED),
        values=lay_over(
            _HASTY_MIMIR,
            {
                "mimir": {
                    "structuredConfig": {"query_scheduler": {"service_discovery_mode": "ring"}}
                }
            },
        ),
    ),
)
"""Every row, in the order in which they are run and shown."""


def offers_dynamodb(binary: Binary) -> bool:
    """Whether a binary's rings can be kept in DynamoDB."""
    return any(flag.endswith("dynamodb.table-name") for flag in binary.flags)


def rows_for(binary: Binary) -> tuple[Row, ...]:
    """The rows that a binary is for."""
    has = offers_dynamodb(binary)
    return tuple(row for row in ROWS if row.product is binary.product and row.with_client is has)


def values_of(row: Row, binary: Binary, example: Path) -> bytes:
    """The values that a row starts from: the example's, with short heartbeats, and few pods."""
    found = merged(row.product, [(str(example), example.read_bytes())])
    found = lay_over(found, _CORTEX if row.product is Product.CORTEX else _MIMIR)
    found = lay_over(found, row.values)
    if "memberlist.cluster-label" not in binary.flags:
        config = found.get("config") or {}
        (config.get("memberlist") or {}).pop("cluster_label", None)
    text: bytes = yaml.safe_dump(found, sort_keys=False, width=200).encode()
    return text


_CORTEX: Final[dict[str, Any]] = {
    "config": {
        "ingester": {
            "lifecycler": {
                "join_after": "2s",
                "observe_period": "2s",
                # A poll of 10 s and two heartbeats: what the plan advises.
                "min_ready_duration": "20s",
                "heartbeat_period": "5s",
            }
        },
        "store_gateway": {"sharding_ring": _STEADY},
        "compactor": {"sharding_ring": _STEADY},
        "ruler": {"ring": {"heartbeat_period": "5s"}},
        "alertmanager": {"sharding_ring": _BEAT},
        "runtime_config": {"period": "5s"},
    },
    "query_frontend": {"enabled": False},
}
_MIMIR: Final[dict[str, Any]] = {
    "mimir": {
        "structuredConfig": {
            "ingester": {"ring": {**_BEAT, "min_ready_duration": "20s"}},
            "distributor": {"ring": _BEAT},
            "store_gateway": {"sharding_ring": _STEADY},
            "compactor": {"sharding_ring": _STEADY},
            "ruler": {"ring": _BEAT},
            "alertmanager": {"sharding_ring": _BEAT},
            "query_scheduler": {"ring": _BEAT},
            "overrides_exporter": {"ring": _BEAT},
            "runtime_config": {"period": "5s"},
        }
    },
}

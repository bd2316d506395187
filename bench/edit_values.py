"""An edit of a large values file against a ruamel.yaml round trip of the same file.

Prints one JSON line for each of the two (best of five runs, peak memory of a process that does
nothing else) and one with the ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LINES = 4000
RUNS = 5
RINGS = ("ingester", "distributor", "store-gateway", "compactor", "ruler", "alertmanager")
EXAMPLE = Path(__file__).parents[1] / "examples" / "values.yaml"


def large_values(lines: int = LINES) -> bytes:
    """The example's values with as many tenants as make the wanted number of lines."""
    text = EXAMPLE.read_text()
    marker = "    # the platform team scrapes everything\n"
    tenants: list[str] = []
    missing = lines - text.count("\n")
    for number in range(missing // 8 + 1):
        tenants += [
            f"    # tenant {number}: owned by team {number % 17}",
            f'    "tenant-{number:04d}":',
            f"      ingestion_rate: {10_000 + number}      # samples a second",
            "      ingestion_burst_size: 200000",
            "      max_global_series_per_user: 1500000",
            "      ruler_max_rules_per_rule_group: 50",
            f"      compactor_blocks_retention_period: '{30 + number % 300}d'",
            "",
        ]
    return text.replace(marker, "\n".join(tenants[:missing]) + "\n" + marker).encode()


def ours(content: bytes) -> Callable[[], bytes]:
    """The edit by position, proof included, and the bytes it leads to."""
    from mimir_migrate.documents import edits
    from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, Wanted
    from mimir_migrate.model.stores import DynamoDBSettings, StoreState

    settings = DynamoDBSettings(region="eu-west-1", table_name="rings", puller_sync_time="10s")
    wanted = Wanted(
        states=dict.fromkeys(RINGS, StoreState.MEMBERLIST_DYNAMODB),
        mirror=True,
        dynamodb=dict.fromkeys(RINGS, settings),
    )

    def run() -> bytes:
        (made,) = ValuesFiles((SourceFile(path="values.yaml", content=content),)).edit(wanted)
        return edits.apply(made, content)

    return run


def baseline(content: bytes) -> Callable[[], bytes]:
    """The same settings through ruamel.yaml's round trip."""
    import edit_values_baseline

    from mimir_migrate.model.rings import Product, ring_named

    rings = {}
    for name in RINGS:
        ring = ring_named(Product.MIMIR, name)
        rings[ring.path] = {
            "store": "multi",
            "multi": {"primary": "memberlist", "secondary": "dynamodb", "mirror_enabled": True},
            "dynamodb": {
                "region": "eu-west-1", "table_name": "rings", "puller_sync_time": "10s",
            },
        }  # fmt: skip
    return lambda: edit_values_baseline.edit(content, rings)


def changed_lines(before: bytes, after: bytes) -> int:
    """Lines of the file before that are not in the file after."""
    import difflib

    old, new = before.decode().splitlines(), after.decode().splitlines()
    return sum(line.startswith("-") for line in list(difflib.unified_diff(old, new, n=0))[2:])


def measure(who: str) -> dict[str, object]:
    """Time and memory of one of the two, in this process."""
    content = large_values()
    run = {"ours": ours, "ruamel.yaml round trip": baseline}[who](content)
    times: list[float] = []
    cpu: list[float] = []
    after = b""
    for _ in range(RUNS):
        started, busy = time.perf_counter(), time.process_time()
        after = run()
        times.append(time.perf_counter() - started)
        cpu.append(time.process_time() - busy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "bench": "edit_values",
        "who": who,
        "lines": content.count(b"\n"),
        "seconds": round(min(times), 4),
        "cpu_seconds": round(min(cpu), 4),
        # Linux counts kilobytes, macOS bytes.
        "peak_mb": round(peak / (1024 if sys.platform != "darwin" else 1024**2), 1),
        "lines_lost_or_changed": changed_lines(content, after),
    }


def main() -> None:
    """Measure both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--who", help="measure one of the two in this process")
    chosen = parser.parse_args().who
    if chosen:
        print(json.dumps(measure(chosen)))
        return
    results = []
    for who in ("ours", "ruamel.yaml round trip"):
        command = [sys.executable, __file__, "--who", who]
        line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(line, end="", flush=True)
        results.append(json.loads(line))
    ratio = results[1]["seconds"] / results[0]["seconds"]
    print(json.dumps({"bench": "edit_values", "ratio": round(ratio, 1), "best_of": RUNS}))


if __name__ == "__main__":
    main()

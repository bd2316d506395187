"""A sandbox of real processes is one to this tool like any other; needs MIMIR_MIGRATE_BINARY."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.furnishing import example_path
from mimir_migrate.sandbox.processes.binary import read_binary
from mimir_migrate.sandbox.real_rows import rows_for, values_of

BINARY = os.environ.get("MIMIR_MIGRATE_BINARY", "")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not BINARY, reason="MIMIR_MIGRATE_BINARY names no binary"),
]


def test_every_ring_of_real_pods_is_seen_whole(tmp_path: Path) -> None:
    """No pod is unanswered, every ring has its members, the watch misses nobody."""
    binary = read_binary(BINARY)
    row = rows_for(binary)[0]
    values = tmp_path / "values.yaml"
    values.write_bytes(values_of(row, binary, example_path(row.product)))
    folder = tmp_path / "sb"
    commands.up(folder, product=row.product.value, binary=BINARY, values=str(values), bound=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mimir_migrate", "inspect", "--json"],
            env={
                **os.environ,
                "MIMIR_MIGRATE_STATE": str(tmp_path / "state"),
                "MIMIR_MIGRATE_TARGET": str(folder / "target.toml"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        rings = json.loads(done.stdout)["rings"]
        on = [ring for ring in rings if ring["enabled"] and ring["movable"]]
        assert on
        assert all(ring["state"] == "memberlist" and ring["members"] for ring in on)
        assert all(ring["unknown"] == [] for ring in on)
        assert commands.status(folder)["lost_sight"] == 0
    finally:
        commands.down(folder)

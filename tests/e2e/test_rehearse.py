"""`rehearse` from the command to the file beside the plan, on simulated pods, and that apply shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimir_migrate.sandbox import commands

pytestmark = pytest.mark.soak


def run(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MIMIR_MIGRATE_STATE": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "mimir_migrate", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plan_is_rehearsed_and_apply_shows_it(tmp_path: Path) -> None:
    """Nothing of the operator's cluster changes; a blocked one is told with 3 before anything starts."""
    cluster, state = tmp_path / "cluster", tmp_path / "state"
    target, plan = str(cluster / "target.toml"), tmp_path / "plan.json"
    commands.up(cluster, product="cortex", speed=60.0)
    try:
        made = run(
            state,
            *("plan", "--target", target, "--to", "dynamodb", "--rings", "ruler"),
            "-o",
            str(plan),
        )
        assert made.returncode == 0, made.stderr
        before = (cluster / "values.yaml").read_bytes()
        said = run(state, "rehearse", str(plan), "--json")
        assert said.returncode == 0, said.stderr
        kept = json.loads((tmp_path / "plan.rehearsal.json").read_bytes())
        assert kept["passed"]
        assert [leg["misses"] for leg in kept["legs"]] == [0, 0]
        assert (cluster / "values.yaml").read_bytes() == before
        assert "DynamoDB" in " ".join(kept["replaced"])
        applied = run(state, "apply", str(plan), "--yes")
        assert "rehearsed with simulated pods" in applied.stderr
    finally:
        commands.down(cluster)


def test_a_mimir_without_the_store_would_be_blocked(tmp_path: Path) -> None:
    """Exit 3, with the reason, and no twin."""
    cluster = tmp_path / "cluster"
    commands.up(cluster, product="mimir", speed=60.0)
    try:
        said = run(tmp_path / "state", "rehearse", str(cluster / "target.toml"))
        assert said.returncode == 3
        assert "it would be blocked" in said.stderr
    finally:
        commands.down(cluster)

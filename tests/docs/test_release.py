"""What `make release-check` asks of the archives in minutes, as far as it can be told in a moment."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = {".gitignore", "pyproject.toml"}
"""What the build takes along by itself."""
NOT_SHIPPED = {".ci/run"}
"""Tracked files that only a clone has a use for, as `scripts/release_check.py` has them."""


def test_the_sdist_takes_every_tracked_file_along() -> None:
    """By the lines of pyproject: a folder that came later is not forgotten, and no stray is tracked."""
    try:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a clone")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    lines = build["targets"]["sdist"]["include"]
    taken = pathspec.PathSpec.from_lines("gitignore", lines)
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert len(tracked) > 500
    assert {one for one in tracked if not taken.match_file(one)} == ALWAYS | NOT_SHIPPED

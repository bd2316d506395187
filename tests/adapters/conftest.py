"""What the tests of the adapters share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from program import FakeHelm


@pytest.fixture
def helm_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A `helm` first on PATH that keeps its releases in a file."""
    fake = FakeHelm(tmp_path / "helm-bin")
    monkeypatch.setenv("PATH", fake.path)
    return fake

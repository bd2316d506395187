"""What the tests of the adapters share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def _fakes(name: str) -> Any:
    """A module of `tests/fakes`, which is no package."""
    path = Path(__file__).parents[1] / "fakes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"fakes_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def helm_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A `helm` first on PATH that keeps its releases in a file."""
    fake = _fakes("program").FakeHelm(tmp_path / "helm-bin")
    monkeypatch.setenv("PATH", fake.path)
    return fake

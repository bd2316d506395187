"""Files of the tool's own making."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.adapters.new_files import create_new
from mimir_migrate.errors import UsageError


def test_a_new_file_is_written_once(tmp_path: Path) -> None:
    """What is there already stays as it is, byte for byte."""
    path = tmp_path / "rings.tf"

    create_new(str(path), b"first")
    with pytest.raises(UsageError, match="is there already"):
        create_new(str(path), b"second")

    assert path.read_bytes() == b"first"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the name that was asked for."""
    with pytest.raises(UsageError, match="gone"):
        create_new(str(tmp_path / "gone" / "rings.tf"), b"")

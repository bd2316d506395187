"""A binary is asked what it is before pods are made of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.processes import binary as module
from mimir_migrate.sandbox.processes.binary import binaries_of, linux_only, read_binary


def test_product_version_flags_and_hash_are_read(stand_in: Path) -> None:
    """Flags from -help where -help-all is not known, the version also after a line of something else."""
    found = read_binary(str(stand_in))
    assert found.product is Product.CORTEX
    assert (found.version, found.revision) == ("9.9.9-test", "abc123")
    assert "ruler.ring.instance-id" in found.flags
    assert len(found.sha256) == 64


@pytest.mark.parametrize("path", ["/bin/true", "/nonexistent/mimir", "/etc"])
def test_another_program_is_refused(path: str) -> None:
    """With what was found, before anything is started."""
    with pytest.raises(UsageError):
        read_binary(path)


def test_a_tag_names_the_image_that_a_binary_stands_for() -> None:
    """A path alone stands for every other image, also where it holds an equals sign."""
    assert binaries_of(["/a/mimir", "2.17.1=/b/mimir"]) == {"": "/a/mimir", "2.17.1": "/b/mimir"}
    assert binaries_of(["/a=b/mimir"]) == {"": "/a=b/mimir"}


def test_two_binaries_for_one_image_are_refused() -> None:
    """Nobody could say which of them a pod is to run."""
    with pytest.raises(UsageError, match="/a/mimir already"):
        binaries_of(["/a/mimir", "/b/mimir"])


def test_another_system_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux has the whole of 127.0.0.0/8 on loopback."""
    monkeypatch.setattr(module.sys, "platform", "darwin")
    with pytest.raises(UsageError, match=r"127\.0\.0\.0/8"):
        linux_only()
    assert sys.platform == "darwin"

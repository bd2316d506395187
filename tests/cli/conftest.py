"""What the tests of the command line share: the command as a process of its own, and an empty home."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from answers import Answer

COLOUR = "\x1b"


Cli = Callable[..., Answer]


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder in which a command is called."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(tmp_path: Path, place: Path) -> Cli:
    """Calls the command with nothing of this machine's: no kubeconfig, no AWS account, no terminal."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "MIMIR_MIGRATE_STATE": str(tmp_path / "state"),
        "KUBECONFIG": str(tmp_path / "home" / "no-kubeconfig"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

    def call(*arguments: str, code: int | None = None, **more: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "mimir_migrate", *arguments],
            cwd=place,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in answer.err, answer.err
        assert COLOUR not in answer.out + answer.err
        if code is not None:
            assert answer.code == code, answer
        return answer

    return call

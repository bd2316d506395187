"""What stands in the temporary folder goes with its process, and with a later one where that was killed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mimir_migrate.adapters.temporary import abandoned, temporary_folder
from mimir_migrate.adapters.values_files import private_copies

PREFIX = "mimir-migrate-values-"
HOLDS = """
import sys
from mimir_migrate.adapters.values_files import private_copies
with private_copies({"values.yaml": b"password: x"}) as copies:
    print(copies[0], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files that no other test uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def holder(place: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], Path]]]:
    """Begins processes that hold a copy of values, and tells where."""
    begun = []

    def begin() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(place)},
        )
        begun.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_a_killed_process_s_folder_is_found_and_a_living_one_s_is_not(place: Path, holder) -> None:
    """The system gives up the lock of a process, however that ends."""
    dead, left = holder()
    _, kept = holder()
    dead.kill()
    dead.wait()

    assert [folder for folder in abandoned(PREFIX) if left.is_file()] == [left.parent.parent]
    assert kept.is_file()


def test_copies_of_values_that_a_killed_process_left_go_once_no_deploy_can_read_them(
    place: Path, holder
) -> None:
    """Values hold secrets. Within a day a deploy that outlived its runner may still read them."""
    dead, left = holder()
    dead.kill()
    dead.wait()
    with private_copies({"values.yaml": b"a: b"}):
        assert left.is_file()

    owner = left.parent.parent / ".owner"
    long_ago = owner.stat().st_mtime - 100_000
    os.utime(owner, (long_ago, long_ago))
    with private_copies({"values.yaml": b"a: b"}):
        assert not left.is_file()
    assert list(place.iterdir()) == []


def test_a_folder_that_nobody_can_be_asked_about_is_left_alone(place: Path) -> None:
    """One without the file that its process locks is another program's, or is being made just now."""
    (place / f"{PREFIX}strange").mkdir()
    with temporary_folder(PREFIX) as own:
        assert list(abandoned(PREFIX)) == []
        assert (own.stat().st_mode & 0o777) == 0o700
    assert [path.name for path in place.iterdir()] == [f"{PREFIX}strange"]


def test_a_folder_has_its_name_only_once_it_is_locked(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else another process that begins just then would take it for one that was left."""
    named: list[list[Path]] = []
    lock = fcntl.flock

    def locked(descriptor: int, how: int) -> None:
        named.append(list(place.glob(f"{PREFIX}*")))
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", locked)
    with temporary_folder(PREFIX) as own:
        assert own.parent == place
        assert own.name.startswith(PREFIX)
    assert named == [[]]

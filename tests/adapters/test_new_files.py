"""Files of the tool's own making."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from mimir_migrate.adapters.new_files import create_new, write_new
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


def test_a_new_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full leaves neither half a record nor a draft; nor does it harm what stood there."""
    old = tmp_path / "old.json"
    old.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write, name in (
        (create_new, "VALUES.undo"),
        (write_new, "new.json"),
        (write_new, "old.json"),
    ):
        with pytest.raises(UsageError, match="No space left"):
            write(str(tmp_path / name), b"new")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"old.json": b"old"}


def test_a_new_file_is_on_disk_before_anything_rests_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's content, then the folder's entry: the edit that an undo record is of comes after both."""
    synced: list[str] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(stat.filemode(os.fstat(descriptor).st_mode)[0])
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    create_new(str(tmp_path / "VALUES.undo"), b"record")
    write_new(str(tmp_path / "plan.json"), b"plan")
    assert synced == ["-", "d", "-", "d"]


def test_a_file_system_without_links_takes_new_files_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And still writes over nothing."""

    def none(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    create_new(str(tmp_path / "rings.tf"), b"first")
    with pytest.raises(UsageError, match="is there already"):
        create_new(str(tmp_path / "rings.tf"), b"second")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"rings.tf": b"first"}


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_replaced_keeps_its_mode_and_what_is_new_has_the_usual_one(
    tmp_path: Path, *, is_there: bool
) -> None:
    """A plan that only its owner could read stays so; a script can be run in either case."""
    path = tmp_path / "plan.sh"
    if is_there:
        path.write_bytes(b"old")
        path.chmod(0o600)
    umask = os.umask(0o022)
    try:
        write_new(str(path), b"new", executable=True)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == (0o700 if is_there else 0o755)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is replaced."""
    (tmp_path / "real.yaml").write_bytes(b"old")
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    write_new(str(tmp_path / "link.yaml"), b"new")
    assert (tmp_path / "link.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """So is `/dev/stdout`, also as root, who could replace it for everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_new(str(pipe), b"new")
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_also_where_it_leads_to_a_file(tmp_path: Path) -> None:
    """`> out` makes `/dev/stdout` one; its file is still the one that the shell opened."""
    with (tmp_path / "out").open("wb") as file:
        opened = os.fstat(file.fileno()).st_ino
        write_new(f"/dev/fd/{file.fileno()}", b"new")
    assert (tmp_path / "out").read_bytes() == b"new"
    assert (tmp_path / "out").stat().st_ino == opened

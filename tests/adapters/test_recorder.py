"""A dry run writes down what it would do, and cannot do it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from mimir_migrate.adapters.files import DiskFiles
from mimir_migrate.adapters.recorder import OverlayFiles, RecordingChanges
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    LeaseClaim,
    ReleaseLease,
    TableSpec,
    TakeLease,
    WriteFile,
)
from mimir_migrate.model.edits import FileEdit, Hunk
from mimir_migrate.model.target import DeployMethod, DeployTarget

CLAIM = LeaseClaim(name="mimir-migrate", holder="a@b r 1", run="r", store="dynamodb", rings=())


def edit(path: Path, before: bytes, after: bytes) -> WriteFile:
    """An edit of the whole content."""
    return WriteFile(
        edit=FileEdit(
            path=str(path),
            before_sha256=sha256(before).hexdigest(),
            after_sha256=sha256(after).hexdigest(),
            hunks=(Hunk(start=0, before=before, after=after),),
        )
    )


def test_changes_are_kept_in_order_and_not_made(tmp_path: Path) -> None:
    """The list is what a real run would have done; the folder stays as it was."""
    path = tmp_path / "values.yaml"
    path.write_bytes(b"a")
    command = DeployTarget(method=DeployMethod.COMMAND, command=f"touch {tmp_path}/deployed")
    wanted: list[Change] = [
        TakeLease(claim=CLAIM),
        CreateTable(table=TableSpec(name="t", region="r")),
        edit(path, b"a", b"b"),
        Deploy(deploy=command, files=(str(path),), release="m", namespace="m"),
        ReleaseLease(claim=CLAIM),
    ]
    recorder = RecordingChanges()
    details = [recorder.perform(change).detail for change in wanted]

    assert list(recorder.changes) == wanted
    assert all(detail.startswith("dry run: would ") for detail in details)
    assert [entry.name for entry in tmp_path.iterdir()] == ["values.yaml"]
    assert path.read_bytes() == b"a"


def test_later_steps_see_the_recorded_edits(tmp_path: Path) -> None:
    """Edits of a file build on each other, whatever name it is read by."""
    path = tmp_path / "values.yaml"
    path.write_bytes(b"a")
    (tmp_path / "other.yaml").write_bytes(b"other")
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    recorder = RecordingChanges()
    overlay = OverlayFiles(DiskFiles(), recorder)

    contents = []
    for before, after in ((b"a", b"b"), (b"b", b"c")):
        recorder.perform(edit(path, before, after))
        contents.append((overlay.read(str(path)), overlay.read(str(link))))

    assert contents == [(b"b", b"b"), (b"c", b"c")]
    assert overlay.read(str(tmp_path / "other.yaml")) == b"other"
    assert path.read_bytes() == b"a"


def test_an_absent_file_stays_absent(tmp_path: Path) -> None:
    """The overlay makes no files."""
    overlay = OverlayFiles(DiskFiles(), RecordingChanges())

    assert not overlay.exists(str(tmp_path / "absent"))
    with pytest.raises(DocumentError):
        overlay.read(str(tmp_path / "absent"))


def test_there_is_nothing_in_it_to_write_with() -> None:
    """The recorder's module imports no adapter that touches the world."""
    import mimir_migrate.adapters.recorder as module

    source = Path(str(module.__file__)).read_text()

    assert "mimir_migrate.adapters" not in source
    assert vars(RecordingChanges()) == {"_changes": []}

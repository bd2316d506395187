"""A file is written whole or not at all, and never over somebody's change."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from mimir_migrate.adapters import files
from mimir_migrate.adapters.files import DiskFiles, apply_edit, write_atomically
from mimir_migrate.errors import DocumentError, FileChangedError
from mimir_migrate.model.edits import FileEdit, Hunk

OLD = b"mimir:\n  structuredConfig: {}  # as it was\n" * 2000
NEW = b"mimir:\n  structuredConfig: {a: 1}\r\n\xff" * 3000


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_bytes(OLD)
    return path


def test_the_content_is_replaced_and_nothing_is_left_beside(path: Path) -> None:
    """The file holds the new bytes, alone in its folder."""
    write_atomically(str(path), NEW, digest(OLD))

    assert path.read_bytes() == NEW
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_stays(path: Path, mode: int) -> None:
    """Whoever could read the file before can now, and nobody else."""
    path.chmod(mode)
    write_atomically(str(path), NEW, digest(OLD))

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    """The file that the link leads to is replaced, in its own folder."""
    link = tmp_path / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    write_atomically(str(link), NEW, digest(OLD))

    assert link.is_symlink()
    assert path.read_bytes() == NEW


def test_a_file_that_was_changed_since_is_left_alone(path: Path) -> None:
    """Somebody's edit is not lost: exit code 5, and the file is theirs."""
    path.write_bytes(b"theirs")
    with pytest.raises(FileChangedError, match="was changed since it was read") as refused:
        write_atomically(str(path), NEW, digest(OLD))

    assert refused.value.exit_code == 5
    assert path.read_bytes() == b"theirs"
    assert list(path.parent.iterdir()) == [path]


def test_a_change_in_the_last_moment_is_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that saves while the new content is being written wins."""
    original = files.write_beside

    def slow(target: Path, content: bytes, like: os.stat_result) -> Path:
        draft = original(target, content, like)
        path.write_bytes(b"theirs")
        return draft

    monkeypatch.setattr(files, "write_beside", slow)
    with pytest.raises(FileChangedError):
        write_atomically(str(path), NEW, digest(OLD))

    assert path.read_bytes() == b"theirs"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_told(path: Path, tmp_path: Path) -> None:
    """Absent, a folder, read-only, a link to itself: the message names the file and why."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "gone")
    path.chmod(0o444)

    for wrong, why in (
        (tmp_path / "absent.yaml", "no such file"),
        (tmp_path, "not a regular file"),
        (path, "read-only"),
        (loop, "links"),
        (dangling, "no such file"),
    ):
        with pytest.raises(DocumentError, match=why) as refused:
            write_atomically(str(wrong), NEW, digest(OLD))
        assert refused.value.path == str(wrong)
    assert path.read_bytes() == OLD


def test_reading_tells_why_it_cannot(path: Path, tmp_path: Path) -> None:
    """A file that is not there is exit code 2 with its path."""
    assert DiskFiles().read(str(path)) == OLD
    assert DiskFiles().exists(str(path))
    assert not DiskFiles().exists(str(tmp_path))
    with pytest.raises(DocumentError, match="no such file"):
        DiskFiles().read(str(tmp_path / "absent"))


def edit_of(path: Path) -> FileEdit:
    after = OLD[:7] + b"X" + OLD[8:]
    return FileEdit(
        path=str(path),
        before_sha256=digest(OLD),
        after_sha256=digest(after),
        hunks=(Hunk(start=7, before=OLD[7:8], after=b"X", lead=OLD[:7], trail=OLD[8:20]),),
    )


def test_an_edit_is_made_once(path: Path) -> None:
    """Repeating it changes nothing and is not an error."""
    edit = edit_of(path)

    assert apply_edit(edit)
    assert digest(path.read_bytes()) == edit.after_sha256
    assert not apply_edit(edit)


def test_an_edit_for_another_content_is_refused(path: Path) -> None:
    """A file that is neither what the edit was made for nor what it makes is left alone."""
    path.write_bytes(OLD + b"# more\n")
    with pytest.raises(FileChangedError, match="not what the edit was made for"):
        apply_edit(edit_of(path))

    assert path.read_bytes() == OLD + b"# more\n"


def test_an_edit_that_leads_elsewhere_is_refused(path: Path) -> None:
    """The result is checked against what was planned before anything is written."""
    edit = edit_of(path)
    wrong = FileEdit(
        path=edit.path,
        before_sha256=edit.before_sha256,
        after_sha256=digest(b"else"),
        hunks=edit.hunks,
    )
    with pytest.raises(FileChangedError, match="another content"):
        apply_edit(wrong)

    assert path.read_bytes() == OLD


class PowerCutError(BaseException):
    """Stands for the process ending where it is."""


CALLS = (
    (os, "open"),
    (os, "fdopen"),
    (os, "fchmod"),
    (os, "fsync"),
    (os, "replace"),
    (os, "rename"),
    (os, "close"),
    (files.tempfile, "mkstemp"),
)


@pytest.mark.parametrize("after", [False, True])
def test_an_error_at_any_call_leaves_one_whole_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Whichever call fails or is the last one, the file is the old or the new one; a repeat succeeds."""
    points = 0
    for point in range(100):
        path.write_bytes(OLD)
        with monkeypatch.context() as patched:
            count = arm(patched, point, after=after)
            try:
                write_atomically(str(path), NEW, digest(OLD))
            except (PowerCutError, DocumentError):
                points += 1
            finished = count[0] <= point

        assert path.read_bytes() in (OLD, NEW)
        if finished:
            break
        write_atomically(str(path), NEW, digest(path.read_bytes()))
        assert path.read_bytes() == NEW

    assert points >= 8


def arm(patched: pytest.MonkeyPatch, point: int, *, after: bool) -> list[int]:
    """Have the call number `point` of the system fail; returns the running count."""
    count = [0]

    def guarded(original: Callable[..., object]) -> Callable[..., object]:
        fdopen = original.__name__ == "fdopen"

        def call(*args: object, **kwargs: object) -> object:
            count[0] += 1
            due = count[0] == point + 1
            if due and not after:
                raise PowerCutError
            result = original(*args, **kwargs)
            if due and not fdopen:
                raise PowerCutError
            return result

        return call

    for module, name in CALLS:
        patched.setattr(module, name, guarded(getattr(module, name)))
    return count


KILLED = """
    import os, signal, sys
    from hashlib import sha256
    from pathlib import Path
    from mimir_migrate.adapters import files

    path, old, new = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()
    count = point = 0

    def guarded(original):
        def call(*args, **kwargs):
            global count
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)
        return call

    originals = {name: getattr(os, name) for name in ("open", "fdopen", "fchmod", "fsync", "replace", "rename", "close")}
    wrong = kills = 0
    while True:
        point += 1
        path.write_bytes(old)
        child = os.fork()
        if child == 0:
            for name, original in originals.items():
                setattr(os, name, guarded(original))
            files.write_atomically(str(path), new, sha256(old).hexdigest())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        wrong += path.read_bytes() not in (old, new)
        if os.WIFEXITED(status):
            break
        kills += 1
    files.write_atomically(str(path), old, sha256(new).hexdigest())
    print(kills, wrong, path.read_bytes() == old, len(list(path.parent.glob(".*"))))
"""


def test_sigkill_at_any_call_leaves_one_whole_file(path: Path, tmp_path: Path) -> None:
    """The process really dies before each system call in turn: old or new, whole, and writable again."""
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "new").write_bytes(NEW)
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), path, tmp_path / "old", tmp_path / "new"],
        check=True,
        capture_output=True,
        text=True,
    )
    kills, wrong, again, left = result.stdout.split()

    assert int(kills) >= 7
    assert (wrong, again, left) == ("0", "True", "0")

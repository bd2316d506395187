"""Whatever nobody foresaw ends a command in two lines, exit 1, and a file without secrets."""

from __future__ import annotations

import errno
import io
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mimir_migrate.adapters import unexpected
from mimir_migrate.adapters.redaction import learn
from mimir_migrate.adapters.unexpected import keep_details
from mimir_migrate.cli.guard import explain, guarded
from mimir_migrate.errors import ExitCode, MigrateError

SECRET = "Planted41aa-guard"


def boom(error: BaseException) -> int:
    """A command that ends in an error."""
    raise error


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


class UntoldError(Exception):
    """An error that fails at being told."""

    def __str__(self) -> str:
        raise ValueError(SECRET)


@pytest.mark.parametrize(
    "error",
    [
        KeyError("spec"),
        RuntimeError(f"token: {SECRET}"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        RecursionError(),
        MemoryError(),
        UntoldError(),
        ValueError("\ud800"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_nobody_foresaw_is_two_lines(
    error: Exception, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was being done, where the details are; the file is private and holds no secret."""
    assert guarded(lambda: boom(error), lambda: "inspect") == ExitCode.FAILED

    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == 2
    assert "inspect" in lines[0]
    assert type(error).__name__ in lines[0]
    assert said.out == ""
    (kept,) = (state / "errors").iterdir()
    assert str(kept) in lines[1]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    text = kept.read_text(errors="replace")
    assert "while: inspect" in text
    assert SECRET not in text + said.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "/x/y"), "demo: /x/y: No such file"),
        (OSError(errno.ENOSPC, "No space left"), "demo: what it writes: No space left"),
    ],
)
def test_what_a_disk_or_a_path_says_is_not_called_unforeseen(
    error: OSError, said: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path and the reason first, then what to look at; the details are kept all the same."""
    assert guarded(lambda: boom(error), lambda: "demo") == ExitCode.FAILED

    first, second = capsys.readouterr().err.splitlines()
    (kept,) = (state / "errors").iterdir()
    assert first == f"mimir-migrate: {said}"
    assert "run it again" in second
    assert str(kept) in second


def test_another_error_of_the_system_is_still_one_that_nobody_foresaw(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A bad descriptor is a fault of this program."""
    guarded(lambda: boom(OSError(errno.EBADF, "Bad file descriptor")), lambda: "demo")

    assert "nobody foresaw" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Still two lines, still exit 1."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "file" / "state"))

    assert guarded(lambda: boom(KeyError("x")), lambda: "plan") == ExitCode.FAILED
    assert "could not be written" in capsys.readouterr().err.splitlines()[1]


def test_an_interruption_is_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 130."""
    code = guarded(lambda: boom(KeyboardInterrupt()), lambda: "plan")

    assert code == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_an_error_of_this_package_has_its_secrets_taken_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Text of a server or a file may hold one that was learnt."""
    learn(SECRET)

    explain(MigrateError(f"it said {SECRET}", hint=f"Not {SECRET}"))

    assert capsys.readouterr().err == "mimir-migrate: it said [redacted]\n  -> Not [redacted]\n"


def test_only_the_newest_details_are_kept(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is called again and again fills no disk."""
    monkeypatch.setattr(unexpected, "MOST_FILES", 3)
    (state / "errors").mkdir(parents=True)
    for number in range(9):
        (state / "errors" / f"2000010{number}T000000-1.log").write_text("old")

    path = keep_details(KeyError("x"), "plan", state)

    left = sorted(one.name for one in (state / "errors").iterdir())
    assert left == ["20000107T000000-1.log", "20000108T000000-1.log", Path(path).name]


PROCESS = """
    import sys, threading, warnings, logging
    from mimir_migrate.cli import looking
    from mimir_migrate.__main__ import main

    class Leaves:
        def __del__(self):
            raise ValueError("in a destructor")

    def inspect(options):
        logging.getLogger("urllib3.connectionpool").warning("Retrying %s", "library text")
        warnings.warn("library text")
        thread = threading.Thread(target=lambda: {}["in a thread"])
        thread.start()
        thread.join()
        Leaves()
        raise RuntimeError("password: Planted41aa-guard")

    looking.inspect = inspect
    sys.argv = ["mimir-migrate", "inspect"]
    main()
"""


def test_a_process_says_nothing_else_either(state: Path) -> None:
    """Threads, destructors, warnings and logs of libraries: no traceback, no library text, no secret."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROCESS)],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=60,
        check=False,
    )

    assert done.returncode == ExitCode.FAILED
    assert done.stdout == ""
    for word in ("Traceback", "library text", SECRET, "destructor"):
        assert word not in done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if not line.startswith(("mimir-migrate: ", "  -> "))] == []
    assert len(lines) == 4
    kept = "".join(path.read_text() for path in (state / "errors").iterdir())
    assert "in a thread" in kept
    assert "in a destructor" in kept
    assert SECRET not in kept


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [120, 80])
def test_an_error_in_a_terminal_is_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """The hint goes on under its own beginning; in a pipe each is one line, see above."""
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    words = " ".join(f"--flag-number-{number}" for number in range(20))

    explain(MigrateError(f"it lacks {words}", hint=f"give {words}"))

    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert sum(line.split().count("--flag-number-7") for line in lines) == 2
    hint = lines[next(at for at, line in enumerate(lines) if line.startswith("  -> ")) + 1 :]
    assert all(line.startswith("     --flag") for line in hint)

"""Programs are started in one place, and nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import REDACTED, Redactor
from mimir_migrate.errors import CommandError, UsageError


@pytest.fixture
def programs() -> Programs:
    return Programs(Redactor({"DEPLOY_TOKEN": "correcthorse"}), grace=0.5)


def gone(pid: int) -> bool:
    """Whether a process ended, waiting for the system to clear it away."""
    for _ in range(1500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if (
            Path(f"/proc/{pid}/stat").exists()
            and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        ):
            return True
        time.sleep(0.02)
    return False


def test_output_and_return_code(programs: Programs) -> None:
    """Both streams are collected; a return code that is not checked is given back."""
    done = programs.run("echo out; echo err >&2; exit 3", check=False)

    assert (done.returncode, done.stdout, done.stderr_tail) == (3, "out\n", "err")


def test_words_are_not_interpreted(programs: Programs) -> None:
    """A list of words reaches the program as it is; a line goes through the shell."""
    assert programs.run(["echo", "$HOME; x"]).stdout == "$HOME; x\n"
    assert programs.run("echo $A", env={"A": "b c"}).stdout == "b c\n"


def test_it_runs_in_its_folder_with_an_empty_stdin(programs: Programs, tmp_path: Path) -> None:
    """A program that asks for input gets the end of it, whatever waits on this process's own stdin."""
    reader, writer = os.pipe()
    os.write(writer, b"not for children\n")
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)
    try:
        done = programs.run("pwd; cat; echo end", cwd=str(tmp_path))
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reader)

    assert done.stdout == f"{tmp_path}\nend\n"


def test_a_failure_names_the_command_the_code_and_the_end_of_stderr(programs: Programs) -> None:
    """What failed, how, and what it said last."""
    with pytest.raises(CommandError) as failed:
        programs.run("echo one >&2; echo cannot reach the server >&2; exit 4")

    assert failed.value.returncode == 4
    assert "exit code 4" in failed.value.message
    assert "cannot reach the server" in failed.value.message


def test_a_killed_program_is_told_by_its_signal(programs: Programs) -> None:
    """The signal's name stands in the message."""
    with pytest.raises(CommandError, match="SIGKILL"):
        programs.run("kill -KILL $$")


def test_secrets_are_taken_out_of_what_it_says(programs: Programs) -> None:
    """Of errors, and of the command itself; private keys span lines."""
    script = (
        "echo TOKEN=correcthorse >&2; echo '-----BEGIN PRIVATE KEY-----' >&2;"
        "echo MIIEkeymaterial >&2; echo '-----END PRIVATE KEY-----' >&2; echo after >&2; false correcthorse"
    )

    with pytest.raises(CommandError) as failed:
        programs.run(script)

    said = failed.value.message + failed.value.stderr
    assert "correcthorse" not in said
    assert "MIIEkeymaterial" not in said
    assert failed.value.stderr.endswith("after")
    assert REDACTED in failed.value.message


def test_a_timeout_ends_the_program_and_its_children(programs: Programs, tmp_path: Path) -> None:
    """Children in the group go with it, those that ignore SIGTERM too."""
    pids = tmp_path / "pids"
    script = f"trap '' TERM; (trap '' TERM; sleep 60) & echo $! >> {pids}; echo $$ >> {pids}; wait; sleep 60"

    def both_run(_pid: int) -> None:
        for _ in range(1500):
            if pids.exists() and len(pids.read_text().splitlines()) == 2:
                return
            time.sleep(0.02)
        raise AssertionError("it did not start its child")

    with pytest.raises(CommandError, match="did not end within") as failed:
        programs.run(script, timeout=0.1, on_start=both_run)

    assert failed.value.hint
    assert [gone(int(pid)) for pid in pids.read_text().split()] == [True, True]


def test_an_error_while_it_runs_leaves_no_program(programs: Programs) -> None:
    """When following it fails, the program is ended."""
    pids: list[int] = []

    def on_start(pid: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        programs.run("sleep 60", on_start=on_start)

    assert gone(pids[0])


def test_a_program_that_takes_too_long_may_clean_up(programs: Programs, tmp_path: Path) -> None:
    """SIGTERM comes first, and lets it end by itself before the grace is over."""
    cleaned = tmp_path / "cleaned"

    with pytest.raises(CommandError, match="did not end within"):
        programs.run(
            f"trap 'touch {cleaned}; exit' TERM; while :; do sleep 0.05; done", timeout=0.5
        )

    assert cleaned.exists()


def test_a_child_in_the_background_does_not_hold_it_up(programs: Programs, tmp_path: Path) -> None:
    """A command that returns before what it started is over: its pipes stay open, it is done."""
    pid_file = tmp_path / "pid"
    done = programs.run(f"sleep 60 & echo $! > {pid_file}; echo started", timeout=30)

    assert done.stdout == "started\n"
    # It lives on, so that there is something to end.
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_output_that_is_no_text(programs: Programs) -> None:
    """Bytes that are not UTF-8, also cut in the middle of a character, are replaced."""
    script = "import sys; sys.stdout.buffer.write(b'a\\xff\\xc3' + 'é'.encode() * 70000)"
    done = programs.run([sys.executable, "-c", script])

    assert done.stdout.startswith("a\ufffd\ufffdé")
    assert done.stdout.endswith("é")
    assert len(done.stdout) == 70003


def test_a_program_that_is_not_there(programs: Programs, tmp_path: Path) -> None:
    """The message names the program, or the folder."""
    with pytest.raises(UsageError, match="there is no program no-such-helm"):
        programs.run(["no-such-helm", "upgrade"])
    with pytest.raises(UsageError, match="there is no folder"):
        programs.run(["true"], cwd=str(tmp_path / "gone"))

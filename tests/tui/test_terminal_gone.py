"""When its terminal goes away, the app ends; it never stays behind as a process without a screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from mimir_migrate.widgets.terminal import LastingFile

PATIENCE = 120.0
"""Seconds for what takes three on an idle machine."""


TAKES_IT = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
RUNS = "import runpy, sys; sys.argv = ['mimir-migrate']; runpy.run_module('mimir_migrate', run_name='__main__')"


class Terminal:
    """The app on a pseudo terminal, which controls it or does not."""

    def __init__(self, folder: Path, *, controls: bool) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        self.process = subprocess.Popen(
            [sys.executable, "-c", (TAKES_IT if controls else "") + RUNS],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=folder,
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "MIMIR_MIGRATE_STATE": str(folder / "state"),
                "KUBECONFIG": str(folder / "none"),
            },
        )
        os.close(slave)

    def wait(self, text: bytes) -> None:
        """Read until the app draws a text."""
        end, seen = time.monotonic() + PATIENCE, b""
        while text not in seen:
            assert time.monotonic() < end, seen
            if select.select([self.master], [], [], 0.2)[0]:
                seen += os.read(self.master, 65536)

    def close(self) -> int:
        """Take the terminal away; the app's exit code once it ended."""
        os.close(self.master)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()


@pytest.mark.parametrize("controls", [True, False], ids=["controls", "does-not-control"])
def test_the_app_ends_with_its_terminal(tmp_path: Path, *, controls: bool) -> None:
    """With SIGHUP as from a closed window, and without, as over `docker exec`."""
    terminal = Terminal(tmp_path, controls=controls)
    terminal.wait(b"Start")

    assert terminal.close() == 0


def test_what_cannot_be_written_is_dropped_and_told_once() -> None:
    """The thread that draws never waits for, or fails at, a terminal that is gone."""
    told: list[str] = []

    class Gone:
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            raise OSError(5, "Input/output error")

        def fileno(self) -> int:
            return 2

    file = LastingFile(Gone(), lambda: told.append("lost"))  # type: ignore[arg-type]
    for _ in range(100):
        file.write("drawing")
        file.flush()

    assert told == ["lost"]

"""The one place that starts programs.

Each program gets a process group of its own, so that a timeout or a stop ends its children with it,
and an empty stdin, so that it never waits for an answer that nobody sees.
"""

from __future__ import annotations

import codecs
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.durations import spoken
from mimir_migrate.errors import CommandError, MigrateError, UsageError

GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""

_TAIL = 4096
"""Characters of stderr that an error and a journal keep."""
_LINE = 65_536
"""Bytes that are read at once, and characters of stderr that are kept."""
_CHUNKS = 64
"""So many pieces of stderr are kept before all but its end is dropped."""
_TICK = 0.2


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A program that ended by itself."""

    returncode: int
    stdout: str
    """As it was, for parsing: secrets are still in it. Redact before it goes anywhere."""
    stderr_tail: str
    """The end of what it said, secrets taken out."""
    seconds: float


class Programs:
    """Starts programs; what leaves here, but `stdout`, has its secrets taken out."""

    def __init__(self, redactor: Redactor, *, grace: float = GRACE) -> None:
        self._redactor = redactor
        self._grace = grace

    def run(
        self,
        command: Sequence[str] | str,
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        check: bool = True,
        inherits: Sequence[int] = (),
        on_start: Callable[[int], None] | None = None,
    ) -> Completed:
        """Run a program to its end.

        Args:
            command: Its words, or one line for `sh -c`.
            cwd: The folder it runs in; empty: this process's own.
            env: Variables set besides this process's own.
            timeout: Seconds until it is ended.
            check: Whether another return code than 0 is an error.
            inherits: Descriptors that the program and its children keep open. Whoever looks at them
                knows whether it runs, so an error that nobody foresaw leaves such a program running.
            on_start: Told of its process's number, which is that of its process group as well.

        Raises:
            UsageError: There is no such program or folder.
            CommandError: It failed (`returncode` as the shell counts) or took longer than `timeout`.
        """
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        shown = self._redactor.text(command if isinstance(command, str) else shlex.join(words))
        started = time.monotonic()
        process = self._start(words, shown, cwd, env, inherits)
        reading = _Reading(process)
        try:
            if on_start is not None:
                on_start(process.pid)
            in_time = self._follow(process, reading, timeout)
        except BaseException as error:
            unforeseen = isinstance(error, Exception) and not isinstance(error, MigrateError)
            if not (inherits and unforeseen):
                self._end(process, reading)
            elif process.returncode is None:
                # So that the interpreter does not complain that it lives on.
                process.returncode = 0
            raise
        finally:
            reading.close()
        # Redacted before it is cut: half a secret has no shape.
        tail = self._redactor.text(reading.stderr)[-_TAIL:].strip()
        if not in_time:
            raise CommandError(
                f"`{shown}` did not end within {spoken(timeout or 0.0)} and was ended by this tool{_quoted(tail)}",
                returncode=process.returncode,
                stderr=tail,
                hint="give it more time (deploy.timeout), or look at what it waits for",
            )
        if check and process.returncode != 0:
            how = (
                f"was ended by {signal.Signals(-process.returncode).name}"
                if process.returncode < 0
                else f"ended with exit code {process.returncode}"
            )
            raise CommandError(
                f"`{shown}` {how}{_quoted(tail)}",
                returncode=process.returncode,
                stderr=tail,
                hint=f"it ran in {cwd or 'the present folder'}: try it there by hand, and mend it or its "
                "entry in target.toml",
            )
        return Completed(
            returncode=process.returncode,
            stdout=reading.stdout,
            stderr_tail=tail,
            seconds=time.monotonic() - started,
        )

    def _start(
        self,
        words: list[str],
        shown: str,
        cwd: str,
        env: Mapping[str, str] | None,
        inherits: Sequence[int],
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                words,
                cwd=cwd or None,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=inherits,
            )
        except FileNotFoundError as error:
            if cwd and not Path(cwd).is_dir():
                raise UsageError(
                    f"cannot run `{shown}`: there is no folder {cwd}",
                    hint="Make the folder, or name another.",
                ) from error
            raise UsageError(
                f"cannot run `{shown}`: there is no program {words[0]}",
                hint=f"install {words[0]}, or name its path",
            ) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"cannot run `{shown}`: {error}",
                hint="Look at the program, its rights and its arguments.",
            ) from error

    def _follow(
        self, process: subprocess.Popen[bytes], reading: _Reading, timeout: float | None
    ) -> bool:
        """Read until the program ends; False: it took too long and was ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while process.poll() is None:
            left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
            if left <= 0:
                self._end(process, reading)
                return False
            reading.some(left)
        reading.rest()
        return True

    def _end(self, process: subprocess.Popen[bytes], reading: _Reading) -> None:
        """End the whole group: SIGTERM, and SIGKILL once the grace is over."""
        _signal_group(process, signal.SIGTERM)
        until = time.monotonic() + self._grace
        while not _has_ended(process) and time.monotonic() < until:
            reading.some(0.05)
        # Also after the program itself ended: its children may live on. It is not reaped before
        # this, so that its number cannot mean another group by now.
        _signal_group(process, signal.SIGKILL)
        process.wait()
        reading.rest()


class _Reading:
    """Both pipes of one program, read as they fill."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._selector = selectors.DefaultSelector()
        self._pipes = [process.stdout, process.stderr]
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")
        }
        self._text: dict[str, list[str]] = {"stdout": [], "stderr": []}
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ, name)

    @property
    def stdout(self) -> str:
        return "".join(self._text["stdout"])

    @property
    def stderr(self) -> str:
        return "".join(self._text["stderr"])

    def some(self, seconds: float) -> bool:
        """Read what is there, waiting up to `seconds` for it; whether there was anything."""
        if not self._selector.get_map():
            # Both pipes are closed and the program lives on: it is waited for without spinning.
            time.sleep(min(seconds, 0.05))
            return False
        found = self._selector.select(seconds)
        for key, _ in found:
            data = os.read(key.fd, _LINE)
            if not data:
                self._selector.unregister(key.fileobj)
            self._take(key.data, data)
        return bool(found)

    def rest(self) -> None:
        """Read what is left once the program ended.

        Children that went into the background may hold the pipes open for ever, so this reads what
        is there and does not wait for the end of the stream.
        """
        while self._selector.get_map() and self.some(0):
            pass
        for name in ("stdout", "stderr"):
            self._take(name, b"", final=True)

    def close(self) -> None:
        self._selector.close()
        for pipe in self._pipes:
            if pipe is not None:
                pipe.close()

    def _take(self, name: str, data: bytes, *, final: bool = False) -> None:
        text = self._decoders[name].decode(data, final)
        self._text[name].append(text)
        if name == "stderr" and len(self._text[name]) > _CHUNKS:
            self._text[name] = ["".join(self._text[name])[-_LINE:]]


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program ended, without reaping it."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the program's group; one that is gone, or whose members are, is not an error."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _quoted(tail: str) -> str:
    """The last lines of stderr as the end of a message."""
    last = tail.splitlines()[-3:]
    return ": " + " / ".join(line.strip() for line in last) if last else ""

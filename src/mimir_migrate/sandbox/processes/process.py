"""One pod's process: started, asked, told to stop, and followed until it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout

from mimir_migrate.sandbox.interface import PodPhase, ProcessSpec, Response
from mimir_migrate.sandbox.processes.child import Child

_LOOK: Final = 1.0
"""Seconds between two looks at `/ready`. The kubelet's own period is waited for besides."""
_READY_WITHIN: Final = 3.0
_ANSWERS_WITHIN: Final = 25.0
"""Less than the API server's patience with a pod."""
_TAIL: Final = 16_384
_SHOWN: Final = 262_144
"""Bytes from the end of its log that are shown to who asks for the log."""
_LOG_LINE: Final = 400


class RealProcess:
    """A running binary as the kubelet and the API server see it.

    Args:
        spec: What Kubernetes started it with.
        session: What asks its pages.
        port: Where it serves them.
        log: The file that takes its output.
        on_change: Called whenever its phase or readiness changes.
        ready_path: The page that says whether it is ready.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        session: ClientSession,
        *,
        port: int,
        log: Path,
        on_change: Callable[[RealProcess], None],
        ready_path: str = "/ready",
    ) -> None:
        self._spec = spec
        self._session = session
        self._port = port
        self._log = log
        self._on_change = on_change
        self._ready_path = ready_path
        self._phase = PodPhase.STARTING
        self._ready = False
        self._crash_reason = ""
        self._child: Child | None = None
        self._looking: asyncio.Task[None] | None = None
        self.ready_since = 0.0
        """When it became ready, on the loop's clock; only meaningful while it is ready."""
        self.silenced = False
        """Whether a fault holds it with SIGSTOP."""

    @property
    def spec(self) -> ProcessSpec:
        """What it was started with."""
        return self._spec

    @property
    def phase(self) -> PodPhase:
        """Where it stands."""
        return self._phase

    @property
    def ready(self) -> bool:
        """What `/ready` said last; a process that is stopping is not."""
        return self._ready and self._phase is PodPhase.RUNNING

    @property
    def crash_reason(self) -> str:
        """The last line of its log that tells of an error, where it ended by itself."""
        return self._crash_reason

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of the file that takes its output."""
        with contextlib.suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _SHOWN))
            return tuple(file.read().decode(errors="replace").splitlines())
        return ()

    @property
    def port(self) -> int:
        """Where it serves its pages."""
        return self._port

    @property
    def pid(self) -> int:
        """Its process id; 0: it does not run."""
        return self._child.pid if self._child is not None and self._child.lives else 0

    def run(self, start: Callable[[Callable[[int], None]], Child]) -> None:
        """Start it; `start` is handed what is to be called with the exit code."""
        try:
            self._child = start(self._exited)
        except OSError as error:
            self.fail(str(error))
            return
        self._looking = asyncio.get_running_loop().create_task(self._follow())

    def fail(self, reason: str) -> None:
        """It could not be started."""
        self._crash_reason = reason
        self._phase = PodPhase.CRASHED

    def get(self, path: str, accept: str) -> Response:
        """Not how a real process is asked: see `fetch`."""
        raise TimeoutError(
            f"{self._spec.name} is asked for {path} ({accept}) over the network only"
        )

    async def fetch(self, path: str, accept: str) -> Response:
        """Answer `GET path`.

        Raises:
            TimeoutError: It did not answer in time.
            ConnectionError: Nothing listens, or the connection was cut.
        """
        url = f"http://{self._spec.ip}:{self._port}{path}"
        try:
            async with self._session.get(
                url, headers={"Accept": accept}, timeout=ClientTimeout(total=_ANSWERS_WITHIN)
            ) as answer:
                return Response(
                    status=answer.status,
                    content_type=answer.headers.get("Content-Type", ""),
                    body=await answer.read(),
                )
        except TimeoutError:
            raise
        except ClientConnectorError as error:
            # In Go's words, by which this tool tells a pod that listens nowhere from a way that is closed.
            refused = error.os_error.errno == errno.ECONNREFUSED
            why = "connect: connection refused" if refused else str(error)
            raise ConnectionError(f"{self._spec.ip}:{self._port}: {why}") from error
        except ClientError as error:
            raise ConnectionError(f"{self._spec.ip}:{self._port}: {error}") from error

    def stop(self) -> None:
        """Ask it to stop, with one SIGTERM: a second one would make it leave its rings half."""
        if self._phase in {PodPhase.TERMINATING, PodPhase.GONE, PodPhase.CRASHED}:
            return
        self._set(PodPhase.TERMINATING)
        if self._child is not None:
            self._child.send(signal.SIGTERM)
            self._child.send(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, and for good."""
        self._set(PodPhase.GONE)
        if self._child is not None:
            self._child.kill()

    def signal(self, number: int) -> None:
        """Send a signal, for a fault."""
        if self._child is not None:
            self._child.send(number)

    async def ended(self) -> None:
        """Wait until it is gone."""
        while self._child is not None and self._child.lives:  # noqa: ASYNC110 - a process tells nobody when it ends but its child watcher
            await asyncio.sleep(0.02)

    def _exited(self, code: int) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if self._phase in {PodPhase.TERMINATING, PodPhase.GONE}:
            self._set(PodPhase.GONE)
            return
        self._crash_reason = f"exit {code}: {_last_error(self._log)}"
        self._set(PodPhase.CRASHED)

    async def _follow(self) -> None:
        """Ask `/ready` as the kubelet's probe does, as long as the process lives."""
        while True:
            status = await self._probe()
            if self._phase is PodPhase.STARTING and status:
                self._set(PodPhase.RUNNING)
            ready = status == 200
            if ready != self._ready and self._phase is PodPhase.RUNNING:
                self._ready = ready
                self.ready_since = asyncio.get_running_loop().time()
                self._on_change(self)
            await asyncio.sleep(_LOOK)

    async def _probe(self) -> int:
        """The status of `/ready`; 0: no answer."""
        url = f"http://{self._spec.ip}:{self._port}{self._ready_path}"
        try:
            async with self._session.get(
                url, timeout=ClientTimeout(total=_READY_WITHIN)
            ) as answer:
                await answer.read()
                return answer.status
        except (ClientError, TimeoutError, OSError):
            return 0

    def _set(self, phase: PodPhase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self._on_change(self)


def _last_error(log: Path) -> str:
    """The last line about an error, else the last line."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if "level=error" in line or "error" in line.lower()]
        # Mimir writes the stack of an error into the same line.
        return (errors or lines or [""])[-1].split("\\n", 1)[0][:_LOG_LINE]
    return ""

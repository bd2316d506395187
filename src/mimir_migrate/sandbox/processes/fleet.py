"""All processes of one release: what the kubelet starts pods in, as the simulation is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import ClientSession, TCPConnector

from mimir_migrate.durations import spoken
from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase, Process, ProcessSpec
from mimir_migrate.sandbox.processes.addresses import Addresses
from mimir_migrate.sandbox.processes.binary import Binary
from mimir_migrate.sandbox.processes.child import Child
from mimir_migrate.sandbox.processes.process import RealProcess
from mimir_migrate.sandbox.processes.services import Services
from mimir_migrate.sandbox.processes.twin import Place, adapt, adapt_config, environment_of
from mimir_migrate.sandbox.processes.watch import ProcessWatch

FAULTS: Final[Mapping[str, str]] = {
    "restart": "a pod's process is killed with SIGKILL (pod=)",
    "pod-silent": "a pod's process is held with SIGSTOP (pod=, seconds=)",
    "dynamodb-away": "DynamoDB does not answer anybody (seconds=)",
}
_CLEAR: Final = "clear"


class Fleet:
    """Every process of one release.

    Args:
        product: Which product runs.
        binaries: Image tag → binary; the empty tag stands for every other.
        folder: Where roots, logs and the shared storage stand.
        addresses: The pods' addresses.
        aws_port: Where moto listens.
        aws_pid: Its process, for the fault in which it is away.
        services: What leads to the release's services.
        proxied: The port of the service that pods reach by its name through HTTP_PROXY; 0: there is none.
    """

    def __init__(
        self,
        product: Product,
        binaries: Mapping[str, Binary],
        *,
        folder: Path,
        addresses: Addresses,
        aws_port: int,
        aws_pid: int = 0,
        services: Services,
        proxied: int = 0,
    ) -> None:
        self._proxied = proxied
        self.product = product
        self._aws_pid = aws_pid
        self._aws_timer: asyncio.TimerHandle | None = None
        self._binaries = binaries
        self._folder = folder
        self._addresses = addresses
        self._aws_port = aws_port
        self._services = services
        self._session = ClientSession(connector=TCPConnector(limit=0, force_close=True))
        self._processes: dict[tuple[str, str], RealProcess] = {}
        self._crashed: dict[str, tuple[int, str]] = {}
        self._silenced: dict[str, asyncio.TimerHandle | None] = {}
        self.watch = ProcessWatch(product, self.processes)
        (folder / "storage").mkdir(parents=True, exist_ok=True)

    def processes(self) -> Iterable[RealProcess]:
        """Those that have not ended."""
        return tuple(self._processes.values())

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        """Start a process; `on_change` is called whenever its phase or readiness changes."""
        place = self._place(spec)
        adapted = adapt(spec.args, spec.config, place)
        log = self._folder / "logs" / f"{spec.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        process = RealProcess(
            spec,
            self._session,
            port=adapted.http_port,
            log=log,
            on_change=partial(self._changed, on_change),
        )
        binary = self._binary(spec.image)
        if binary is None:
            process.fail(f"no binary was named for the image {spec.image}")
            return process
        for folder in adapted.folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
        self.write_mounts(spec, spec.files)
        command = (binary.path, *adapted.args)
        with log.open("a") as file:
            file.write(f"# {' '.join(command)}\n")
        environment = environment_of(spec.environment, os.environ, self._aws_port)
        environment["HOSTNAME"] = spec.name
        if self._proxied:
            environment["HTTP_PROXY"] = f"http://{spec.ip}:{self._proxied}"
            environment["NO_PROXY"] = "localhost,127.0.0.0/8"
        self._processes[spec.name, spec.uid] = process
        process.run(
            lambda on_exit: Child(
                command,
                folder=Path(place.root),
                environment=environment,
                log=log,
                on_exit=on_exit,
            )
        )
        return process

    def stop(self, name: str, uid: str) -> None:
        """Ask a process to stop (SIGTERM)."""
        process = self._processes.get((name, uid))
        if process is not None:
            process.stop()

    def kill(self, name: str, uid: str) -> None:
        """End a process at once (SIGKILL, eviction, a lost node)."""
        process = self._processes.get((name, uid))
        if process is not None:
            process.kill()

    def write_mounts(self, spec: ProcessSpec, files: Mapping[str, str]) -> None:
        """Write a pod's mounted files, as the kubelet does: at its start and when they changed."""
        place = self._place(spec)
        for path, text in files.items():
            target = Path(place.root) / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            is_config = any(arg.lstrip("-") == f"config.file={path}" for arg in spec.args)
            fresh = target.with_name(f".{target.name}.new")
            fresh.write_text(adapt_config(text, place) if is_config else text)
            fresh.replace(target)

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Make something go wrong; returns one line that says what.

        Raises:
            UsageError: There is no such fault here, or no such pod.
        """
        if fault == _CLEAR:
            for pod in tuple(self._silenced):
                self._wake(pod)
            self._aws_back()
            return "cleared all faults of processes"
        if fault not in FAULTS:
            raise UsageError(
                f"injecting {fault!r}: real processes cannot have that fault",
                hint=f"One of {', '.join(FAULTS)}, or a fault of the cluster or of the API server.",
            )
        if fault == "dynamodb-away":
            return self._aws_away(arguments.get("seconds", ""))
        name = arguments.get("pod", "")
        process = next(
            (one for one in self.processes() if one.spec.name == name and one.pid), None
        )
        if process is None:
            raise UsageError(
                f"{fault}: no process runs in a pod {name!r}", hint="name one: pod=NAME"
            )
        if fault == "restart":
            process.signal(signal.SIGKILL)
            return f"{name} (pid {process.pid}) was killed"
        process.silenced = True
        process.signal(signal.SIGSTOP)
        seconds = arguments.get("seconds", "")
        self._silenced[name] = (
            asyncio.get_running_loop().call_later(float(seconds), self._wake, name)
            if seconds
            else None
        )
        return f"{name} (pid {process.pid}) stands still until the fault is cleared"

    def status(self) -> Mapping[str, object]:
        """The watch's counts, the faults, the pods."""
        return {
            **self.watch.status(),
            "faults": [
                *({"fault": "pod-silent", "pods": [pod]} for pod in self._silenced),
                *([{"fault": "dynamodb-away", "pods": []}] if self._aws_timer else []),
            ],
            "crashed": {
                pod: {"times": times, "reason": reason}
                for pod, (times, reason) in self._crashed.items()
            },
            "pods": [
                {
                    "name": one.spec.name,
                    "ip": one.spec.ip,
                    "component": one.spec.component,
                    "phase": one.phase.value,
                    "ready": one.ready,
                    "pid": one.pid,
                    "crash_reason": one.crash_reason,
                }
                for one in self.processes()
            ],
        }

    async def close(self) -> None:
        """End every process."""
        self._aws_back()
        self.watch.close()
        for process in self.processes():
            process.kill()
        for process in self.processes():
            await process.ended()
        await self._session.close()
        self._addresses.close()

    def _changed(self, tell: Callable[[Process], None], process: RealProcess) -> None:
        if process.phase is PodPhase.CRASHED:
            count = self._crashed.get(process.spec.name, (0, ""))[0] + 1
            self._crashed[process.spec.name] = (count, process.crash_reason)
        elif process.ready:
            self._crashed.pop(process.spec.name, None)
        if not process.pid:
            self._processes.pop((process.spec.name, process.spec.uid), None)
        tell(process)

    def _aws_away(self, seconds: str) -> str:
        if not self._aws_pid:
            raise UsageError("dynamodb-away: it is not known which process DynamoDB is")
        os.kill(self._aws_pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        self._aws_timer = loop.call_later(float(seconds or 30), self._aws_back)
        self.watch.dynamodb_goes()
        return f"DynamoDB is away for {spoken(float(seconds or 30))}"

    def _aws_back(self) -> None:
        if self._aws_timer is not None:
            self._aws_timer.cancel()
            self._aws_timer = None
            self.watch.dynamodb_returns()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._aws_pid, signal.SIGCONT)

    def _wake(self, pod: str) -> None:
        timer = self._silenced.pop(pod, None)
        if timer is not None:
            timer.cancel()
        for process in self.processes():
            if process.spec.name == pod:
                process.silenced = False
                process.signal(signal.SIGCONT)

    def _binary(self, image: str) -> Binary | None:
        tag = image.rpartition(":")[2]
        return self._binaries.get(tag) or self._binaries.get("")

    def _place(self, spec: ProcessSpec) -> Place:
        root = self._folder / "pods" / spec.name
        root.mkdir(parents=True, exist_ok=True)
        binary = self._binary(spec.image)
        return Place(
            name=spec.name,
            ip=spec.ip,
            root=str(root),
            storage=str(self._folder / "storage"),
            join=self._addresses.reserved,
            flags=binary.flags if binary is not None else frozenset(),
            service=partial(self._services.address, client=spec.ip),
            proxied=self._proxied,
        )

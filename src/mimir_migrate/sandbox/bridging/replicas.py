"""Pods of the ring bridge: each a real process of `mimir-migrate bridge serve` on a loopback address."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, TCPConnector

from mimir_migrate.documents.bridge_manifest import PORT
from mimir_migrate.sandbox.aws.tables import BRIDGE_AGENT
from mimir_migrate.sandbox.interface import Addresses, Process, ProcessSpec
from mimir_migrate.sandbox.processes.child import Child
from mimir_migrate.sandbox.processes.process import RealProcess
from mimir_migrate.sandbox.processes.twin import environment_of

_PROGRAM: Final = "mimir-migrate"
_SERVES: Final = ("bridge", "serve")
_PATHS: Final = ("--token-file=", "--tls-certificate=", "--tls-key=")
_STATE: Final = "MIMIR_MIGRATE_STATE"


class BridgeReplicas:
    """The processes of a bridge.

    Args:
        folder: Where roots and logs stand.
        addresses: Gives each pod its address.
        aws_port: Where moto listens.
    """

    def __init__(self, folder: Path, addresses: Addresses, aws_port: int) -> None:
        self.addresses = addresses
        self._folder = folder
        self._aws_port = aws_port
        self._session = ClientSession(connector=TCPConnector(limit=0, force_close=True))
        self._processes: dict[tuple[str, str], RealProcess] = {}
        self._held: set[str] = set()
        self._all_held = False

    def runs(self, pod: Mapping[str, Any]) -> bool:
        """Whether a pod's container is a bridge."""
        container = pod["spec"]["containers"][0]
        command = [str(word) for word in container.get("command", ())]
        args = tuple(str(word) for word in container.get("args", ()))
        return command == [_PROGRAM] and args[:2] == _SERVES

    def holds(self, name: str) -> bool:
        """Whether a fault keeps a pod's process from being started."""
        return self._all_held or name in self._held

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        """Start a replica; `on_change` is called whenever its phase or readiness changes."""
        log = self._folder / "logs" / f"{spec.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        root = self._root(spec)
        process = RealProcess(
            spec,
            self._session,
            port=PORT,
            log=log,
            on_change=on_change,
            ready_path="/readyz",
        )
        self.write_mounts(spec, spec.files)
        command = [sys.executable, "-m", "mimir_migrate", *self._arguments(spec)]
        environment = environment_of(spec.environment, os.environ, self._aws_port)
        environment |= {
            "HOSTNAME": spec.name,
            "AWS_SDK_UA_APP_ID": BRIDGE_AGENT,
            _STATE: str(root / "state"),
        }
        self._processes[spec.name, spec.uid] = process
        process.run(
            lambda on_exit: Child(
                command, folder=root, environment=environment, log=log, on_exit=on_exit
            )
        )
        return process

    def stop(self, name: str, uid: str) -> None:
        """Ask a replica to stop (SIGTERM)."""
        if (process := self._processes.get((name, uid))) is not None:
            process.stop()

    def kill(self, name: str, uid: str) -> None:
        """End a replica at once, and for good."""
        if (process := self._processes.pop((name, uid), None)) is not None:
            process.kill()

    def write_mounts(self, spec: ProcessSpec, files: Mapping[str, str]) -> None:
        """Write a pod's mounted files, as the kubelet does: at its start and when they changed."""
        for path, text in files.items():
            target = self._root(spec) / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f".{target.name}.new")
            fresh.touch(mode=0o600)
            fresh.write_text(text)
            fresh.replace(target)

    def crash(self, name: str) -> list[str]:
        """Kill the process of one replica, or of all where the name is empty; returns whose."""
        struck = [one for one in self.living() if name in {"", one.spec.name}]
        for process in struck:
            process.signal(signal.SIGKILL)
        return [one.spec.name for one in struck]

    def hold(self, name: str) -> Callable[[], None]:
        """Start no process of a replica any more, or of any where the name is empty; what ends that."""
        if name:
            self._held.add(name)
            return lambda: self._held.discard(name)
        self._all_held = True

        def end() -> None:
            self._all_held = False

        return end

    def living(self) -> list[RealProcess]:
        """The replicas whose process runs."""
        return [one for one in self._processes.values() if one.pid]

    def status(self) -> list[dict[str, object]]:
        """Each replica as `sandbox status` shows it."""
        return [
            {
                "name": one.spec.name,
                "ip": one.spec.ip,
                "phase": one.phase.value,
                "ready": one.ready,
                "pid": one.pid,
                "crash_reason": one.crash_reason,
            }
            for one in self._processes.values()
        ]

    async def close(self) -> None:
        """End every replica."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            await process.ended()
        await self._session.close()

    def _root(self, spec: ProcessSpec) -> Path:
        root = self._folder / "pods" / spec.name
        root.mkdir(parents=True, exist_ok=True)
        return root

    def _arguments(self, spec: ProcessSpec) -> list[str]:
        """The container's arguments for this machine: its own address, and files below its own folder."""
        found = []
        for arg in spec.args:
            flag = next((one for one in _PATHS if arg.startswith(one)), "")
            path = arg.removeprefix(flag)
            found.append(f"{flag}{self._root(spec)}{path}" if flag else arg)
        return [*found, f"--listen={spec.ip}"]

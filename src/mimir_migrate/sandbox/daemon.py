"""The sandbox's process in the background: cluster, pods and API server on one loop.

    python -m mimir_migrate.sandbox.daemon --dir DIR

`sandbox up` starts it. It reads DIR/sandbox.json, starts moto in a process of its own, writes the ports
and its pid back, and serves until it is told to end (SIGTERM).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, web

from mimir_migrate import decoding
from mimir_migrate.documents.bridge_manifest import PORT as BRIDGE_PORT
from mimir_migrate.errors import UsageError
from mimir_migrate.sandbox.aws.client import aws_client
from mimir_migrate.sandbox.bridging.faults import BridgeFaults
from mimir_migrate.sandbox.bridging.replicas import BridgeReplicas
from mimir_migrate.sandbox.bridging.wire import HttpWire
from mimir_migrate.sandbox.charts.versions import build_version_of
from mimir_migrate.sandbox.files import SandboxFile, read_sandbox, write_sandbox
from mimir_migrate.sandbox.injection import SandboxFaults
from mimir_migrate.sandbox.interface import RingItems, Scheduler
from mimir_migrate.sandbox.interface import Simulation as Pods
from mimir_migrate.sandbox.kubernetes.api_faults import ApiFaults
from mimir_migrate.sandbox.kubernetes.certificate import tls_context
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.cluster_faults import ClusterFaults
from mimir_migrate.sandbox.kubernetes.server import ApiServer
from mimir_migrate.sandbox.pacing import PacedScheduler
from mimir_migrate.sandbox.processes.addresses import Addresses
from mimir_migrate.sandbox.processes.binary import linux_only, read_binary
from mimir_migrate.sandbox.processes.fleet import FAULTS as PROCESS_FAULTS
from mimir_migrate.sandbox.processes.fleet import Fleet
from mimir_migrate.sandbox.processes.services import Services
from mimir_migrate.sandbox.rings_seen import begin_watch, rings_are_complete
from mimir_migrate.sandbox.simulation.faults import KNOWN
from mimir_migrate.sandbox.simulation.scheduler import RealScheduler
from mimir_migrate.sandbox.simulation.simulation import Simulation, make_simulation
from mimir_migrate.sandbox.simulation.stores.items import BotoItems

_LOOK: Final = 0.25
"""Seconds between two looks whether the start is over."""


_LOOK_AT_FOLDER: Final = 2.0
_MOUNT_REFRESH: Final = 5.0
"""The longest until a changed ConfigMap reaches a real process, seconds."""


class Daemon:
    """Everything of a sandbox that lives on the loop.

    Args:
        sandbox: What it is made of.
        items: The ring table, for pods that are simulated.
        folder: Where the sandbox's files stand.
        aws_pid: The process of DynamoDB.
    """

    def __init__(
        self, sandbox: SandboxFile, items: RingItems, folder: Path, aws_pid: int = 0
    ) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self._aws_pid = aws_pid
        self._paced = None if sandbox.binaries else PacedScheduler()
        scheduler: Scheduler = self._paced or RealScheduler()
        self.cluster = Cluster(
            scheduler,
            namespace=sandbox.namespace,
            speed=sandbox.speed,
            seed=sandbox.seed,
            # Two sandboxes of one seed are two clusters: a plan for one must not fit the other.
            salt=uuid.uuid5(uuid.NAMESPACE_OID, sandbox.token).int,
        )
        self.simulation: Simulation | None = None
        self.fleet: Fleet | None = None
        self.bridge: BridgeReplicas | None = None
        self._wire: HttpWire | None = None
        if sandbox.binaries or sandbox.through:
            linux_only()
        self._addresses = Addresses() if sandbox.binaries or sandbox.through else None
        if sandbox.binaries and self._addresses is not None:
            self.fleet = self._run_processes(self._addresses)
        else:
            if sandbox.through and self._paced is not None:
                self._wire = HttpWire(self._paced, sandbox.speed, self.cluster.pods_behind)
            self.simulation = make_simulation(
                product=sandbox.product,
                scheduler=scheduler,
                surroundings=self.cluster,
                items=items,
                speed=sandbox.speed,
                stores=frozenset(sandbox.stores),
                client=sandbox.client,
                seed=sandbox.seed,
                version=build_version_of(sandbox.product, sandbox.client),
                wire=self._wire,
            )
        if sandbox.through and self._addresses is not None:
            # The bridge knows its clients by their addresses, so simulated pods have some on this machine.
            self.cluster.kubelet.addresses = self._addresses
            self.bridge = BridgeReplicas(folder, self._addresses.others, sandbox.aws_port)
            self.cluster.kubelet.programs = self.bridge
        pods = self._pods()
        self.cluster.run_on(pods)
        self._faults = ClusterFaults(self.cluster)
        self._api_faults = ApiFaults()
        self._bridge_faults: BridgeFaults | None = None
        if self.bridge is not None:
            self._bridge_faults = BridgeFaults(
                self.cluster, self.bridge, sandbox.aws_port, self._wire
            )
        known = PROCESS_FAULTS if self.fleet is not None else KNOWN
        self.server = ApiServer(
            self.cluster,
            token=sandbox.token,
            inject=SandboxFaults(
                self._faults, pods, self._api_faults, known, self._bridge_faults
            ).inject,
            status=self.status,
            faults=self._api_faults,
            before_each=self._catch_up,
            other_requests=self._dynamodb_requests,
        )
        self.started = False
        """Whether the first rollout is over and every ring was complete once."""

    def status(self) -> dict[str, object]:
        """What `/sandbox/status` says."""
        return {
            "pid": os.getpid(),
            "product": self.sandbox.product.value,
            "speed": self.sandbox.speed,
            "binaries": self.sandbox.binaries,
            "started": self.started,
            **self._pods().status(),
            "cluster_faults": [
                *self._faults.active,
                *self._api_faults.active,
                *(self._bridge_faults.active if self._bridge_faults is not None else ()),
            ],
            "cluster": self.cluster.summary(),
            **({"bridge": self.bridge.status()} if self.bridge is not None else {}),
        }

    async def watch_the_start(self) -> None:
        """Begin to count what is lost sight of when every pod has found the others once."""
        while not await self._is_complete():  # noqa: ASYNC110 - what is waited for is asked for, page by page
            await asyncio.sleep(_LOOK)
        if self.simulation is not None:
            begin_watch(self.simulation)
        if self.fleet is not None:
            self.fleet.watch.begin()
        self.started = True

    async def close(self) -> None:
        """End the pods that are real processes."""
        if self._wire is not None:
            await self._wire.close()
        if self.bridge is not None:
            await self.bridge.close()
        if self.fleet is not None:
            await self.fleet.close()
        elif self._addresses is not None:
            self._addresses.close()

    def _pods(self) -> Pods:
        found = self.fleet or self.simulation
        if found is None:
            raise RuntimeError("a sandbox has either simulated or real processes")
        return found

    def _run_processes(self, addresses: Addresses) -> Fleet:
        """Make ready for pods that are real processes: services, quick mounts."""
        binaries = {tag: read_binary(path) for tag, path in self.sandbox.binaries.items()}
        kubelet = self.cluster.kubelet
        fleet = Fleet(
            self.sandbox.product,
            binaries,
            folder=self.folder,
            addresses=addresses,
            aws_port=self.sandbox.aws_port,
            aws_pid=self._aws_pid,
            proxied=BRIDGE_PORT if self.sandbox.through else 0,
            services=Services(addresses, self.cluster.pods_behind, by_address={BRIDGE_PORT}),
        )
        kubelet.addresses = addresses
        kubelet.mount_refresh = _MOUNT_REFRESH
        kubelet.on_refresh = fleet.write_mounts
        return fleet

    def _catch_up(self) -> None:
        if self._paced is not None:
            self._paced.catch_up()

    async def _is_complete(self) -> bool:
        self._catch_up()
        if not self.cluster.is_settled() or not self._release_is_there():
            return False
        if self.fleet is not None:
            return await self.fleet.watch.is_complete()
        pods = self.cluster.store.select("pods", self.sandbox.namespace)
        found = (self.cluster.process(pod["metadata"]["name"]) for pod in pods)
        processes = [one for one in found if one is not None]
        return rings_are_complete(self.sandbox.product, processes)

    def _release_is_there(self) -> bool:
        """Whether pods of the release exist: its bridge is put up before it."""
        pods = self.cluster.store.select("pods", self.sandbox.namespace)
        return self.bridge is None or not all(map(self.bridge.runs, pods))

    async def _dynamodb_requests(self) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.sandbox.aws_port}/sandbox/requests"
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=10)) as session,
                session.get(url) as answer,
            ):
                return decoding.decode(await answer.read(), list[dict[str, Any]])
        except (ClientError, TimeoutError, msgspec.DecodeError):
            return []


async def _watch_the_folder(folder: Path, over: asyncio.Event) -> None:
    """End when the folder is gone, or belongs to another process: nobody could stop this one."""
    while not over.is_set():
        await asyncio.sleep(_LOOK_AT_FOLDER)
        try:
            if read_sandbox(folder).pid != os.getpid():
                over.set()
        except UsageError:
            over.set()


async def _start_aws() -> tuple[asyncio.subprocess.Process, int]:
    """Start moto; it ends with this process, because its standard input does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mimir_migrate.sandbox.aws.tables",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdout is None:
        raise RuntimeError("moto was started without a pipe for its output")
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    if not line.strip().isdigit():
        raise RuntimeError("moto ended before it said its port")
    return process, int(line)


async def run(folder: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signalled, over.set)
    aws, aws_port = await _start_aws()
    sandbox = msgspec.structs.replace(read_sandbox(folder), pid=os.getpid(), aws_port=aws_port)
    items = BotoItems(aws_client("dynamodb", aws_port), sandbox.client)
    daemon = Daemon(sandbox, items, folder, aws.pid)
    runner = daemon.server.runner()
    await runner.setup()
    # Without TLS for its own commands, with TLS for everybody who comes with the kubeconfig.
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls_context(folder)).start()
    port, tls_port = (address[1] for address in runner.addresses)
    daemon.sandbox = msgspec.structs.replace(sandbox, port=port, tls_port=tls_port)
    write_sandbox(folder, daemon.sandbox)
    watching = (
        asyncio.create_task(daemon.watch_the_start()),
        asyncio.create_task(_watch_the_folder(folder, over)),
    )
    await over.wait()
    for task in watching:
        task.cancel()
    await runner.cleanup()
    await daemon.close()
    aws.terminate()
    await aws.wait()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="the sandbox's process in the background")
    parser.add_argument("--dir", required=True, metavar="DIR")
    asyncio.run(run(Path(parser.parse_args().dir)))


if __name__ == "__main__":
    main()

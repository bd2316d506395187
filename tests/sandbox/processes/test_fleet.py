"""Processes of pods: started, followed, stopped once, killed, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase, Process, ProcessSpec
from mimir_migrate.sandbox.processes.addresses import Addresses
from mimir_migrate.sandbox.processes.binary import read_binary
from mimir_migrate.sandbox.processes.fleet import Fleet
from mimir_migrate.sandbox.processes.services import Services

CONFIG = "server: {http_listen_port: 8080}\nruler: {rule_path: /data/rules}\n"
RUNTIME = "/etc/cortex-runtime-config/runtime_config.yaml"
DEADLINE = 30.0


class World:
    """A fleet of one pod, and what its kubelet was told."""

    def __init__(self, fleet: Fleet, addresses: Addresses, folder: Path) -> None:
        self.fleet = fleet
        self.addresses = addresses
        self.folder = folder
        self.told: list[tuple[PodPhase, bool]] = []

    def spec(self, **environment: str) -> ProcessSpec:
        return ProcessSpec(
            name="ruler-0",
            uid="1",
            ip=self.addresses.take(),
            component="ruler",
            args=("-target=ruler", "-config.file=/etc/cortex/cortex.yaml"),
            config=CONFIG,
            image="cortex:v1",
            files={"/etc/cortex/cortex.yaml": CONFIG, RUNTIME: "overrides: {}\n"},
            environment=environment,
        )

    def start(self, **environment: str) -> Process:
        return self.fleet.start(self.spec(**environment), self._tell)

    def _tell(self, process: Process) -> None:
        self.told.append((process.phase, process.ready))

    def log(self) -> str:
        return (self.folder / "logs" / "ruler-0.log").read_text()


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.02)


def play(stand_in: Path, story: Callable[[World], Awaitable[None]], tag: str = "") -> World:
    """Run a story with a fleet of the stand-in, and end what it leaves."""
    folder = stand_in.parent / "sandbox"

    async def run() -> World:
        addresses = Addresses()
        fleet = Fleet(
            Product.CORTEX,
            {tag: read_binary(str(stand_in))},
            folder=folder,
            addresses=addresses,
            aws_port=1,
            services=Services(addresses, lambda _name: None),
        )
        world = World(fleet, addresses, folder)
        try:
            await story(world)
        finally:
            await fleet.close()
        return world

    return asyncio.run(run())


def test_a_pod_is_ready_when_its_page_says_so_and_answers_on_its_own_address(
    stand_in: Path,
) -> None:
    """Its configuration is the mounted one, its environment the container's."""

    async def story(world: World) -> None:
        process = world.start(ZONE="a")
        await until(lambda: process.ready)
        answer = await process.fetch("/config", "*/*")
        assert b"rule_path: " in answer.body
        assert str(world.folder / "pods" / "ruler-0" / "data" / "rules").encode() in answer.body
        assert b'"ZONE": "a"' in (await process.fetch("/environment", "*/*")).body
        assert (await process.fetch("/nothing", "*/*")).status == 404

    play(stand_in, story)


def test_a_pod_gets_one_sigterm_however_often_it_is_told_to_stop(stand_in: Path) -> None:
    """A second one makes the products leave their rings half."""

    async def story(world: World) -> None:
        process = world.start(STAND_IN="stays")
        await until(lambda: process.ready)
        for told in range(3):
            world.fleet.stop("ruler-0", "1")
            # Signals that come before the first was taken would be one.
            await until(lambda: "SIGTERM 1" in world.log())
            assert process.phase is PodPhase.TERMINATING, told
        assert not process.ready
        assert b"ready" in (await process.fetch("/ready", "*/*")).body
        world.fleet.kill("ruler-0", "1")
        await until(lambda: process.phase is PodPhase.GONE)

    world = play(stand_in, story)
    assert world.log().count("SIGTERM") == 1


def test_a_pod_that_does_not_stop_is_killed(stand_in: Path) -> None:
    """What the kubelet does when the grace period is over."""

    async def story(world: World) -> None:
        process = world.start(STAND_IN="stays")
        await until(lambda: process.ready)
        pid = process.pid
        world.fleet.stop("ruler-0", "1")
        world.fleet.kill("ruler-0", "1")
        await until(lambda: not Path(f"/proc/{pid}").exists())
        assert process.phase is PodPhase.GONE

    play(stand_in, story)


def test_a_pod_that_listens_nowhere_is_told_as_kubernetes_tells_it(stand_in: Path) -> None:
    """`connection refused`: what is told otherwise made the tool leave the proxy for port-forwards."""

    async def story(world: World) -> None:
        process = world.start()
        await until(lambda: process.ready)
        world.fleet.kill("ruler-0", "1")
        # The phase says so at once; the kernel takes its socket away a moment later.
        await until(lambda: not process.pid)
        assert process.phase is PodPhase.GONE
        with pytest.raises(ConnectionError, match=r":8080: connect: connection refused$"):
            await process.fetch("/ready", "*/*")

    play(stand_in, story)


def test_a_process_that_ends_by_itself_has_crashed_with_its_own_words(stand_in: Path) -> None:
    """Kubernetes starts it again; the reason is the last error of its log."""

    async def story(world: World) -> None:
        process = world.start(STAND_IN="refuses")
        await until(lambda: process.phase is PodPhase.CRASHED)
        assert "field nonsense not found" in process.crash_reason

    play(stand_in, story)


def test_a_pod_of_an_image_that_no_binary_was_named_for_does_not_start(stand_in: Path) -> None:
    """It says which image that is."""

    async def story(world: World) -> None:
        process = world.start()
        assert process.phase is PodPhase.CRASHED
        assert "cortex:v1" in process.crash_reason

    play(stand_in, story, tag="v2")


def test_a_changed_mount_reaches_the_running_process(stand_in: Path) -> None:
    """Files are replaced whole, where the ConfigMap would be mounted."""

    async def story(world: World) -> None:
        process = world.start()
        await until(lambda: process.ready)
        world.fleet.write_mounts(process.spec, {RUNTIME: "multi_kv_config: {}\n"})
        answer = await process.fetch("/runtime_config", "*/*")
        assert answer.body == b"multi_kv_config: {}\n"

    play(stand_in, story)


def test_faults_kill_and_hold_a_process(stand_in: Path) -> None:
    """SIGKILL, which is a crash; SIGSTOP until it is cleared; others are refused."""

    async def story(world: World) -> None:
        process = world.start()
        await until(lambda: process.ready)
        world.fleet.inject("pod-silent", {"pod": "ruler-0"})
        stat = Path(f"/proc/{process.pid}/stat")
        await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
        world.fleet.inject("clear", {})
        await until(lambda: stat.read_text().rpartition(")")[2].split()[0] != "T")
        world.fleet.inject("restart", {"pod": "ruler-0"})
        await until(lambda: process.phase is PodPhase.CRASHED)
        with pytest.raises(UsageError, match="real processes cannot"):
            world.fleet.inject("frozen-mirror", {})

    play(stand_in, story)


def test_the_own_watch_counts_a_member_that_a_page_does_not_show(stand_in: Path) -> None:
    """One of two rulers that know only themselves: each is lost sight of by the other."""

    async def story(world: World) -> None:
        first = world.start()
        second = world.fleet.start(
            msgspec.structs.replace(world.spec(), name="ruler-1", uid="2"),
            lambda _process: None,
        )
        await until(lambda: first.ready and second.ready)
        assert not await world.fleet.watch.is_complete()
        world.fleet.stop("ruler-0", "1")
        assert await world.fleet.watch.is_complete()

    play(stand_in, story)


def test_an_outage_of_dynamodb_makes_only_the_young_uncounted(stand_in: Path) -> None:
    """Who was counted before goes on being counted; who was too young is not, in the outage and a window on."""

    async def story(world: World) -> None:
        process = world.start()
        await until(lambda: process.ready)
        watch, loop = world.fleet.watch, asyncio.get_running_loop()
        window = watch._window(process)
        for age, counted in ((window + 100.0, True), (window - 5.0, False)):
            process.ready_since = began = loop.time() - age
            watch.dynamodb_goes()
            in_the_outage = loop.time() + 20.0
            assert watch._is_counted(process, in_the_outage) is counted
            watch.dynamodb_returns()
            assert (process.ready_since == began) is counted
            assert watch._is_counted(process, loop.time() + window - 5.0) is counted
            assert watch._is_counted(process, loop.time() + window + 5.0)

    play(stand_in, story)


def test_no_process_is_left_when_whoever_started_it_is_killed(stand_in: Path) -> None:
    """The kernel ends it, so that a SIGKILL of the sandbox leaves nothing behind either."""
    program = f"""
import asyncio, os, sys
from pathlib import Path
from mimir_migrate.sandbox.processes.child import Child

async def main():
    child = Child([{str(stand_in)!r}, "-target=ruler", "-server.http-listen-address=127.0.76.9",
                   "-server.http-listen-port=0"], folder=Path("/"), environment=dict(os.environ),
                  log=Path({str(stand_in.parent / "log")!r}), on_exit=print)
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + DEADLINE
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}/exe").exists()


def test_two_sandboxes_have_different_addresses_and_addresses_are_used_again_last() -> None:
    """So that pods of two sandboxes never meet, and no pod gets the address of one that just left."""
    one, other = Addresses(), Addresses()
    assert one.block != other.block
    first, second = one.take(), one.take()
    one.give_back(first)
    one.give_back(first)
    assert [one.take() for _ in range(len(one.reserved) - 1)][-1] == first
    with pytest.raises(UsageError):
        one.take()
    assert second in one.reserved
    one.close()
    other.close()


def test_dynamodb_can_be_away_for_everybody(stand_in: Path) -> None:
    """Its process is held and let go on; without knowing which that is, it is refused."""
    held = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

    async def story(world: World) -> None:
        with pytest.raises(UsageError, match="which process"):
            world.fleet.inject("dynamodb-away", {})
        world.fleet._aws_pid = held.pid
        stat = Path(f"/proc/{held.pid}/stat")
        state = lambda: stat.read_text().rpartition(")")[2].split()[0]  # noqa: E731
        world.fleet.inject("dynamodb-away", {"seconds": "600"})
        await until(lambda: state() == "T")
        world.fleet.inject("clear", {})
        await until(lambda: state() != "T")

    try:
        play(stand_in, story)
    finally:
        held.kill()
        held.wait()

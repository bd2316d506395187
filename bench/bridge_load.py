"""What a replica of the ring bridge costs, against the same requests answered from memory.

    python bench/bridge_load.py [--members 100] [--tokens 512] [--heartbeat 15] [--seconds 30]

Two replicas with boto3 over a stand-in for DynamoDB (HTTP, 5 ms a call), as many watches as members,
every member's heartbeat by compare-and-set as Mimir's client makes it: up to 10 tries with one pause
between them. Prints one line of JSON: CPU as parts of a core and memory of the dearer replica.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from mimir_migrate.bridge.ring_value import Entry, RingValue, read_value, write_value

HERE = Path(__file__).parent
KEY = "collectors/ring"
TICKS = os.sysconf("SC_CLK_TCK")
_BASELINE = 45.0
"""Seconds that the baseline is measured at most: it keeps nothing that could grow."""
WARM_UP = 12.0
"""Seconds before the measuring begins: members have joined, and watches were answered once."""


class Load:
    """Members that beat and watch, at random servers."""

    def __init__(self, bases: list[str], options: argparse.Namespace) -> None:
        self.bases, self.options = bases, options
        self.tries = self.beats = self.failed = 0
        self.taken: list[float] = []
        self.windows: list[float] = []
        """Seconds from the beginning of a GET to the answer of its PUT."""

    async def run(self, session: aiohttp.ClientSession, measured: list[Process]) -> None:
        members = {
            f"ingester-zone-a-{number}": Entry(
                b"\x0a\x0e10.0.0.10:9095\x32%s" % _packed(self.options.tokens), 0
            )
            for number in range(self.options.members)
        }
        value = write_value(RingValue(members))
        url = f"{self.bases[0]}/v1/kv/{KEY}?cas=0"
        async with session.put(url, data=io.BytesIO(value)) as answer:
            assert "true" in await answer.text()
        # In a process of its own: bodies that are read between a member's GET and its PUT would make
        # that time longer, and compare-and-set fail for it.
        watches = Process(
            sys.executable, __file__, f"--members={len(members)}", "--watch", *self.bases
        )
        work = [asyncio.create_task(self._member(session, id_)) for id_ in members]
        await asyncio.sleep(WARM_UP)
        self.tries = self.beats = self.failed = 0
        self.taken.clear()
        self.windows.clear()
        for one in measured:
            one.begin()
        await asyncio.sleep(self.options.seconds)
        for one in measured:
            one.end()
        watches.stop()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def _member(self, session: aiohttp.ClientSession, id_: str) -> None:
        await asyncio.sleep(random.uniform(0, self.options.heartbeat))
        while True:
            began = time.monotonic()
            await self._beat(session, id_)
            self.taken.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, self.options.heartbeat - (time.monotonic() - began)))

    async def _beat(self, session: aiohttp.ClientSession, id_: str) -> None:
        pause = random.random()
        for number in range(10):
            if number:
                await asyncio.sleep(pause)
            self.tries += 1
            asked = time.monotonic()
            async with session.get(f"{self._any()}/v1/kv/{KEY}") as answer:
                body = await answer.read()
            pair = msgspec.json.decode(body)[0]
            value = read_value(base64.b64decode(pair["Value"]))
            mine = Entry(value.members[id_].shape, int(time.time()))
            changed = write_value(RingValue({**value.members, id_: mine}))
            url = f"{self._any()}/v1/kv/{KEY}?cas={pair['ModifyIndex']}"
            async with session.put(url, data=io.BytesIO(changed)) as answer:
                self.windows.append(time.monotonic() - asked)
                if "true" in await answer.text():
                    self.beats += 1
                    return
        self.failed += 1

    async def watch(self) -> None:
        """Watch with as many clients as there are members, for ever."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(self._watch(session) for _ in range(self.options.members)))

    async def _watch(self, session: aiohttp.ClientSession) -> None:
        await asyncio.sleep(random.uniform(0, WARM_UP / 2))
        index = 0
        while True:
            more = f"&index={index}" if index else ""
            url = f"{self._any()}/v1/kv/{KEY}?stale=&wait=10000ms{more}"
            async with session.get(url) as answer:
                await answer.read()
                index = int(answer.headers["X-Consul-Index"])
            await asyncio.sleep(1.0)

    def _any(self) -> str:
        return random.choice(self.bases)


class Process:
    """A server in a process of its own, with what it uses."""

    def __init__(self, *command: str) -> None:
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "PYTHONPATH": str(HERE.parent / "tests" / "fakes"),
        }
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self.cpu = self.first_memory = self.memory = 0.0
        self._began = (0.0, 0.0)

    def begin(self) -> None:
        self.first_memory = self._memory()
        self._began = self._ticks(), time.monotonic()

    def end(self) -> None:
        ticks, at = self._began
        self.cpu = (self._ticks() - ticks) / TICKS / (time.monotonic() - at)
        self.memory = self._memory()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _ticks(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return float(fields[11]) + float(fields[12])

    def _memory(self) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        kilobytes = next(line for line in lines if line.startswith("VmRSS")).split()[1]
        return int(kilobytes) / 1000


def _packed(tokens: int) -> bytes:
    """So many tokens as packed varints with their length; most tokens take five bytes."""
    some = bytearray()
    for _ in range(tokens):
        rest = random.randrange(2**28, 2**32)
        some += bytes(((rest >> shift) & 0x7F) | 0x80 for shift in (0, 7, 14, 21))
        some.append(rest >> 28)
    return bytes(((len(some) & 0x7F) | 0x80, len(some) >> 7)) + bytes(some)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def _ready(base: str, session: aiohttp.ClientSession) -> None:
    for _ in range(600):
        try:
            async with session.get(f"{base}/readyz") as answer:
                if answer.ok:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError(base)


async def _measured(options: argparse.Namespace, *, bridge: bool) -> dict[str, Any]:
    storage_port = _port()
    ports = [_port(), _port()] if bridge else [_port()]
    python = sys.executable
    others = []
    if bridge:
        server = HERE.parent / "tests" / "fakes" / "dynamodb_server.py"
        others = [Process(python, str(server), str(storage_port), "rings")]
        commands = [
            (
                *(python, "-m", "mimir_migrate", "bridge", "serve", "--table", "rings"),
                *("--region", "eu-west-1", "--cluster", "bench", "--keys", KEY, "--no-token"),
                *("--listen", "127.0.0.1", "--port", str(port), "--leaving", "0s"),
                *("--endpoint-url", f"http://127.0.0.1:{storage_port}"),
            )
            for port in ports
        ]
    else:
        commands = [(python, str(HERE / "bridge_load_baseline.py"), str(port)) for port in ports]
    servers = [Process(*command) for command in commands]
    bases = [f"http://127.0.0.1:{port}" for port in ports]
    load = Load(bases, options)
    units: dict[str, float] = {}
    try:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            for base in bases:
                await _ready(base, session)
            await load.run(session, servers)
            if bridge:
                async with session.get(f"http://127.0.0.1:{storage_port}/units") as answer:
                    units = await answer.json()
    finally:
        for one in [*servers, *others]:
            one.stop()
    taken = sorted(load.taken)
    everything = options.seconds + WARM_UP
    return {
        "cpu": max(one.cpu for one in servers),
        "memory": max(one.memory for one in servers),
        "growth": max(one.memory - one.first_memory for one in servers),
        "beats_a_second": load.beats / options.seconds,
        "tries": load.tries / max(1, load.beats + load.failed),
        "failed": load.failed,
        "p50": taken[len(taken) // 2] if taken else 0.0,
        "p99": taken[int(len(taken) * 0.99)] if taken else 0.0,
        "window": sorted(load.windows)[len(load.windows) // 2] if load.windows else 0.0,
        "units": {name: round(value / everything, 1) for name, value in units.items()},
    }


def main() -> None:
    """Run both, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--heartbeat", type=float, default=15.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--watch", nargs="+", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        asyncio.run(Load(options.watch, options).watch())
        return
    del options.watch
    bridge = asyncio.run(_measured(options, bridge=True))
    seconds = options.seconds
    options.seconds = min(seconds, _BASELINE)
    memory = asyncio.run(_measured(options, bridge=False))
    print(
        json.dumps(
            {
                "bench": "bridge_load",
                **vars(options),
                "seconds": seconds,
                "cores": round(bridge["cpu"], 4),
                "baseline_cores": round(memory["cpu"], 4),
                "ratio": round(bridge["cpu"] / max(memory["cpu"], 1e-4), 2),
                "replicas": 2,
                "megabytes": round(bridge["memory"], 1),
                "growth_megabytes": round(bridge["growth"], 1),
                "baseline_megabytes": round(memory["memory"], 1),
                "heartbeats_a_second": round(bridge["beats_a_second"], 2),
                "tries": round(bridge["tries"], 3),
                "failed": bridge["failed"],
                "heartbeat_p50": round(bridge["p50"], 3),
                "heartbeat_p99": round(bridge["p99"], 3),
                "get_to_put_p50": round(bridge["window"], 3),
                "baseline_tries": round(memory["tries"], 3),
                "baseline_get_to_put_p50": round(memory["window"], 3),
                "load_average": round(os.getloadavg()[0], 1),
                "units_a_second": bridge["units"],
            }
        )
    )


if __name__ == "__main__":
    main()

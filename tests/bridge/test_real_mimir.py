"""A real Mimir's own Consul client against the bridge; needs MIMIR_MIGRATE_BINARY."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.processes.binary import read_binary

BINARY = os.environ.get("MIMIR_MIGRATE_BINARY", "")
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not BINARY, reason="MIMIR_MIGRATE_BINARY names no binary"),
]
FAKES = Path(__file__).parents[1] / "fakes"
KEY = "collectors/compactor"
NETWORK = "127.0.66"
PATIENCE = 90.0


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _fetched(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=3) as answer:
        return json.loads(answer.read())


def _until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            if what():
                return
        time.sleep(0.2)
    raise TimeoutError


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes, all of which end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PYTHONPATH": str(FAKES),
    }

    def start(*command: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{len(processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_real_clients_share_a_ring_over_two_replicas(
    tmp_path: Path, started: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """They see each other, one replica's death changes nothing, and a member that leaves is gone."""
    if read_binary(BINARY).product is not Product.MIMIR:
        pytest.skip("the binary is not Mimir")
    table, ports = _port(), (_port(), _port())
    (tmp_path / "token").write_text("sesame")
    started(sys.executable, str(FAKES / "dynamodb_server.py"), str(table), "rings")
    _until(lambda: _fetched(f"http://127.0.0.1:{table}/units") is not None)

    def bridge(port: int) -> subprocess.Popen[bytes]:
        process = started(
            *(sys.executable, "-m", "mimir_migrate", "bridge", "serve", "--table", "rings"),
            *("--region", "eu-west-1", "--cluster", "test", "--keys", KEY),
            *("--token-file", "token", "--listen", "127.0.0.1", "--port", str(port)),
            *("--endpoint-url", f"http://127.0.0.1:{table}"),
        )
        _until(lambda: bool(_fetched(f"http://127.0.0.1:{port}/rings")["rings"][KEY]["index"]))
        return process

    bridges = [bridge(port) for port in ports]
    mimirs = [started(*_compactor(tmp_path, number, port)) for number, port in enumerate(ports)]
    both = {"compactor-0": "ACTIVE", "compactor-1": "ACTIVE"}
    for number in range(2):
        _until(lambda number=number: _seen(number) == both)

    bridges[1].kill()
    bridges[1].wait()
    bridge(ports[1])
    assert _seen(0) == both
    mimirs[1].send_signal(signal.SIGTERM)
    _until(lambda: _seen(0) == {"compactor-0": "ACTIVE"})


def _seen(number: int) -> dict[str, str]:
    page = _fetched(f"http://{NETWORK}.{number + 1}:8080/compactor/ring")
    return {shard["id"]: shard["state"] for shard in page["shards"]}


def _compactor(folder: Path, number: int, port: int) -> list[str]:
    address, name = f"{NETWORK}.{number + 1}", f"compactor-{number}"
    flags = {
        "target": "compactor",
        "server.http-listen-address": address,
        "server.http-listen-port": "8080",
        "server.grpc-listen-address": address,
        "server.grpc-listen-port": "9095",
        "memberlist.bind-addr": address,
        "blocks-storage.backend": "filesystem",
        "blocks-storage.filesystem.dir": str(folder / name / "blocks"),
        "compactor.data-dir": str(folder / name / "data"),
        "compactor.ring.instance-id": name,
        "compactor.ring.instance-addr": address,
        "compactor.ring.store": "consul",
        "compactor.ring.consul.hostname": f"127.0.0.1:{port}",
        "compactor.ring.consul.acl-token": "sesame",
        "activity-tracker.filepath": str(folder / f"{name}.activity"),
        "usage-stats.enabled": "false",
    }
    return [BINARY, *(f"-{flag}={value}" for flag, value in flags.items())]

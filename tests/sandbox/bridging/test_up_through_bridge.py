"""`sandbox up --through bridge`: real processes of the bridge as pods, and simulated pods that use them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_values import MIMIR

from mimir_migrate.cli import extras, run
from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.bridging.setup import MOST_SPEED, TOKEN_VARIABLE
from mimir_migrate.sandbox.daemon import Daemon
from mimir_migrate.sandbox.files import SandboxFile
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems
from mimir_migrate.settings import load_target

SPEED = 10.0
HOST = "ring-bridge.observability.svc:8500"
RINGS = ("collectors/ring", "collectors/distributor", "rulers/ring")


@pytest.fixture(autouse=True)
def _linux_only() -> None:
    if sys.platform != "linux":
        pytest.skip("processes of the bridge as pods need Linux")


def on_consul() -> bytes:
    """Values of a small Mimir whose rings are on the bridge from the start."""
    tree = yaml.safe_load(MIMIR)
    config = tree["mimir"]["structuredConfig"]
    block = {
        "store": "consul",
        "consul": {"host": HOST, "acl_token": f"${{{TOKEN_VARIABLE}}}"},
    }
    for ring in (
        config["ingester"]["ring"],
        config["distributor"]["ring"],
        config["ruler"]["ring"],
    ):
        ring |= {"kvstore": block, "heartbeat_timeout": "10m"}
    secret = {"secretKeyRef": {"name": "ring-bridge-token", "key": "token"}}
    tree["global"] = {"extraEnv": [{"name": TOKEN_VARIABLE, "valueFrom": secret}]}
    return yaml.safe_dump(tree).encode()


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sandbox whose pods are on the bridge."""
    folder = tmp_path_factory.mktemp("bridged")
    values = folder / "small.yaml"
    values.write_bytes(on_consul())
    place = folder / "sandbox"
    commands.up(place, through="bridge", speed=SPEED, values=str(values))
    yield place
    commands.down(place)


def wait_until(condition: Callable[[], Any], limit: float = 90.0) -> Any:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come to that")


def replicas(folder: Path) -> list[dict[str, Any]]:
    """The replicas that are Ready."""
    return [one for one in commands.status(folder)["bridge"] if one["ready"]]


def page(ip: str, path: str) -> bytes:
    with urllib.request.urlopen(f"http://{ip}:8500{path}", timeout=10) as answer:
        return bytes(answer.read())


def shown(ip: str) -> dict[str, Any]:
    """The members of each ring as a replica shows them."""
    found = json.loads(page(ip, "/rings"))
    return {
        key: {member["id"]: member["state"] for member in ring["members"]}
        for key, ring in found["rings"].items()
    }


def test_three_replicas_serve_what_the_pods_write(bridged: Path) -> None:
    """Each replica shows every living member ACTIVE; the target says how the rings are reached."""
    up = replicas(bridged)
    assert len(up) == 3
    wait_until(lambda: all(len(shown(one["ip"])["collectors/ring"]) == 3 for one in up))
    for one in up:
        rings = shown(one["ip"])
        assert {key: len(rings[key]) for key in RINGS} == dict(zip(RINGS, (3, 1, 2), strict=True))
        assert {state for key in RINGS for state in rings[key].values()} == {"ACTIVE"}
    target = load_target(str(bridged / "target.toml"), {})
    settings = target.through_bridge
    assert settings is not None
    assert settings.host == HOST
    assert settings.token_variable == TOKEN_VARIABLE


def test_the_bridge_asks_for_the_token_that_pods_have_from_a_secret(bridged: Path) -> None:
    """Without it a ring is refused; no page of a pod shows it, and no file but the pods' mounts."""
    ip = replicas(bridged)[0]["ip"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        page(ip, "/v1/kv/collectors/ring")
    assert f"${{{TOKEN_VARIABLE}}}" in (bridged / "values.yaml").read_text()


def test_a_request_that_comes_through_a_proxy_is_answered(bridged: Path) -> None:
    """With the whole address in its first line, as real processes of the sandbox ask."""
    ip = wait_until(lambda: replicas(bridged))[0]["ip"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"{ip}:8500"}))
    with opener.open(f"http://{HOST}/healthz", timeout=10) as answer:
        assert answer.status == 200


def test_a_killed_replica_is_started_again_and_nobody_is_lost_sight_of(bridged: Path) -> None:
    """SIGKILL of one of three: the kubelet starts another process in that pod."""
    wait_until(lambda: len(replicas(bridged)) == 3)
    before = {one["name"]: one["pid"] for one in replicas(bridged)}
    name = min(before)
    assert f"{name} was killed" in commands.inject(bridged, "bridge-killed", {"pod": name})
    after = wait_until(
        lambda: {
            one["name"]: one["pid"]
            for one in replicas(bridged)
            if one["name"] == name and one["pid"] != before[name]
        }
    )
    assert after
    found = commands.status(bridged)
    assert found["observations"] > 0
    assert found["lost_sight"] == 0


def test_while_every_replica_is_away_pods_only_age(bridged: Path) -> None:
    """Killed for less than the timeout: none is started, no pod ends, and nobody is lost sight of."""
    wait_until(lambda: len(replicas(bridged)) == 3)
    commands.inject(bridged, "bridge-away", {"seconds": "20"})
    wait_until(lambda: not replicas(bridged), 5)
    assert "bridge-away" in commands.status(bridged)["cluster_faults"]
    wait_until(lambda: len(replicas(bridged)) == 3)
    found = commands.status(bridged)
    assert "bridge-away" not in found["cluster_faults"]
    assert found["lost_sight"] == 0
    assert all(pod["phase"] == "running" for pod in found["pods"])


def test_storage_that_is_away_is_known_to_the_replicas_and_to_nobody_else(bridged: Path) -> None:
    """The bridge says that its table is away, until the fault is cleared."""
    ip = wait_until(lambda: replicas(bridged))[0]["ip"]

    def away() -> bool:
        return b"ring_bridge_table_away 1.0" in page(ip, "/metrics")

    commands.inject(bridged, "bridge-storage-away", {})
    wait_until(away)
    commands.inject(bridged, "clear", {"fault": "bridge-storage-away"})
    wait_until(lambda: not away())
    for fault, said in (("throttled", "50% of requests"), ("slow", "by 0.5 s a request")):
        assert said in commands.inject(bridged, f"bridge-storage-{fault}", {})
    commands.inject(bridged, "clear", {})
    assert not commands.status(bridged)["cluster_faults"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"product": "cortex"}, "Cortex has a DynamoDB client of its own"),
        ({"stores": "+dynamodb"}, "for the stock Mimir"),
        ({"state": "dynamodb"}, "for the stock Mimir"),
        ({"speed": MOST_SPEED + 1}, "live in real time"),
    ],
)
def test_what_does_not_go_with_a_bridge_is_refused_before_anything_is_started(
    tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    """No folder is made for it."""
    place = tmp_path / "none"
    with pytest.raises(UsageError, match=said):
        commands.up(place, through="bridge", **arguments)
    assert not place.exists()


@pytest.mark.parametrize("command", [["sandbox", "up", "--dir", "none"], ["demo", "--headless"]])
def test_a_missing_part_is_named_before_anything_is_started(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    """Without the extra `bridge` there is one line that installs it, and no sandbox."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "missing", lambda extra: ("aiohttp",) if extra == "bridge" else ())
    assert run([*command, "--through", "bridge"]) == 2
    assert "optional part `bridge`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_sandbox_has_not_started_while_only_its_bridge_is_there(tmp_path: Path) -> None:
    """The bridge is put up before the release: Ready pods of it alone are no release."""
    sandbox = SandboxFile(
        product=Product.MIMIR,
        speed=SPEED,
        seed=1,
        namespace="observability",
        release="mimir",
        stores=(),
        client="master",
        app_version="1",
        token="",
        through="bridge",
    )

    async def run() -> tuple[bool, bool]:
        daemon = Daemon(sandbox, MemoryItems(), tmp_path)
        daemon.cluster.is_settled = lambda: True  # type: ignore[method-assign]
        container = {"name": "b", "image": "i", "command": ["mimir-migrate"]}
        container |= {"args": ["bridge", "serve"]}
        pod = {"metadata": {"name": "b-0"}, "spec": {"containers": [container]}}
        daemon.cluster.store.create("pods", "observability", pod)
        alone = await daemon._is_complete()
        other = {
            "metadata": {"name": "m-0"},
            "spec": {"containers": [{"name": "m", "image": "i"}]},
        }
        daemon.cluster.store.create("pods", "observability", other)
        both = await daemon._is_complete()
        await daemon.close()
        return alone, both

    assert asyncio.run(run()) == (False, True)


@pytest.mark.soak
def test_the_whole_journey_through_the_bridge_and_back(tmp_path: Path) -> None:
    """`demo --through bridge`: both ways done, the values file as it was, and 0 misses."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mimir_migrate", "demo", "--headless", "--json"),
            *("--through", "bridge"),
        ],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["forward"]["exit"], last["back"]["exit"]) == (0, 0)
    assert last["values_restored"]
    assert last["lost_sight"] == 0
    assert last["observations"] > 10_000

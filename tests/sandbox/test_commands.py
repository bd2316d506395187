"""`sandbox up`, `status`, `inject` and `down`, with real processes and over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from kubernetes import client as k8s
from kubernetes import config as k8s_config

from mimir_migrate.errors import UsageError
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.files import read_sandbox
from mimir_migrate.settings import load_target

SPEED = 60.0
OUTSIDE = Path(__file__).parent / "outside_watch.py"


@pytest.fixture(scope="module")
def mimir(tmp_path_factory) -> Iterator[Path]:
    """A running Mimir sandbox for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("mimir")
    commands.up(folder, product="mimir", stores="+dynamodb", speed=SPEED)
    yield folder
    commands.down(folder)


def api_of(folder: Path) -> k8s.CoreV1Api:
    return k8s.CoreV1Api(k8s_config.new_client_from_config(str(folder / "kubeconfig")))


def watch_from_outside(folder: Path, seconds: float) -> dict:
    command = [
        *(sys.executable, str(OUTSIDE)),
        *("--kubeconfig", str(folder / "kubeconfig")),
        *("--namespace", "observability"),
        *("--seconds", str(seconds)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def wait_until(condition, limit: float = 60.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def test_it_is_ready_when_up_returns(mimir):
    """All pods Ready, the release deployed, every ring complete, and nobody lost sight of."""
    api = api_of(mimir)
    pods = api.list_namespaced_pod("observability").items
    ready = [
        pod
        for pod in pods
        if any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)
    ]
    assert len(ready) == len(pods) == 17
    secrets = api.list_namespaced_secret("observability", label_selector="owner=helm,name=mimir")
    newest = max(secrets.items, key=lambda one: int(one.metadata.labels["version"]))
    assert newest.metadata.labels["status"] == "deployed"
    status = commands.status(mimir)
    assert status["started"]
    assert {key.split()[0] for key in status["missed"]} <= {"ruler"}  # another test splits it
    api.api_client.close()


def test_the_target_can_be_loaded_as_it_is(mimir):
    """Absolute paths, the release, the table, a deploy command and a template command."""
    target = load_target(str(mimir / "target.toml"), {})
    assert target.kubernetes.release == "mimir"
    assert target.values.files == (str(mimir / "values.yaml"),)
    assert target.dynamodb.table == "observability-dev-mimir-rings"
    assert target.dynamodb.puller_sync_time == "167ms"
    rendered = subprocess.run(
        ["/bin/sh", "-c", target.deploy.template],
        cwd=target.folder,
        env={**os.environ, "VALUES": target.values.files[0]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert "name: mimir-config" in rendered


def test_a_deploy_by_the_target_s_command_rolls_the_pods(mimir):
    """It returns before the rollout is over; `sandbox status` says when it is."""
    target = load_target(str(mimir / "target.toml"), {})
    api = api_of(mimir)
    before = {pod.metadata.uid for pod in api.list_namespaced_pod("observability").items}
    lost = commands.status(mimir)["lost_sight"]
    values = mimir / "values.yaml"
    original = values.read_bytes()
    values.write_bytes(original.replace(b"log_level: info", b"log_level: debug"))

    subprocess.run(
        ["/bin/sh", "-c", target.deploy.command],
        cwd=target.folder,
        env={**os.environ, "VALUES": str(values)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    settled_at_once = commands.status(mimir)["cluster"]["settled"]
    wait_until(lambda: commands.status(mimir)["cluster"]["settled"])

    assert not settled_at_once
    after = {pod.metadata.uid for pod in api.list_namespaced_pod("observability").items}
    assert len(before & after) == 1  # the rollout-operator's
    assert commands.status(mimir)["lost_sight"] == lost
    values.write_bytes(original)
    api.api_client.close()


def test_an_outside_watch_agrees_with_the_sandbox_s_own(mimir):
    """Nothing lost while all is well; the same pairs are missed while a ring is split."""
    wait_until(lambda: commands.status(mimir)["cluster"]["settled"])
    wait_until(lambda: "compactor" in commands.status(mimir)["by_ring"])
    calm = watch_from_outside(mimir, 0.5)
    assert calm["observations"] > 20
    assert calm["lost"] == 0
    assert commands.status(mimir)["lost_sight"] == 0

    wait_until(lambda: _split(mimir))
    seen = watch_from_outside(mimir, 1.0)
    own = commands.status(mimir)["missed"]
    commands.inject(mimir, "clear", {})

    assert seen["missed"]
    assert set(seen["missed"]) == set(own)
    assert {key.split()[0] for key in own} == {"ruler"}


def _split(folder: Path) -> str:
    """Split the ruler ring, as soon as its members are old enough to count."""
    try:
        return commands.inject(folder, "split", {"ring": "ruler", "seconds": "100000"})
    except UsageError:
        return ""


def test_a_second_up_in_the_same_folder_is_refused(mimir):
    """The running one is named, and left alone."""
    pid = read_sandbox(mimir).pid
    with pytest.raises(UsageError, match=f"pid {pid}"):
        commands.up(mimir)
    assert commands.status(mimir)["pid"] == pid


def test_an_unknown_fault_is_refused(mimir):
    """The known ones are listed."""
    with pytest.raises(UsageError, match="pod-silent"):
        commands.inject(mimir, "rust", {})


def test_who_changed_what_is_written_down(mimir):
    """Changes of objects and of DynamoDB, but not what the pods write."""
    sandbox = read_sandbox(mimir)
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{sandbox.aws_port}",
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(user_agent_extra="the-test"),
    )
    keys = (("RingKey", "HASH"), ("InstanceKey", "RANGE"))
    dynamodb.create_table(
        TableName="another",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
    dynamodb.scan(TableName="another")
    dynamodb.close()
    request = commands.HttpApi(sandbox)

    status, found = request.call_list("GET", "sandbox/requests")

    assert status == 200
    tables = [one for one in found if one["service"] == "dynamodb"]
    assert [one["path"] for one in tables] == ["CreateTable"]
    assert "the-test" in tables[0]["agent"]
    assert any(one["agent"].startswith("Helm/") for one in found)


def test_cortex_starts_stops_and_starts_again(tmp_path):
    """A crashed daemon is not an obstacle: `down` clears up, `up` starts again, moto does not stay."""
    commands.up(tmp_path, product="cortex", speed=SPEED, client="1.20")
    first = read_sandbox(tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: not commands.is_running(tmp_path))
    with pytest.raises(UsageError, match="does not run"):
        commands.status(tmp_path)
    wait_until(lambda: not _answers(first.aws_port))

    commands.up(tmp_path, product="cortex", speed=SPEED, seed=2)

    assert commands.status(tmp_path)["product"] == "cortex"
    assert commands.status(tmp_path)["lost_sight"] == 0
    second = read_sandbox(tmp_path)
    assert commands.down(tmp_path)
    assert not commands.down(tmp_path)
    assert not _answers(second.port)
    wait_until(lambda: not _answers(second.aws_port))


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as one:
        one.settimeout(2)
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    """Values that are no sandbox's are not overwritten."""
    (tmp_path / "values.yaml").write_text("mine: true\n")
    with pytest.raises(UsageError, match="no sandbox"):
        commands.up(tmp_path)
    assert (tmp_path / "values.yaml").read_text() == "mine: true\n"


def test_a_binary_that_is_not_there_is_refused(tmp_path):
    """Nothing is written and nothing is started."""
    with pytest.raises(UsageError, match="no such executable"):
        commands.up(tmp_path, binary="/nonexistent/mimir")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_sandbox_is_named(tmp_path):
    """`status`, `inject` and `down` say how to start one."""
    for call in (commands.status, commands.down):
        with pytest.raises(UsageError, match="holds no sandbox") as caught:
            call(tmp_path)
        assert "sandbox up" in caught.value.hint

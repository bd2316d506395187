"""`sandbox up --binary`: a whole cluster around real processes, from the command to the end of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kubernetes import client as k8s
from kubernetes import config as k8s_config
from kubernetes.client.rest import ApiException

from mimir_migrate.errors import UnreachableError, UsageError
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.files import read_sandbox
from mimir_migrate.sandbox.walking import Walk

VALUES = """\
config:
  server: {http_listen_port: 8080}
  ruler: {enable_sharding: true, rule_path: /data/rules, ring: {kvstore: {store: memberlist}}}
nginx: {enabled: false}
"""
OFF = [
    "alertmanager",
    "compactor",
    "distributor",
    "ingester",
    "querier",
    "query_frontend",
    "store_gateway",
]
DEADLINE = 60.0


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """One ruler and nothing else."""
    path = tmp_path / "ruler.yaml"
    off = "".join(f"{name}: {{enabled: false}}\n" for name in OFF)
    path.write_text(VALUES + "ruler: {replicas: 1}\n" + off)
    return path


def until(condition):
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)
    return found


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


def test_pods_are_processes_and_end_with_their_sandbox(
    stand_in: Path, values: Path, tmp_path: Path
):
    """The API server's proxy leads to the process; a deleted pod's process ends; a killed sandbox ends all.

    A walk's own user may do what `rbac` prints, and no more.
    """
    folder = tmp_path / "sb"
    commands.up(folder, product="cortex", binary=str(stand_in), values=str(values))
    try:
        assert read_sandbox(folder).app_version == "9.9.9-test"
        (pod,) = commands.status(folder)["pods"]
        assert runs(pod["pid"])
        api = k8s.CoreV1Api(k8s_config.new_client_from_config(str(folder / "kubeconfig")))
        name, namespace = f"{pod['name']}:8080", "observability"
        page = api.connect_get_namespaced_pod_proxy_with_path(name, namespace, "config")
        assert "rule_path" in page
        with Walk(folder, print, users=False) as walk:
            confined = walk.confined()
        assert 'kubeconfig = "least.kubeconfig"' in confined.read_text()
        least = k8s.CoreV1Api(k8s_config.new_client_from_config(str(folder / "least.kubeconfig")))
        assert len(least.list_namespaced_pod(namespace).items) == 1
        with pytest.raises(ApiException, match="forbidden"):
            least.delete_namespaced_pod(pod["name"], namespace)
        api.delete_namespaced_pod(pod["name"], namespace)
        until(lambda: not runs(pod["pid"]))

        def other() -> dict:
            found = [one for one in commands.status(folder)["pods"] if one["ready"]]
            return found[0] if found and found[0]["pid"] != pod["pid"] else {}

        fresh = until(other)
        assert fresh["ip"] != pod["ip"]
        os.kill(read_sandbox(folder).pid, 9)
        until(lambda: not runs(fresh["pid"]))
    finally:
        commands.down(folder)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"speed": 30.0}, "real time"),
        ({"stores": "+dynamodb"}, "built with"),
        ({"product": "mimir"}, "is cortex 9.9.9-test"),
    ],
)
def test_what_cannot_be_with_a_real_binary_is_refused(stand_in: Path, tmp_path: Path, more, why):
    """Before anything is written."""
    with pytest.raises(UsageError, match=why):
        commands.up(tmp_path / "sb", **{"product": "cortex", "binary": str(stand_in), **more})
    assert not (tmp_path / "sb").exists()


def test_a_process_that_ends_at_once_ends_the_start_with_its_own_words(
    stand_in: Path, values: Path, tmp_path: Path
):
    """Instead of twenty minutes of waiting."""
    text = values.read_text().replace(
        "ruler: {replicas: 1}", "ruler: {replicas: 1, env: [{name: STAND_IN, value: refuses}]}"
    )
    values.write_text(text)
    with pytest.raises(UnreachableError, match="field nonsense not found"):
        commands.up(tmp_path / "sb", product="cortex", binary=str(stand_in), values=str(values))
    assert not commands.is_running(tmp_path / "sb")


def test_a_bound_sandbox_ends_with_whoever_started_it(
    stand_in: Path, values: Path, tmp_path: Path
):
    """A rehearsal that is killed leaves neither its sandbox nor a pod behind."""
    folder = tmp_path / "sb"
    program = (
        "import time\nfrom mimir_migrate.sandbox import commands\n"
        f"commands.up({str(folder)!r}, product='cortex', binary={str(stand_in)!r}, "
        f"values={str(values)!r}, bound=True)\nprint('up', flush=True)\ntime.sleep(600)\n"
    )
    started = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    (pod,) = commands.status(folder)["pods"]
    started.kill()
    started.wait()
    started.stdout.close()
    until(lambda: not runs(pod["pid"]))
    until(lambda: not commands.is_running(folder))

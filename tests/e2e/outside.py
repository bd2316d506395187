"""Looks at a sandbox from outside: the official clients, plain HTTP and the files, nothing of the package.

What a migration did and left behind is read here by other means than those of the tool under test.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import yaml
from kubernetes import client as k8s
from kubernetes import config as k8s_config

NAMESPACE = "observability"
TABLE = "observability-dev-mimir-rings"
PATHS = {
    ("mimir", "ingester"): "ingester.ring.kvstore",
    ("mimir", "distributor"): "distributor.ring.kvstore",
    ("mimir", "ruler"): "ruler.ring.kvstore",
    ("cortex", "ingester"): "ingester.lifecycler.ring.kvstore",
    ("cortex", "ruler"): "ruler.ring.kvstore",
}
"""Where the store of a ring stands on the page `/config`."""


class Outside:
    """One sandbox, seen from outside.

    Args:
        folder: The sandbox's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        found = json.loads((folder / "sandbox.json").read_text())
        self.product: str = found["product"]
        self._server = f"http://127.0.0.1:{found['port']}"
        self._token: str = found["token"]
        self._api = k8s_config.new_client_from_config(str(folder / "kubeconfig"))
        self._dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{found['aws_port']}",
            region_name="eu-west-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
        self._dynamodb.close()

    def get(self, path: str) -> str:
        """What the API server answers."""
        request = urllib.request.Request(
            f"{self._server}/{path}", headers={"Authorization": f"Bearer {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def page(self, pod: str, path: str) -> str:
        """A page of a pod, through the API server."""
        return self.get(f"api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/{path}")

    def writes(self) -> list[dict[str, Any]]:
        """Requests that changed something, of everybody but the pods, in order."""
        found: list[dict[str, Any]] = json.loads(self.get("sandbox/requests"))
        return found

    def pods(self) -> dict[str, list[str]]:
        """Names of the Ready pods by component; fails where one is not Ready or is going."""
        found: dict[str, list[str]] = {}
        for pod in k8s.CoreV1Api(self._api).list_namespaced_pod(NAMESPACE).items:
            assert pod.metadata.deletion_timestamp is None, pod.metadata.name
            conditions = {one.type: one.status for one in pod.status.conditions}
            assert conditions.get("Ready") == "True", pod.metadata.name
            component = pod.metadata.labels["app.kubernetes.io/component"]
            found.setdefault(component, []).append(pod.metadata.name)
        return found

    def names(self, component: str) -> list[str]:
        """Names of a component's pods."""
        pods = k8s.CoreV1Api(self._api).list_namespaced_pod(NAMESPACE).items
        label = "app.kubernetes.io/component"
        return [pod.metadata.name for pod in pods if pod.metadata.labels[label] == component]

    def terminating(self) -> int:
        """How many pods are going and not gone; more where another one is not Ready."""
        pods = k8s.CoreV1Api(self._api).list_namespaced_pod(NAMESPACE).items
        ready = [{one.type: one.status for one in pod.status.conditions}["Ready"] for pod in pods]
        return sum(
            pod.metadata.deletion_timestamp is not None or word != "True"
            for pod, word in zip(pods, ready, strict=True)
        )

    def stores(self) -> dict[str, set[str]]:
        """The stores that the pods' own `/config` names, by ring."""
        found: dict[str, set[str]] = {}
        for names in self.pods().values():
            for name in names:
                config = yaml.safe_load(self.page(name, "config"))
                for (product, ring), path in PATHS.items():
                    if product == self.product:
                        block = config
                        for key in path.split("."):
                            block = block[key]
                        found.setdefault(ring, set()).add(block["store"])
        return found

    def members(self) -> dict[str, set[str]]:
        """Addresses in the table, by ring key; empty where there is no table."""
        found: dict[str, set[str]] = {}
        if TABLE not in self._dynamodb.list_tables()["TableNames"]:
            return found
        for item in self._dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]:
            found.setdefault(item["RingKey"]["S"], set()).add(item["InstanceKey"]["S"])
        return found

    def delete_table(self) -> None:
        """Take the ring table away, as the operator would by hand."""
        if TABLE in self._dynamodb.list_tables()["TableNames"]:
            self._dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
            self._dynamodb.delete_table(TableName=TABLE)

    @property
    def dynamodb(self) -> Any:
        """The official client of the sandbox's DynamoDB."""
        return self._dynamodb

    def lease(self) -> str | None:
        """Who holds the Lease; None: nobody."""
        leases = k8s.CoordinationV1Api(self._api).list_namespaced_lease(NAMESPACE).items
        holders = [one.spec.holder_identity for one in leases if one.spec.holder_identity]
        assert len(holders) <= 1, holders
        return holders[0] if holders else None

    def configuration(self) -> dict[str, str]:
        """Hashes of what the release's objects hold and of its workloads, by name."""
        core, apps = k8s.CoreV1Api(self._api), k8s.AppsV1Api(self._api)
        found = {
            f"configmap {one.metadata.name}": one.data
            for one in core.list_namespaced_config_map(NAMESPACE).items
        }
        for one in (
            *apps.list_namespaced_deployment(NAMESPACE).items,
            *apps.list_namespaced_stateful_set(NAMESPACE).items,
        ):
            found[f"workload {one.metadata.name}"] = self._api.sanitize_for_serialization(one.spec)
        return {
            name: hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
            for name, data in found.items()
        }

    def files(self) -> dict[str, str]:
        """Hashes of the operator's files."""
        return {
            name: hashlib.sha256((self._folder / name).read_bytes()).hexdigest()
            for name in ("values.yaml", "target.toml", "kubeconfig")
        }

    def everything(self) -> dict[str, Any]:
        """All that must be where it was after a rollback."""
        return {
            "pods": {component: len(names) for component, names in self.pods().items()},
            "stores": self.stores(),
            "configuration": self.configuration(),
            "files": self.files(),
            "lease": self.lease(),
        }

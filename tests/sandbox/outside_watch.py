"""Watches the rings of a cluster from outside: through the API server, with the standard library alone.

    python outside_watch.py --kubeconfig FILE --namespace NS --seconds S

For every Ready pod that serves a ring's page and every Ready pod that is a member of that ring: does the
page show the member ACTIVE, with its address? A page that is not answered counts as lost. It prints one
JSON document: `observations`, `lost`, and `missed` as `ring observer member`.
"""

from __future__ import annotations

import argparse
import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

RINGS = {
    # ring: (the page, who is in it, who serves it)
    "ingester": ("/ingester/ring", "ingester", ("distributor", "querier", "ruler")),
    "distributor": ("/distributor/ring", "distributor", ("distributor",)),
    "store-gateway": ("/store-gateway/ring", "store-gateway", ("store-gateway",)),
    "compactor": ("/compactor/ring", "compactor", ("compactor",)),
    "ruler": ("/ruler/ring", "ruler", ("ruler",)),
    "alertmanager": ("/multitenant_alertmanager/ring", "alertmanager", ("alertmanager",)),
}


class Cluster:
    """The API server as the kubeconfig (in JSON) names it."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        config = json.loads(Path(kubeconfig).read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server = cluster["server"]
        authority = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
        self.tls = ssl.create_default_context(cadata=authority) if authority else None
        self.token = config["users"][0]["user"]["token"]
        self.base = f"{self.server}/api/v1/namespaces/{namespace}/pods"

    def get(self, url: str) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=self.tls) as answer:
            return json.load(answer)

    def ready_pods(self) -> dict[str, list[tuple[str, str]]]:
        """Name and address of the Ready pods, by component."""
        found: dict[str, list[tuple[str, str]]] = {}
        for pod in self.get(self.base)["items"]:
            conditions = pod.get("status", {}).get("conditions", [])
            ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
            component = pod["metadata"]["labels"].get("app.kubernetes.io/component", "")
            if ready and not pod["metadata"].get("deletionTimestamp"):
                entry = (pod["metadata"]["name"], pod["status"]["podIP"])
                found.setdefault(component, []).append(entry)
        return found

    def active(self, pod: str, page: str) -> dict[str, str] | None:
        """Who a page shows ACTIVE, and where; None: the ring is off, the page is not JSON."""
        try:
            found = self.get(f"{self.base}/{pod}:8080/proxy{page}")
        except urllib.error.HTTPError as error:
            error.close()
            return None if error.code == 404 else {}
        except OSError:
            return {}
        except ValueError:
            return None
        shards = found.get("shards") or []
        return {
            one["id"]: one["address"].rpartition(":")[0]
            for one in shards
            if one["state"] == "ACTIVE"
        }


def watch(cluster: Cluster, seconds: float) -> dict:
    """Ask again and again for so long."""
    observations = lost = 0
    missed: dict[str, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pods = cluster.ready_pods()
        for ring, (page, writer, readers) in RINGS.items():
            for observer, _ in [pod for reader in readers for pod in pods.get(reader, [])]:
                shown = cluster.active(observer, page)
                if shown is None:
                    continue
                for member, address in pods.get(writer, []):
                    observations += 1
                    if shown.get(member) != address:
                        lost += 1
                        key = f"{ring} {observer} {member}"
                        missed[key] = missed.get(key, 0) + 1
    return {"observations": observations, "lost": lost, "missed": missed}


def main() -> None:
    parser = argparse.ArgumentParser(description="watch the rings of a cluster from outside")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    cluster = Cluster(options.kubeconfig, options.namespace)
    print(json.dumps(watch(cluster, options.seconds)))


if __name__ == "__main__":
    main()

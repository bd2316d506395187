"""How long an inspection of 100 pods takes, against fetching the same pages bare.

The pods stand behind one HTTP server in a process of its own. Their pages have the shapes of real
pods' pages: 128 tokens for each member, metrics pages of about 200 KB. Prints one line of JSON.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import msgspec
import urllib3
from inspect_pods_baseline import fetch

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.inspection.inspect import AT_ONCE, inspect
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.stores import StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Page

ROUNDS = 5
SIZES = {
    "distributor": 12,
    "ingester": 30,
    "store-gateway": 12,
    "compactor": 6,
    "ruler": 10,
    "alertmanager": 4,
    "querier": 20,
    "query-frontend": 6,
}
NAMESPACE = "observability"
# What fills a real metrics page: histograms that the inspection does not need.
FILLER = "\n".join(
    f'cortex_ingester_memory_bucket{{method="m{number % 40}",le="{number}"}} {number}'
    for number in range(3000)
)


def main() -> None:
    """Run both, best of five each, and print the times."""
    small = _small_cluster()
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB, sizes=SIZES, tokens=128)
    cluster.dynamodb["rings"] = small.ring_table()
    recorder = _Recorder(cluster)
    inspect(_world(cluster, recorder), Target())
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, recorder.pages), daemon=True)
    server.start()
    url = ours.recv()
    try:
        pages = ProxyPages(_connect(url), NAMESPACE)
        world = _world(cluster, pages)
        questions = [
            (pages.proxy_path(pod, path), accept) for pod, path, accept in recorder.questions
        ]
        inspected = [_timed(lambda: inspect(world, Target())) for _ in range(ROUNDS)]
        bare = [_timed(lambda: fetch(url, questions, AT_ONCE)) for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.join()
    print(
        json.dumps(
            {
                "bench": "inspect_pods",
                "pods": len(cluster.pod_list),
                "pages": len(questions),
                "bytes": sum(len(page.body) for page in recorder.pages.values()),
                "seconds": round(min(inspected), 4),
                "baseline_seconds": round(min(bare), 4),
                "ratio": round(min(inspected) / min(bare), 2),
                "all_seconds": [round(each, 4) for each in inspected],
                "all_baseline_seconds": [round(each, 4) for each in bare],
            }
        )
    )


class _Recorder:
    """Answers from the small cluster and keeps every question with its answer."""

    def __init__(self, cluster: object) -> None:
        self._cluster = cluster
        self.questions: list[tuple[Pod, str, str]] = []
        self.pages: dict[str, Page] = {}

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 0) -> Page:
        page = self._cluster.get(pod, path, accept=accept, limit=limit)  # type: ignore[attr-defined]
        if path == "/metrics":
            page = msgspec.structs.replace(page, body=page.body + FILLER.encode() + b"\n")
        self.questions.append((pod, path, accept))
        self.pages[f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}:8080/proxy{path}"] = page
        return page


def _world(cluster: object, pages: object) -> object:
    return msgspec.structs.replace(cluster.world(), pages=pages)  # type: ignore[attr-defined]


def _small_cluster() -> ModuleType:
    """The cluster that the tests inspect: its pages have the shapes of real ones."""
    path = Path(__file__).parents[1] / "tests" / "inspection" / "small_cluster.py"
    spec = importlib.util.spec_from_file_location("small_cluster", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class _Client:
    """What `KubernetesApi` needs of the official client: an address, a pool, and no token."""

    def __init__(self, url: str) -> None:
        self.configuration = self
        self.rest_client = self
        self.host = url
        self.pool_manager = urllib3.PoolManager(maxsize=AT_ONCE)

    def auth_settings(self) -> dict[str, dict[str, str]]:
        return {}


def _connect(url: str) -> KubernetesApi:
    return KubernetesApi(_Client(url))


def _timed(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


def _serve(told: Connection, pages: dict[str, Page]) -> None:
    """Answer with the recorded pages until the process is ended."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            page = pages[self.path]
            self.send_response(page.status)
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main()

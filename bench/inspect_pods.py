"""What an inspection of 100 and of 500 pods with ten rings costs, against fetching the same pages bare.

The pods stand behind one HTTP server in a process of its own; their pages differ as real ones do
(`large_cluster.py`). Each round, of either kind, runs in a fresh process that holds nothing else, ours and
bare by turns; imports are done before the clock starts, by inspecting a small cluster in memory. Prints one
line of JSON for each size: wall time, processor time of the asking process (user and system, which a busy
machine disturbs less), both ratios, and the peak of resident memory (`VmHWM`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socketserver
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

ROUNDS = 5
PODS = (100, 500)


def main() -> None:
    """Run both kinds, best of five each, and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, nargs="*", default=PODS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--ask", nargs=3, metavar=("KIND", "URL", "QUESTIONS"))
    options = parser.parse_args()
    if options.ask:
        _ask(options.pods[0], *options.ask)
        return
    measured = {pods: _measure(pods, options.rounds) for pods in options.pods}
    for each in measured.values():
        print(json.dumps(each))


def _measure(pods: int, rounds: int) -> dict[str, object]:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, pods), daemon=True)
    server.start()
    try:
        url, questions, size = ours.recv()
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(questions, file)
            file.flush()
            found: dict[str, list[dict[str, float]]] = {"inspect": [], "bare": []}
            for _ in range(rounds):
                for kind, results in found.items():
                    results.append(_round(pods, kind, url, file.name))
    finally:
        server.terminate()
        server.join()
    return {
        "bench": "inspect_pods",
        "pods": pods,
        "rings": 10,
        "pages": len(questions),
        "bytes": size,
        **_figures(found),
    }


def _figures(found: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    def best(kind: str, what: str) -> float:
        return min(each[what] for each in found[kind])

    return {
        "seconds": best("inspect", "seconds"),
        "baseline_seconds": best("bare", "seconds"),
        "ratio": round(best("inspect", "seconds") / best("bare", "seconds"), 2),
        "cpu_seconds": best("inspect", "cpu"),
        "baseline_cpu_seconds": best("bare", "cpu"),
        "cpu_ratio": round(best("inspect", "cpu") / best("bare", "cpu"), 2),
        "again_seconds": best("inspect", "again"),
        "peak_mb": round(max(each["peak_mb"] for each in found["inspect"])),
        "before_mb": round(max(each["before_mb"] for each in found["inspect"])),
        "baseline_peak_mb": round(max(each["peak_mb"] for each in found["bare"])),
        "all_seconds": [each["seconds"] for each in found["inspect"]],
        "all_baseline_seconds": [each["seconds"] for each in found["bare"]],
        "all_cpu": [each["cpu"] for each in found["inspect"]],
        "all_baseline_cpu": [each["cpu"] for each in found["bare"]],
    }


def _round(pods: int, kind: str, url: str, questions: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--pods", str(pods), "--ask", kind, url, questions]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def _ask(pods: int, kind: str, url: str, file: str) -> None:
    """One round, in this process; prints what it took."""
    work = _inspection(pods, url) if kind == "inspect" else _bare(url, file)
    before = _peak_mb()
    result = _timed(work)
    result |= {"peak_mb": _peak_mb(), "before_mb": before}
    result["again"] = _timed(work)["seconds"] if kind == "inspect" else 0.0
    print(json.dumps(result))


def _timed(work: Callable[[], object]) -> dict[str, float]:
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - started, 4),
        "cpu": round(time.process_time() - cpu, 4),
    }


def _peak_mb() -> float:
    """The most resident memory that this process ever had; `ru_maxrss` would begin at its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def _bare(url: str, file: str) -> Callable[[], object]:
    from inspect_pods_baseline import fetch

    from mimir_migrate.inspection.inspect import AT_ONCE

    questions = [(path, accept) for path, accept in json.loads(Path(file).read_text())]
    return lambda: fetch(url, questions, AT_ONCE)


def _inspection(pods: int, url: str) -> Callable[[], object]:
    import msgspec
    from large_cluster import NAMESPACE, LargeCluster, small

    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.connection import Connection
    from mimir_migrate.adapters.kubernetes.kubeconfig import Context
    from mimir_migrate.adapters.kubernetes.kubeconfig_entries import Cluster, User
    from mimir_migrate.adapters.kubernetes.pages import ProxyPages
    from mimir_migrate.inspection.inspect import inspect
    from mimir_migrate.model.target import Target

    warm = small.SmallCluster()
    inspect(warm.world(), Target())
    api = KubernetesApi(
        Connection(Context(name="bench", cluster=Cluster(server=url), user=User()))
    )
    cluster = LargeCluster(pods)
    world = msgspec.structs.replace(cluster.world(), pages=ProxyPages(api, NAMESPACE))

    def work() -> object:
        found = inspect(world, Target())
        assert len(found.pods) == pods
        silent = [each for facts in found.pods for each in facts.unanswered]
        assert not silent, silent[:3]
        return found

    return work


def _serve(told: Pipe, pods: int) -> None:
    """Record every page that an inspection asks for, then answer with them until the process is ended."""
    import msgspec
    from large_cluster import LargeCluster, Recorder

    from mimir_migrate.inspection.inspect import inspect
    from mimir_migrate.model.target import Target

    cluster = LargeCluster(pods)
    recorder = Recorder(cluster)
    inspect(msgspec.structs.replace(cluster.world(), pages=recorder), Target(), max_at_once=1)
    ready = {
        path.encode(): (
            f"HTTP/1.1 {page.status} OK\r\nContent-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\n\r\n"
        ).encode()
        + page.body
        for path, page in recorder.answers.items()
    }

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline() not in {b"\r\n", b"\n", b""}:
                    pass
                self.wfile.write(ready[line.split(b" ")[1]])

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    size = sum(len(page.body) for page in recorder.answers.values())
    told.send((f"http://127.0.0.1:{server.server_address[1]}", recorder.questions, size))
    server.serve_forever()


if __name__ == "__main__":
    main()

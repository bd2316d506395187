"""One operator at a time, and a runner that lost its lease changes nothing more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.lease import KubernetesLease
from mimir_migrate.errors import DeniedError, InterruptedRunError, LeaseError, UnreachableError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.target import KubernetesTarget

LEASES = "/apis/coordination.k8s.io/v1/namespaces/mimir/leases"


class LeaseServer:
    """An API server with Leases: versions, conflicts, and somebody who writes in between."""

    def __init__(self) -> None:
        self.leases: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.writes = 0
        self.before_write: Callable[[], None] | None = None
        self.lost_answers = 0
        self.status = 0
        self.lock = threading.RLock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = outer.answer(self.command, self.path, body)
                if not status:
                    self.close_connection = True
                    return
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if self.status:
            return self.status, {"kind": "Status", "message": "told to"}
        if method != "GET" and self.before_write is not None:
            meanwhile, self.before_write = self.before_write, None
            meanwhile()
        with self.lock:
            status, answer = self.handled(method, path, deepcopy(body))
        if method != "GET" and status < 300 and self.lost_answers:
            self.lost_answers -= 1
            return 0, None
        return status, answer

    def handled(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        name = path.removeprefix(LEASES).strip("/")
        found = self.leases.get(name or (body or {}).get("metadata", {}).get("name"))
        if method == "GET":
            return (200, found) if found else (404, {"kind": "Status", "reason": "NotFound"})
        if method == "POST":
            if found:
                return 409, {"kind": "Status", "reason": "AlreadyExists"}
            return 201, self.stored(body)
        if not found:
            return 404, {"kind": "Status", "reason": "NotFound"}
        if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
            return 409, {"kind": "Status", "reason": "Conflict"}
        return 200, self.stored(body)

    def stored(self, lease: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.writes += 1
        lease["metadata"]["resourceVersion"] = str(self.version)
        self.leases[lease["metadata"]["name"]] = lease
        return lease

    @property
    def holder(self) -> str | None:
        found: str | None = self.leases["mimir-migrate"]["spec"].get("holderIdentity")
        return found


class Hands:
    """A clock that a test moves; sleeping moves it too."""

    def __init__(self) -> None:
        self.time = 1_795_337_000.0
        self.stopped = False
        self.slept = 0.0
        self.on_sleep: Callable[[], None] | None = None

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        if self.stopped:
            return
        self.time += seconds
        self.slept += seconds
        if self.on_sleep is not None:
            self.on_sleep()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[LeaseServer]:
    server = LeaseServer()
    yield server
    server.close()


@pytest.fixture
def server(shared_server: LeaseServer) -> LeaseServer:
    shared_server.leases.clear()
    shared_server.before_write = None
    shared_server.lost_answers = shared_server.status = shared_server.writes = 0
    return shared_server


@pytest.fixture(scope="module")
def api(shared_server: LeaseServer, tmp_path_factory: pytest.TempPathFactory) -> KubernetesApi:
    path = tmp_path_factory.mktemp("kube") / "config"
    host, port = shared_server.server.server_address[:2]
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "c", "cluster": {"server": f"http://{host!s}:{port}"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return KubernetesApi.connect(KubernetesTarget(kubeconfig=str(path)))


@pytest.fixture
def clock() -> Hands:
    return Hands()


def claim_of(holder: str, run: str, clock: Hands, **fields: Any) -> LeaseClaim:
    given = {
        "name": "mimir-migrate",
        "holder": holder,
        "run": run,
        "store": "dynamodb",
        "rings": ("ingester", "ruler"),
        "since": clock.now(),
        "duration": 60.0,
    }
    return LeaseClaim(**{**given, **fields})


def dead_pid() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.fixture
def ann(clock: Hands) -> LeaseClaim:
    return claim_of(f"ann@laptop run-1 {os.getpid()}", "run-1", clock, step="3-mirror")


@pytest.fixture
def bob(clock: Hands) -> LeaseClaim:
    return claim_of("bob@jump run-2 1", "run-2", clock)


@pytest.fixture
def laptop(api: KubernetesApi, clock: Hands) -> KubernetesLease:
    return KubernetesLease(api, "mimir", clock, host="laptop")


@pytest.fixture
def jump(api: KubernetesApi, clock: Hands) -> KubernetesLease:
    return KubernetesLease(api, "mimir", clock, host="jump")


def test_a_free_lease_is_taken(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim
) -> None:
    """It stands in the cluster for a second operator to read."""
    outcome = laptop.take(ann)

    assert not outcome.already
    assert server.holder == ann.holder
    assert (
        server.leases["mimir-migrate"]["metadata"]["annotations"]["mimir-migrate/run"] == "run-1"
    )
    laptop.renew(ann)


def test_a_second_operator_is_told_by_whom_it_is_held(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """Holder, since when, run, rings, store, step, last renewal, and what to do; nothing is written."""
    laptop.take(ann)
    clock.time += 12
    writes = server.writes
    for takeover in (False, True):
        with pytest.raises(LeaseError) as refused:
            jump.take(bob, takeover=takeover)
        for word in (
            ann.holder,
            "2026-11-22 08:43:20 UTC",
            "run-1",
            "ingester, ruler",
            "dynamodb",
            "3-mirror",
            "12 s ago",
        ):
            assert word in refused.value.message
        assert "mimir-migrate stop run-1" in refused.value.hint
        assert "48 s" in refused.value.hint
        assert refused.value.exit_code == 4

    assert (server.holder, server.writes) == (ann.holder, writes)


def test_a_lease_that_ran_out_is_taken_over_with_one_command_only(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """Not by itself: a runner may be asleep, and whoever takes over must have looked."""
    laptop.take(ann)
    clock.time += 61
    with pytest.raises(LeaseError, match="has run out") as refused:
        jump.take(bob)
    assert "--takeover" in refused.value.hint

    outcome = jump.take(bob, takeover=True)

    assert server.holder == bob.holder
    assert ann.holder in outcome.detail


def test_another_machines_lease_is_watched_before_it_is_taken_over(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """Clocks differ: what looks run out from here must also stand still for as long as it lasts."""
    laptop.take(ann)
    clock.time += 3600  # this machine's clock is an hour ahead

    clock.on_sleep = lambda: clock.slept > 20 and laptop.renew(ann) and None
    with pytest.raises(LeaseError, match="holds the lease"):
        jump.take(bob, takeover=True)
    assert server.holder == ann.holder

    clock.on_sleep = None
    clock.time += 3600
    clock.slept = 0
    jump.take(bob, takeover=True)
    assert clock.slept == pytest.approx(60)
    assert server.holder == bob.holder


def test_watching_ends_when_the_process_is_stopped(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """A stop during the wait takes nothing over."""
    laptop.take(ann)
    clock.time += 61
    clock.stopped = True
    with pytest.raises(InterruptedRunError):
        jump.take(bob, takeover=True)

    assert server.holder == ann.holder


def test_the_same_machines_lease_needs_no_watching(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim, clock: Hands
) -> None:
    """One clock: a run-out lease of this machine is taken over at once."""
    laptop.take(ann)
    clock.time += 61
    other = claim_of("eve@laptop run-3 77", "run-3", clock)
    laptop.take(other, takeover=True)

    assert clock.slept == 0
    assert server.holder == other.holder


def test_a_dead_runner_of_the_same_run_is_replaced_at_once(
    server: LeaseServer, api: KubernetesApi, clock: Hands
) -> None:
    """`resume` after a kill works before the lease ran out, without --takeover."""
    lease = KubernetesLease(api, "mimir", clock, host="laptop")
    lease.take(claim_of(f"ann@laptop run-1 {dead_pid()}", "run-1", clock))
    again = claim_of(f"ann@laptop run-1 {os.getpid()}", "run-1", clock)
    KubernetesLease(api, "mimir", clock, host="laptop").take(again)

    assert server.holder == again.holder


@pytest.mark.parametrize(
    ("holder", "run", "host"),
    [
        ("ann@laptop run-1 {alive}", "run-1", "laptop"),
        ("ann@laptop run-1 {dead}", "run-2", "laptop"),
        ("ann@laptop run-1 {dead}", "run-1", "jump"),
        ("somebody else", "run-1", "laptop"),
    ],
)
def test_nobody_else_is_replaced_at_once(
    server: LeaseServer, api: KubernetesApi, clock: Hands, holder: str, run: str, host: str
) -> None:
    """A living process, another run, another machine, a holder of another form: all keep the lease."""
    first = holder.format(alive=os.getpid(), dead=dead_pid())
    KubernetesLease(api, "mimir", clock, host="laptop").take(claim_of(first, "run-1", clock))
    second = claim_of(f"ann@{host} {run} 1", run, clock)
    with pytest.raises(LeaseError):
        KubernetesLease(api, "mimir", clock, host=host).take(second)

    assert server.holder == first


def test_renewing_keeps_the_lease_and_tells_the_step(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """A renewed lease holds beyond its first end."""
    laptop.take(ann)
    clock.time += 50
    laptop.renew(msgspec.structs.replace(ann, step="4-switch"))
    clock.time += 50

    with pytest.raises(LeaseError, match="at the step 4-switch"):
        jump.take(bob, takeover=True)


def test_a_runner_that_lost_the_lease_cannot_renew_it(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """It is told who has it now, and the new holder's lease stays as it is."""
    laptop.take(ann)
    clock.time += 61
    jump.take(bob, takeover=True)
    with pytest.raises(LeaseError, match="lost the lease") as lost:
        laptop.renew(ann)

    assert bob.holder in lost.value.message
    assert server.holder == bob.holder
    assert laptop.release(ann).already
    assert server.holder == bob.holder


def test_the_same_name_is_no_proof(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
    clock: Hands,
) -> None:
    """A lease that went to another and came back in this holder's name is not this process's."""
    laptop.take(ann)
    clock.time += 61
    jump.take(bob, takeover=True)
    jump.release(bob)
    KubernetesLease(laptop._api, "mimir", clock, host="laptop").take(ann)

    with pytest.raises(LeaseError, match="lost the lease"):
        laptop.renew(ann)


def test_a_lease_that_somebody_deleted_is_lost(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim
) -> None:
    """It is not made again behind everybody's back."""
    laptop.take(ann)
    server.leases.clear()
    with pytest.raises(LeaseError, match="nobody does"):
        laptop.renew(ann)

    assert server.leases == {}


def test_of_two_that_take_at_once_one_wins(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
) -> None:
    """Whoever writes second is refused by the API server, looks again, and is told the first one."""
    server.before_write = lambda: jump.take(bob) and None
    with pytest.raises(LeaseError, match="bob@jump"):
        laptop.take(ann)
    assert server.holder == bob.holder

    jump.release(bob)
    server.before_write = lambda: jump.take(bob) and None
    with pytest.raises(LeaseError, match="bob@jump"):
        laptop.take(ann)
    assert server.holder == bob.holder


def test_many_at_once(server: LeaseServer, api: KubernetesApi, clock: Hands) -> None:
    """Of many threads with a holder each, one gets the lease."""
    won: list[str] = []

    def attempt(number: int) -> None:
        claim = claim_of(f"u@host{number} run-{number} 1", f"run-{number}", clock)
        lease = KubernetesLease(api, "mimir", clock, host=f"host{number}")
        try:
            lease.take(claim)
        except LeaseError:
            return
        won.append(claim.holder)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert won == [server.holder]


def test_an_answer_that_got_lost_is_not_a_loss(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim
) -> None:
    """A write that arrived although its answer did not: trying again finds the lease one's own."""
    server.lost_answers = 1
    with pytest.raises(UnreachableError):
        laptop.take(ann)
    assert laptop.take(ann).already

    server.lost_answers = 1
    with pytest.raises(UnreachableError):
        laptop.renew(ann)
    laptop.renew(ann)
    assert server.holder == ann.holder


def test_release_gives_it_to_the_next(
    server: LeaseServer,
    laptop: KubernetesLease,
    jump: KubernetesLease,
    ann: LeaseClaim,
    bob: LeaseClaim,
) -> None:
    """A released lease is free at once; releasing twice is not an error."""
    laptop.take(ann)

    assert not laptop.release(ann).already
    assert laptop.release(ann).already
    assert not jump.take(bob).already
    assert server.holder == bob.holder


def test_refusals_of_the_server_are_told(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim
) -> None:
    """No rights and no server are errors of their own, never taken for a free lease."""
    server.status = 403
    with pytest.raises(DeniedError):
        laptop.take(ann)
    server.status = 500
    with pytest.raises(UnreachableError):
        laptop.take(ann)
    server.status = 0

    assert server.leases == {}


def test_takes_no_path_from_a_name(
    server: LeaseServer, laptop: KubernetesLease, ann: LeaseClaim, tmp_path: Path
) -> None:
    """A name with a slash stays one name."""
    odd = msgspec.structs.replace(ann, name="a/../b")
    laptop.take(odd)

    assert list(server.leases) == ["a/../b"]

"""What the adapters make of an API server, a pod or DynamoDB on a bad day, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.lease import KubernetesLease
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.errors import DeniedError, LeaseError, UnreachableError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import AwsTarget, KubernetesTarget

Answer = tuple[int, bytes] | None
"""Status and body; None: the connection is closed without an answer."""

PODS = json.dumps(
    {
        "items": [
            {
                "metadata": {"name": "r-0", "labels": {"app.kubernetes.io/instance": "metrics"}},
                "spec": {"containers": [{"name": "c", "args": ["-target=ruler"]}]},
                "status": {"podIP": "10.0.0.1"},
            }
        ],
        "metadata": {},
    }
).encode()
CLAIM = LeaseClaim(
    name="mimir-migrate-x", holder="olga@laptop run-1 1", run="run-1", store="dynamodb", rings=()
)
POD = Pod(name="r-0", ip="10.0.0.1")


class SystemTime:
    """A clock that stands still."""

    def now(self) -> float:
        return 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        """Nobody waits."""


class Scripted:
    """A server that answers what was written down, then the same for ever."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.otherwise: Callable[[str, str], Answer] = lambda method, path: (200, b"{}")
        self.asked: list[str] = []
        self.token = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.token = self.headers.get("Authorization", "")
                outer.asked.append(f"{self.command} {self.path}")
                answer = (
                    outer.script.pop(0)
                    if outer.script
                    else outer.otherwise(self.command, self.path)
                )
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                try:
                    self.wfile.write(answer[1])
                except ConnectionError:
                    self.close_connection = True

            def do_PUT(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server on loopback."""
    running = Scripted()
    yield running
    running.close()


@pytest.fixture
def api(server: Scripted, tmp_path: Path) -> Iterator[KubernetesApi]:
    """The adapter in front of it."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": server.url}}],
                "users": [{"name": "me", "user": {"token": "s3cret"}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            }
        )
    )
    connected = KubernetesApi.connect(KubernetesTarget(kubeconfig=str(path)))
    yield connected
    connected.close()


@pytest.fixture
def cluster(api: KubernetesApi, server: Scripted) -> KubernetesCluster:
    """A release with one pod."""
    server.otherwise = lambda method, path: (
        (200, PODS) if "/pods" in path else (200, b'{"items": []}')
    )
    return KubernetesCluster(api, KubernetesTarget(namespace="observability", release="metrics"))


def refusal(code: int, reason: str) -> Answer:
    """A Kubernetes Status."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"{reason} it is"}
    return code, json.dumps(body).encode()


@pytest.mark.parametrize(
    "answer",
    [refusal(429, "TooManyRequests"), refusal(500, "InternalError"), (503, b"upstream"), None],
    ids=["429", "500", "503", "dropped"],
)
def test_a_bad_moment_of_the_api_server_is_asked_through(
    cluster: KubernetesCluster, server: Scripted, answer: Answer
) -> None:
    """Two bad answers are not even noticed; one that stays that way says what it said."""
    server.script = [answer, answer]
    assert [pod.name for pod in cluster.pods()] == ["r-0"]

    server.otherwise = lambda method, path: answer
    with pytest.raises(UnreachableError) as caught:
        cluster.pods()
    said = json.loads(answer[1])["message"] if answer and b"{" in answer[1] else ""
    assert said in caught.value.message
    assert "/pods" in caught.value.message
    assert caught.value.hint


def test_a_list_that_expires_halfway_is_read_from_its_beginning(
    cluster: KubernetesCluster, server: Scripted
) -> None:
    """410 on a continued list: nothing is missing from the second reading and nothing is twice in it."""
    cluster.pods()
    first = json.loads(PODS)
    first["metadata"]["continue"] = "more"
    server.script = [(200, json.dumps(first).encode()), refusal(410, "Expired")]
    server.asked.clear()

    assert [pod.name for pod in cluster.pods()] == ["r-0"]
    lists = [path for path in server.asked if "/pods?" in path]
    assert len(lists) == 3
    assert "continue=more" in lists[1]
    assert "continue" not in lists[2]


def test_a_list_that_always_expires_is_given_up(
    cluster: KubernetesCluster, server: Scripted
) -> None:
    """With the server's words."""
    cluster.pods()
    server.otherwise = lambda method, path: refusal(410, "Expired")

    with pytest.raises(UnreachableError, match="Expired it is"):
        cluster.pods()


def test_conflicts_on_the_lease_are_met_with_a_new_look(
    api: KubernetesApi, server: Scripted
) -> None:
    """409 three times: read and written again; 409 for ever: refused, with what to do."""
    lease = KubernetesLease(api, "observability", SystemTime(), host="laptop")
    server.otherwise = lambda method, path: (
        refusal(404, "NotFound") if method == "GET" else (201, b'{"spec": {}}')
    )
    absent, conflict = refusal(404, "NotFound"), refusal(409, "Conflict")
    server.script = [absent, conflict, absent, conflict, absent, conflict]
    assert "held by olga@laptop" in lease.take(CLAIM).detail
    assert len([path for path in server.asked if path.startswith("POST")]) == 4

    server.otherwise = lambda method, path: absent if method == "GET" else conflict
    with pytest.raises(LeaseError) as caught:
        lease.take(CLAIM)
    assert caught.value.hint


def test_a_throttled_write_is_made_again_and_a_failed_one_is_not(
    api: KubernetesApi, server: Scripted
) -> None:
    """429 was not begun; after 500 or a dropped connection nobody knows, so the caller looks first."""
    server.script = [refusal(429, "TooManyRequests")]
    api.send("POST", "/thing", {})
    assert len(server.asked) == 2
    for answer in (refusal(500, "InternalError"), None):
        server.asked.clear()
        server.script = [answer]
        with pytest.raises(UnreachableError):
            api.send("POST", "/thing", {})
        assert len(server.asked) == 1


def test_expired_kubernetes_credentials_say_log_in(
    api: KubernetesApi, cluster: KubernetesCluster, server: Scripted
) -> None:
    """On lists and on pods' pages alike, and the token stays out of it."""
    server.otherwise = lambda method, path: refusal(401, "Unauthorized")
    for ask in (cluster.pods, lambda: ProxyPages(api, "observability").get(POD, "/metrics")):
        with pytest.raises(DeniedError) as caught:
            ask()
        assert "log in" in caught.value.hint
        assert "s3cret" not in str(caught.value)
    assert len(server.asked) == 3, "the kubeconfig is read again, though not all the time"


def test_after_a_new_login_to_kubernetes_it_goes_on(
    cluster: KubernetesCluster, server: Scripted, tmp_path: Path
) -> None:
    """The token that was accepted at first is not kept for ever: the kubeconfig is read again."""
    listed = server.otherwise
    server.otherwise = lambda method, path: (
        listed(method, path) if server.token == "Bearer new" else refusal(401, "Unauthorized")
    )
    path = tmp_path / "kubeconfig"
    path.write_text(path.read_text().replace("s3cret", "new"))

    assert [pod.name for pod in cluster.pods()] == ["r-0"]


def test_a_page_of_50_mb_is_cut_off(api: KubernetesApi, server: Scripted) -> None:
    """No more than the limit is read; the pod and the page are named."""
    server.otherwise = lambda method, path: (200, b"x" * 50_000_000)

    with pytest.raises(UnreachableError, match="more than 33554432 bytes") as caught:
        ProxyPages(api, "observability").get(POD, "/metrics")

    assert "r-0" in caught.value.message


# --- DynamoDB


@pytest.fixture
def tables(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> DynamoDBTables:
    """The adapter in front of the same server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setattr("random.random", lambda: 0.0)  # botocore's backoff is this times 2^n
    return DynamoDBTables(AwsClients(AwsTarget(region="eu-west-1", endpoint_url=server.url)))


def fault(code: str) -> Answer:
    """An error of DynamoDB."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": f"{code} it is"}
    return 400, json.dumps(body).encode()


def test_throttled_dynamodb_is_asked_again(tables: DynamoDBTables, server: Scripted) -> None:
    """Three throttled answers are not noticed; throttled for ever it says so."""
    throttled = fault("ProvisionedThroughputExceededException")
    server.script = [throttled] * 3
    server.otherwise = lambda method, path: (200, b'{"Items": [], "Count": 0}')
    assert tables.items("rings", "ruler", "collectors/ruler").members == ()
    assert len(server.asked) == 4

    server.otherwise = lambda method, path: throttled
    with pytest.raises(UnreachableError, match="ProvisionedThroughputExceeded"):
        tables.items("rings", "ruler", "collectors/ruler")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException"])
def test_dynamodb_that_refuses_is_told_at_once(
    tables: DynamoDBTables, server: Scripted, code: str
) -> None:
    """Asking again would not help; the hint says what does, and no key is in the message."""
    server.otherwise = lambda method, path: fault(code)

    with pytest.raises(DeniedError, match=code) as caught:
        tables.items("rings", "ruler", "collectors/ruler")

    assert len(server.asked) == 1
    assert caught.value.hint
    assert "AKIA" not in str(caught.value)
    if code == "ExpiredTokenException":
        assert "log in" in caught.value.hint


def test_after_a_new_login_to_aws_it_goes_on(
    tables: DynamoDBTables, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once they were refused as expired, the credentials are read again for the next call."""
    server.otherwise = lambda method, path: (
        (200, b'{"Items": [], "Count": 0}')
        if "AKIANEW" in server.token
        else fault("ExpiredTokenException")
    )
    with pytest.raises(DeniedError):
        tables.items("rings", "ruler", "collectors/ruler")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")

    assert tables.items("rings", "ruler", "collectors/ruler").members == ()

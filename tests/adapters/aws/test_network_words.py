"""What an operator is told when DynamoDB cannot be reached: what was asked of whom, and what to try.

Each case is a real call of the client to an address that behaves so.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from mimir_migrate.adapters.aws import session
from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.target import AwsTarget
from mimir_migrate.sandbox.kubernetes.certificate import tls_context

pytestmark = pytest.mark.usefixtures("clients")


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does something with each connection; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def told(endpoint: str, named: str = "") -> UnreachableError:
    """What a question about a table ends with."""
    target = AwsTarget(region="eu-west-1", endpoint_url=endpoint)
    with pytest.raises(UnreachableError) as caught:
        DynamoDBTables(AwsClients(target, attempts=1)).table("rings")
    error = caught.value
    assert "rings" in error.message
    assert (named or endpoint) in error.message
    for word in ("urllib3", "HTTPConnectionPool", "Errno", "_ssl.c", "DescribeTable permission"):
        assert word not in f"{error.message} {error.hint}"
    return error


def test_a_port_that_nobody_listens_on() -> None:
    """The way there is to be checked, not a permission."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    error = told(f"http://127.0.0.1:{port}")
    assert "no connection to the endpoint" in error.message
    assert "endpoint_url" in error.hint


def test_a_server_that_hangs_up() -> None:
    """It is said that it answered nothing."""
    with listening(lambda connection: connection.recv(1) and None) as port:
        error = told(f"http://127.0.0.1:{port}")
    assert "closed the connection without an answer" in error.message


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken, and not answered in time."""
    monkeypatch.setattr(session, "_READ_TIMEOUT", 0.2)
    over = threading.Event()
    with listening(lambda _: over.wait(10) and None) as port:
        error = told(f"http://127.0.0.1:{port}")
        over.set()
    assert "did not answer in time" in error.message


def test_a_server_that_speaks_no_tls() -> None:
    """TLS is named, not the network."""
    with listening(lambda connection: connection.sendall(b"HTTP/1.0 400 no\r\n\r\n")) as port:
        error = told(f"https://127.0.0.1:{port}")
    assert "TLS with the endpoint failed" in error.message


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """A proxy that opens TLS is the usual cause; its authority is asked for, not the network."""
    context = tls_context(tmp_path)

    def greet(connection: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    with listening(greet) as port:
        error = told(f"https://127.0.0.1:{port}")
    assert "certificate is not trusted" in error.message
    assert "AWS_CA_BUNDLE" in error.hint
    assert "check the network" not in error.hint


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is named."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://olga:hunter2@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody")
    error = told("https://dynamodb.example.invalid", f"127.0.0.1:{port}")
    assert "hunter2" not in error.message
    assert "the proxy does not let this through" in error.message
    assert "HTTPS_PROXY" in error.hint

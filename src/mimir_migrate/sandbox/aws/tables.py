"""DynamoDB, IAM and STS on loopback: moto in a process of its own.

    python -m mimir_migrate.sandbox.aws.tables [--port N]

It prints its port as the first line of its output and serves until it is ended, or until its standard
input is closed, so that it does not outlive who started it. `GET /sandbox/requests` lists the requests
that changed DynamoDB and were not made by pods, which name themselves in their user agent. `POST
/sandbox/bad-days` lets the ring bridge's requests go wrong.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final, cast

from mimir_migrate.sandbox.aws.bad_days import BadDays
from mimir_migrate.sandbox.aws.pod_requests import OPERATIONS, PodTables, is_known

POD_AGENT: Final = "sandbox-pod"
"""Part of the user agent of simulated pods, boto3's `user_agent_extra`."""
BRIDGE_AGENT: Final = "sandbox-bridge"
"""The same of the ring bridge's replicas, the AWS SDK's application id."""
_READING: Final = (
    "Query",
    "Scan",
    "GetItem",
    "BatchGetItem",
    "TransactGetItems",
    "Describe",
    "List",
)
_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Recorder:
    """Writes down what changes DynamoDB on its way to the application that does it."""

    def __init__(self, application: _Application) -> None:
        self._application = application
        # moto looks at a condition and then writes, with nothing between two threads that do so: of two
        # conditional writes of one item both would be acknowledged, and one lost.
        self._one_at_a_time = threading.Lock()
        self._pods = PodTables(self._one_at_a_time)
        self._bad_days = BadDays()
        self._requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("PATH_INFO") == "/sandbox/requests":
            with self._lock:
                body = json.dumps(self._requests).encode()
            start_response("200 OK", [("Content-Type", "application/json")])
            return [body]
        if environ.get("PATH_INFO") == "/sandbox/bad-days":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            self._bad_days.set(json.loads(environ["wsgi.input"].read(length)))
            start_response("204 No Content", [])
            return []
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        agent = environ.get("HTTP_USER_AGENT", "")
        if not service.startswith("DynamoDB"):
            return self._application(environ, start_response)
        if BRIDGE_AGENT in agent and (spoiled := self._bad_days.meet()) is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(spoiled[0], [("Content-Type", "application/x-amz-json-1.0")])
            return [spoiled[1]]
        if POD_AGENT in agent or BRIDGE_AGENT in agent:
            if POD_AGENT in agent and operation in OPERATIONS:
                return self._answer_pod(operation, environ, start_response)
        elif not operation.startswith(_READING):
            with self._lock:
                self._requests.append(
                    {
                        "at": time.time(),
                        "service": "dynamodb",
                        "method": "POST",
                        "path": operation,
                        "agent": agent,
                    }
                )
        return self._ask_moto(environ, start_response)

    def _ask_moto(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with self._one_at_a_time:
            return self._application(environ, start_response)

    def _answer_pod(
        self, operation: str, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if not is_known(operation, json.loads(body)):
            environ["wsgi.input"] = io.BytesIO(body)
            return self._ask_moto(environ, start_response)
        authorization = environ.get("HTTP_AUTHORIZATION", "")
        status, answer = self._pods.answer(operation, body, authorization)
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Content-Length", str(len(answer))),
        ]
        start_response("200 OK" if status == HTTPStatus.OK else "400 Bad Request", headers)
        return [answer]


def _remember_nothing() -> None:
    """Keep moto from holding on to every item it ever made, for a dashboard that nobody opens."""
    import moto.dynamodb.models  # noqa: F401 - so that its models are there to be told
    from moto.core.model_instances import model_data

    for models in model_data.values():
        for model in models.values():
            cast("Any", model).instances_tracked = deque(maxlen=0)


def serve(port: int) -> None:
    """Serve moto on loopback until the process is ended."""
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    _remember_nothing()

    class Quiet(WSGIRequestHandler):
        """Keeps connections open and writes no log."""

        protocol_version = "HTTP/1.1"

        def log_request(self, *_: object, **__: object) -> None:
            """Say nothing."""

    application = Recorder(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server.serve_forever()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which comes with the end of the parent."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="moto on loopback for the sandbox")
    parser.add_argument("--port", type=int, default=0)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()

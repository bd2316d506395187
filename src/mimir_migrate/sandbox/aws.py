"""DynamoDB, IAM and STS on loopback: moto in a process of its own.

    python -m mimir_migrate.sandbox.aws [--port N]

It prints its port as the first line of its output and serves until it is ended, or until its standard
input is closed, so that it does not outlive who started it. `GET /sandbox/requests` lists the requests
that changed DynamoDB and were not made by simulated pods, which name themselves in their user agent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

POD_AGENT: Final = "sandbox-pod"
"""Part of the user agent of simulated pods, boto3's `user_agent_extra`."""
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
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        agent = environ.get("HTTP_USER_AGENT", "")
        if (
            service.startswith("DynamoDB")
            and not operation.startswith(_READING)
            and POD_AGENT not in agent
        ):
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
        return self._application(environ, start_response)


def serve(port: int) -> None:
    """Serve moto on loopback until the process is ended."""
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

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

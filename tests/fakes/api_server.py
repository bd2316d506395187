"""A small HTTP server in the API server's place: it answers what a test put there."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Server:
    """An API server that answers what a test put there, and knows what it was asked.

    Args:
        tls: What it speaks https with; None: plain HTTP.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Any] = {}
        """Path → object, list of items, or (status, content type, body)."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.headers: list[list[tuple[str, str]]] = []
        """Of each request, in order; a name may come several times."""
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path, dict(self.headers)))
                outer.headers.append(self.headers.items())
                length = int(self.headers.get("Content-Length") or 0)
                outer.bodies.append(self.rfile.read(length))
                status, content_type, body = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                if status in range(300, 400):
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                self.do_GET()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, target: str) -> tuple[int, str, bytes]:
        parts = urlsplit(target)
        known = self.answers.get(target, self.answers.get(parts.path))
        if callable(known):
            known = known()
        if isinstance(known, tuple):
            return known
        if known is None:
            return status(404, "NotFound", f"{parts.path} not found")
        if isinstance(known, list):
            return 200, "application/json", json.dumps(self._listed(known, parts.query)).encode()
        return 200, "application/json", json.dumps(known).encode()

    def _listed(self, items: list[dict[str, Any]], query: str) -> dict[str, Any]:
        """A list as the API server answers it: by label, page by page."""
        words = parse_qs(query)
        wanted = dict(
            pair.split("=", 1) for pair in words.get("labelSelector", [""])[0].split(",") if pair
        )
        found = [
            item
            for item in items
            if wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        start = int(words.get("continue", ["0"])[0])
        end = start + min(int(words.get("limit", ["2"])[0]), 2)
        following = {"continue": str(end)} if end < len(found) else {}
        return {"items": found[start:end], "metadata": following}


def status(code: int, reason: str, message: str) -> tuple[int, str, bytes]:
    """A Kubernetes Status object."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return code, "application/json", json.dumps(body).encode()

"""The table of the sandbox does one request after another, as a conditional write needs it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from mimir_migrate.sandbox.aws.tables import Recorder

TURNS = 5


def test_no_acknowledged_write_is_lost_where_many_write_at_once() -> None:
    """What looks at an item and then writes it, as moto does, is never interrupted by another request."""
    stored = 0

    def looks_then_writes(
        environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        nonlocal stored
        before = stored
        time.sleep(0.005)
        stored = before + 1
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    recorder = Recorder(looks_then_writes)
    answers: list[bytes] = []

    def write() -> None:
        for _ in range(TURNS):
            environ = {
                "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem",
                "HTTP_USER_AGENT": "somebody",
                "CONTENT_LENGTH": "4",
                "wsgi.input": io.BytesIO(b"body"),
            }
            answers.extend(recorder(environ, lambda *_: None))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert stored == 4 * TURNS
    assert answers == [b"body"] * stored

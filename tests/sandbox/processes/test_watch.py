"""What the watch over real processes makes of pages and configurations."""

from __future__ import annotations

import json

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import Response
from mimir_migrate.sandbox.processes.watch import gate_window, members_on


def page(status: int = 200, kind: str = "application/json", body: object = None) -> Response:
    return Response(status=status, content_type=kind, body=json.dumps(body).encode())


def test_a_page_is_its_members_by_id() -> None:
    """As both products write it."""
    found = members_on(page(body={"shards": [{"id": "ruler-0", "state": "ACTIVE"}], "now": "…"}))
    assert found == {"ruler-0": {"id": "ruler-0", "state": "ACTIVE"}}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (page(status=404), None),
        (page(kind="text/html"), None),
        (page(status=500), {}),
        (page(body={"shards": None}), {}),
        (Response(status=200, content_type="application/json", body=b"{"), {}),
    ],
)
def test_no_such_page_is_not_asked_and_no_answer_is_lost_sight(answer, found) -> None:
    """A ring that is off answers in HTML; an error shows nobody."""
    assert members_on(answer) == found


def test_the_window_is_that_of_the_gates() -> None:
    """Twice the longest heartbeat, the poll where DynamoDB is named, the reload period."""
    config = """
runtime_config: {period: 5s}
ruler: {ring: {heartbeat_period: 20s, kvstore: {store: STORE, dynamodb: {puller_sync_time: 7s}}}}
"""
    assert gate_window(Product.CORTEX, config.replace("STORE", "memberlist")) == 45.0
    assert gate_window(Product.CORTEX, config.replace("STORE", "multi")) == 52.0
    assert gate_window(Product.CORTEX, "") == 2 * 15.0 + 10.0
    assert gate_window(Product.CORTEX, "{") == 0.0

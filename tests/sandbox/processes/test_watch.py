"""What the watch over real processes makes of pages and configurations."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.sandbox.interface import Response
from mimir_migrate.sandbox.processes.watch import ProcessWatch, _page, gate_window, members_on


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


class Slow:
    """A process whose page does not come at the first tries."""

    def __init__(self, silent: int) -> None:
        self.silent = silent

    async def fetch(self, _path: str, _accept: str) -> Response:
        self.silent -= 1
        if self.silent >= 0:
            raise TimeoutError
        return page(body={"shards": [{"id": "ruler-0"}]})


@pytest.mark.parametrize(
    ("silent", "found"),
    [(0, ({"ruler-0"}, False)), (1, ({"ruler-0"}, True)), (2, (set(), False))],
)
def test_a_page_that_comes_at_the_second_asking_is_late_and_said_to_be(silent, found) -> None:
    """One that does not come then either shows nobody."""
    ring = next(ring for ring in rings_of(Product.CORTEX) if ring.name == "ruler")
    members, late = asyncio.run(_page(Slow(silent), ring))
    assert (set(members or ()), late) == found


class Scheduler:
    """A query-scheduler whose page fails, as a real one's while DynamoDB is away."""

    def __init__(self, component: str) -> None:
        self.spec = SimpleNamespace(name="one", ip="10.0.0.1", component=component, config="")
        self.ready, self.silenced, self.ready_since = True, False, -10_000.0

    async def fetch(self, _path: str, _accept: str) -> Response:
        return page(status=500)


@pytest.mark.parametrize(
    ("ring", "away", "counted"),
    [
        ("query-scheduler", False, True),
        ("query-scheduler", True, False),
        ("ruler", True, True),
    ],
)
def test_a_page_that_is_a_read_of_the_table_shows_nobody_while_that_is_away(
    ring: str, away: bool, counted: bool
) -> None:
    """It is no view of anybody's. The pages of other rings are, and are lost sight of as ever."""
    found = next(one for one in rings_of(Product.MIMIR) if one.name == ring)

    async def story() -> int:
        watch = ProcessWatch(Product.MIMIR, lambda: [Scheduler(ring)])  # type: ignore[list-item]
        if away:
            watch.dynamodb_goes()
        await watch._look(found)
        return watch.lost_sight

    assert (asyncio.run(story()) > 0) is counted


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

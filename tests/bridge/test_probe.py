"""Replicas prove themselves to each other: the gate that looks at it is never wrong, and never blind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import bridged
import msgspec
import pytest
from bridge_world import CALM, CLUSTER, EPOCH, STORM, TABLE, Calls, Weather, World
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rules import _believes_in_what_was_not_answered
from test_service import Storage, served
from virtual_loop import run_virtually

from mimir_migrate.bridge import probe as probes
from mimir_migrate.bridge.probe import FORGOTTEN, KEY, MOST, Probe
from mimir_migrate.bridge.replica import Replica
from mimir_migrate.bridge.table import Table
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.judges.bridge_probe import WRITTEN_WITHIN, bridge_consistent
from mimir_migrate.inspection.pages.reading import decode_json
from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.facts import Bridge, BridgePage, BridgeReplica, Inspection, Pod

ASTRAY = "another-table"
RELEASE = bridged.release()


class Replicas:
    """A few replicas that probe, asked for their pages one after the other as the tool asks them."""

    def __init__(self, seed: int, weather: Weather = CALM, *tables: str) -> None:
        self.world = World(seed)
        self.draw = self.world.draw
        self.world.storage.tables[ASTRAY] = {}
        self.calls: Calls = self.world.calls
        self.calls.weather = weather
        self.tables = tables or (TABLE, TABLE)
        self.clocks = [self.world._clock(self.draw.uniform(-90, 90)) for _ in self.tables]
        self.started = [0.0] * len(self.tables)
        self.starts = 0
        self.probes: list[Probe] = []
        self.work: list[asyncio.Task[None]] = []
        for number in range(len(self.tables)):
            self.probes.append(self._made(number))
            self.work.append(asyncio.create_task(self.probes[number].work()))

    def _made(self, number: int) -> Probe:
        self.starts += 1
        self.started[number] = self.clocks[number]()
        table = Table(self.calls, self.tables[number], CLUSTER)
        return Probe(f"bridge-{number}-{self.starts}", table, self.clocks[number])

    def kill(self, number: int) -> None:
        """Kill a replica, and start it again at once."""
        self.work[number].cancel()
        self.probes[number] = self._made(number)
        self.work[number] = asyncio.create_task(self.probes[number].work())

    async def look(self) -> Inspection:
        """Ask each replica for its page; each answer takes its time."""
        at, found = now(), []
        for number, probe in enumerate(self.probes):
            asked_at = now()
            await asyncio.sleep(self.draw.random() * 0.3)
            shown = json.dumps(
                {
                    "now": self.clocks[number](),
                    "started": self.started[number],
                    "probe": probe.page(),
                }
            ).encode()
            await asyncio.sleep(self.draw.random() * 0.3)
            found.append(
                BridgeReplica(
                    pod=Pod(name=f"bridge-{number}", ip=f"10.0.0.{number}", ready=True),
                    page=decode_json(shown, BridgePage, "the page"),
                    asked_at=asked_at,
                    answered_at=now(),
                )
            )
        return msgspec.structs.replace(RELEASE, at=at, bridge=Bridge(replicas=tuple(found)))

    async def end(self) -> None:
        for task in self.work:
            task.cancel()
        ended = await asyncio.gather(*self.work, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


def now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def judged(inspection: Inspection, reference: Inspection | None) -> GateResult:
    return bridge_consistent(
        inspection, GateContext(rings=("ingester",), window=20.0, reference=reference)
    )


def walked(
    replicas: Callable[[], Replicas],
    seconds: float = 120.0,
    meanwhile: Callable[[Replicas], None] = lambda _: None,
) -> list[GateResult]:
    """What the gate says of replicas, sample by sample."""

    async def work() -> list[GateResult]:
        some = replicas()
        looks: list[Inspection] = []
        found = []
        try:
            while asyncio.get_running_loop().time() < seconds:
                await asyncio.sleep(some.draw.uniform(1.0, 8.0))
                meanwhile(some)
                looks.append(await some.look())
                found.append(judged(looks[-1], looks[-2] if looks[1:] else None))
        finally:
            await some.end()
        return found

    return run_virtually(work())


def failed(results: list[GateResult], words: str) -> list[GateResult]:
    return [
        one
        for one in results
        if one.verdict is Verdict.FAIL and any(words in each.detail for each in one.evidence)
    ]


NOT_READ = "does not read what"
weathers = st.builds(
    Weather,
    latency=st.sampled_from([0.0, 0.05, 0.7]),
    throttled=st.sampled_from([0.0, 0.3]),
    unheard=st.sampled_from([0.0, 0.05]),
    unanswered=st.sampled_from([0.0, 0.2]),
    late=st.sampled_from([0.0, 0.2]),
)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), weathers, st.booleans())
def test_sound_replicas_read_what_the_others_were_acknowledged_in_any_weather(
    seed: int, weather: Weather, kills: bool
) -> None:
    """Delays between any two calls, lost answers, late ones, throttling, kills, clocks 3 min apart."""

    def meanwhile(some: Replicas) -> None:
        if kills and some.draw.random() < 0.2:
            some.kill(some.draw.randrange(2))

    results = walked(lambda: Replicas(seed, weather), meanwhile=meanwhile)

    assert failed(results, NOT_READ) == []


def test_sound_replicas_pass() -> None:
    """From the third sample on, every one."""
    results = walked(lambda: Replicas(1, CALM, TABLE, TABLE, TABLE), seconds=60.0)

    assert {one.verdict for one in results[3:]} <= {Verdict.PASS, Verdict.UNKNOWN}
    assert sum(one.verdict is Verdict.PASS for one in results) > len(results) / 2


# --- what has to turn it red ---------------------------------------------------------------------


def test_a_replica_that_writes_to_another_table_is_seen() -> None:
    """By every other one, and it by them."""
    results = walked(lambda: Replicas(2, CALM, TABLE, TABLE, ASTRAY))

    assert failed(results, NOT_READ)
    assert {each.source for one in results for each in one.evidence} >= {
        f"bridge pod bridge-{number} GET /rings" for number in range(3)
    }
    assert all(one.verdict is not Verdict.PASS for one in results)


def test_a_replica_that_stays_on_an_old_copy_of_the_table_is_seen() -> None:
    """A cache between it and the table, or a table restored elsewhere under the same name."""

    def meanwhile(some: Replicas) -> None:
        if some.tables[1] == TABLE and asyncio.get_running_loop().time() > 30:
            copy = dict(some.world.storage.tables[TABLE])
            some.world.storage.tables[ASTRAY] = copy
            some.tables = (TABLE, ASTRAY)
            some.probes[1]._replica._table.name = ASTRAY

    results = walked(lambda: Replicas(3, CALM, TABLE, TABLE), meanwhile=meanwhile)

    assert any(one.verdict is Verdict.PASS for one in results)
    assert failed(results, NOT_READ)
    assert results[-1].verdict is Verdict.FAIL


def test_a_replica_that_may_read_and_not_write_is_seen() -> None:
    """Its role lacks PutItem and TransactWriteItems."""

    class Denied(Calls):
        async def __call__(self, operation: str, arguments: Any) -> Any:
            if "put" in operation or "write" in operation:
                return await self._throttled(operation, arguments)
            return await super().__call__(operation, arguments)

    def replicas() -> Replicas:
        some = Replicas(4)
        some.probes[1]._replica._table._call_raw = Denied(some.world.storage, some.draw)
        return some

    results = walked(replicas, seconds=3 * WRITTEN_WITHIN)

    assert results[-1].verdict is Verdict.FAIL
    assert "bridge-1" in results[-1].summary
    assert "no write of its own" in results[-1].summary


def _reads_what_it_knows(patch: pytest.MonkeyPatch) -> None:
    """Its reads are of what it knows, for as long as nobody tells it of more."""
    patch.setattr(Replica, "get", Replica.known)


OFF = {
    "a probe reads the table": (_reads_what_it_knows, CALM),
    "true is in the table": (_believes_in_what_was_not_answered, STORM),
}


@pytest.mark.parametrize("rule", OFF)
def test_a_rule_that_is_turned_off_turns_the_gate_red(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In some weather of a few, in which it is not red while the rule is there."""
    turn_off, weather = OFF[rule]

    def red() -> bool:
        return any(
            one.verdict is Verdict.FAIL
            for seed in range(6)
            for one in walked(partial(Replicas, seed, weather))
        )

    assert not red()

    turn_off(monkeypatch)

    assert red()


# --- what it costs and leaves --------------------------------------------------------------------


def test_the_ring_of_probes_never_grows() -> None:
    """A replica that starts again and again is forgotten after 10 min, and is never too many."""

    async def work() -> tuple[int, int]:
        some = Replicas(5)
        for _ in range(2 * MOST):
            some.kill(0)
            await asyncio.sleep(1.0)
        most = len(some.probes[1]._read)
        await asyncio.sleep(FORGOTTEN / 1000 + 10)
        await some.end()
        return most, len(some.probes[1]._read)

    most, left = run_virtually(work())

    assert MOST - 2 <= most <= MOST + 1
    assert left == 2


def test_nothing_that_reads_rings_sees_a_probe() -> None:
    """It lies under partition keys of its own, and no client is served it."""

    async def work() -> None:
        async with served(Storage()) as one:
            for _ in range(1500):
                page = json.loads((await one.get("/rings"))[2])
                if page["probe"]["written"]:
                    break
                await asyncio.sleep(0.02)
            assert page["probe"]["written"] > 0
            assert KEY not in page["rings"]
            assert (await one.get(f"/v1/kv/{KEY}"))[0] == 501
            assert {key for key, _ in one.storage.table.tables["rings"]} == {
                f"bridge:{KEY}",
                KEY,
                "bridge:collectors/ring",
            }
            metrics = (await one.get("/metrics"))[2].decode()
            assert "ring_bridge_probe_age_seconds" in metrics

    asyncio.run(work())


def test_a_probe_that_cannot_be_made_leaves_the_rings_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody else's items under its key: the page says so, and rings are served."""
    monkeypatch.setattr(probes, "EVERY", 0.01)
    storage = Storage()
    storage.table.tables["rings"][KEY, "x"] = {
        "RingKey": {"S": KEY},
        "InstanceKey": {"S": "x"},
        "version": {"N": "7"},
    }

    async def work() -> None:
        async with served(storage) as one:
            page: dict[str, Any] = {}
            for _ in range(1500):
                page = json.loads((await one.get("/rings"))[2])
                if page["probe"]["problem"]:
                    break
                await asyncio.sleep(0.02)
            assert "no head names" in page["probe"]["problem"]
            assert (await one.get("/readyz"))[0] == 200
            assert (await one.get())[0] == 404

    asyncio.run(work())

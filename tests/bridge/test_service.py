"""The service over HTTP: what Consul's client is answered, who is let in, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botocore.exceptions import EndpointConnectionError
from memory_dynamodb import MemoryDynamoDB

from mimir_migrate.bridge import service
from mimir_migrate.bridge.limits import Budget
from mimir_migrate.bridge.ring_value import Entry, RingValue, read_value, write_value
from mimir_migrate.bridge.serving import Options, Replica
from mimir_migrate.errors import MigrateError, UsageError

KEY = "collectors/ring"
PATH = f"/v1/kv/{KEY}"
PATIENCE = 30.0
STAYS = 60.0
"""Seconds that a replica which was told to end goes on serving: longer than any test; its end is not awaited."""


class Storage:
    """A table in memory that can be away."""

    def __init__(self) -> None:
        self.table = MemoryDynamoDB("rings")
        self.away = False

    async def __call__(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://table")
        return self.table.perform(operation, arguments)


class Served:
    """A replica that serves on loopback, and a client of it."""

    def __init__(
        self, replica: Replica, storage: Storage, session: aiohttp.ClientSession, base: str
    ) -> None:
        self.replica, self.storage, self.session, self.base = replica, storage, session, base

    async def get(self, path: str = PATH, **more: Any) -> tuple[int, Mapping[str, str], bytes]:
        async with self.session.get(self.base + path, **more) as answer:
            return answer.status, answer.headers, await answer.read()

    async def put(self, index: int, body: bytes, **more: Any) -> tuple[int, str]:
        url = f"{self.base}{PATH}?cas={index}"
        async with self.session.put(url, data=io.BytesIO(body), **more) as answer:
            return answer.status, await answer.text()

    async def index(self) -> int:
        return int((await self.get())[1]["X-Consul-Index"])

    async def writes(self) -> None:
        """Wait until a write is under way."""

        async def busy() -> bool:
            return self.replica._service.busy > 0

        await until(busy)

    async def leaves(self) -> None:
        """Wait until the replica has begun to go."""

        async def draining() -> bool:
            return self.replica._service.draining

        await until(draining)

    async def shows(self, figure: str) -> None:
        """Wait until the figures have this line."""

        async def shown() -> bool:
            return f"\n{figure}\n" in (await self.get("/metrics"))[2].decode()

        await until(shown)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it comes to that."""
    end = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def served(storage: Storage | None = None, **options: Any) -> AsyncIterator[Served]:
    """A replica on a free port of loopback."""
    storage = storage or Storage()
    chosen = {"leaving": 0.0, "listen": "127.0.0.1", "port": 0, **options}
    replica = Replica(
        Options(table="rings", region="eu-west-1", cluster="one", keys=(KEY,), **chosen), storage
    )
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving_ = asyncio.create_task(replica.serve(port.set_result))
    await asyncio.wait([port, serving_], timeout=10, return_when=asyncio.FIRST_COMPLETED)
    if serving_.done():
        serving_.result()
    scheme = "https" if options.get("tls_certificate") else "http"
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(replica, storage, session, f"{scheme}://127.0.0.1:{await port}")
    finally:
        replica.end()
        if chosen["leaving"]:
            serving_.cancel()
        with suppress(asyncio.CancelledError):
            await serving_


def run(work: Callable[[Served], Awaitable[None]], **options: Any) -> None:
    """Do something with a replica that serves."""

    async def whole() -> None:
        async with served(**options) as one:
            await work(one)

    asyncio.run(whole())


def ring(**beats: int) -> bytes:
    """A value with a few members."""
    return write_value(
        RingValue({i: Entry(b"\x0a\x021:\x18\x00", beat) for i, beat in beats.items()})
    )


def test_a_ring_goes_round_as_consuls_client_sends_and_reads_it() -> None:
    """404 with an index; a write over nothing; the value with its index; a write over that."""

    async def work(one: Served) -> None:
        status, headers, _ = await one.get(f"{PATH}?stale=")
        assert status == 404
        assert int(headers["X-Consul-Index"]) > 0
        assert await one.put(0, ring(a=1)) == (200, "true")
        assert await one.put(0, ring(a=2)) == (200, "false")
        status, headers, body = await one.get()
        (pair,) = json.loads(body)
        assert status == 200
        assert pair["Key"] == KEY
        assert pair["ModifyIndex"] == int(headers["X-Consul-Index"])
        assert headers["X-Consul-KnownLeader"] == "true"
        assert headers["X-Consul-LastContact"] == "0"
        assert read_value(base64.b64decode(pair["Value"])).members["a"].beat == 1
        assert await one.put(pair["ModifyIndex"], ring(a=3, b=3)) == (200, "true")

    run(work)


def test_flags_are_kept() -> None:
    """As the last writer gave them."""

    async def work(one: Served) -> None:
        async with one.session.put(f"{one.base}{PATH}?cas=0&flags=42", data=ring(a=1)) as answer:
            assert await answer.text() == "true"
        assert json.loads((await one.get())[2])[0]["Flags"] == 42

    run(work)


def test_a_watch_is_held_until_something_changes() -> None:
    """One that ends with nothing new is told so by its own index and no body."""

    async def work(one: Served) -> None:
        await one.put(0, ring(a=1))
        index = await one.index()
        status, headers, body = await one.get(f"{PATH}?stale=&wait=50ms&index={index}")
        assert (status, headers["X-Consul-Index"], body) == (404, str(index), b"")
        watch = asyncio.create_task(one.get(f"{PATH}?stale=&wait=60000ms&index={index}"))
        await one.shows("ring_bridge_watches 1.0")
        assert not watch.done()
        await one.put(index, ring(a=1, b=1))
        status, headers, _ = await watch
        assert status == 200
        assert int(headers["X-Consul-Index"]) > index

    run(work)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", PATH, 501),
        ("GET", f"{PATH}?recurse=", 501),
        ("GET", f"{PATH}?keys=", 501),
        ("PUT", f"{PATH}?acquire=session&cas=0", 501),
        ("GET", "/v1/kv/ha-tracker/tenant", 501),
        ("PUT", "/v1/kv/somebody/else?cas=0", 501),
        ("PUT", PATH, 501),
        ("PUT", f"{PATH}?cas=-1", 400),
        ("PUT", f"{PATH}?cas=0", 400),
        ("GET", f"{PATH}?index=x", 400),
        ("GET", f"{PATH}?index=1&wait=soon", 400),
        ("GET", "/v1/agent/self", 404),
    ],
)
def test_what_is_not_served_is_refused(method: str, path: str, status: int) -> None:
    """In words, and nothing is written."""

    async def work(one: Served) -> None:
        async with one.session.request(method, one.base + path, data=b"?") as answer:
            assert answer.status == status
            assert await answer.text()
        assert {key[1] for key in one.storage.table.tables["rings"]} == {"head"}

    run(work)


def test_a_token_is_asked_for_and_read_again_when_it_changes(tmp_path: Path) -> None:
    """By the rings; the pages for operators are open."""
    file = tmp_path / "token"
    file.write_text("first\n")

    async def work(one: Served) -> None:
        assert (await one.get())[0] == 403
        assert (await one.get(headers={"X-Consul-Token": "other"}))[0] == 403
        assert (await one.get(headers={"X-Consul-Token": "first"}))[0] == 404
        assert (await one.put(0, ring(a=1)))[0] == 403
        for page in ("/healthz", "/readyz", "/metrics", "/rings"):
            assert (await one.get(page))[0] == 200
        file.write_text("second\n")
        one.replica._look_at_files()
        assert (await one.get(headers={"X-Consul-Token": "first"}))[0] == 403
        assert (await one.get(headers={"X-Consul-Token": "second"}))[0] == 404

    run(work, token_file=str(file))


def test_nothing_is_answered_before_the_first_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica is not ready meanwhile, and answers what was asked once the table is there."""
    storage = Storage()
    storage.away = True

    async def work(one: Served) -> None:
        first = asyncio.create_task(one.get(f"{PATH}?stale="))
        await asyncio.sleep(0.1)
        assert not first.done()
        assert (await one.get("/readyz"))[0] == 503
        assert (await one.get("/healthz"))[0] == 200
        storage.away = False
        assert (await first)[0] == 404
        assert (await one.get("/readyz"))[0] == 200
        storage.away = True
        await asyncio.sleep(0.6)
        assert (await one.get("/readyz"))[0] == 200

    run(work, storage=storage)


def test_an_end_answers_watches_and_finishes_writes() -> None:
    """Not ready first, then every held watch with its own index; a held write is done."""

    async def work(one: Served) -> None:
        await one.put(0, ring(a=1))
        index = await one.index()
        watches = [
            asyncio.create_task(one.get(f"{PATH}?stale=&wait=60000ms&index={index}"))
            for _ in range(5)
        ]
        await one.shows("ring_bridge_watches 5.0")
        one.storage.away = True
        write = asyncio.create_task(one.put(index, ring(a=2)))
        await one.writes()
        one.replica.end()
        for status, headers, _ in await asyncio.gather(*watches):
            assert (status, headers["X-Consul-Index"]) == (404, str(index))
        assert (await one.get("/readyz"))[0] == 503
        one.storage.away = False
        assert await write == (200, "true")

    run(work, leaving=STAYS)


def test_a_replica_that_goes_says_that_it_closes_the_connection() -> None:
    """A client that believed in it would send its write into a closed connection."""

    async def work(one: Served) -> None:
        await one.put(0, ring(a=1))
        assert "Connection" not in (await one.get())[1]
        one.replica.end()
        await one.leaves()
        status, headers, body = await one.get()
        assert (status, headers["Connection"]) == (200, "close")
        assert await one.put(json.loads(body)[0]["ModifyIndex"], ring(a=2)) == (200, "true")

    run(work, leaving=STAYS)


def test_pages_show_rings_clients_and_figures() -> None:
    """What `inspect` reads, and what Prometheus does."""

    async def work(one: Served) -> None:
        await one.put(0, ring(a=1790000000))
        page = json.loads((await one.get("/rings"))[2])
        shown = page["rings"][KEY]
        assert shown["exists"] is True
        assert [(m["id"], m["state"], m["timestamp"]) for m in shown["members"]] == [
            ("a", "ACTIVE", 1790000000)
        ]
        assert page["clients"]["127.0.0.1"]["keys"] == [KEY]
        metrics = (await one.get("/metrics"))[2].decode()
        assert f'ring_bridge_writes_total{{answer="true",key="{KEY}"}} 1.0' in metrics
        assert f'ring_bridge_members{{key="{KEY}"}} 1.0' in metrics
        assert "process_resident_memory_bytes" in metrics

    run(work)


def test_a_reader_that_takes_nothing_is_cut_and_holds_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others are answered meanwhile."""
    monkeypatch.setattr(service, "PATIENCE", 0.3)
    many = {f"m{number:05}": Entry(b"\x3a\x80\x40" + os.urandom(8192), 1) for number in range(900)}

    async def work(one: Served) -> None:
        body = write_value(RingValue(many))
        assert await one.put(0, body) == (200, "true")
        port = int(one.base.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await writer.drain()
        assert (await one.get())[0] == 200
        await one.shows("ring_bridge_slow_clients_total 1.0")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(8_000_000)
        writer.close()

    run(work)


def test_connections_are_bounded() -> None:
    """One too many is told so, and closed."""

    async def work(one: Served) -> None:
        one.replica._service._connections = 2
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            held = [
                asyncio.create_task(
                    _status(session, f"{one.base}{PATH}?wait=60000ms&index=9{n}" + "9" * 14)
                )
                for n in range(4)
            ]
            answers = asyncio.as_completed(held, timeout=PATIENCE)
            assert [await next(answers), await next(answers)] == [503, 503]
            one.replica.end()  # which answers those that are held
            assert [await next(answers), await next(answers)] == [404, 404]

        async def let_in() -> bool:
            return (await one.get())[0] == 404

        await until(let_in)

    run(work, leaving=STAYS)


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return answer.status


def test_who_keeps_bytes_longest_loses_its_connection() -> None:
    """As soon as there are too many."""
    budget, cut = Budget(most=100), []
    for size in (60, 30, 20):
        budget.take(size, size, lambda size=size: cut.append(size))

    assert cut == [60]
    assert budget.held == 50
    budget.give_back(30)
    budget.give_back(60)
    assert budget.held == 20


def test_a_certificate_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """New connections see the new one."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    _write_certificate(certificate, key, "first")

    async def work(one: Served) -> None:
        port = int(one.base.rsplit(":", 1)[1])
        before = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        assert before.split() == certificate.read_text().split()
        _write_certificate(certificate, key, "second")
        one.replica._look_at_files()
        after = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        assert after.split() == certificate.read_text().split()
        certificate.write_text("not a certificate")
        one.replica._look_at_files()
        assert await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)) == after

    run(work, tls_certificate=str(certificate), tls_key=str(key))


def _write_certificate(certificate: Path, key: Path, name: str) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(made, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def test_files_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    """With the file's name."""
    empty = tmp_path / "token"
    empty.write_text("\n")
    for options in ({"token_file": str(empty)}, {"token_file": str(tmp_path / "none")}):
        with pytest.raises(UsageError, match=str(tmp_path)):
            Replica(Options(table="t", region="r", cluster="c", keys=(KEY,), **options), Storage())


def test_a_table_that_is_not_there_ends_the_process() -> None:
    """It is never made."""
    storage = Storage()
    storage.table.tables = {}

    async def work() -> None:
        replica = Replica(
            Options(
                table="rings", region="r", cluster="c", keys=(KEY,), listen="127.0.0.1", port=0
            ),
            storage,
        )
        with pytest.raises(MigrateError, match="ResourceNotFoundException"):
            await replica.serve()

    asyncio.run(work())
    assert storage.table.tables == {}

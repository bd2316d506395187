"""The process: options, TLS, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from mimir_migrate.bridge.probe import Probe, own_name
from mimir_migrate.bridge.rings import Rings
from mimir_migrate.bridge.service import Service
from mimir_migrate.bridge.table import Calls, Table
from mimir_migrate.errors import UsageError

EXPERIMENTAL: Final = (
    "Experimental: run against stock Mimir r341 (between 2.16 and 2.17) and a stand-in for DynamoDB; "
    "never on AWS."
)
REREAD: Final = 10.0
"""Seconds between looks at the files of token and certificate."""
LEAVING: Final = 5.0
"""Seconds that a replica which is told to end still answers: its Service needs them to notice."""
FINISHING: Final = 20.0
"""Seconds that writes under way have to finish after that."""
_log = logging.getLogger("mimir_migrate.bridge")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica is started with."""

    table: str
    region: str
    cluster: str
    keys: tuple[str, ...]
    listen: str = "0.0.0.0"  # noqa: S104 - it serves pods of the cluster
    port: int = 8500
    endpoint_url: str = ""
    token_file: str = ""
    """Empty: no token is asked for."""
    tls_certificate: str = ""
    """Empty: no TLS."""
    tls_key: str = ""
    leaving: float = LEAVING


class FileOnDisk:
    """A file that is read again when it has changed, such as one of a Secret.

    Args:
        path: Its path.
        what: What it holds, for errors.

    Raises:
        UsageError: It cannot be read, or is empty.
    """

    def __init__(self, path: str, what: str) -> None:
        self._path = Path(path)
        self._what = what
        self.text = ""
        self.look()

    def look(self) -> bool:
        """Read it; whether it is another text than before.

        Raises:
            UsageError: It cannot be read, or is empty.
        """
        try:
            found = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"reading the {self._what} {self._path}: {error}",
                hint="Look at the path, its rights and what it is mounted from.",
            ) from error
        if not found:
            raise UsageError(
                f"reading the {self._what} {self._path}: it is empty",
                hint="Look at what it is mounted from.",
            )
        changed = found != self.text
        self.text = found
        return changed


class Replica:
    """One replica of the bridge, as a server.

    Args:
        options: What it is started with.
        calls: Calls of DynamoDB.
    """

    def __init__(self, options: Options, calls: Calls) -> None:
        self._options = options
        table = Table(calls, options.table, options.cluster)
        self._rings = Rings(options.keys, table)
        self._probe = Probe(own_name(), table)
        self._token = FileOnDisk(options.token_file, "token") if options.token_file else None
        self._tls: ssl.SSLContext | None = None
        self._certificate: list[FileOnDisk] = []
        if options.tls_certificate:
            self._certificate = [
                FileOnDisk(options.tls_certificate, "certificate"),
                FileOnDisk(options.tls_key, "key of the certificate"),
            ]
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._load_certificate()
        token = self._token
        self._service = Service(
            self._rings, None if token is None else lambda: token.text, probe=self._probe
        )
        self._end = asyncio.Event()

    async def serve(self, on_listening: Callable[[int], None] | None = None) -> None:
        """Serve until `end` is called.

        Args:
            on_listening: Told the port once it listens.

        Raises:
            StorageRefusedError: The table holds what this bridge must not serve.
            RefusedError: The table refuses.
            UsageError: It cannot listen there.
        """
        from aiohttp import web

        runner = web.AppRunner(
            self._service.application(), access_log=None, keepalive_timeout=75, shutdown_timeout=1
        )
        await runner.setup()
        site = web.TCPSite(
            runner, self._options.listen, self._options.port, ssl_context=self._tls, backlog=1024
        )
        try:
            await site.start()
        except OSError as error:
            raise UsageError(
                f"listening on {self._options.listen}:{self._options.port}: {error.strerror}",
                hint="Give another with --listen or --port; 0 is any free port.",
            ) from error
        if on_listening is not None:
            on_listening(runner.addresses[0][1])
        work = [asyncio.create_task(one) for one in (self._rings_work(), self._files_work())]
        ending: asyncio.Task[Any] = asyncio.create_task(self._end.wait())
        try:
            await asyncio.wait([ending, *work], return_when=asyncio.FIRST_COMPLETED)
            for task in work:
                if task.done():
                    task.result()
            await self._leave()
        finally:
            for task in [ending, *work]:
                task.cancel()
            await asyncio.gather(ending, *work, return_exceptions=True)
            await runner.cleanup()

    def end(self) -> None:
        """End in order: not ready any more, watches answered, writes finished."""
        self._end.set()

    async def _leave(self) -> None:
        self._service.drain()
        await asyncio.sleep(self._options.leaving)
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISHING):
                await self._service.idle.wait()

    async def _rings_work(self) -> None:
        await self._rings.begin()
        await asyncio.gather(self._rings.poll(), self._probe.work())

    async def _files_work(self) -> None:
        while True:
            await asyncio.sleep(REREAD)
            self._look_at_files()

    def _look_at_files(self) -> None:
        try:
            if self._token is not None and self._token.look():
                _log.warning("the token was read again")
            changed = [file.look() for file in self._certificate]
            if any(changed):
                self._load_certificate()
                _log.warning("the certificate was read again")
        except UsageError as error:  # what was read before goes on to be used
            _log.warning("%s", error)

    def _load_certificate(self) -> None:
        assert self._tls is not None  # noqa: S101 - there is a certificate only with it
        try:
            self._tls.load_cert_chain(self._options.tls_certificate, self._options.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"loading the certificate {self._options.tls_certificate} with its key "
                f"{self._options.tls_key}: {error}",
                hint="Both have to be PEM, and the key the certificate's own.",
            ) from error


async def serve(
    options: Options, ready: Callable[[Replica], Awaitable[None]] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        options: What the replica is started with.
        ready: Called with the replica before it serves.

    Raises:
        MigrateError: It cannot serve.
    """
    from mimir_migrate.bridge.boto_calls import BotoCalls

    calls = BotoCalls(options.region, options.endpoint_url)
    replica = Replica(options, calls)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, replica.end)
    if ready is not None:
        await ready(replica)

    def listening(port: int) -> None:
        rings = "1 ring" if len(options.keys) == 1 else f"{len(options.keys)} rings"
        print(f"serving {rings} on port {port}", file=sys.stderr, flush=True)

    try:
        await replica.serve(listening)
    finally:
        calls.close()

"""Services of the release on loopback: what kube-proxy does, one address a service.

A headless service answers with its pods' addresses, which clients spread over themselves; here one
address leads to one Ready pod after another. It is listened on when somebody's configuration names it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Final

from mimir_migrate.sandbox.processes.addresses import Addresses

_CHUNK: Final = 65_536


class Services:
    """Listens where a configuration of a pod names a service.

    Args:
        addresses: Gives each service its address.
        pods_behind: Addresses of the Ready pods behind a service's name; None: there is no such service.
        by_address: Ports of services that tell clients apart by their addresses.
    """

    def __init__(
        self,
        addresses: Addresses,
        pods_behind: Callable[[str], Sequence[str] | None],
        by_address: Collection[int] = (),
    ) -> None:
        self._by_address = by_address
        self._addresses = addresses
        self._pods_behind = pods_behind
        self._listening: dict[tuple[str, int, str], asyncio.Task[None]] = {}
        self._turn = 0

    def address(self, host: str, port: int, client: str = "") -> str:
        """The address of a service by the host that a configuration names; empty: none of the release.

        Args:
            host: The host.
            port: The port.
            client: The address of the pod whose configuration it is.
        """
        name = host.split(".", 1)[0]
        if self._pods_behind(name) is None:
            return ""
        source = client if port in self._by_address else ""
        address = source or self._addresses.of_service(name)
        if (name, port, source) not in self._listening:
            loop = asyncio.get_running_loop()
            work = self._listen(name, address, port, source)
            self._listening[name, port, source] = loop.create_task(work)
        return address

    async def close(self) -> None:
        """Stop listening."""
        for task in self._listening.values():
            task.cancel()
        await asyncio.gather(*self._listening.values(), return_exceptions=True)

    async def _listen(self, name: str, address: str, port: int, source: str) -> None:
        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._lead(name, port, source, reader, writer)

        server = await asyncio.start_server(lead, address, port)
        async with server:
            await server.serve_forever()

    async def _lead(
        self,
        name: str,
        port: int,
        source: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        pods = self._pods_behind(name) or ()
        try:
            if not pods:
                return
            self._turn += 1
            there, back = await asyncio.open_connection(
                pods[self._turn % len(pods)], port, local_addr=(source, 0) if source else None
            )
            try:
                await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
            finally:
                back.close()
        except OSError:
            return
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()

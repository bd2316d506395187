"""A service's address leads to one Ready pod after another."""

from __future__ import annotations

import asyncio

from mimir_migrate.sandbox.processes.addresses import Addresses
from mimir_migrate.sandbox.processes.services import Services


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: bytes) -> None:
    writer.write(name + b":" + await reader.readline())
    await writer.drain()
    writer.close()


async def ask(address: str, port: int) -> bytes:
    for _ in range(1500):
        try:
            reader, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(0.02)  # the service begins to listen when it is first named
            continue
        writer.write(b"hello\n")
        found = await reader.read()
        writer.close()
        return found
    raise AssertionError("nobody listens")


def test_connections_are_spread_over_the_pods_and_unknown_names_are_told() -> None:
    """Both ways, to their ends; a name that is not a service of the release has no address."""

    async def run() -> set[bytes]:
        addresses = Addresses()
        ready = [addresses.take(), addresses.take()]
        servers = [
            await asyncio.start_server(lambda r, w, name=name: say(r, w, name), address, 9095)
            for name, address in zip((b"a", b"b"), ready, strict=True)
        ]
        services = Services(addresses, lambda name: ready if name == "query-frontend" else None)
        assert services.address("s3.example.com", 443) == ""
        address = services.address("query-frontend.ns.svc.cluster.local", 9095)
        assert address == services.address("query-frontend", 9095)
        found = {await ask(address, 9095) for _ in range(4)}
        await services.close()
        for server in servers:
            server.close()
            await server.wait_closed()
        addresses.close()
        return found

    assert asyncio.run(run()) == {b"a:hello\n", b"b:hello\n"}


def test_a_service_that_knows_clients_by_address_is_asked_from_the_clients_own() -> None:
    """Each pod's configuration leads to its own address, and from there to a Ready pod."""

    async def run() -> set[bytes]:
        addresses = Addresses()
        bridge, *pods = addresses.others.take(), addresses.take(), addresses.take()

        async def who(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(writer.get_extra_info("peername")[0].encode())
            writer.close()

        server = await asyncio.start_server(who, bridge, 8500)
        services = Services(addresses, lambda _: [bridge], by_address={8500})
        found = set()
        for pod in pods:
            assert services.address("ring-bridge.ns.svc", 8500, client=pod) == pod
            found.add(await ask(pod, 8500))
        await services.close()
        server.close()
        await server.wait_closed()
        addresses.close()
        assert found == {pod.encode() for pod in pods}
        return found

    assert len(asyncio.run(run())) == 2

"""Port-forwards as the kubelet serves them over a websocket (`v4.channel.k8s.io`).

Each port has two channels, the first byte of every frame: 0 carries the data, 1 what went wrong. Both
begin with the port's number in two bytes, the low one first (Kubernetes `pkg/kubelet` portforward
websocket server).
"""

from __future__ import annotations

from aiohttp import WSMsgType, web

from mimir_migrate.sandbox.interface import PodPhase, Process, RemoteProcess

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\x00", b"\x01"
_END = b"\r\n\r\n"
_FRAME = 32_768
_USUAL_PORT = 8080


def port_of(process: Process | None) -> int:
    """Where a pod's process listens; simulated ones on the port that the charts give to all."""
    return process.port if isinstance(process, RemoteProcess) else _USUAL_PORT


async def serve(request: web.Request, process: Process | None, port: int) -> web.WebSocketResponse:
    """Carry HTTP requests to a pod's process until the client goes.

    Args:
        request: The websocket's first request.
        process: The pod's; None: it has none.
        port: The port that was asked for.
    """
    websocket = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0)
    await websocket.prepare(request)
    number = port.to_bytes(2, "little")
    await websocket.send_bytes(_DATA + number)
    await websocket.send_bytes(_ERROR + number)
    if (
        process is None
        or process.phase in {PodPhase.CRASHED, PodPhase.GONE}
        or port != port_of(process)
    ):
        said = f"error forwarding port {port} to pod: connect: connection refused"
        await websocket.send_bytes(_ERROR + said.encode())
        await websocket.close()
        return websocket
    received = b""
    async for message in websocket:
        if message.type is not WSMsgType.BINARY or message.data[:1] != _DATA:
            continue
        received += message.data[1:]
        while _END in received:
            head, _, received = received.partition(_END)
            try:
                answer = await _answered(process, head.decode("latin-1"))
            except TimeoutError:
                return websocket  # a process that hangs never answers
            except ConnectionError as error:
                await websocket.send_bytes(_ERROR + str(error).encode())
                return websocket
            for begin in range(0, len(answer), _FRAME):
                await websocket.send_bytes(_DATA + answer[begin : begin + _FRAME])
    return websocket


async def _answered(process: Process, head: str) -> bytes:
    """The HTTP answer to a request's head, as bytes."""
    first, *lines = head.split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    path, accept = first.split(" ")[1], headers.get("accept", "*/*")
    if isinstance(process, RemoteProcess):
        answer = await process.fetch(path, accept)
    else:
        answer = process.get(path, accept)
    written = (
        f"HTTP/1.1 {answer.status} Said\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n\r\n"
    )
    return written.encode("latin-1") + answer.body

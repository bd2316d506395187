"""A Consul in memory that answers the bridge's requests and keeps nothing: the least that they cost.

python bench/bridge_load_baseline.py PORT
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import time

from aiohttp import web

SHOWN = 10.0


class Consul:
    """One key, whole-value compare-and-set, watches."""

    def __init__(self) -> None:
        self.value = b""
        self.index = int(time.time() * 1000)
        self.exists = False

    async def get(self, request: web.Request) -> web.Response:
        index = int(request.query.get("index", "0"))
        if index >= self.index or index:
            await asyncio.sleep(SHOWN)
        headers = {"X-Consul-Index": str(self.index)}
        if not self.exists or index == self.index:
            return web.Response(status=404, headers=headers)
        body = (
            b'[{"LockIndex":0,"Key":"k","Flags":0,"Value":"%s","CreateIndex":1,"ModifyIndex":%d}]'
        )
        body %= base64.b64encode(self.value), self.index
        return web.Response(body=body, headers=headers, content_type="application/json")

    async def put(self, request: web.Request) -> web.Response:
        cas = int(request.query["cas"])
        body = await request.read()
        if cas != (self.index if self.exists else 0):
            return web.Response(text="false")
        self.value, self.exists = body, True
        self.index = max(self.index + 1, int(time.time() * 1000))
        return web.Response(text="true")


def main() -> None:
    """Serve until it is ended."""
    consul = Consul()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_get("/v1/kv/{key:.*}", consul.get)
    application.router.add_put("/v1/kv/{key:.*}", consul.put)
    application.router.add_get("/readyz", lambda _: _ready())
    with contextlib.suppress(KeyboardInterrupt):
        web.run_app(
            application, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None
        )


async def _ready() -> web.Response:
    return web.Response(text="ready")


if __name__ == "__main__":
    main()

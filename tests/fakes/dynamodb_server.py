"""The stand-in for DynamoDB behind HTTP, as boto3 speaks to it, in a process of its own.

    python tests/fakes/dynamodb_server.py PORT TABLE…

Each call takes 5 ms, as a call of DynamoDB does that is near.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from typing import Any

from aiohttp import web
from botocore.exceptions import ClientError
from memory_dynamodb import MemoryDynamoDB

LATENCY = 0.005


def _name(target: str) -> str:
    """boto3's name of an operation."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", target.rpartition(".")[2]).lower()


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        return {name: _read(one) for name, one in value.items()}
    return [_read(one) for one in value] if isinstance(value, list) else value


def _written(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value))


def application(storage: MemoryDynamoDB) -> web.Application:
    """What aiohttp serves."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(LATENCY)
        arguments = _read(json.loads(await request.read()))
        arguments.pop("ClientRequestToken", None)
        try:
            found = storage.perform(_name(request.headers["X-Amz-Target"]), arguments)
            status = 200
        except ClientError as error:
            found = {
                "__type": error.response["Error"]["Code"],
                "message": error.response["Error"]["Message"],
                "CancellationReasons": error.response.get("CancellationReasons", []),
            }
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        body = json.dumps(found, default=_written)
        return web.Response(status=status, text=body, content_type="application/x-amz-json-1.0")

    async def units(_: web.Request) -> web.Response:
        return web.json_response(storage.units)

    served = web.Application(client_max_size=64 * 1024 * 1024)
    served.router.add_post("/", answer)
    served.router.add_get("/units", units)
    return served


if __name__ == "__main__":
    web.run_app(
        application(MemoryDynamoDB(*sys.argv[2:])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=None,
        access_log=None,
    )

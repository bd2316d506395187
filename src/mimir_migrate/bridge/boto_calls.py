"""Calls of DynamoDB through boto3, in threads, each tried once: the bridge repeats what may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

_THREADS: Final = 16
"""Calls at a time, for all rings; each ring has one write and at most two reads under way."""
_CONNECT_TIMEOUT: Final = 2.0
_READ_TIMEOUT: Final = 3.0
"""Seconds. DynamoDB answers within tens of milliseconds, and a PUT that is held ends after 15 s."""


class BotoCalls:
    """Makes the calls.

    Args:
        region: The AWS region.
        endpoint_url: Of another DynamoDB than AWS' own; empty: AWS'.
    """

    def __init__(self, region: str, endpoint_url: str = "") -> None:
        import boto3
        from botocore.config import Config

        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="dynamodb")
        session: Any = boto3.session.Session()
        self._client = session.client(
            "dynamodb",
            region_name=region,
            endpoint_url=endpoint_url or None,
            config=Config(
                connect_timeout=_CONNECT_TIMEOUT,
                read_timeout=_READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": 1},
                max_pool_connections=_THREADS,
                parameter_validation=False,
                tcp_keepalive=True,
            ),
        )

    async def __call__(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call.

        Raises:
            BotoCoreError: No answer.
            ClientError: An answer that is an error.
        """
        method = getattr(self._client, operation)
        loop = asyncio.get_running_loop()
        answer: Mapping[str, Any] = await loop.run_in_executor(
            self._pool, partial(method, **arguments)
        )
        return answer

    def close(self) -> None:
        """Let calls that are under way end, and take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

"""What the API server writes: documents, failures, the lines of a watch."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml
from aiohttp import web

from mimir_migrate import decoding
from mimir_migrate.sandbox.kubernetes.api_paths import ApiPath
from mimir_migrate.sandbox.kubernetes.objects import ApiError, ObjectEvent
from mimir_migrate.sandbox.kubernetes.selectors import matches_fields, matches_labels


class WatchLines:
    """Turns changes into the lines of one watch."""

    def __init__(self, target: ApiPath, labels: str, fields: str) -> None:
        self._target = target
        self._labels = labels
        self._fields = fields
        self._seen: set[str] = set()

    def line(self, event: ObjectEvent) -> bytes:
        """The line of a change; empty where the watch is not about it."""
        item = event.object
        metadata = item["metadata"]
        if event.plural != self._target.plural:
            return b""
        if self._target.namespace and metadata.get("namespace") != self._target.namespace:
            return b""
        kind = event.type
        matches = matches_labels(metadata.get("labels") or {}, self._labels) and matches_fields(
            item, self._fields
        )
        if not matches:
            if metadata["uid"] not in self._seen:
                return b""
            kind = "DELETED"
        if kind == "DELETED":
            self._seen.discard(metadata["uid"])
        else:
            self._seen.add(metadata["uid"])
        return msgspec.json.encode({"type": kind, "object": item}) + b"\n"


async def body_of(request: web.Request) -> dict[str, Any]:
    """The document that a request carries."""
    raw = await request.read()
    if not raw:
        return {}
    try:
        if request.content_type == "application/apply-patch+yaml":
            found = yaml.safe_load(raw)
        else:
            found = decoding.decode(raw)
    except (msgspec.DecodeError, yaml.YAMLError) as error:
        raise ApiError(400, "BadRequest", f"the body cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ApiError(400, "BadRequest", "the body must be one object")
    return found


def json_response(value: object, status: int = 200) -> web.Response:
    """A document, as JSON."""
    return web.Response(
        status=status, body=msgspec.json.encode(value), content_type="application/json"
    )


def failure(error: ApiError) -> dict[str, Any]:
    """The Status object of an error."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.code,
    }


def unreachable(text: str) -> ApiError:
    """What the server says where it does not reach a pod."""
    message = f"error trying to reach service: dial tcp: {text}"
    return ApiError(503, "ServiceUnavailable", message)

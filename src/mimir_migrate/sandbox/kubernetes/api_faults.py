"""What an API server does on a bad day: conflicts, throttling, errors, dropped connections."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import msgspec

from mimir_migrate.sandbox.kubernetes.objects import ApiError

API_FAULTS: Final[Mapping[str, str]] = {
    "api-409": "the next writes meet a conflict",
    "api-410": "the next lists and watches are told that their resource version is too old",
    "api-429": "the next requests are throttled",
    "api-500": "the next requests end with an internal error",
    "api-drop": "the connection of the next requests is closed without an answer",
    "api-hangs": "requests are taken and not answered, until the fault is cleared or `seconds=` over",
    "credentials-expired": "every request is unauthorized until the fault is cleared",
    "deploy-fails": "the next deploy fails after some of its objects",
    "helm-killed": "deploys die after some of their objects: the release stays pending-upgrade",
}
"""Faults on the API's side and what each of them does."""
DEPLOY_AGENT: Final = "Helm/"
"""How the user agent of a deploy begins."""
_DEPLOYS: Final = frozenset({"deploy-fails", "helm-killed"})
_MUTATING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


class _Active(msgspec.Struct):
    fault: str
    left: int
    path: str = ""


class ApiFaults:
    """The faults that are on, and whom they meet."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._hangs = (0.0, "")
        """Until when, on the monotonic clock, and for which paths."""
        self._deployed = 0

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on."""
        found = {one.fault for one in self._active}
        if self.holds(self._hangs[1]):
            found.add("api-hangs")
        return tuple(sorted(found))

    def holds(self, path: str) -> bool:
        """Whether a request of that path is not to be answered yet."""
        until, part = self._hangs
        return time.monotonic() < until and part in path

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Turn a fault on.

        Args:
            fault: One of `API_FAULTS`.
            arguments: `count` (how many requests it meets, default 3; for `deploy-fails` and
                `helm-killed` after how many writes, default 2) and `path` (only requests with this
                in their path).
        """
        default = {"credentials-expired": "1000000", **dict.fromkeys(_DEPLOYS, "2")}.get(
            fault, "3"
        )
        left = int(arguments.get("count", default))
        if fault == "api-hangs":
            seconds = float(arguments.get("seconds", "inf"))
            self._hangs = (time.monotonic() + seconds, arguments.get("path", ""))
            return f"{fault}: {API_FAULTS[fault]} ({seconds:g} s)"
        self._active.append(_Active(fault=fault, left=left, path=arguments.get("path", "")))
        self._deployed = 0
        return f"{fault}: {API_FAULTS[fault]} ({left})"

    def clear(self, fault: str = "") -> None:
        """Turn one fault off, or all of them."""
        if fault in {"", "api-hangs"}:
            self._hangs = (0.0, "")
        self._active = [one for one in self._active if fault and one.fault != fault]

    def meet(self, method: str, path: str, agent: str, *, versioned: bool) -> None:
        """Raise what a request gets instead of an answer.

        Args:
            method: The HTTP method.
            path: The path, without the query.
            agent: The user agent.
            versioned: Whether it is a list or watch from a resource version on.

        Raises:
            ApiError: An answer with an error.
            DroppedError: No answer at all.
        """
        for one in tuple(self._active):
            if one.path and one.path not in path:
                continue
            if one.fault in _DEPLOYS:
                self._fail_deploy(one, method, agent)
                continue
            if one.fault == "api-409" and method not in {"PUT", "PATCH"}:
                continue
            if one.fault == "api-410" and not versioned:
                continue
            one.left -= 1
            if one.left <= 0:
                self._active.remove(one)
            raise _error(one.fault)

    def _fail_deploy(self, one: _Active, method: str, agent: str) -> None:
        if method not in _MUTATING or not agent.startswith(DEPLOY_AGENT):
            return
        self._deployed += 1
        if self._deployed <= one.left:
            return
        if one.fault == "helm-killed":  # a dead process sends nothing more
            raise DroppedError
        self._active.remove(one)
        raise ApiError(500, "InternalError", "etcdserver: request timed out")


def _error(fault: str) -> Exception:
    match fault:
        case "api-409":
            text = "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again"
            return ApiError(409, "Conflict", text)
        case "api-410":
            return ApiError(
                410, "Expired", "The resourceVersion for the provided watch is too old."
            )
        case "api-429":
            return ApiError(429, "TooManyRequests", "too many requests, please try again later")
        case "api-500":
            return ApiError(500, "InternalError", "etcdserver: leader changed")
        case "credentials-expired":
            return ApiError(401, "Unauthorized", "Unauthorized")
        case _:
            return DroppedError()

"""A pod's log and events come as Kubernetes keeps them, and a refusal names the permission that lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mimir_migrate.adapters.kubernetes.api import Answer
from mimir_migrate.adapters.kubernetes.stories import ReleaseStories
from mimir_migrate.errors import DeniedError, UnreachableError
from mimir_migrate.model.facts import Pod

POD = Pod(name="mimir-ruler-0")


class Api:
    """Answers as an API server does for one pod of two containers."""

    def __init__(self, *, status: int = 200, denied: bool = False) -> None:
        self.status, self.denied = status, denied
        self.asked: list[str] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        self.asked.append(path)
        if path.endswith("/events"):
            if self.denied:
                raise DeniedError("no", hint="")
            assert query == {"fieldSelector": "involvedObject.name=mimir-ruler-0"}
            return {
                "items": [
                    event("b", "Unhealthy", "2026-01-02"),
                    event("a", "Pulled", "2026-01-01"),
                ]
            }
        assert query == {"fieldSelector": "metadata.name=mimir-ruler-0"}
        spec = {"containers": [{"name": "ruler"}, {"name": "sidecar"}]}
        return {"items": [{"metadata": {"name": "mimir-ruler-0"}, "spec": spec}]}

    def request(self, method: str, target: str, **_: Any) -> Answer:
        self.asked.append(target)
        return Answer(
            status=self.status, body=b"level=warn msg=hello\n", content_type="", retry_after=""
        )


def event(name: str, reason: str, at: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "involvedObject": {"name": "mimir-ruler-0"},
        "lastTimestamp": at,
        "type": "Normal",
        "reason": reason,
        "message": "said",
        "count": 3,
    }


def test_the_log_is_the_main_container_s_and_bounded() -> None:
    """Sidecars are left out, and only the last lines are read."""
    api = Api()

    assert ReleaseStories(api, "ns").log(POD, 50) == "level=warn msg=hello\n"  # type: ignore[arg-type]
    assert "pods/mimir-ruler-0/log?tailLines=50&limitBytes=" in api.asked[-1]
    assert api.asked[-1].endswith("container=ruler")


def test_events_come_oldest_first() -> None:
    """With how often each happened."""
    said = ReleaseStories(Api(), "ns").events(POD)  # type: ignore[arg-type]

    assert said == [
        "2026-01-01 Normal Pulled: said (3 times)",
        "2026-01-02 Normal Unhealthy: said (3 times)",
    ]


def test_what_is_not_allowed_names_the_permission() -> None:
    """Whoever may not read them knows what to ask for."""
    with pytest.raises(DeniedError) as log:
        ReleaseStories(Api(status=403), "ns").log(POD, 50)  # type: ignore[arg-type]
    with pytest.raises(DeniedError) as events:
        ReleaseStories(Api(denied=True), "ns").events(POD)  # type: ignore[arg-type]
    with pytest.raises(UnreachableError):
        ReleaseStories(Api(status=500), "ns").log(POD, 50)  # type: ignore[arg-type]

    assert "get on pods/log" in log.value.hint
    assert "list on events" in events.value.hint

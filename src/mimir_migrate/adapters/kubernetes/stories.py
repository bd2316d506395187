"""A pod's log and its events, as Kubernetes keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi, object_path
from mimir_migrate.errors import DeniedError, UnreachableError
from mimir_migrate.model.facts import Pod

_MOST_BYTES = 262_144
_ALLOWED, _DENIED = 200, 403


class ReleaseStories:
    """Implements `ports.PodStories`."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        """Nothing is asked yet."""
        self._api = api
        self._namespace = namespace

    def log(self, pod: Pod, lines: int) -> str:
        """The last lines of the log of the pod's main container."""
        path = object_path("pods", self._namespace, pod.name)
        query = {"tailLines": str(lines), "limitBytes": str(_MOST_BYTES)}
        if container := self._container(pod):
            query["container"] = container
        answer = self._api.request(
            "GET", f"{path}/log?{urlencode(query)}", headers={}, limit=2 * _MOST_BYTES
        )
        if answer.status == _DENIED:
            raise DeniedError(
                f"reading the log of {pod.name} is not allowed",
                hint="Allow get on pods/log, which `mimir-migrate rbac` prints as optional.",
            )
        if answer.status != _ALLOWED:
            raise UnreachableError(
                f"reading the log of {pod.name}: the API server answers {answer.status}",
                hint=f"`kubectl logs -n {self._namespace} {pod.name}` may tell more.",
            )
        return answer.body.decode("utf-8", "replace")

    def _container(self, pod: Pod) -> str:
        """The main container's name; found by a list, as the tool's role allows no other reading of pods."""
        query = {"fieldSelector": f"metadata.name={pod.name}"}
        found = self._api.get(object_path("pods", self._namespace), query)
        named = (_main(item) for item in found.get("items") or () if _name(item) == pod.name)
        return next(named, "")

    @understood("reading a pod's events")
    def events(self, pod: Pod) -> Sequence[str]:
        """The pod's events, oldest first, a line each: when, what kind, why, and what is said."""
        try:
            found = self._api.get(
                object_path("events", self._namespace),
                {"fieldSelector": f"involvedObject.name={pod.name}"},
            )
        except DeniedError as error:
            raise DeniedError(
                f"reading the events of {pod.name} is not allowed",
                hint="Allow list on events, which `mimir-migrate rbac` prints as optional.",
            ) from error
        items = [item for item in found.get("items") or () if _of(item) == pod.name]
        return [_words(item) for item in sorted(items, key=_when)]


def _main(pod: Mapping[str, Any]) -> str:
    """The container that `kubectl logs` takes: the one that an annotation names, else the first."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    named = annotations.get("kubectl.kubernetes.io/default-container")
    containers = (pod.get("spec") or {}).get("containers") or [{}]
    return str(named or containers[0].get("name") or "")


def _name(item: Mapping[str, Any]) -> str:
    return str((item.get("metadata") or {}).get("name") or "")


def _of(event: Mapping[str, Any]) -> str:
    return str((event.get("involvedObject") or {}).get("name") or "")


def _when(event: Mapping[str, Any]) -> str:
    """When it happened last, as the API writes it; text of this form sorts by time."""
    created = (event.get("metadata") or {}).get("creationTimestamp")
    return str(event.get("lastTimestamp") or event.get("eventTime") or created or "")


def _words(event: Mapping[str, Any]) -> str:
    times = event.get("count") or 1
    often = f" ({times} times)" if times != 1 else ""
    said = f"{event.get('type', '')} {event.get('reason', '')}: {event.get('message', '')}"
    return f"{_when(event)} {said}{often}"

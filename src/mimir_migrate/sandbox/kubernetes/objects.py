"""The objects of a Kubernetes API server, without the server.

Objects are dictionaries in the API's own JSON form. What `get` and `select` return is the stored object
and must not be changed; `mutate` changes one. Every change gets the next resource version and is told
to the subscribers in order, which is all that a watch and the controllers need.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec

from mimir_migrate.sandbox.kubernetes.patches import copied, merge_patch, strategic_merge_patch
from mimir_migrate.sandbox.kubernetes.selectors import matches_fields, matches_labels

Object = dict[str, Any]
"""One API object as JSON has it."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of object the server knows."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.api_version.rpartition("/")[0]


KINDS: Mapping[str, Kind] = {
    kind.plural: kind
    for kind in (
        Kind("v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",)),
        Kind("v1", "Node", "nodes", namespaced=False, short_names=("no",)),
        Kind("v1", "Pod", "pods", short_names=("po",)),
        Kind("v1", "Service", "services", short_names=("svc",)),
        Kind("v1", "Endpoints", "endpoints", short_names=("ep",)),
        Kind("v1", "ConfigMap", "configmaps", short_names=("cm",)),
        Kind("v1", "Secret", "secrets"),
        Kind("v1", "ServiceAccount", "serviceaccounts", short_names=("sa",)),
        Kind("v1", "Event", "events", short_names=("ev",)),
        Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", short_names=("pvc",)),
        Kind("apps/v1", "StatefulSet", "statefulsets", short_names=("sts",)),
        Kind("apps/v1", "Deployment", "deployments", short_names=("deploy",)),
        Kind("apps/v1", "DaemonSet", "daemonsets", short_names=("ds",)),
        Kind("apps/v1", "ReplicaSet", "replicasets", short_names=("rs",)),
        Kind("apps/v1", "ControllerRevision", "controllerrevisions"),
        Kind("coordination.k8s.io/v1", "Lease", "leases"),
        Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", short_names=("netpol",)),
        Kind(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "priorityclasses",
            namespaced=False,
            short_names=("pc",),
        ),
        Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",)),
        Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects", short_names=("so",)),
    )
}
"""Every kind the server knows, by its plural."""

_WITH_STATUS = frozenset({"pods", "statefulsets", "deployments", "replicasets", "namespaces"})
"""Kinds whose status a client's replace or patch of the object itself leaves alone."""
_WITH_GENERATION = frozenset({"statefulsets", "deployments", "replicasets"})


class ApiError(Exception):
    """What the API server answers instead of an object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message


class ObjectEvent(msgspec.Struct, frozen=True):
    """One change: `ADDED`, `MODIFIED` or `DELETED`, and the object after it."""

    type: str
    plural: str
    object: Object
    version: int


class ObjectStore:
    """Keeps the objects, their versions and the last changes.

    Args:
        now: The time, seconds since the epoch.
        seed: Makes uids the same in each run.
        salt: Makes them those of this cluster only, 128 bits.
        remember: How many changes a watch can go back.
    """

    def __init__(
        self, now: Callable[[], float], *, seed: int = 0, salt: int = 0, remember: int = 5000
    ) -> None:
        self._now = now
        self._salt = salt
        self._random = random.Random(seed)
        self._objects: dict[str, dict[tuple[str, str], Object]] = {name: {} for name in KINDS}
        self._events: deque[ObjectEvent] = deque(maxlen=remember)
        self._subscribers: list[Callable[[ObjectEvent], None]] = []
        self._untold: deque[ObjectEvent] = deque()
        self._telling = False
        self.version = 100

    def timestamp(self, at: float | None = None) -> str:
        """A moment as the API writes it, whole seconds; left out: now."""
        moment = datetime.fromtimestamp(self._now() if at is None else at, tz=UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def uid(self) -> str:
        """The next uid."""
        return str(uuid.UUID(int=self._random.getrandbits(128) ^ self._salt, version=4))

    def subscribe(self, callback: Callable[[ObjectEvent], None]) -> Callable[[], None]:
        """Call `callback` for every change from now on; returns what ends that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def since(self, version: int) -> list[ObjectEvent]:
        """The changes after a resource version.

        Raises:
            ApiError: 410, the version is older than what is remembered.
        """
        if self._events and version < self._events[0].version - 1:
            raise ApiError(
                410, "Expired", f"too old resource version: {version} ({self._events[0].version})"
            )
        return [event for event in self._events if event.version > version]

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object; None: there is none."""
        return self._objects[plural].get((namespace, name))

    def get(self, plural: str, namespace: str, name: str) -> Object:
        """One object.

        Raises:
            ApiError: 404, there is none.
        """
        found = self.find(plural, namespace, name)
        if found is None:
            raise ApiError(404, "NotFound", f'{_resource(plural)} "{name}" not found')
        return found

    def select(
        self, plural: str, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """Objects of a kind by namespace and name; an empty namespace: of all."""
        return [
            item
            for (ns, _), item in sorted(self._objects[plural].items())
            if (not namespace or ns == namespace)
            and matches_labels(item["metadata"].get("labels") or {}, labels)
            and matches_fields(item, fields)
        ]

    def create(
        self, plural: str, namespace: str, body: Mapping[str, Any], *, uid: str = ""
    ) -> Object:
        """Put a new object; its uid is the next one unless one is given.

        Raises:
            ApiError: 409, there is one of that name; 422, it has no name.
        """
        kind = KINDS[plural]
        item = copied(dict(body))
        metadata = item.setdefault("metadata", {})
        name = metadata.get("name") or self._generated(metadata.get("generateName", ""))
        if not name:
            raise ApiError(422, "Invalid", f"{kind.kind} is invalid: metadata.name is required")
        where = namespace if kind.namespaced else ""
        if (where, name) in self._objects[plural]:
            raise ApiError(409, "AlreadyExists", f'{_resource(plural)} "{name}" already exists')
        metadata["name"] = name
        if kind.namespaced:
            metadata["namespace"] = namespace
        metadata["uid"] = uid or self.uid()
        metadata["creationTimestamp"] = self.timestamp()
        if plural in _WITH_GENERATION:
            metadata["generation"] = 1
        _decode_string_data(item)
        return self._put("ADDED", plural, (where, name), {**_typed(kind), **item})

    def replace(self, plural: str, namespace: str, name: str, body: Mapping[str, Any]) -> Object:
        """Put an object in place of the one that is there.

        Raises:
            ApiError: 404; 409, the body's resource version or uid is not the stored one's.
        """
        old = self.get(plural, namespace, name)
        given = body.get("metadata", {})
        for key in ("resourceVersion", "uid"):
            if given.get(key) and given[key] != old["metadata"].get(key):
                raise ApiError(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on {_resource(plural)} "{name}": the object '
                    "has been modified; please apply your changes to the latest version and try "
                    "again",
                )
        return self._update(plural, old, copied(dict(body)))

    def patch(
        self, plural: str, namespace: str, name: str, patch: Mapping[str, Any], *, strategic: bool
    ) -> Object:
        """Merge a patch into an object.

        Raises:
            ApiError: 404; 409, the patch names a resource version that is not the stored one.
        """
        old = self.get(plural, namespace, name)
        merge = strategic_merge_patch if strategic else merge_patch
        merged = merge(old, patch)
        asked = (patch.get("metadata") or {}).get("resourceVersion")
        if not asked:
            merged["metadata"]["resourceVersion"] = ""
        return self.replace(plural, namespace, name, merged)

    def replace_status(
        self, plural: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> Object:
        """Put an object's status."""

        def change(item: Object) -> None:
            item["status"] = copied(dict(status))

        return self.mutate(plural, namespace, name, change)

    def mutate(
        self, plural: str, namespace: str, name: str, change: Callable[[Object], None]
    ) -> Object:
        """Change a copy of an object and put it, unless it came out the same."""
        old = self.get(plural, namespace, name)
        item = copied(old)
        change(item)
        if item == old:
            return old
        if plural in _WITH_GENERATION and item.get("spec") != old.get("spec"):
            item["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return self._put("MODIFIED", plural, _key(item), item)

    def delete(
        self,
        plural: str,
        namespace: str,
        name: str,
        *,
        grace: int | None = None,
        orphan: bool = False,
    ) -> Object:
        """Delete an object and what it owns; a pod is only marked, its kubelet removes it.

        Args:
            plural: The kind.
            namespace: Its namespace.
            name: Its name.
            grace: Seconds a pod gets to stop; None: what its spec says; 0: gone at once.
            orphan: Leave what it owns.
        """
        item = self.get(plural, namespace, name)
        if plural == "pods" and grace != 0:
            return self._terminate(item, grace)
        return self.remove(plural, namespace, name, orphan=orphan)

    def remove(self, plural: str, namespace: str, name: str, *, orphan: bool = False) -> Object:
        """Take an object away at once, and mark what it owns for deletion."""
        item = self.get(plural, namespace, name)
        del self._objects[plural][_key(item)]
        self._tell("DELETED", plural, item)
        if not orphan:
            self._collect(item["metadata"]["uid"])
        return item

    def owned_by(self, plural: str, uid: str) -> list[Object]:
        """Objects of a kind that an object owns, by name."""
        return [
            item
            for _, item in sorted(self._objects[plural].items())
            if any(owner["uid"] == uid for owner in item["metadata"].get("ownerReferences", ()))
        ]

    def _terminate(self, pod: Object, grace: int | None) -> Object:
        if pod["metadata"].get("deletionTimestamp"):
            return pod
        seconds = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace

        def mark(item: Object) -> None:
            item["metadata"]["deletionGracePeriodSeconds"] = seconds
            item["metadata"]["deletionTimestamp"] = self.timestamp(self._now() + seconds)

        return self.mutate("pods", *_key(pod), mark)

    def _collect(self, owner: str) -> None:
        for plural in ("replicasets", "pods", "controllerrevisions"):
            for item in self.owned_by(plural, owner):
                self.delete(plural, *_key(item))

    def _update(self, plural: str, old: Object, item: Object) -> Object:
        metadata = item.setdefault("metadata", {})
        for key in ("name", "namespace", "uid", "creationTimestamp", "generation"):
            if key in old["metadata"]:
                metadata[key] = old["metadata"][key]
        if plural in _WITH_STATUS and "status" in old:
            item["status"] = old["status"]
        _decode_string_data(item)
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        item = {**_typed(KINDS[plural]), **item}
        if item == old:
            return old
        if plural in _WITH_GENERATION and item.get("spec") != old.get("spec"):
            metadata["generation"] = old["metadata"]["generation"] + 1
        return self._put("MODIFIED", plural, _key(old), item)

    def _put(self, event: str, plural: str, key: tuple[str, str], item: Object) -> Object:
        self._objects[plural][key] = item
        return self._tell(event, plural, item)

    def _tell(self, event: str, plural: str, item: Object) -> Object:
        self.version += 1
        if event == "DELETED":
            item = {**item, "metadata": dict(item["metadata"])}
        item["metadata"]["resourceVersion"] = str(self.version)
        told = ObjectEvent(event, plural, item, self.version)
        self._events.append(told)
        self._untold.append(told)
        if not self._telling:
            self._tell_subscribers()
        return item

    def _tell_subscribers(self) -> None:
        """Tell all of one change before the changes that its subscribers make in turn."""
        self._telling = True
        try:
            while self._untold:
                told = self._untold.popleft()
                for subscriber in tuple(self._subscribers):
                    subscriber(told)
        finally:
            self._telling = False

    def _generated(self, prefix: str) -> str:
        return prefix + self.suffix(5) if prefix else ""

    def suffix(self, length: int) -> str:
        """Random letters as Kubernetes puts them behind a generated name."""
        return "".join(self._random.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(length))


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _typed(kind: Kind) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.kind}


def _resource(plural: str) -> str:
    group = KINDS[plural].group
    return f"{plural}.{group}" if group else plural


def _decode_string_data(item: Object) -> None:
    """Do what the API server does with a Secret's `stringData`."""
    if item.get("kind") != "Secret" or not item.get("stringData"):
        return
    import base64

    given = item.pop("stringData")
    encoded = ((key, base64.b64encode(text.encode()).decode()) for key, text in given.items())
    item["data"] = dict(chain((item.get("data") or {}).items(), encoded))

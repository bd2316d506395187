"""What the kubelet says of pods: Event objects, as `kubectl get events` shows them."""

from __future__ import annotations

import uuid
from collections import deque
from typing import Final

from mimir_migrate.sandbox.kubernetes.objects import Object, ObjectStore
from mimir_migrate.sandbox.kubernetes.pod_record import PodRecord

KEPT: Final = 400
"""Events that are kept; Kubernetes keeps them for an hour."""


class PodEvents:
    """Writes the events of pods into the store.

    Args:
        store: Where they stand.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._names: deque[tuple[str, str]] = deque()
        self._said: dict[tuple[str, str, str], str] = {}
        """The event's name by the pod's uid, the reason and the message: said again, it is counted."""
        self._number = 0

    def scheduled(self, record: PodRecord) -> None:
        """A node was found for it."""
        said = f"Successfully assigned {record.namespace}/{record.name} to {record.node}"
        self._tell(record, "Normal", "Scheduled", said, by="default-scheduler")

    def pulls_in_vain(self, record: PodRecord) -> None:
        """Its image does not come."""
        self._tell(record, "Warning", "BackOff", f'Back-off pulling image "{record.image}"')

    def mounts_in_vain(self, record: PodRecord) -> None:
        """A ConfigMap or a Secret that it mounts is not there."""
        said = "MountVolume.SetUp failed: a ConfigMap or Secret that it mounts was not found"
        self._tell(record, "Warning", "FailedMount", said)

    def started(self, record: PodRecord) -> None:
        """Its container runs."""
        present = f'Container image "{record.image}" already present on machine'
        self._tell(record, "Normal", "Pulled", present)
        self._tell(record, "Normal", "Created", f"Created container: {record.container}")
        self._tell(record, "Normal", "Started", f"Started container {record.container}")

    def probed_in_vain(self, record: PodRecord) -> None:
        """Its readiness probe failed."""
        said = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        self._tell(record, "Warning", "Unhealthy", said)

    def crashed(self, record: PodRecord) -> None:
        """Its container ended by itself and is started again later."""
        pod = f"{record.name}_{record.namespace}({record.uid})"
        said = f"Back-off restarting failed container {record.container} in pod {pod}"
        self._tell(record, "Warning", "BackOff", said)

    def stopping(self, record: PodRecord) -> None:
        """Its container was asked to stop."""
        self._tell(record, "Normal", "Killing", f"Stopping container {record.container}")

    def _tell(
        self, record: PodRecord, kind: str, reason: str, said: str, by: str = "kubelet"
    ) -> None:
        now = self._store.timestamp()
        key = (record.uid, reason, said)
        known = self._said.get(key)
        if known is not None and self._store.find("events", record.namespace, known):

            def again(item: Object) -> None:
                item["count"] += 1
                item["lastTimestamp"] = now

            self._store.mutate("events", record.namespace, known, again)
            return
        self._number += 1
        name = f"{record.name}.{self._number:016x}"
        self._said[key] = name
        self._store.create(
            "events",
            record.namespace,
            {
                "metadata": {"name": name},
                "involvedObject": {
                    "kind": "Pod",
                    "namespace": record.namespace,
                    "name": record.name,
                    "uid": record.uid,
                    "apiVersion": "v1",
                },
                "type": kind,
                "reason": reason,
                "message": said,
                "source": {"component": by, "host": record.node},
                "count": 1,
                "firstTimestamp": now,
                "lastTimestamp": now,
            },
            # The pods' names come from the store's randomness, which events leave alone.
            uid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{record.uid}/{self._number}")),
        )
        self._names.append((record.namespace, name))
        while len(self._names) > KEPT:
            self._drop(*self._names.popleft())

    def _drop(self, namespace: str, name: str) -> None:
        if self._store.find("events", namespace, name):
            self._store.remove("events", namespace, name)
        self._said = {key: one for key, one in self._said.items() if one != name}

"""The copy of a run's journal in Secrets of the release's namespace.

Two sets of Secrets are written in turn. Of the set that is written, the part without the head goes
first and the head last: whoever reads takes the newest set whose parts have the head's checksum, so a
writer that dies in the middle leaves the set before it whole.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi, NotFoundError, object_path
from mimir_migrate.documents.edits import sha256
from mimir_migrate.documents.journal_copy import PARTS, SECRETS, secret_names, split
from mimir_migrate.errors import ConflictError, DeniedError, LeaseError, UnreachableError

_TRIES = 3
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SECRET_TYPE = "mimir-migrate/journal"  # noqa: S105 - the type of the Secret, not its content


class SecretCopies:
    """Implements `ports.JournalCopies`."""

    def __init__(self, api: KubernetesApi, namespace: str, release: str) -> None:
        self._api = api
        self._namespace = namespace
        self._names = secret_names(release)
        self._generation: int | None = None

    @understood("reading the journal's copy")
    def read(self) -> bytes | None:
        """The newest copy that is whole; None: there is none.

        Raises:
            DeniedError: The Secrets may not be read.
            UnreachableError: The API server gave no usable answer.
        """
        found = self._newest()
        return found[1] if found else None

    @understood("asking whether the journal's copy may be written")
    def check(self) -> None:
        """Ask the API server whether the copy could be written; nothing is.

        Raises:
            DeniedError: A Secret may not be read or written, or is not there and may not be made.
            UnreachableError: The API server gave no usable answer.
        """
        for name in self._names:
            if self._get(name) is None:
                if not self._may("create", ""):
                    raise self._not_there(name)
            elif not self._may("update", name):
                raise DeniedError(
                    f"the Secret {name} of the namespace {self._namespace} may not be updated",
                    hint="`mimir-migrate rbac` prints the rule for the copy's Secrets",
                )

    def _may(self, verb: str, name: str) -> bool:
        """Whether these credentials may do something with a Secret, as the API server itself says."""
        attributes = {
            "namespace": self._namespace,
            "verb": verb,
            "resource": "secrets",
            "name": name,
        }
        answer = self._api.send(
            "POST",
            _REVIEWS,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool((answer.get("status") or {}).get("allowed"))

    def _not_there(self, name: str) -> DeniedError:
        return DeniedError(
            f"the Secret {name} of the namespace {self._namespace} is not there, and may not be made",
            hint="have somebody apply the empty Secrets that `mimir-migrate rbac` prints",
        )

    @understood("writing the journal's copy")
    def write(self, content: bytes) -> None:
        """Replace the older set by this copy.

        Raises:
            DeniedError: The Secrets are not there and may not be made, or may not be written.
            LeaseError: Another runner wrote there since: this one has lost the run.
            UnreachableError: The API server gave no usable answer.
        """
        if self._generation is None:
            newest = self._newest()
            self._generation = newest[0] if newest else 0
        generation = self._generation + 1
        first = generation % (SECRETS // PARTS) * PARTS
        # Whoever took the run over goes on counting, and writes this very set next.
        there = self._head(self._data(self._get(self._names[first])))
        if there is not None and there[0] >= generation:
            raise LeaseError(
                "another runner writes the copy of the run's journal",
                hint="It took the run over. Look who holds the lease: `mimir-migrate status`.",
            )
        head = {"generation": generation, "sha256": sha256(content)}
        parts = list(enumerate(split(content)))
        for number, part in reversed(parts):
            data = {"part": part}
            if number == 0:
                data["head"] = json.dumps(head).encode()
            self._put(self._names[first + number], data)
        self._generation = generation

    def _newest(self) -> tuple[int, bytes] | None:
        best: tuple[int, bytes] | None = None
        for first in range(0, SECRETS, PARTS):
            found = [self._data(self._get(self._names[first + n])) for n in range(PARTS)]
            head = self._head(found[0])
            if head is None:
                continue
            generation, checksum = head
            content = b"".join(one.get("part", b"") for one in found)
            if sha256(content) == checksum and (best is None or generation > best[0]):
                best = generation, content
        return best

    def _get(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.get(object_path("secrets", self._namespace, name))
        except NotFoundError:
            return None
        return found

    @staticmethod
    def _head(data: dict[str, bytes]) -> tuple[int, str] | None:
        """The number of a set and its checksum; None: it has no head that can be read."""
        try:
            head = json.loads(data.get("head", b""))
            return int(head["generation"]), str(head["sha256"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    @staticmethod
    def _data(secret: dict[str, Any] | None) -> dict[str, bytes]:
        data = (secret or {}).get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}

    def _put(self, name: str, data: dict[str, bytes]) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        for _ in range(_TRIES):
            secret = self._get(name)
            try:
                if secret is None:
                    self._create(name, encoded)
                else:
                    path = object_path("secrets", self._namespace, name)
                    self._api.send("PUT", path, {**secret, "data": encoded})
            except (ConflictError, NotFoundError):
                continue
            return
        raise UnreachableError(f"the Secret {name} is written by others all the time")

    def _create(self, name: str, data: dict[str, str]) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": self._namespace},
            "type": SECRET_TYPE,
            "data": data,
        }
        try:
            self._api.send("POST", object_path("secrets", self._namespace), body)
        except DeniedError as error:
            raise self._not_there(name) from error

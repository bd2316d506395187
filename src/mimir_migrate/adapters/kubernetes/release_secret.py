"""Finds the Secret of the newest helm revision where Secrets may be read by name only.

A role may name the Secrets of the present revision and of some after it (`mimir-migrate rbac`): others
are forbidden, those that helm has not written yet are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mimir_migrate.adapters.kubernetes.api import KubernetesApi, NotFoundError, object_path
from mimir_migrate.adapters.kubernetes.helm_secret import DEPLOYED, status_of
from mimir_migrate.documents.cluster_rights import HELM_SECRET, REVISIONS
from mimir_migrate.errors import DeniedError

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_FARTHEST = 3_100
"""Revisions; a release deployed oftener needs `list`. A hundred questions find the first that may
be read, because `REVISIONS` + 1 in a row may be."""

_FORBIDDEN, _ABSENT, _THERE = "forbidden", "absent", "there"


class SecretByName:
    """Counts up from the last revision that is known. One thread asks at a time."""

    def __init__(self, api: KubernetesApi, namespace: str, release: str) -> None:
        self._api = api
        self._namespace = namespace
        self._release = release
        self._last = 0
        self._denied: DeniedError | None = None
        self._found: dict[int, Mapping[str, Any]] = {}
        self.used_up = False
        """Whether the newest revision is past those that the role names."""

    def newest(self) -> Sequence[Mapping[str, Any]]:
        """The metadata of the newest revision's Secret; empty: helm has written none.

        Where that revision is pending, those below it follow, down to one that was deployed, as far as
        they may be read.

        Raises:
            DeniedError: No Secret of the release may be read, or the role's revisions are used up.
        """
        if self._denied is not None:
            # What is forbidden now was looked for in a hundred places; a new look asks again.
            raise self._denied
        self._found.clear()
        first = self._last or self._first()
        if first is None:
            return ()
        number = first
        state = self._ask(number)
        if state is not _THERE:
            # The known one is gone: pruned by helm, or the release was removed.
            number, state = self._around(number, state)
            if state is not _THERE:
                self._last = 0
                return ()
        while (following := self._ask(number + 1)) is _THERE:
            number += 1
        self._last = number
        self.used_up = following is _FORBIDDEN
        if self.used_up:
            raise DeniedError(
                f"reading the helm release {self._release}: revision {number} is the last that the "
                "role names, so whether there is a newer one is not known",
                hint="`mimir-migrate rbac` prints the role again, or with --list-secrets one that "
                "lasts",
            )
        return tuple(self._down_from(number))

    def _down_from(self, number: int) -> Iterator[Mapping[str, Any]]:
        """A revision, and while none of them was deployed the ones below it."""
        yield self._found[number]
        if not status_of(self._found[number]).startswith("pending-"):
            return
        while number > 1 and self._ask(number - 1) is _THERE:
            number -= 1
            yield self._found[number]
            if status_of(self._found[number]) in DEPLOYED:
                return

    def _first(self) -> int | None:
        """A revision that is not forbidden; None where helm has written none that may be read."""
        refusal: DeniedError | None = None
        for number in range(1, _FARTHEST, REVISIONS + 1):
            try:
                state = self._ask(number, forbidden=False)
            except DeniedError as error:
                refusal = refusal or error
                continue
            found, state = self._around(number, state)
            return found if state is _THERE else None
        self._denied = refusal
        if refusal is not None:
            raise refusal
        return None

    def _around(self, number: int, state: str) -> tuple[int, str]:
        """From a Secret that is not there to one that is: below it first, then above."""
        below = number
        while state is _ABSENT and below > 1:
            below -= 1
            state = self._ask(below)
        if state is _THERE:
            return below, state
        above, state = number, _ABSENT
        while state is _ABSENT and above < number + REVISIONS:
            above += 1
            state = self._ask(above)
        return above, state

    def _ask(self, number: int, *, forbidden: bool = True) -> str:
        name = HELM_SECRET.format(release=self._release, revision=number)
        path = object_path("secrets", self._namespace, name)
        try:
            self._found[number] = self._api.get(path, accept=_METADATA)
        except NotFoundError:
            return _ABSENT
        except DeniedError:
            if not forbidden:
                raise
            return _FORBIDDEN
        return _THERE

"""The Secrets that hold a journal's copy: one set is whole at every moment, and none need be created."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mimir_migrate.adapters.kubernetes.api import NotFoundError
from mimir_migrate.adapters.kubernetes.journal_copies import SecretCopies
from mimir_migrate.documents.journal_copy import PART, secret_names
from mimir_migrate.errors import ConflictError, DeniedError, LeaseError, UnreachableError


class GoneError(Exception):
    """The writer's machine is gone."""


class Secrets:
    """Secrets at an API server, with resource versions; somebody may not create any."""

    def __init__(self, *, may_create: bool = True) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.may_create = may_create
        self.may_update = True
        self.dies_at = 0
        self.conflicts = 0
        self._version = 0

    def make_empty(self) -> None:
        """What somebody applied of what `rbac` printed."""
        for name in secret_names("mimir"):
            self._keep(name, {"metadata": {"name": name}, "type": "mimir-migrate/journal"})

    def get(self, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        name = path.rsplit("/", 1)[-1]
        if name not in self.there:
            raise NotFoundError("there is none")
        return copy.deepcopy(self.there[name])

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = self.may_create if asked["verb"] == "create" else self.may_update
            return {**body, "status": {"allowed": allowed}}
        self.dies_at -= 1
        if self.dies_at == 0:
            raise GoneError
        name = body["metadata"]["name"]
        if method == "POST":
            if not self.may_create:
                raise DeniedError("secrets is forbidden")
            return self._keep(name, body)
        assert path.endswith(f"/{name}")
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("the object has been modified")
        if body["metadata"].get("resourceVersion") != self._version_of(name):
            raise ConflictError("the object has been modified")
        assert body["type"] == self.there[name]["type"]
        return self._keep(name, body)

    def _version_of(self, name: str) -> Any:
        return self.there[name]["metadata"]["resourceVersion"]

    def _keep(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        kept = copy.deepcopy(body)
        kept["metadata"]["resourceVersion"] = str(self._version)
        self.there[name] = kept
        return kept


def copies(secrets: Secrets) -> SecretCopies:
    return SecretCopies(secrets, "observability", "mimir")  # type: ignore[arg-type]


BIG = bytes(range(256)) * (PART // 256 + 10)


@pytest.mark.parametrize("content", [b"small", BIG])
def test_what_is_written_is_read_by_another_machine(content: bytes) -> None:
    """Also where it takes two Secrets, and again and again."""
    secrets = Secrets()
    writer = copies(secrets)
    assert copies(secrets).read() is None
    for number in range(5):
        writer.write(content + bytes([number]))
        assert copies(secrets).read() == content + bytes([number])
    assert set(secrets.there) <= set(secret_names("mimir"))


@pytest.mark.parametrize("content", [b"new", BIG])
@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_writer_that_dies_in_the_middle_leaves_the_copy_before_it_whole(
    content: bytes, dies_at: int
) -> None:
    """The head goes last; a set without its head's checksum is no copy."""
    secrets = Secrets()
    copies(secrets).write(BIG + b"first")
    copies(secrets).write(BIG + b"second")
    secrets.dies_at = dies_at
    with pytest.raises(GoneError):
        copies(secrets).write(content)
    secrets.dies_at = 0

    assert copies(secrets).read() == BIG + b"second"
    copies(secrets).write(b"third")
    assert copies(secrets).read() == b"third"


def test_no_right_to_create_is_needed_where_the_secrets_are_there() -> None:
    """And where they are not, the error says what to apply."""
    secrets = Secrets(may_create=False)
    with pytest.raises(DeniedError) as caught:
        copies(secrets).write(b"x")
    assert "mimir-migrate rbac" in caught.value.hint
    secrets.make_empty()

    copies(secrets).write(b"x")
    assert copies(secrets).read() == b"x"


def test_a_write_that_met_another_is_made_again_and_gives_up_in_the_end() -> None:
    """Each look takes the version that is there."""
    secrets = Secrets()
    secrets.make_empty()
    secrets.conflicts = 2
    copies(secrets).write(b"x")
    assert copies(secrets).read() == b"x"
    secrets.conflicts = 100
    with pytest.raises(UnreachableError, match="all the time"):
        copies(secrets).write(b"y")
    assert copies(secrets).read() == b"x"


@pytest.mark.parametrize("others", [1, 2, 3])
def test_a_runner_whose_run_was_taken_over_writes_over_nothing(others: int) -> None:
    """It may wake up hours later and not know yet that its lease is gone."""
    secrets = Secrets()
    first = copies(secrets)
    first.write(b"one")
    second = copies(secrets)
    for number in range(others):
        second.write(b"other" + bytes([number]))
    with pytest.raises(LeaseError):
        first.write(b"late")
    assert copies(secrets).read() == b"other" + bytes([others - 1])
    second.write(b"goes on")
    assert copies(secrets).read() == b"goes on"


def test_whether_it_could_be_written_is_asked_and_nothing_is_written() -> None:
    """Before a run starts: that none may be made, or that those which are there may not be changed."""
    secrets = Secrets(may_create=False)
    with pytest.raises(DeniedError, match="may not be made") as caught:
        copies(secrets).check()
    assert "rbac" in caught.value.hint
    secrets.make_empty()
    copies(secrets).check()
    secrets.may_update = False
    with pytest.raises(DeniedError, match="may not be updated"):
        copies(secrets).check()
    assert copies(secrets).read() is None

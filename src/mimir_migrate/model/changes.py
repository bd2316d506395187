"""Everything this tool can do to the world, as data.

A change is described first and performed in one narrow place, so that it can be recorded, refused in
a dry run, and killed at in a test.
"""

from __future__ import annotations

import msgspec

from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.target import DeployTarget


class TableSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A ring table as it is to be made: on-demand billing, `RingKey` and `InstanceKey`."""

    name: str
    region: str
    deletion_protection: bool = True
    ttl: bool = False
    """Whether DynamoDB expires items by their attribute `ttl`."""
    tags: dict[str, str] = {}


class CreateTable(msgspec.Struct, frozen=True, kw_only=True, tag="create-table"):
    """Make a DynamoDB table and wait until it is active."""

    table: TableSpec


class WriteFile(msgspec.Struct, frozen=True, kw_only=True, tag="write-file"):
    """Edit a file on disk; refused when the file is not what the edit was made for."""

    edit: FileEdit


class Deploy(msgspec.Struct, frozen=True, kw_only=True, tag="deploy"):
    """Bring the values files to the cluster. Repeating it is safe."""

    deploy: DeployTarget
    files: tuple[str, ...]
    release: str
    namespace: str
    folder: str = ""
    reason: str = ""


class LeaseClaim(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lease and what for; stands in the Lease object for a second operator to read."""

    name: str
    holder: str
    """`user@host run-id pid`."""
    run: str
    store: str
    rings: tuple[str, ...]
    step: str = ""
    since: float = 0.0
    duration: float = 60.0
    """Seconds after the last renewal until the claim is over."""


class TakeLease(msgspec.Struct, frozen=True, kw_only=True, tag="take-lease"):
    """Claim the lease. `takeover` also takes one that has run out."""

    claim: LeaseClaim
    takeover: bool = False


class RenewLease(msgspec.Struct, frozen=True, kw_only=True, tag="renew-lease"):
    """Prolong the lease; fails when somebody else took it meanwhile."""

    claim: LeaseClaim


class ReleaseLease(msgspec.Struct, frozen=True, kw_only=True, tag="release-lease"):
    """Give the lease up."""

    claim: LeaseClaim


Change = CreateTable | WriteFile | Deploy | TakeLease | RenewLease | ReleaseLease


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What performing a change came to."""

    detail: str
    already: bool = False
    """Whether the world was so before, so that nothing was touched."""


def describe(change: Change) -> str:
    """The change in one line, for narration, the journal and a dry run."""
    match change:
        case CreateTable(table=table):
            return f"create the DynamoDB table {table.name} in {table.region}"
        case WriteFile(edit=edit):
            places = len(edit.hunks)
            return f"edit {edit.path} ({places} place{'' if places == 1 else 's'})"
        case Deploy(files=files, release=release, deploy=deploy):
            return f"deploy {', '.join(files)} to the release {release} ({deploy.method.value})"
        case TakeLease(claim=claim):
            return f"take the lease {claim.name}"
        case RenewLease(claim=claim):
            return f"renew the lease {claim.name}"
        case ReleaseLease(claim=claim):
            return f"release the lease {claim.name}"

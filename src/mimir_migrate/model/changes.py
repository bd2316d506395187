"""Everything this tool can do to the world, as data.

A change is described first and performed in one narrow place, so that it can be recorded, refused in
a dry run, and killed at in a test.
"""

from __future__ import annotations

import msgspec

from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.target import DeployTarget
from mimir_migrate.words import counted


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


class ItemSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One ring item as it was seen twice over a window: what it must still be to be deleted."""

    instance: str
    """Its `InstanceKey`."""
    version: int | None
    """None: it has none (Cortex before 1.20)."""
    timestamp: int
    """Its last heartbeat, whole seconds since the epoch."""


class ExportItems(msgspec.Struct, frozen=True, kw_only=True, tag="export-items"):
    """Write items to a new file, as `aws dynamodb batch-write-item --request-items` takes them."""

    table: str
    region: str
    ring_key: str
    items: tuple[ItemSeen, ...]
    """At most 25: what one call of BatchWriteItem takes."""
    path: str


class DeleteItem(msgspec.Struct, frozen=True, kw_only=True, tag="delete-item"):
    """Delete one item of a ring, unless it is otherwise than it was seen and exported."""

    table: str
    region: str
    ring_key: str
    item: ItemSeen
    export: str
    """The file that holds it; without it there, nothing is deleted."""


class DeleteTable(msgspec.Struct, frozen=True, kw_only=True, tag="delete-table"):
    """Delete a ring table that is empty and not protected; a protection is never lifted."""

    table: str
    region: str


class RemoveFile(msgspec.Struct, frozen=True, kw_only=True, tag="remove-file"):
    """Remove an undo record; refused when it is not the bytes that were seen."""

    path: str
    sha256: str


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


Removal = ExportItems | DeleteItem | DeleteTable | RemoveFile
"""What `clean` does; no step of a plan makes one of these."""

Change = CreateTable | WriteFile | Deploy | Removal | TakeLease | RenewLease | ReleaseLease


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
            return f"edit {edit.path} ({counted(len(edit.hunks), 'place')})"
        case Deploy(files=files, release=release, deploy=deploy):
            return f"deploy {', '.join(files)} to the release {release} ({deploy.method.value})"
        case ExportItems() | DeleteItem() | DeleteTable() | RemoveFile():
            return _describe_removal(change)
        case TakeLease(claim=claim):
            return f"take the lease {claim.name}"
        case RenewLease(claim=claim):
            return f"renew the lease {claim.name}"
        case ReleaseLease(claim=claim):
            return f"release the lease {claim.name}"


def _describe_removal(change: Removal) -> str:
    match change:
        case ExportItems(items=items, ring_key=ring_key, table=table, path=path):
            count = len(items)
            return f"export {counted(count, 'item')} of {ring_key} in {table} to {path}"
        case DeleteItem(item=item, ring_key=ring_key, table=table):
            return f"delete the item {item.instance} of {ring_key} in {table}"
        case DeleteTable(table=table, region=region):
            return f"delete the DynamoDB table {table} in {region}"
        case RemoveFile(path=path):
            return f"remove the undo record {path}"

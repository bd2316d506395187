"""What a migration or a rollback left behind, and whether it may be removed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mimir_migrate.model.changes import ItemSeen


class LeftKind(StrEnum):
    """What kind of thing is left."""

    ITEMS = "items"
    """Items of one ring in one table."""
    TABLE = "table"
    UNDO = "undo"
    """An undo record beside a values file."""
    OTHER = "other"
    """What this tool never removes: roles, the runtime block, journals."""


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is left."""

    name: str
    """What `--remove` takes, e.g. `items/rings/ruler`."""
    kind: LeftKind
    what: str
    kept_because: str = ""
    """Why it is not removed; empty: it may be."""
    needs: tuple[str, ...] = ()
    """Names of what has to be removed before it."""
    consequence: str = ""
    """What ends with it."""
    by_hand: tuple[str, ...] = ()
    """The commands, or lines of a document, for whoever does it without this tool."""
    table: str = ""
    region: str = ""
    ring_key: str = ""
    items: tuple[ItemSeen, ...] = ()
    path: str = ""
    sha256: str = ""


class Leftovers(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is left of one release, as of one look."""

    at: float
    found: tuple[Leftover, ...]
    watched: float = 0.0
    """Seconds over which items were watched; 0: there was none to watch."""

    def named(self, name: str) -> Leftover | None:
        """The one of that name; None: there is none."""
        return next((one for one in self.found if one.name == name), None)

    @property
    def removable(self) -> tuple[str, ...]:
        """Names of what may be removed."""
        return tuple(one.name for one in self.found if not one.kept_because)

"""`clean`: shows what is left of a release, and removes by name what may go, under the lease."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mimir_migrate import __version__
from mimir_migrate.documents.values.files import ValuesFiles
from mimir_migrate.durations import moment_words
from mimir_migrate.engine.effects import Effects, LeaseKeeper, lease_name
from mimir_migrate.engine.history import first_plan, tables_surely_made
from mimir_migrate.errors import BlockedError, ExitCode, LeaseError, MigrateError, UsageError
from mimir_migrate.inspection.ring_tables import all_write_within
from mimir_migrate.model.changes import LeaseClaim, Outcome, TableSpec
from mimir_migrate.model.events import ChangeDone, CleaningStarted, RunFinished, RunState
from mimir_migrate.model.facts import Identity, Inspection, Table, TableItems
from mimir_migrate.model.leftovers import Leftover, Leftovers
from mimir_migrate.model.rings import rings_of
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import Environment
from mimir_migrate.operations.planning import values_sources
from mimir_migrate.plans.timing import gate_window
from mimir_migrate.ports import Journal, World
from mimir_migrate.runs.leftovers import ItemPlace, Seen, items_to_watch, leftovers, removals
from mimir_migrate.runs.places import differences, meant_by, same_release, seen_at
from mimir_migrate.settings import require

STEP = "clean"
"""What the lease and the journal call the work of `clean`."""


class Looks(Protocol):
    """Who inspects."""

    def inspect(self, world: World, target: Target) -> Inspection:
        """Look at the cluster."""


class Cleaning:
    """Finds what is left of one target's release, and removes it by name."""

    def __init__(self, environment: Environment, looks: Looks, target: Target) -> None:
        require(target, "namespace", "release")
        self._environment = environment
        self._looks = looks
        self._target = target
        self._world = environment.world_for(target)

    def look(self) -> Leftovers:
        """What is left now. Where items are, it takes a window in which they are watched.

        Raises:
            MigrateError: Kubernetes does not tell which pods there are.
        """
        world = self._world
        first = self._looks.inspect(world, self._target)
        made, journals = self._own_runs(first.identity)
        names = set(first.tables) | {spec.name for spec in made}
        tables = {name: self._table(name) for name in sorted(names)}
        before = self._read(first, tables)
        watched = 0.0
        later = first
        if items_to_watch([one for one in before.values() if one]):
            rings = tuple(ring.ring for ring in first.rings if ring.enabled)
            watched = max(gate_window(first, rings) or 0.0, all_write_within(first.pods))
            world.clock.sleep(watched)
            later = self._looks.inspect(world, self._target)
        after = self._read(later, tables) if watched else before
        seen = Seen(
            inspection=later,
            target=self._target,
            tables=tables,
            places=tuple(
                ItemPlace(
                    ring=ring,
                    table=table,
                    ring_key=key,
                    before=items,
                    after=after.get((ring, table, key)),
                )
                for (ring, table, key), items in before.items()
            ),
            empty={
                name: told for name in tables if (told := self._empty(tables[name])) is not None
            },
            made=made,
            records=tuple(self._records()),
            values_on_dynamodb=self._values_on_dynamodb(later),
            journals=journals,
        )
        return Leftovers(at=later.at, found=leftovers(seen), watched=watched)

    def remove(self, names: Sequence[str], *, takeover: bool = False) -> Iterator[Outcome]:
        """Remove what is named, each change told as it is made.

        Under the lease everything is looked at again, and what may not go any more stays.

        Raises:
            BlockedError: A run of this release is not over, or a name may not be removed.
            UsageError: Nothing is named so.
            LeaseError: Somebody else holds the lease, or left it behind.
        """
        environment = self._environment
        place = self._looks.inspect(self._world, self._target).identity
        self._refuse_unfinished(place)
        store = environment.store.cleanings()
        run = store.new_run_id()
        name = lease_name(place.release)
        self._refuse_left_lease(name, takeover=takeover)
        journal = store.create(run)
        journal.append(
            CleaningStarted(
                by=environment.who,
                host=environment.host,
                tool_version=__version__,
                identity=place,
                names=tuple(names),
            )
        )
        clock = self._world.clock
        changes = environment.changes_for(self._target, run)
        holder = f"{environment.who} {run} pid {environment.pid}"
        claim = LeaseClaim(name=name, holder=holder, run=run, store="", rings=(), step=STEP)
        keeper = LeaseKeeper(changes, clock, claim)
        effects = Effects(changes, journal, keeper, clock)
        exports = str(store.folder / "exports" / run)
        try:
            keeper.take(takeover=takeover)
            try:
                with keeper.kept():
                    self._refuse_unfinished(place)
                    chosen = chosen_of(self.look(), names)
                for left in chosen:
                    for change in removals(left, exports=exports):
                        yield effects.make(STEP, change)
            finally:
                keeper.release()
        except MigrateError as error:
            _end(
                journal, RunState.FAILED, f"{error.message} {error.hint}".strip(), error.exit_code
            )
            raise
        _end(journal, RunState.DONE, f"removed {', '.join(names)}", ExitCode.DONE)

    def history(self) -> Iterator[str]:
        """What was removed before from here, oldest first: when, by whom, what."""
        store = self._environment.store.cleanings()
        here = seen_at(meant_by(self._target, self._world))
        for listing in reversed(list(store.list_runs())):
            try:
                events = store.open(listing.run).events()
            except MigrateError:
                continue
            begun = events[0].event if events else None
            if not isinstance(begun, CleaningStarted):
                continue
            if not same_release(seen_at(begun.identity), here):
                continue
            made = [one.event.outcome for one in events if isinstance(one.event, ChangeDone)]
            when = moment_words(events[0].at)
            if any(not outcome.already for outcome in made):
                yield f"{when} {begun.by}: {', '.join(begun.names)} (journal {listing.run})"

    # --- what is read ----------------------------------------------------------------------------

    def _table(self, name: str) -> Table | None:
        try:
            return self._world.tables.table(name)
        except MigrateError:
            return None

    def _empty(self, table: Table | None) -> bool | None:
        if table is None or not table.is_ring_table:
            return None
        try:
            return self._world.tables.is_empty(table.name)
        except MigrateError:
            return None

    def _read(
        self, inspection: Inspection, tables: dict[str, Table | None]
    ) -> dict[tuple[str, str, str], TableItems | None]:
        """The items of every movable ring in every ring table, by ring, table and key."""
        found: dict[tuple[str, str, str], TableItems | None] = {}
        for name, table in tables.items():
            if table is None or not table.is_ring_table:
                continue
            for ring in rings_of(inspection.product):
                if not ring.movable:
                    continue
                views = (facts.ring(ring.name) for facts in inspection.pods)
                configs = [view.config for view in views if view is not None and view.config]
                prefix = next((one.prefix for one in configs), None)
                key = ring.ring_key(prefix)
                try:
                    found[ring.name, name, key] = self._world.tables.items(name, ring.name, key)
                except MigrateError:
                    found[ring.name, name, key] = None
        return found

    def _records(self) -> Iterator[tuple[str, str]]:
        for path in self._target.values.files:
            for record in self._environment.records_beside(path):
                try:
                    content = self._world.files.read(record)
                except MigrateError:
                    continue
                yield record, hashlib.sha256(content).hexdigest()

    def _values_on_dynamodb(self, inspection: Inspection) -> frozenset[str] | None:
        """The rings whose values name DynamoDB; None: they cannot be understood."""
        if not self._target.values.files:
            return frozenset()
        try:
            view = ValuesFiles(
                values_sources(self._world.files, self._target),
                product=inspection.product,
                root=self._target.values.root,
                bridge=self._target.through_bridge,
            ).view
        except MigrateError:
            return None
        return frozenset(
            name
            for name, config in view.rings.items()
            if config is not None
            and Store.DYNAMODB.value in {config.store, config.primary, config.secondary}
        )

    # --- runs ------------------------------------------------------------------------------------

    def _own_runs(self, place: Identity) -> tuple[tuple[TableSpec, ...], tuple[str, ...]]:
        """The tables that runs of this place made, and the journals of those that are over."""
        made: list[TableSpec] = []
        journals: list[str] = []
        for listing in self._environment.store.list_runs():
            try:
                events = self._environment.store.open(listing.run).events()
                own = first_plan(events).identity
            except (MigrateError, LookupError):
                continue
            if differences(seen_at(own), seen_at(place)):
                continue
            made += tables_surely_made(events)
            if not listing.unfinished:
                journals.append(
                    str(Path(self._environment.store.folder) / "runs" / listing.run) + ".*"
                )
        return tuple(made), tuple(journals)

    def _refuse_unfinished(self, place: Identity) -> None:
        for listing in self._environment.store.list_runs():
            if not listing.unfinished:
                continue
            try:
                own = first_plan(self._environment.store.open(listing.run).events()).identity
            except (MigrateError, LookupError):
                own = place  # a journal that cannot be read may be of this place
            if same_release(seen_at(own), seen_at(place)):
                raise BlockedError(
                    f"the run {listing.run} of this release is not over; nothing is removed before",
                    hint=f"`mimir-migrate resume {listing.run}` or `rollback {listing.run}` ends it; "
                    f"`runs --forget {listing.run}` closes one that nobody will end.",
                )

    def _refuse_left_lease(self, name: str, *, takeover: bool) -> None:
        """Refuse while a run holds the lease or left it behind: it is not over, wherever it is."""
        cluster = self._world.cluster
        held, left = cluster.lease(name), cluster.abandoned_lease(name)
        claim = held or left
        if claim is None:
            return
        if claim.step != STEP or held is not None:
            raise LeaseError(
                f"{claim.holder} {'holds' if held else 'left'} the lease {name} for the run "
                f"{claim.run}; nothing is removed before that is over",
                hint="See `mimir-migrate status` there.",
            )
        if not takeover:
            raise LeaseError(
                f"{claim.holder} left the lease {name} behind when it removed something",
                hint="Make sure that its process is dead, then `mimir-migrate clean --takeover`.",
            )


def chosen_of(found: Leftovers, names: Sequence[str]) -> tuple[Leftover, ...]:
    """What is named, in the order in which it is removed.

    Raises:
        UsageError: Nothing is named so.
        BlockedError: It stays, or something has to go before it that is not named.
    """
    for name in names:
        left = found.named(name)
        if left is None:
            there = ", ".join(found.removable) or "nothing that may be removed"
            raise UsageError(f"nothing is left under the name {name}", hint=f"There is: {there}.")
        if left.kept_because:
            raise BlockedError(f"{name} stays: {left.kept_because}", hint="Nothing was removed.")
        if missing := [one for one in left.needs if one not in names]:
            raise BlockedError(
                f"{name} is removed after {', '.join(missing)}",
                hint="Name them too: " + " ".join(f"--remove {one}" for one in missing),
            )
    return tuple(left for left in found.found if left.name in names)


def _end(journal: Journal, state: RunState, reason: str, code: ExitCode) -> None:
    journal.append(RunFinished(state=state, reason=reason, exit_code=int(code)))

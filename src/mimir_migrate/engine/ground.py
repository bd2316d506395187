"""The ground that a leg stands on: its plan's facts, held against the world at every look."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.errors import DocumentError, MigrateError
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import EditsRemade, FactsChanged, RollbackJudged
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import FactChange, Plan, PlanFact, Step
from mimir_migrate.plans.facts import file_fact
from mimir_migrate.plans.files.edited import edited_paths, remade
from mimir_migrate.plans.rollback import Cache, blocked_from_here
from mimir_migrate.ports import Files, Journal

_NAMED = 6
"""So many places of a changed file are named."""

Drift = Callable[[Plan, Inspection], tuple[FactChange, ...]]


class Ground:
    """Knows what the plan's next step begins on, and tells when the world is otherwise.

    What a step changes by itself is not held against it while it is under way; once it is over, what
    it led to is what the next step begins on.
    """

    def __init__(
        self, plan: Plan, *, drift: Drift, files: Files, journal: Journal, anew: bool = False
    ) -> None:
        self.plan = plan
        self.anew = anew
        """Whether it was planned by this runner, from where an earlier leg stopped."""
        self._drift = drift
        self._files = files
        self._journal = journal
        self._own: frozenset[str] = frozenset()
        self._done: frozenset[str] = frozenset()
        self._said: tuple[FactChange, ...] = ()
        self._last: Inspection | None = None
        self._touched: Mapping[str, bytes | None] = {}
        self._judged: dict[tuple[str, bytes], FactChange] = {}
        self._values = Cache()
        self._blocked = self._blocked_once = ""
        facts = {fact.name: fact.value for fact in plan.facts}
        self._bytes: dict[str, bytes] = {}
        """The files' contents as the next edits expect them, where they could be read as such."""
        for path, content in self._contents().items():
            if content is not None and file_edits.sha256(content) == facts.get(file_fact(path)):
                self._bytes[path] = content

    # --- looking -----------------------------------------------------------------------------

    def changes(self, inspection: Inspection) -> tuple[FactChange, ...]:
        """Every fact that is otherwise now, those that matter first.

        What is not told is not a change: not knowing is what gates wait for.
        """
        unread = self._unread()
        if unread:
            return unread
        try:
            found = [
                self._weighed(change)
                for change in self._drift(self.plan, inspection)
                if change.name not in self._own and (change.after or not change.matters)
            ]
        except DocumentError as error:
            if error.path not in self.plan.target.values.files:
                raise
            # It went away after the look above; it may be there again by now, and counts at the next.
            return self._unread() or (self._lost(error.path),)
        return tuple(sorted(found, key=lambda change: (not change.matters, change.name)))

    def _unread(self) -> tuple[FactChange, ...]:
        return tuple(
            self._lost(path) for path, content in self._contents().items() if content is None
        )

    def _lost(self, path: str) -> FactChange:
        return FactChange(
            name=file_fact(path),
            before=self._expected(path),
            after=None,
            matters=True,
            why="it cannot be read",
        )

    def see(self, step: str, inspection: Inspection) -> tuple[FactChange, ...]:
        """The changes that matter, with the others beside them; the journal follows when they differ.

        Empty when none matters.
        """
        self._last = inspection
        self._touched = self._contents()
        changes = self.changes(inspection)
        if not any(change.matters for change in changes):
            changes = ()
        matter = tuple(change for change in changes if change.matters)
        if matter != self._said:
            self._said = matter
            self._journal.append(FactsChanged(step=step, changes=changes))
        self._look_back(step, inspection)
        return changes

    @property
    def changed(self) -> tuple[FactChange, ...]:
        """The changes that matter, as of the last look."""
        return self._said

    def _look_back(self, step: str, inspection: Inspection) -> None:
        """Tell the journal when a rollback cannot be planned any more, and when it can again.

        A pod that leaves one look unanswered says nothing yet: only what two looks in a row agree on.
        """
        contents = {path: text for path, text in self._touched.items() if text is not None}
        if len(contents) != len(self._touched):
            return
        found = blocked_from_here(inspection, self.plan, contents, self._values)
        agreed = found == self._blocked_once or not found
        self._blocked_once = found
        if agreed and found != self._blocked:
            self._blocked = found
            self._journal.append(RollbackJudged(step=step, blocked=found))

    def see_files(self, step: str) -> None:
        """The same with what was seen last, where a file was touched since."""
        if self._last is not None and self._contents() != self._touched:
            self.see(step, self._last)

    def _contents(self) -> Mapping[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for path in self.plan.target.values.files:
            try:
                found[path] = self._files.read(path)
            except MigrateError:
                found[path] = None
        return found

    def _expected(self, path: str) -> str | None:
        return next((f.value for f in self.plan.facts if f.name == file_fact(path)), None)

    def _weighed(self, change: FactChange) -> FactChange:
        """A file's change by what it comes to: its bytes by themselves matter to nobody."""
        path = next((path for path in self._bytes if file_fact(path) == change.name), None)
        if path is None:
            return change
        now = self._files.read(path)
        if (path, now) not in self._judged:
            self._judged[path, now] = self._judged_file(path, now, change)
        return self._judged[path, now]

    def _judged_file(self, path: str, now: bytes, change: FactChange) -> FactChange:
        replace = msgspec.structs.replace
        paths = edited_paths(self._bytes[path], now)
        if paths is None:
            return replace(change, why="it is not YAML any more")
        if paths:
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            named = ", ".join(paths[:_NAMED]) + more
            return replace(change, why=f"the next deploy would bring another {named}")
        if remade(self._edits_of(path), self._bytes[path], now) is None:
            return replace(change, why="the edits that are left do not fit it any more")
        return replace(change, matters=False, why="it says the same as before")

    def _edits_of(self, path: str) -> list[FileEdit]:
        """The edits of a file that are still to be made."""
        return [
            edit
            for step in self.plan.steps
            for edit in step.edits
            if edit.path == path and step.id not in self._done
        ]

    # --- going on ----------------------------------------------------------------------------

    def fit(self, step: str) -> None:
        """Make the edits that are left again around an edit of somebody's that changed no meaning."""
        moved: list[str] = []
        contents = self._contents()
        for path, before in tuple(self._bytes.items()):
            now = contents.get(path)
            if now is None or now == before or edited_paths(before, now) != ():
                continue
            fresh = remade(self._edits_of(path), before, now)
            if fresh is None:
                continue
            self._put(path, fresh)
            self._know(path, now)
            moved.append(path)
        if moved:
            self._journal.append(EditsRemade(step=step, paths=tuple(moved)))

    def let_rings_move(self) -> None:
        """Where the rings stand is in flux until the present step is over."""
        self._own = frozenset(
            f"ring {ring}: {what}"
            for ring in self.plan.rings
            for what in ("configuration", "primary")
        )

    def begin(self, step: Step) -> None:
        """From here on the step's own changes are no change of somebody else's."""
        if step.kind.deploys:
            self.let_rings_move()
        self._own |= {f"table {table.name}" for table in step.tables}
        self._done |= {step.id}

    def wrote(self, edit: FileEdit) -> None:
        """A file of the step was written: that is what it says from here on."""
        if edit.path in self._bytes:
            self._know(edit.path, file_edits.apply(edit, self._bytes[edit.path]))

    def carry(self, inspection: Inspection | None) -> None:
        """What a step led to, as it was seen last, is what the next one begins on."""
        own, self._own = self._own, frozenset()
        changed = (
            {change.name: change.after for change in self._drift(self.plan, inspection)}
            if inspection is not None
            else {}
        )
        facts: list[PlanFact] = []
        for fact in self.plan.facts:
            if fact.name not in own and (fact.matters or inspection is None):
                facts.append(fact)
                continue
            value = changed.get(fact.name, fact.value)
            if inspection is not None and value:
                facts.append(msgspec.structs.replace(fact, value=value))
        self.plan = msgspec.structs.replace(self.plan, facts=tuple(facts))

    def _know(self, path: str, content: bytes) -> None:
        """Expect a file to have this content from now on."""
        self._bytes[path] = content
        self._judged = {}
        name, value = file_fact(path), file_edits.sha256(content)
        self.plan = msgspec.structs.replace(
            self.plan,
            facts=tuple(
                msgspec.structs.replace(fact, value=value) if fact.name == name else fact
                for fact in self.plan.facts
            ),
        )

    def _put(self, path: str, fresh: tuple[FileEdit, ...]) -> None:
        """Put edits of one file in the place of those that are left of it."""
        left = list(fresh)
        steps: list[Step] = []
        for step in self.plan.steps:
            if step.id in self._done:
                steps.append(step)
                continue
            edits = tuple(left.pop(0) if edit.path == path else edit for edit in step.edits)
            steps.append(msgspec.structs.replace(step, edits=edits))
        self.plan = msgspec.structs.replace(self.plan, steps=tuple(steps))

"""The values files as they are carried from step to step."""

from __future__ import annotations

from mimir_migrate.documents.config.kv_blocks import spelled_block
from mimir_migrate.documents.values.files import ValuesFiles, ValuesView, Wanted, undo
from mimir_migrate.durations import parse_duration
from mimir_migrate.errors import BlockedError, EditRefusedError, FileChangedError
from mimir_migrate.inspection.pacing import pacing
from mimir_migrate.inspection.rules.bridge import short_timeouts
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import StepKind
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.stores import DynamoDBSettings, Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans.path import Stage


class CarriedFiles:
    """What each stage makes of the files before it."""

    def __init__(
        self,
        *,
        inspection: Inspection,
        target: Target,
        to: Store,
        rings: tuple[str, ...],
        view: ValuesView,
        keeps_both: bool = False,
    ) -> None:
        self._inspection = inspection
        self._target = target
        self._to = to
        self._rings = rings
        self._view = view
        self._keeps_both = keeps_both
        self._bridge = target.through_bridge
        self.restored = False
        """Whether the bytes from before an earlier run come back."""
        self.notes: list[str] = []

    def original(self, files: ValuesFiles, restore: tuple[FileEdit, ...]) -> ValuesFiles | None:
        """The files as they were before an earlier run, where they say what this plan wants."""
        if not restore or self._keeps_both:
            return None
        try:
            before = files.after(undo(restore, files.files))
        except (EditRefusedError, FileChangedError) as error:
            self.notes.append(
                f"The bytes from before an earlier run do not come back, the canonical form is "
                f"written instead: {error}"
            )
            return None
        view = before.view
        goal = StoreState.only(self._to)
        for ring in self._rings:
            found = view.rings.get(ring)
            state = found.state if found is not None and found.store else None
            if state is None and self._to is Store.MEMBERLIST:
                state = goal if self._default_is_memberlist(ring) else None
            if state is not goal:
                return None
        self.restored = True
        return before

    def files_after(
        self,
        stage: Stage,
        texts: ValuesFiles,
        original: ValuesFiles | None,
        *,
        last: bool,
    ) -> ValuesFiles:
        """The files after a stage's edits; after the last one those from before an earlier run."""
        if original is not None and last:
            return original
        base = texts
        if original is not None and stage.id in {"settle", "clear"}:
            base = original
        wanted = Wanted(
            # A change of the runtime configuration leaves the static one as it is, to the byte: a flag
            # turned there as well would restart every pod.
            states=dict(stage.states) if base is texts and stage.kind is StepKind.ROLLOUT else {},
            mirror=stage.mirror,
            dynamodb={ring: self.settings(ring) for ring in self._rings},
            bridge=self._bridge,
            runtime=spelled_block(stage.runtime, self._bridge),
            config=self._first_settings() if base is texts and stage.id == "both" else {},
        )
        made = base.edit(wanted)
        for edit in made:
            for note in edit.notes:
                if note not in self.notes:
                    self.notes.append(note)
        return base.after(made)

    def settings(self, ring: str) -> DynamoDBSettings:
        """What a ring's DynamoDB store is to be set to: the target's word, else what the values say."""
        said = self._view.rings.get(ring)
        have = said.dynamodb if said and said.dynamodb else DynamoDBSettings()
        table = self._target.dynamodb
        return DynamoDBSettings(
            region=self._target.aws.region or have.region,
            table_name=table.table_for(ring) or have.table_name,
            puller_sync_time=table.puller_sync_time or have.puller_sync_time,
            ttl=table.ttl or have.ttl,
        )

    def _first_settings(self) -> dict[tuple[str, ...], str]:
        """What the first rollout sets besides stores."""
        if self._bridge is None:
            return self._pace()
        asked = self._target.bridge.heartbeat_timeout
        if not asked or self._to is not Store.DYNAMODB:
            return {}
        found = {}
        for name in short_timeouts(self._inspection, self._rings, self._target.scale):
            ring = ring_named(self._inspection.product, name)
            if ring is not None:
                found[ring.heartbeat_timeout_path] = asked
        return found

    def _pace(self) -> dict[tuple[str, ...], str]:
        """How long a new ingester is not Ready yet, where the target asks for it and it is too short."""
        asked = self._target.dynamodb.min_ready_duration
        found = pacing(self._inspection, self._target, self._rings)
        if not asked or found is None or self._to is not Store.DYNAMODB:
            return {}
        if not found.path:
            raise BlockedError(
                "no plan: the target asks for a min_ready_duration, and a binary of the release does not "
                "have this setting: no pod would start again",
                hint="Take [dynamodb] min_ready_duration out; minReadySeconds of the workloads does it.",
            )
        if asked != "auto":
            parse_duration(asked)
        return {found.path: found.wanted if asked == "auto" else asked}

    def _default_is_memberlist(self, ring: str) -> bool:
        known = ring_named(self._inspection.product, ring)
        return known is not None and known.default_store == "memberlist"

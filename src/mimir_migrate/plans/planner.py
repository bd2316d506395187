"""Builds the plan: stages, with the edits, texts, times and gates that make them steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView
from mimir_migrate.documents.values.loaded import Readings
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import BackStep, Plan, Step, StepKind, Strategy
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import DeployMethod, Target
from mimir_migrate.plans import timing
from mimir_migrate.plans.alerts import with_alerts
from mimir_migrate.plans.bridge_steps import (
    BridgeSteps,
    notes_of_bridge,
    refuse_needless_bridge,
)
from mimir_migrate.plans.facts import facts_of
from mimir_migrate.plans.files.carried import CarriedFiles
from mimir_migrate.plans.hand import commands_for
from mimir_migrate.plans.path import (
    Position,
    Stage,
    after,
    leaves_a_copy,
    resolve_strategy,
    stages,
)
from mimir_migrate.plans.position import choose_rings, position_of
from mimir_migrate.plans.refusals import refuse_blast, refuse_blocked
from mimir_migrate.plans.rollback import rollback_or_none
from mimir_migrate.plans.step_gates import gates_after, gates_before
from mimir_migrate.plans.table_steps import TableSteps
from mimir_migrate.plans.texts import words_for
from mimir_migrate.words import counted, joined

BlastCheck = Callable[[Sequence[SourceFile], Sequence[SourceFile]], tuple[str, ...]]
"""Given the files before and after a step, what a deploy would change besides configuration."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asks for."""

    to: Store
    goal: StoreState | None = None
    """A state on both stores in which the rings stay, mirrored; None: on `to` only."""
    rings: tuple[str, ...] = ()
    """Empty: every ring that is on and can be moved."""
    strategy: Strategy = Strategy.AUTO
    returning: bool = False
    """Whether this is a rollback: it must be open also while something is unwell, so only the
    gates that keep members in sight stand before its steps."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Stamps of a plan that do not come from the cluster."""

    plan_id: str
    created_at: float
    tool_version: str


def make_plan(
    inspection: Inspection,
    target: Target,
    order: Order,
    files: Sequence[SourceFile],
    *,
    origin: Origin,
    findings: tuple[Finding, ...] = (),
    restore: tuple[FileEdit, ...] = (),
    blast_check: BlastCheck | None = None,
    readings: Readings | None = None,
) -> Plan:
    """The plan from what was observed to all chosen rings on `order.to` only.

    `restore` are edits that give back the files' bytes from before an earlier run, in order; they
    are used where they lead to what the plan wants in the end.

    Raises:
        BlockedError: A finding blocks, a ring is split, or a deploy would change more than
            configuration; the message holds the evidence.
        EditRefusedError: A values file cannot be edited safely.
        UsageError: A ring or strategy that cannot be.
    """
    refuse_blocked(findings)
    refuse_needless_bridge(inspection, target)
    rings = choose_rings(inspection, order.rings)
    sources = ValuesFiles(
        files,
        product=inspection.product,
        root=target.values.root,
        readings=readings,
        bridge=target.through_bridge,
    )
    view = sources.view
    position = position_of(inspection, rings, view.rings, view.runtime)
    strategy = resolve_strategy(order.strategy, position)
    moves = stages(position, order.to, strategy, order.goal)
    builder = _Builder(
        inspection=inspection,
        target=target,
        order=order,
        rings=rings,
        view=view,
        strategy=strategy,
    )
    steps = builder.steps(moves, position, sources, restore, blast_check)
    steps = with_alerts(steps, inspection, rings, target.scale)
    return Plan(
        id=origin.plan_id,
        created_at=origin.created_at,
        tool_version=origin.tool_version,
        target=target,
        identity=inspection.identity,
        product=inspection.product,
        to=order.to,
        goal=order.goal,
        rings=rings,
        strategy=strategy,
        start={ring.ring: _start_words(ring.states) for ring in position.rings},
        steps=steps,
        facts=facts_of(inspection, target, rings, files),
        findings=tuple(found for found in findings if found.severity is not Severity.BLOCKS),
        restore=restore if builder.files.restored else (),
        notes=(*notes_of_bridge(target, order.to), *builder.files.notes),
    )


def _start_words(states: frozenset[StoreState]) -> str:
    return " and ".join(sorted(state.value for state in states))


class _Builder:
    """Turns stages into steps, carrying the files' text from one to the next."""

    def __init__(
        self,
        *,
        inspection: Inspection,
        target: Target,
        order: Order,
        rings: tuple[str, ...],
        view: ValuesView,
        strategy: Strategy,
    ) -> None:
        self._inspection = inspection
        self._target = target
        self._order = order
        self._by_hand = _with_version(target, inspection)
        self._rings = rings
        self._strategy = strategy
        self.files = CarriedFiles(
            inspection=inspection,
            target=target,
            to=order.to,
            rings=rings,
            view=view,
            keeps_both=order.goal is not None,
        )

    def steps(
        self,
        moves: tuple[Stage, ...],
        position: Position,
        files: ValuesFiles,
        restore: tuple[FileEdit, ...],
        blast_check: BlastCheck | None,
    ) -> tuple[Step, ...]:
        original = self.files.original(files, restore) if moves or restore else None
        texts = files
        here = position
        found: list[Step] = []
        bridge = BridgeSteps(self._inspection, self._target, self._rings) if moves else None
        making = TableSteps(self._inspection, self._by_hand, self._order.to)
        table_step = making.step(self._table_names(), self._observed()) if moves else None
        if table_step is not None:
            found.append(msgspec.structs.replace(table_step, back=self._rollback(position)))
        if bridge is not None and bridge.comes_first(moves, self._order.to):
            proof = bridge.proof(self._observed())
            found.append(msgspec.structs.replace(proof, back=self._rollback(position)))
        for stage in moves:
            edited = self.files.files_after(stage, texts, original, last=stage is moves[-1])
            step = self._step(stage, texts, edited, blast_check, leaves=leaves_a_copy(here, stage))
            here = after(here, stage)
            found.append(msgspec.structs.replace(step, back=self._rollback(here)))
            texts = edited
        alone = not self._order.returning and self._order.goal is None
        if bridge is not None and alone and bridge.goes_last(self._order.to):
            farewell = bridge.farewell(found[-1])
            found.append(msgspec.structs.replace(farewell, back=self._rollback(here)))
        if not moves and original is not None and _differs(original.files, texts.files):
            found.append(self._restore_step(texts, original, position, blast_check))
        return tuple(found)

    def _rollback(self, here: Position) -> tuple[BackStep, ...] | None:
        if self._order.returning:
            return None
        poll = timing.poll_words(self._target)
        return rollback_or_none(here, self._order.to.other, self._strategy, poll=poll)

    def _table_names(self) -> tuple[str, ...]:
        names = dict.fromkeys(self.files.settings(ring).table_name for ring in self._rings)
        return tuple(filter(None, names))

    def _observed(self) -> dict[str, tuple[StoreState, ...]]:
        return {
            ring.ring: ring.states for ring in self._inspection.rings if ring.ring in self._rings
        }

    def _step(
        self,
        stage: Stage,
        before: ValuesFiles,
        after: ValuesFiles,
        blast_check: BlastCheck | None,
        *,
        leaves: bool = False,
    ) -> Step:
        to = self._order.to
        old = before.files
        moved = _edits(old, after.files)
        if blast_check is not None:
            refuse_blast(stage.id, blast_check(old, after.files))
        words = words_for(
            stage.id,
            to=to,
            rings=joined(self._rings),
            crossing=joined(stage.crossing),
            by_restart=self._strategy is not Strategy.RUNTIME,
            dynamodb_poll=timing.poll_words(self._target),
            through_bridge=self._target.through_bridge is not None,
        )
        rollout = stage.kind is StepKind.ROLLOUT
        return Step(
            id=stage.id,
            kind=stage.kind,
            title=words.title,
            what=words.what,
            why=words.why,
            crossing=bool(stage.crossing),
            states=dict(stage.states),
            primaries=dict(stage.primaries),
            mirror=stage.mirror,
            runtime=stage.runtime,
            edits=moved,
            diff="".join(file_edits.unified(edit, _content(old, edit.path)) for edit in moved),
            paths=before.changes_to(after),
            commands=commands_for(stage.id, self._by_hand, edits=moved, before=old),
            expected=words.expected,
            duration=timing.step_duration(
                self._inspection,
                self._rings,
                rollout=rollout,
                soak=1 if leaves else 0,
                scale=self._target.scale,
            ),
            touches=self._touches(rollout=rollout),
            undo=words.undo,
            way_back=words.way_back,
            closes_way_back=leaves,
            soak=1 if leaves else 0,
            begun=stage.begun,
            before=gates_before(
                stage,
                to=to,
                returning=self._order.returning,
                leaves=leaves,
                judges_blast=blast_check is not None
                or self._target.deploy.method is not DeployMethod.EXTERNAL,
                through_bridge=self._target.through_bridge is not None,
            ),
            after=gates_after(stage),
        )

    def _touches(self, *, rollout: bool) -> tuple[str, ...]:
        workloads = [workload.name for workload in self._inspection.workloads]
        if rollout:
            whole = (
                "the configuration of the whole release: one file and one checksum, so every "
                f"component restarts, not only the chosen rings' ({counted(len(workloads), 'workload')}, "
                f"{counted(len(self._inspection.pods), 'pod')})"
            )
            return (whole, *workloads)
        return ("the runtime ConfigMap only: no pod restarts",)

    def _restore_step(
        self,
        before: ValuesFiles,
        after: ValuesFiles,
        position: Position,
        blast_check: BlastCheck | None,
    ) -> Step:
        """The cluster is where it should be, and the values files are not what they were."""
        to = self._order.to
        stage = Stage(
            id="restore",
            kind=StepKind.RUNTIME,
            states={ring.ring: StoreState.only(to) for ring in position.rings},
            primaries={ring.ring: to for ring in position.rings},
            mirror=False,
            runtime=after.view.runtime,
        )
        step = self._step(stage, before, after, blast_check)
        return msgspec.structs.replace(
            step,
            title="Give the values files their bytes from before back",
            what="No ring's store changes; the files say again what they said before the run.",
            why="What is reviewed and what is deployed should be the same, byte for byte.",
        )


def _with_version(target: Target, inspection: Inspection) -> Target:
    """The target with the chart's installed version, which helm by hand must be told."""
    release = inspection.release
    if target.deploy.version or release is None:
        return target
    replace = msgspec.structs.replace
    return replace(target, deploy=replace(target.deploy, version=release.chart_version))


def _content(files: Sequence[SourceFile], path: str) -> bytes:
    return next(file.content for file in files if file.path == path)


def _edits(before: Sequence[SourceFile], after: Sequence[SourceFile]) -> tuple[FileEdit, ...]:
    return tuple(
        file_edits.from_texts(old.path, old.content, new.content)
        for old, new in zip(before, after, strict=True)
        if old.content != new.content
    )


def _differs(left: Sequence[SourceFile], right: Sequence[SourceFile]) -> bool:
    return any(one.content != two.content for one, two in zip(left, right, strict=True))


def applied(files: Sequence[SourceFile], made: Sequence[FileEdit]) -> tuple[SourceFile, ...]:
    """The files with the edits made."""
    by_path = {edit.path: edit for edit in made}
    return tuple(
        msgspec.structs.replace(file, content=file_edits.apply(by_path[file.path], file.content))
        if file.path in by_path
        else file
        for file in files
    )

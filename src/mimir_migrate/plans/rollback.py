"""rolling back from a place on the path: the planner's own steps from there to the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView
from mimir_migrate.errors import BlockedError, DocumentError, UsageError
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import BackStep, Plan, Step, Strategy
from mimir_migrate.model.stores import Store
from mimir_migrate.plans.path import Position, stages
from mimir_migrate.plans.position import position_of
from mimir_migrate.plans.texts import words_for
from mimir_migrate.words import joined


def way_back(
    here: Position, to: Store, strategy: Strategy, *, poll: str = ""
) -> tuple[BackStep, ...]:
    """Every step from `here` to all rings on `to` only, as `rollback` would take them.

    `poll` is how late a change is seen with DynamoDB as primary, for the words.

    Raises:
        BlockedError: There is no safe move from here.
    """
    rings = tuple(ring.ring for ring in here.rings)
    return tuple(
        BackStep(
            id=stage.id,
            kind=stage.kind,
            title=words_for(
                stage.id,
                to=to,
                rings=joined(rings),
                crossing=joined(stage.crossing),
                by_restart=strategy is not Strategy.RUNTIME,
                dynamodb_poll=poll,
            ).title,
            crossing=bool(stage.crossing),
            states=dict(stage.states),
            primaries=dict(stage.primaries),
            mirror=stage.mirror,
            runtime=stage.runtime,
        )
        for stage in stages(here, to, strategy)
    )


def rollback_or_none(
    here: Position, to: Store, strategy: Strategy, *, poll: str = ""
) -> tuple[BackStep, ...] | None:
    """The same, and None where no safe move leads back."""
    try:
        return way_back(here, to, strategy, poll=poll)
    except BlockedError:
        return None


def blocked_from_here(
    inspection: Inspection, plan: Plan, files: Mapping[str, bytes], here: Cache
) -> str:
    """Why no rollback can be planned from what is observed; empty: one can.

    Args:
        inspection: What is observed.
        plan: The plan that would be taken back.
        files: The contents of the values files now.
        here: What was read of the files last, kept for the next call.
    """
    try:
        view = here.read(files, plan)
        position = position_of(inspection, plan.rings, view.rings, view.runtime)
        stages(position, plan.to.other, plan.strategy)
    except (BlockedError, UsageError, DocumentError) as error:
        return error.message
    return ""


class Cache:
    """What the values files say, read again only when one of them changed."""

    def __init__(self) -> None:
        self._of: Mapping[str, bytes] | None = None
        self._view: ValuesView | None = None

    def read(self, files: Mapping[str, bytes], plan: Plan) -> ValuesView:
        """What files with these contents say."""
        if self._view is None or self._of != files:
            sources = [SourceFile(path=path, content=content) for path, content in files.items()]
            self._view = ValuesFiles(
                sources,
                product=plan.product,
                root=plan.target.values.root,
                bridge=plan.target.through_bridge,
            ).view
            self._of = dict(files)
        return self._view


def same_way(planned: Sequence[BackStep], found: Sequence[Step]) -> bool:
    """Whether the steps that were computed now are those that were computed at plan time."""
    return [_effect(step) for step in planned] == [
        _effect(step) for step in found if step.id != "restore"
    ]


def _effect(step: BackStep | Step) -> tuple[object, ...]:
    """What a step makes true, without its words."""
    return (step.id, step.kind, step.states, step.primaries, step.mirror, step.runtime)


def back_names(back: Sequence[BackStep]) -> str:
    """The steps' names in order, for a line."""
    return ", ".join(step.id for step in back) or "nothing to take back"

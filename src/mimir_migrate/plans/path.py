"""From where the chosen rings stand to where they should be, as a list of stages.

One procedure serves going forward, going back and going on after an interruption: it looks at what
is there now, takes the next safe move, and looks again at what the move leads to. What the values
file says counts as one more observer beside the pods, so that an edit that was made and not deployed
is carried on or taken back like a rollout that stands halfway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

import msgspec

from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.plan import StepKind, Strategy
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState


class RingPosition(msgspec.Struct, frozen=True, kw_only=True):
    """Where one ring stands over all its observers."""

    ring: str
    follows_runtime: bool
    states: frozenset[StoreState]
    """Static states on pods and in the values files."""
    primaries: frozenset[Store]
    """Stores read now, and the one that a restart of every pod would lead to."""
    mirrors: frozenset[bool] = frozenset()
    """Mirror flags of observers on `multi`."""
    inferred: bool = False
    """Whether some pod's metrics are silent about what it reads, so that `primaries` is inferred."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where all chosen rings stand."""

    rings: tuple[RingPosition, ...]
    block: RuntimeBlock | None = None
    """The runtime block of the values files."""
    block_loaded: bool = False
    """Whether some pod still has a block loaded."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One move, and what is true once it is over."""

    id: str
    kind: StepKind
    states: Mapping[str, StoreState]
    primaries: Mapping[str, Store]
    mirror: bool
    runtime: RuntimeBlock | None
    crossing: tuple[str, ...] = ()
    """Rings whose primary store changes with this move."""
    begun: bool = False
    """Whether some observer has already made this move: it is carried on, not begun."""


def resolve_strategy(strategy: Strategy, position: Position) -> Strategy:
    """What `auto` means for these rings: `runtime`, `static`, or `auto` where both are needed.

    Raises:
        UsageError: `runtime` was asked for and a chosen ring does not follow it.
    """
    by_rollout = [ring.ring for ring in position.rings if not ring.follows_runtime]
    if strategy is Strategy.RUNTIME and by_rollout:
        raise UsageError(
            "the strategy `runtime` cannot move "
            f"{', '.join(by_rollout)}: this product does not hand the runtime configuration to them",
            hint="Use --strategy auto, which moves each ring in the best way that it has.",
        )
    if strategy is Strategy.AUTO and not by_rollout:
        return Strategy.RUNTIME
    if strategy is Strategy.AUTO and len(by_rollout) == len(position.rings):
        return Strategy.STATIC
    return strategy


def stages(
    position: Position, to: Store, strategy: Strategy, goal: StoreState | None = None
) -> tuple[Stage, ...]:
    """Every move from `position` to all rings on `to` only, without a runtime block; or to a goal before that.

    `strategy` is a resolved one. An empty result means that nothing is left to do.

    Args:
        position: Where the rings stand.
        to: Where they go.
        strategy: How.
        goal: A state on both stores, mirrored, in which they stay: `direction` says which `to` leads there.
            The moves end where it is reached, with the runtime block that says what is read.

    Raises:
        BlockedError: Some pods read one store only while others read the other: such a ring is
            split already, and no single move mends it without choosing whose members are lost. Or a ring
            has gone further than the goal.
    """
    _refuse_split(position)
    if goal is not None:
        _refuse_past(position, to, goal)
    found: list[Stage] = []
    here = position
    while (stage := _next(here, to, strategy)) is not None and not _ends(here, stage, to, goal):
        found.append(stage)
        here = after(here, stage)
    return tuple(found)


def direction(goal: StoreState, primaries: Iterable[Store]) -> Store:
    """The store towards which rings go to end in `goal`.

    Args:
        goal: A state on both stores.
        primaries: The stores that are read now.

    Returns:
        Where some ring has still to be switched, the store that is to be read; else the one that is to be
        added beside it.
    """
    added = goal.primary.other
    return goal.primary if added in set(primaries) else added


def _ends(here: Position, stage: Stage, to: Store, goal: StoreState | None) -> bool:
    """Whether a goal on both stores is reached, so that the next move is not made."""
    if goal is None:
        return False
    if goal.primary is not to:
        return bool(stage.crossing)
    return not any(to.other in ring.primaries for ring in here.rings)


def _refuse_past(position: Position, to: Store, goal: StoreState) -> None:
    """Raise where a ring left the store that is to stay beside the other one, and others have not switched."""
    past = [ring.ring for ring in position.rings if StoreState.only(to) in ring.states]
    if goal.primary is to and past:
        others = [ring.ring for ring in position.rings if ring.ring not in past]
        raise BlockedError(
            f"{', '.join(past)} left {to.other.value} already, while {', '.join(others) or 'pods of it'} "
            f"still read it: there is no single way to {goal.value}",
            hint=f"Plan the others first (--rings {','.join(others)}), then these."
            if others
            else f"Finish it first: plan --to {to.value}, then --to {goal.value}.",
        )


def _refuse_split(position: Position) -> None:
    for ring in position.rings:
        for store in Store:
            alone = StoreState.only(store)
            if alone in ring.states and (
                store.other in ring.primaries or StoreState.only(store.other) in ring.states
            ):
                raise BlockedError(
                    f"the ring {ring.ring} is split: some pods are on {store.value} only while "
                    f"others read {store.other.value}, so they do not see each other's members",
                    hint="Bring every pod back to the store that most pods are on with one rollout "
                    "(`kubectl rollout undo`, or the values of the last helm revision), wait until "
                    "the ring's page is the same on every pod, then plan again.",
                )


def _next(here: Position, to: Store, strategy: Strategy) -> Stage | None:
    start, goal = StoreState.only(to.other), StoreState.only(to)
    rings = here.rings
    uses_block = strategy is not Strategy.STATIC
    if any(start in ring.states for ring in rings):
        return _both(here, to, strategy)
    multi = [ring for ring in rings if ring.states != {goal}]
    if multi:
        unmoved = [ring for ring in multi if to.other in ring.primaries]
        guessed = any(ring.inferred for ring in multi)
        if unmoved and any(False in ring.mirrors for ring in multi):
            return _mirror(here, to, strategy)
        # Pods that are on the goal only write nothing else: there a mirror could not be proven.
        whole = all(goal not in ring.states for ring in multi)
        if guessed and whole and not _written_out(here, multi, uses_block=uses_block):
            return _mirror(here, to, strategy)
        following = [ring.ring for ring in unmoved if ring.follows_runtime and uses_block]
        if following:
            return _switch(here, to, tuple(following))
        if unmoved:
            return _swap(here, to, tuple(ring.ring for ring in unmoved), uses_block=uses_block)
        if (
            strategy is Strategy.RUNTIME
            and not guessed
            and (
                any(True in ring.mirrors for ring in multi)
                or here.block != RuntimeBlock(primary=to.value, mirror_enabled=False)
            )
        ):
            return _unmirror(here, to)
        return Stage(
            id="settle",
            kind=StepKind.ROLLOUT,
            states={ring.ring: goal for ring in rings},
            primaries={ring.ring: to for ring in rings},
            mirror=False,
            runtime=here.block,
            begun=any(goal in ring.states for ring in multi),
        )
    if here.block is not None or here.block_loaded:
        return Stage(
            id="clear",
            kind=StepKind.RUNTIME,
            states={ring.ring: goal for ring in rings},
            primaries={ring.ring: to for ring in rings},
            mirror=False,
            runtime=None,
        )
    return None


def _written_out(here: Position, multi: list[RingPosition], *, uses_block: bool) -> bool:
    """Whether both stores are written and what is read is said outright.

    A primary that is only inferred cannot lose a member then.
    """
    if any(ring.mirrors != {True} for ring in multi):
        return False
    following = [ring for ring in multi if ring.follows_runtime and uses_block]
    block = here.block
    return not following or (
        block is not None
        and block.mirror_enabled is True
        and all(ring.primaries == {block.primary} for ring in following)
    )


def _multi_state(ring: RingPosition, to: Store, fallback: Store) -> StoreState:
    """The form on both stores that asks for the least: the one some observer has already.

    A ring that is where it should be stays there, whatever the others still have to do.
    """
    if ring.states == {StoreState.only(to)}:
        return StoreState.only(to)
    forms = sorted(state for state in ring.states if state.is_multi)
    if len(forms) == 1:
        return forms[0]
    return StoreState.multi(fallback)


def _primary(ring: RingPosition, to: Store) -> Store:
    return to if ring.primaries == {to} else to.other


def _both_state(ring: RingPosition, to: Store, strategy: Strategy) -> StoreState:
    """The form of a ring that has left its old form already; without a block it says what is read."""
    if strategy is Strategy.STATIC and ring.states != {StoreState.only(to)}:
        return StoreState.multi(_primary(ring, to))
    return _multi_state(ring, to, to.other)


def _both(here: Position, to: Store, strategy: Strategy) -> Stage:
    away = to.other
    mirror = strategy is not Strategy.RUNTIME
    ahead = [
        ring.ring
        for ring in here.rings
        if to in ring.primaries and ring.states != {StoreState.only(to)}
    ]
    if ahead and strategy is not Strategy.STATIC:
        _refuse_ahead(ahead, to)
    return Stage(
        id="both",
        kind=StepKind.ROLLOUT,
        states={
            ring.ring: StoreState.multi(away)
            if StoreState.only(away) in ring.states
            else _both_state(ring, to, strategy)
            for ring in here.rings
        },
        primaries={ring.ring: _primary(ring, to) for ring in here.rings},
        mirror=mirror,
        runtime=None
        if strategy is Strategy.STATIC
        else RuntimeBlock(primary=away.value, mirror_enabled=mirror),
        begun=any(state.is_multi for ring in here.rings for state in ring.states),
    )


def _mirror(here: Position, to: Store, strategy: Strategy) -> Stage:
    by_runtime = strategy is Strategy.RUNTIME
    uses_block = strategy is not Strategy.STATIC
    primaries = {ring.ring: _primary(ring, to) for ring in here.rings}
    block = None
    if uses_block:
        block = RuntimeBlock(primary=_heard_primary(here, to).value, mirror_enabled=True)
    return Stage(
        id="mirror",
        kind=StepKind.RUNTIME if by_runtime else StepKind.ROLLOUT,
        states={
            ring.ring: _multi_state(ring, to, primaries[ring.ring])
            if uses_block or ring.states == {StoreState.only(to)}
            else StoreState.multi(primaries[ring.ring])
            for ring in here.rings
        },
        primaries=primaries,
        mirror=True,
        runtime=block,
    )


def _heard_primary(here: Position, to: Store) -> Store:
    """The store that the one runtime block of a process must name so that no ring changes over.

    Raises:
        BlockedError: Rings that follow it read different stores.
    """
    following = [
        ring
        for ring in here.rings
        if ring.follows_runtime and ring.states != {StoreState.only(to)}
    ]
    ahead = [ring.ring for ring in following if ring.primaries == {to}]
    if ahead and len(ahead) < len(following):
        _refuse_ahead(ahead, to)
    return to if ahead else to.other


def _refuse_ahead(ahead: list[str], to: Store) -> NoReturn:
    raise BlockedError(
        f"{', '.join(ahead)}: half way to {to.value} while other chosen rings have not begun, "
        "and the one runtime block of a process would take it back",
        hint=f"Finish it first: plan again with --rings {','.join(ahead)}, then the others.",
    )


def _switch(here: Position, to: Store, following: tuple[str, ...]) -> Stage:
    return Stage(
        id="switch",
        kind=StepKind.RUNTIME,
        states={ring.ring: _multi_state(ring, to, to.other) for ring in here.rings},
        primaries={
            ring.ring: to if ring.ring in following else _primary(ring, to) for ring in here.rings
        },
        mirror=True,
        runtime=RuntimeBlock(primary=to.value, mirror_enabled=True),
        crossing=following,
        begun=any(to in ring.primaries for ring in here.rings if ring.ring in following),
    )


def _swap(here: Position, to: Store, unmoved: tuple[str, ...], *, uses_block: bool) -> Stage:
    return Stage(
        id="swap",
        kind=StepKind.ROLLOUT,
        states={
            ring.ring: StoreState.only(to)
            if ring.states == {StoreState.only(to)}
            else StoreState.multi(to)
            for ring in here.rings
        },
        primaries={ring.ring: to for ring in here.rings},
        mirror=True,
        runtime=RuntimeBlock(primary=to.value, mirror_enabled=True) if uses_block else None,
        crossing=unmoved,
        begun=any(to in ring.primaries for ring in here.rings if ring.ring in unmoved),
    )


def _unmirror(here: Position, to: Store) -> Stage:
    return Stage(
        id="unmirror",
        kind=StepKind.RUNTIME,
        states={ring.ring: _multi_state(ring, to, to.other) for ring in here.rings},
        primaries={ring.ring: to for ring in here.rings},
        mirror=False,
        runtime=RuntimeBlock(primary=to.value, mirror_enabled=False),
        begun=any(False in ring.mirrors for ring in here.rings),
    )


def after(here: Position, stage: Stage) -> Position:
    """Where the rings stand once a stage is over."""
    return Position(
        rings=tuple(
            RingPosition(
                ring=ring.ring,
                follows_runtime=ring.follows_runtime,
                states=frozenset({stage.states[ring.ring]}),
                primaries=frozenset({stage.primaries[ring.ring]}),
                mirrors=frozenset({stage.mirror})
                if stage.states[ring.ring].is_multi
                else frozenset(),
                inferred=ring.inferred and stage.states[ring.ring].is_multi,
            )
            for ring in here.rings
        ),
        block=stage.runtime,
        block_loaded=False,
    )


def leaves_a_copy(here: Position, stage: Stage) -> bool:
    """Whether the old store is still written until this stage, and no longer after it."""
    mirrored = any(True in ring.mirrors for ring in here.rings)
    return stage.id == "unmirror" or (stage.id == "settle" and not stage.begun and mirrored)

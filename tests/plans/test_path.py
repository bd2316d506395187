"""The path between the two stores: every strategy, both ways, from everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.plan import StepKind, Strategy
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.plans.path import Position, RingPosition, Stage, resolve_strategy, stages

A, AB, BA, B = (StoreState.at(position) for position in range(4))
MOST_MOVES = 12


def ring(
    name: str = "ingester",
    *states: StoreState,
    follows: bool = True,
    primaries: Sequence[Store] = (),
    mirrors: Sequence[bool] = (),
    inferred: bool = False,
) -> RingPosition:
    """One ring's position; primaries and mirrors are those of the states where nothing is said."""
    return RingPosition(
        ring=name,
        follows_runtime=follows,
        states=frozenset(states),
        primaries=frozenset(primaries or (state.primary for state in states)),
        mirrors=frozenset(mirrors or ({True} if any(s.is_multi for s in states) else ())),
        inferred=inferred,
    )


def after(position: Position, stage: Stage) -> Position:
    """Where the rings stand once a stage is over, told from the stage alone."""
    return Position(
        rings=tuple(
            msgspec.structs.replace(
                one,
                states=frozenset({stage.states[one.ring]}),
                primaries=frozenset({stage.primaries[one.ring]}),
                mirrors=frozenset({stage.mirror})
                if stage.states[one.ring].is_multi
                else frozenset(),
            )
            for one in position.rings
        ),
        block=stage.runtime,
        block_loaded=stage.runtime is not None,
    )


def walked(position: Position, to: Store, strategy: Strategy) -> Iterator[tuple[Position, Stage]]:
    """Each stage with the position before it."""
    here = position
    found = stages(position, to, strategy)
    assert len(found) <= MOST_MOVES
    for stage in found:
        yield here, stage
        here = after(here, stage)


def check_safe(position: Position, to: Store, strategy: Strategy) -> Position:
    """Walk to the end and check each move on the way; returns the end."""
    here = position
    for before, stage in walked(position, to, strategy):
        check_stage(before, stage)
        here = after(before, stage)
    return here


def check_stage(before: Position, stage: Stage) -> None:
    """What must hold of every move."""
    for one in before.rings:
        now = stage.states[one.ring]
        for was in one.states:
            alone = not was.is_multi and not now.is_multi
            assert not (alone and was is not now), f"{one.ring}: {was} straight to {now}"
        if one.ring in stage.crossing:
            assert all(state.is_multi for state in one.states), "crosses with one store configured"
            assert False not in one.mirrors, "crosses without the mirror"
            assert stage.mirror
        elif len(one.primaries) == 1:
            assert stage.primaries[one.ring] in one.primaries, "changes its primary unannounced"
        if not now.is_multi:
            assert stage.primaries[one.ring] is now.primary
        # A ring is left with the store that it reads.
        if not now.is_multi and any(was.is_multi for was in one.states):
            assert one.primaries == {now.primary}, f"{one.ring} leaves the store it reads"
    for one in before.rings:
        now = stage.states[one.ring]
        not_following = not one.follows_runtime or (
            stage.runtime is None and stage.kind is StepKind.ROLLOUT
        )
        if now.is_multi and not_following and len(one.states) == 1:
            assert now.primary is stage.primaries[one.ring], "a restart would read the other store"
    if stage.runtime is not None and stage.runtime.primary:
        assert stage.runtime.mirror_enabled is not None, "primary without mirror_enabled"
        for one in before.rings:
            now = stage.states[one.ring]
            if now.is_multi:
                assert stage.runtime.primary in {now.primary.value, now.primary.other.value}
            if now.is_multi and one.follows_runtime:
                assert stage.runtime.primary == stage.primaries[one.ring].value
                assert stage.runtime.mirror_enabled is stage.mirror
    if stage.kind is StepKind.RUNTIME:
        for one in before.rings:
            assert one.states == {stage.states[one.ring]} or len(one.states) > 1, (
                "a change of the runtime configuration changes no static state"
            )


def at_end(position: Position, to: Store) -> bool:
    """Whether every ring is on `to` alone and no block is left."""
    return position.block is None and all(
        one.states == {StoreState.only(to)} for one in position.rings
    )


ALL_FOLLOW = (ring("ingester", A), ring("ruler", A))
ONE_FOLLOWS = (ring("ingester", A), ring("ruler", A, follows=False))
NONE_FOLLOWS = (ring("ruler", A, follows=False), ring("compactor", A, follows=False))


def moved(rings: Sequence[RingPosition], state: StoreState) -> tuple[RingPosition, ...]:
    """The rings in another state."""
    return tuple(ring(one.ring, state, follows=one.follows_runtime) for one in rings)


@pytest.mark.parametrize("to", list(Store))
@pytest.mark.parametrize(
    ("rings", "strategy", "ids"),
    [
        (ALL_FOLLOW, Strategy.AUTO, ["both", "mirror", "switch", "unmirror", "settle", "clear"]),
        (ONE_FOLLOWS, Strategy.AUTO, ["both", "switch", "swap", "settle", "clear"]),
        (NONE_FOLLOWS, Strategy.AUTO, ["both", "swap", "settle"]),
        (ALL_FOLLOW, Strategy.STATIC, ["both", "swap", "settle"]),
        (ONE_FOLLOWS, Strategy.STATIC, ["both", "swap", "settle"]),
        (
            ALL_FOLLOW,
            Strategy.RUNTIME,
            ["both", "mirror", "switch", "unmirror", "settle", "clear"],
        ),
    ],
)
def test_the_usual_paths(
    rings: tuple[RingPosition, ...], strategy: Strategy, ids: list[str], to: Store
) -> None:
    """The table of moves, the same in both directions."""
    position = Position(rings=moved(rings, StoreState.only(to.other)))
    resolved = resolve_strategy(strategy, position)
    assert [stage.id for stage in stages(position, to, resolved)] == ids
    assert at_end(check_safe(position, to, resolved), to)


def test_auto_means_the_best_way_that_the_rings_have() -> None:
    """All follow: runtime; none: static; some: ring by ring. Runtime is refused where one does not."""
    assert resolve_strategy(Strategy.AUTO, Position(rings=ALL_FOLLOW)) is Strategy.RUNTIME
    assert resolve_strategy(Strategy.AUTO, Position(rings=ONE_FOLLOWS)) is Strategy.AUTO
    assert resolve_strategy(Strategy.AUTO, Position(rings=NONE_FOLLOWS)) is Strategy.STATIC
    with pytest.raises(UsageError, match="ruler"):
        resolve_strategy(Strategy.RUNTIME, Position(rings=ONE_FOLLOWS))


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("rings", [ALL_FOLLOW, ONE_FOLLOWS, NONE_FOLLOWS])
@pytest.mark.parametrize("to", list(Store))
def test_the_rollback_from_every_prefix_ends_at_the_start(
    rings: tuple[RingPosition, ...], strategy: Strategy, to: Store
) -> None:
    """After any number of moves the rollback is safe and ends where it began."""
    position = Position(rings=moved(rings, StoreState.only(to.other)))
    try:
        resolved = resolve_strategy(strategy, position)
    except UsageError:
        pytest.skip("these rings do not follow the runtime configuration")
    here = position
    for before, stage in walked(position, to, resolved):
        here = after(before, stage)
        assert at_end(check_safe(here, to.other, resolved), to.other), stage.id
        half = halfway(before, here)
        assert at_end(check_safe(half, to.other, resolved), to.other), (
            f"in the middle of {stage.id}"
        )
        assert at_end(check_safe(half, to, resolved), to), f"on from the middle of {stage.id}"


def halfway(before: Position, now: Position) -> Position:
    """Some observers have made a move and others have not; the values files have."""
    return Position(
        rings=tuple(
            msgspec.structs.replace(
                two,
                states=one.states | two.states,
                primaries=one.primaries | two.primaries,
                mirrors=one.mirrors | two.mirrors,
            )
            for one, two in zip(before.rings, now.rings, strict=True)
        ),
        block=now.block,
        block_loaded=True,
    )


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """One to three rings, each anywhere that is not split."""
    rings = []
    for name in ("ingester", "ruler", "compactor")[: draw(st.integers(1, 3))]:
        low = draw(st.integers(0, 3))
        high = draw(st.integers(low, min(3, low + 2)))
        span = [StoreState.at(index) for index in range(low, high + 1)]
        observed = frozenset(draw(st.lists(st.sampled_from(span), min_size=1)))
        stores = {state.primary for state in observed}
        follows = draw(st.booleans())
        if follows and all(state.is_multi for state in observed):
            stores |= set(draw(st.lists(st.sampled_from(list(Store)), max_size=2)))
        multi = any(state.is_multi for state in observed)
        mirrors = draw(st.sets(st.booleans(), min_size=1)) if multi else set()
        rings.append(
            RingPosition(
                ring=name,
                follows_runtime=follows,
                states=observed,
                primaries=frozenset(stores),
                mirrors=frozenset(mirrors),
                inferred=draw(st.booleans()) if multi else False,
            )
        )
    block = draw(
        st.one_of(
            st.none(),
            st.builds(
                RuntimeBlock,
                primary=st.sampled_from([store.value for store in Store]),
                mirror_enabled=st.booleans(),
            ),
        )
    )
    return Position(rings=tuple(rings), block=block, block_loaded=draw(st.booleans()))


@given(
    position=positions(), to=st.sampled_from(list(Store)), strategy=st.sampled_from(list(Strategy))
)
@settings(max_examples=300, deadline=None, print_blob=False)
def test_from_anywhere_it_ends_at_the_goal_or_says_why_not(
    position: Position, to: Store, strategy: Strategy
) -> None:
    """No position is walked unsafely, none is walked for ever."""
    try:
        resolved = resolve_strategy(strategy, position)
        end = check_safe(position, to, resolved)
    except UsageError:
        assert strategy is Strategy.RUNTIME
        return
    except BlockedError:
        return
    assert at_end(end, to)


@pytest.mark.parametrize("to", list(Store))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("block", [None, "off", "on"])
def test_a_primary_that_is_inferred_is_never_trusted_with_mirroring_off(
    to: Store, mirrored: bool, block: str | None
) -> None:
    """The way first mirrors and writes the primary out; the mirror stays until one store is left."""
    for read in Store:
        written = RuntimeBlock(primary=read.value, mirror_enabled=block == "on") if block else None
        here = Position(
            rings=(ring("a", AB, primaries=(read,), mirrors=(mirrored,), inferred=True),),
            block=written,
            block_loaded=written is not None,
        )

        found = list(walked(here, to, Strategy.RUNTIME))

        names = [stage.id for _, stage in found]
        said = mirrored and block == "on"
        assert names == [
            *([] if said else ["mirror"]),
            *([] if read is to else ["switch"]),
            "settle",
            "clear",
        ]
        first = found[0][1]
        if not said:
            assert first.runtime == RuntimeBlock(primary=read.value, mirror_enabled=True)
        assert all(stage.mirror for _, stage in found if stage.id in {"mirror", "switch"})


def test_a_static_primary_that_is_inferred_is_written_out_with_mirroring() -> None:
    """Without a runtime block the values files say it, and one rollout brings it."""
    here = Position(
        rings=(ring("a", AB, follows=False, mirrors=(False,), inferred=True),), block=None
    )

    stage = stages(here, Store.MEMBERLIST, Strategy.STATIC)[0]

    assert (stage.id, stage.kind, stage.mirror) == ("mirror", StepKind.ROLLOUT, True)
    assert stage.states == {"a": AB}


def test_half_a_rollout_from_one_store_is_finished_without_a_mirror() -> None:
    """Pods that are on the goal alone cannot mirror; the goal is where all of them read."""
    here = Position(rings=(ring("a", A, AB, mirrors=(False,), inferred=True),), block=None)

    names = [stage.id for stage in stages(here, Store.MEMBERLIST, Strategy.RUNTIME)]

    assert names == ["settle"]


@pytest.mark.parametrize("store", list(Store))
def test_a_split_ring_is_refused(store: Store) -> None:
    """Pods on one store only while others read the other: no move mends that safely."""
    alone = StoreState.only(store)
    for other in (StoreState.only(store.other), StoreState.multi(store.other)):
        with pytest.raises(BlockedError, match="split") as caught:
            stages(Position(rings=(ring("ruler", alone, other),)), Store.DYNAMODB, Strategy.STATIC)
        assert "rollout" in caught.value.hint


def test_nothing_is_left_to_do_at_the_goal() -> None:
    """All rings there and no block: no move; with a block left over: only its removal."""
    there = Position(rings=(ring("ruler", B),))
    assert stages(there, Store.DYNAMODB, Strategy.RUNTIME) == ()
    left = msgspec.structs.replace(
        there, block=RuntimeBlock(primary="dynamodb", mirror_enabled=False)
    )
    assert [stage.id for stage in stages(left, Store.DYNAMODB, Strategy.RUNTIME)] == ["clear"]


def test_a_chosen_ring_that_is_ahead_of_the_others_is_not_taken_back_silently() -> None:
    """One block for the whole process cannot serve both, so the operator is told to finish first."""
    position = Position(rings=(ring("ingester", A), ring("ruler", BA)))
    with pytest.raises(BlockedError, match="ruler: half way") as caught:
        stages(position, Store.DYNAMODB, Strategy.RUNTIME)
    assert "--rings ruler" in caught.value.hint

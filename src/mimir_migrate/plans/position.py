"""Where the chosen rings stand, from an inspection and what the values files say."""

from __future__ import annotations

from collections.abc import Mapping

from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.inspection.fold import RingFold, Stand, fold_ring
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.rings import ring_named, unknown_ring
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState
from mimir_migrate.plans.path import Position, RingPosition


def choose_rings(inspection: Inspection, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The rings that a plan is about: those asked for, or every ring that is on and can be moved.

    Raises:
        UsageError: A ring asked for does not exist, is off, or is left where it is by design.
    """
    offered = [ring for ring in inspection.rings if ring.movable and ring.enabled]
    if not asked:
        return tuple(ring.ring for ring in offered)
    names = {ring.ring for ring in offered}
    for name in asked:
        if name in names:
            continue
        ring = ring_named(inspection.product, name)
        if ring is None:
            raise unknown_ring(name, inspection.product, sorted(names))
        why = ring.left_because or "it is switched off in this cluster's configuration"
        raise UsageError(
            f"the ring {name} cannot be moved: {why}",
            hint=f"Leave it out; these can be moved here: {', '.join(sorted(names))}.",
        )
    return tuple(ring.ring for ring in offered if ring.ring in asked)


def position_of(
    inspection: Inspection,
    rings: tuple[str, ...],
    file_rings: Mapping[str, KVConfig | None],
    file_block: RuntimeBlock | None,
) -> Position:
    """The position of the chosen rings over all pods and the values files.

    A pod that is not Ready and does not answer is not an observer: a rollout that hangs must be open to
    being taken back.

    Raises:
        BlockedError: A Ready pod's state is unknown, or a ring is on a store that is none of ours.
    """
    return Position(
        rings=tuple(
            _ring_position(inspection, name, file_rings.get(name), file_block) for name in rings
        ),
        block=file_block if file_block is not None and file_block.is_set else None,
        block_loaded=any(
            pod.runtime is not None and pod.runtime.block.is_set for pod in inspection.pods
        ),
    )


def _ring_position(
    inspection: Inspection,
    name: str,
    in_file: KVConfig | None,
    block: RuntimeBlock | None,
) -> RingPosition:
    ring = ring_named(inspection.product, name)
    if ring is None:
        raise unknown_ring(name, inspection.product)
    fold = fold_ring(ring, inspection.pods)
    observers = [stand for stand in fold.stands if stand.observes]
    states = {_state(stand, name) for stand in observers}
    primaries = {store for stand in observers for store in _primaries(stand, name)}
    mirrors = {flag for stand in observers for flag in stand.mirrors}
    _refuse_contradiction(fold)
    wanted = in_file or KVConfig(store=ring.default_store)
    if not wanted.store:
        wanted = KVConfig(store=ring.default_store)
    state = wanted.state
    if state is None:
        raise BlockedError(
            f"the values files put the ring {name} on {_store_words(wanted)}, which is neither "
            "memberlist, dynamodb nor both",
            hint="Bring the values files and the release together first, then plan again.",
        )
    states.add(state)
    heard = block.primary if block and ring.follows_runtime and state.is_multi else ""
    primaries.add(Store(heard) if heard in set(Store) else state.primary)
    if state.is_multi:
        mirror = wanted.mirror_enabled
        if block and ring.follows_runtime and block.mirror_enabled is not None:
            mirror = block.mirror_enabled
        mirrors.add(bool(mirror))
    return RingPosition(
        ring=name,
        follows_runtime=ring.follows_runtime,
        states=frozenset(states),
        primaries=frozenset(primaries),
        mirrors=frozenset(mirrors),
        inferred=bool(fold.inferred),
    )


class NotToldError(BlockedError):
    """A pod does not say what a plan rests on. One that is just being replaced may not for a moment."""


def _refuse_contradiction(fold: RingFold) -> None:
    """Raise where pods read different stores and of some that is only inferred: nothing is safe then."""
    if not fold.contradicts:
        return
    said = ", ".join(
        f"{stand.pod} {'/'.join(sorted(stand.reads))}{' (inferred)' if stand.inferred else ''}"
        for stand in fold.stands
    )
    raise NotToldError(
        f"which store the ring {fold.ring.name} is read from differs between pods, and not all of "
        f"them say it themselves: {said}",
        hint="Wait until every pod has loaded the same runtime configuration and compare "
        "/runtime_config and cortex_multikv_primary_store of these pods; restart a pod that kept an "
        "older one.",
    )


def _state(stand: Stand, name: str) -> StoreState:
    config = stand.view.config
    if config is None:
        raise NotToldError(
            f"the pod {stand.pod} is Ready and did not say which store its ring {name} is on",
            hint="Look at its /config page; plan again once it answers.",
        )
    state = stand.state
    if state is None:
        raise BlockedError(
            f"the ring {name} is on {_store_words(config)} in the pod {stand.pod}: this "
            "tool moves rings between memberlist and dynamodb only",
            hint="Leave this ring out with --rings, or bring it to memberlist first.",
        )
    return state


def _primaries(stand: Stand, name: str) -> set[Store]:
    if not stand.reads:
        if not stand.ready:
            return set()
        raise NotToldError(
            f"the pod {stand.pod} has both stores for its ring {name}, its metrics do not say which "
            "one is primary, and it did not say that it loaded a runtime configuration from which "
            "that follows",
            hint="Look for cortex_multikv_primary_store and "
            "cortex_runtime_config_last_reload_successful on its /metrics page, and at its "
            "/runtime_config.",
        )
    found: set[Store] = set()
    for store in sorted(stand.reads):
        if store not in set(Store):
            raise BlockedError(
                f"the ring {name} reads {store} in the pod {stand.pod}, which this tool does "
                "not move",
                hint="Leave this ring out with --rings.",
            )
        found.add(Store(store))
    return found


def _store_words(config: KVConfig) -> str:
    if config.store == "multi":
        return f"multi ({config.primary} and {config.secondary})"
    return config.store or "no store"

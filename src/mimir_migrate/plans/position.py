"""Where the chosen rings stand, from an inspection and what the values files say."""

from __future__ import annotations

from collections.abc import Mapping

from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.facts import Inspection, PodFacts, PodRing
from mimir_migrate.model.rings import ring_named
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
            known = ", ".join(sorted(names))
            raise UsageError(
                f"{inspection.product.value} has no ring named {name!r}",
                hint=f"The rings that can be moved here: {known}.",
            )
        why = ring.left_because or "it is switched off in this cluster's configuration"
        raise UsageError(f"the ring {name} cannot be moved: {why}")
    return tuple(ring.ring for ring in offered if ring.ring in asked)


def position_of(
    inspection: Inspection,
    rings: tuple[str, ...],
    file_rings: Mapping[str, KVConfig | None],
    file_block: RuntimeBlock | None,
) -> Position:
    """The position of the chosen rings over all pods and the values files.

    A pod that is not Ready and does not answer is no observer: a rollout that hangs must be open to
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
        raise UsageError(f"{inspection.product.value} has no ring named {name!r}")
    states: set[StoreState] = set()
    primaries: set[Store] = set()
    mirrors: set[bool] = set()
    for pod in inspection.pods:
        view = pod.ring(name)
        if view is None or not view.enabled:
            continue
        if view.config is None and not pod.pod.ready:
            continue
        states.add(_state(pod, view, name))
        primaries |= _primaries(pod, view, name)
        mirrors |= {
            client.mirror_enabled
            for client in view.clients
            if client.mirror_enabled is not None and view.config and view.config.store == "multi"
        }
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
    heard = block.primary if block and ring.hears_runtime and state.is_multi else ""
    primaries.add(Store(heard) if heard in set(Store) else state.primary)
    if state.is_multi:
        mirror = wanted.mirror_enabled
        if block and ring.hears_runtime and block.mirror_enabled is not None:
            mirror = block.mirror_enabled
        mirrors.add(bool(mirror))
    return RingPosition(
        ring=name,
        hears_runtime=ring.hears_runtime,
        states=frozenset(states),
        primaries=frozenset(primaries),
        mirrors=frozenset(mirrors),
    )


def _state(pod: PodFacts, view: PodRing, name: str) -> StoreState:
    if view.config is None:
        raise BlockedError(
            f"the pod {pod.pod.name} is Ready and did not say which store its ring {name} is on",
            hint="Look at its /config page; plan again once it answers.",
        )
    state = view.state
    if state is None:
        raise BlockedError(
            f"the ring {name} is on {_store_words(view.config)} in the pod {pod.pod.name}: this "
            "tool moves rings between memberlist and dynamodb only",
            hint="Leave this ring out with --rings, or bring it to memberlist first.",
        )
    return state


def _primaries(pod: PodFacts, view: PodRing, name: str) -> set[Store]:
    state = view.state
    if state is not None and not state.is_multi:
        return {state.primary}
    seen = {client.primary for client in view.clients}
    if None in seen or not seen:
        if not pod.pod.ready:
            return set()
        raise BlockedError(
            f"the pod {pod.pod.name} has both stores for its ring {name} and its metrics do not "
            "say which one is primary",
            hint="Look for cortex_multikv_primary_store on its /metrics page.",
        )
    found: set[Store] = set()
    for store in seen:
        if store not in set(Store):
            raise BlockedError(
                f"the ring {name} reads {store} in the pod {pod.pod.name}, which this tool does "
                "not move",
                hint="Leave this ring out with --rings.",
            )
        found.add(Store(store))
    return found


def _store_words(config: KVConfig) -> str:
    if config.store == "multi":
        return f"multi ({config.primary} and {config.secondary})"
    return config.store or "no store"

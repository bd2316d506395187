"""A ring over all pods: one fold, for the summary, for the position on the path, and for `verify`.

For each pod that has the ring on: its static state, which stores its clients read, whether they mirror,
and on what that rests. Metrics come first. Where they are silent about a client that the pod should
have, what it reads is inferred: from the runtime block that the pod says it has loaded, where the ring
follows the runtime configuration and the last reload succeeded; else from its static configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from mimir_migrate.model.facts import Inferred, PodFacts, PodRing, RuntimeView
from mimir_migrate.model.rings import Ring
from mimir_migrate.model.stores import KVConfig, Store, StoreState

_Kind = TypeVar("_Kind")


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Where one pod stands in a ring."""

    pod: str
    ready: bool
    view: PodRing
    reads: frozenset[str] = frozenset()
    """The stores that its clients read; more than one while it switches. Empty: not known."""
    mirrors: frozenset[bool] = frozenset()
    """Mirror flags of its clients on `multi`."""
    inferred: bool = False
    """Whether a part of `reads` is inferred."""
    leaves: bool = False
    """Whether the pod is about to go and did not tell its configuration."""

    @property
    def state(self) -> StoreState | None:
        """The static configuration as one of the four states; None: unknown, or none of them."""
        return self.view.state

    @property
    def known(self) -> bool:
        """Whether its configuration is known, and which store it reads."""
        return self.view.config is not None and bool(self.reads)

    @property
    def observes(self) -> bool:
        """Whether it counts on the path.

        A pod that is not Ready and says nothing does not: a rollout that hangs must be open to being
        taken back. Nor does one that is about to go and says nothing.
        """
        return self.view.config is not None or (self.ready and not self.leaves)


class RingFold(msgspec.Struct, frozen=True, kw_only=True):
    """One ring over all pods that have it on."""

    ring: Ring
    stands: tuple[Stand, ...]

    @property
    def states(self) -> tuple[StoreState, ...]:
        """The distinct static states, in the order of the path."""
        found = {stand.state for stand in self.stands if stand.state is not None}
        return tuple(sorted(found, key=lambda state: state.position))

    @property
    def other_stores(self) -> tuple[str, ...]:
        """Static stores that are none of the four states."""
        return tuple(
            sorted(
                {
                    store_words(stand.view.config)
                    for stand in self.stands
                    if stand.view.config is not None and stand.state is None
                }
            )
        )

    @property
    def primaries(self) -> tuple[Store, ...]:
        """The distinct stores of the two that are read."""
        read = {store for stand in self.stands for store in stand.reads}
        return tuple(store for store in Store if store.value in read)

    @property
    def mirrors(self) -> tuple[bool, ...]:
        """The distinct mirror flags, off first."""
        return tuple(sorted({flag for stand in self.stands for flag in stand.mirrors}))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Pods that do not tell, and of which nothing can be inferred."""
        return tuple(stand.pod for stand in self.stands if not stand.known)

    @property
    def inferred(self) -> tuple[str, ...]:
        """Pods where what they read is inferred."""
        return tuple(stand.pod for stand in self.stands if stand.inferred)

    @property
    def contradicts(self) -> bool:
        """Whether pods read different stores, and of some that is only inferred.

        A ring that does not follow the runtime configuration reads what its static configuration says,
        so there nothing is contradicted while a rollout is under way.
        """
        return self.ring.follows_runtime and bool(self.inferred) and len(self.primaries) > 1

    @property
    def usual_state(self) -> StoreState | None:
        """The state that the pods should agree on: that of most of them."""
        return _most(stand.state for stand in self.stands if stand.state is not None)

    @property
    def usual_primary(self) -> Store | None:
        """The store that most pods read."""
        return _most(
            Store(store)
            for stand in self.stands
            for store in sorted(stand.reads)
            if store in set(Store)
        )


def fold_ring(ring: Ring, pods: Sequence[PodFacts]) -> RingFold:
    """Fold one ring over all pods that have it on."""
    return RingFold(
        ring=ring,
        stands=tuple(
            _stand(facts, view)
            for facts in pods
            if (view := facts.ring(ring.name)) is not None and view.enabled
        ),
    )


def _stand(facts: PodFacts, view: PodRing) -> Stand:
    multi = view.config is not None and view.config.store == "multi"
    reads: set[str] = set()
    mirrors: set[bool] = set()
    if multi:
        for client in view.clients:
            reads |= {client.primary} if client.primary is not None else set()
            mirrors |= {client.mirror_enabled} if client.mirror_enabled is not None else set()
        if view.inferred is not None:
            reads.add(view.inferred.primary)
            mirrors.add(view.inferred.mirror_enabled)
    elif view.config is not None and view.config.store:
        reads.add(view.config.store)
    return Stand(
        pod=facts.pod.name,
        ready=facts.pod.ready,
        view=view,
        reads=frozenset(reads),
        mirrors=frozenset(mirrors),
        inferred=multi and view.inferred is not None,
        leaves=facts.leaves_without(view.config),
    )


def with_inference(view: PodRing, ring: Ring, runtime: RuntimeView | None) -> PodRing:
    """The view with what its silent clients must be reading, where that can be inferred."""
    config = view.config
    silent = view.silent
    if config is None or not silent or not config.primary:
        return view
    primary, mirror = config.primary, bool(config.mirror_enabled)
    source = "GET /config"
    if ring.follows_runtime:
        if runtime is None:
            return view
        if runtime.file:
            if runtime.reload_successful is not True:
                return view
            primary = runtime.block.primary or primary
            if runtime.block.mirror_enabled is not None:
                mirror = runtime.block.mirror_enabled
            source = "GET /runtime_config" if runtime.block.is_set else source
    return msgspec.structs.replace(
        view,
        inferred=Inferred(primary=primary, mirror_enabled=mirror, source=source, clients=silent),
    )


def store_words(config: KVConfig) -> str:
    """A store that is none of the four states; under `multi` with its pair."""
    if config.store == "multi":
        return f"multi({config.primary},{config.secondary})"
    return config.store


def _most(values: Iterable[_Kind]) -> _Kind | None:
    found = Counter(values).most_common(1)
    return found[0][0] if found else None

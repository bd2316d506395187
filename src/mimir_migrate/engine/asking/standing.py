"""Where a run leaves the rings, and whether it is safe to stay there."""

from __future__ import annotations

from mimir_migrate.model.facts import Inspection, RingSummary

_SAFE = (
    "Every pod reads and writes alike, so it is safe to stay so as long as nothing else changes the "
    "release"
)
_NOT_SAFE = (
    "Pods differ in what they read or write: do not stay so; until it goes on or back, no scaling, no "
    "drains, no other deploy"
)
_NOT_SEEN = (
    "Where the rings stand was not seen: take it for halfway, so no scaling, no drains, no other deploy "
    "until `inspect` says where they are"
)


def standing_words(seen: Inspection | None, rings: tuple[str, ...]) -> str:
    """Each ring's states as they were seen last, and whether it is safe to stay in them."""
    found = [ring for ring in seen.rings if ring.ring in rings] if seen is not None else []
    if len(found) < len(rings) or not all(ring.states for ring in found):
        return _NOT_SEEN
    on = {ring.ring: _on_words(ring) for ring in found}
    words = ", ".join(f"{name} is {where}" for name, where in on.items())
    if len(found) > 1 and len(set(on.values())) == 1:
        words = f"every chosen ring is {on[found[0].ring]}"
    alike = all(len(ring.states) == 1 and len(ring.primaries) == 1 for ring in found)
    return f"Left as it is: {words}. {_SAFE if alike else _NOT_SAFE}"


def _on_words(ring: RingSummary) -> str:
    """The states that a ring's pods are in, and what they read where they differ in it."""
    read = " and ".join(sorted(store.value for store in ring.primaries))
    states = " and ".join(sorted(state.value for state in ring.states))
    return f"on {states}" + (f" (read: {read})" if len(ring.primaries) > 1 else "")

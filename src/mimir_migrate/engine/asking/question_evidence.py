"""The evidence of a question in words, and what differs between two questions.

Words hold what the operator decides on. What changes from look to look, such as an age, is not a part of
them: evidence whose words are the same is the same evidence.
"""

from __future__ import annotations

from collections import Counter

from mimir_migrate.engine.compare import UnreadableStoreError, differences
from mimir_migrate.model.events import Asked
from mimir_migrate.model.facts import Inspection
from mimir_migrate.words import counted

_NAMED = 3
"""So many pods that are not Ready, and so many differences, are named."""


def pods_words(seen: Inspection) -> str:
    """The pods by component, and which are not Ready: `7 pods, all Ready: ingester 3, ruler 2, …`."""
    pods = [facts.pod for facts in seen.pods if not facts.pod.terminating]
    counts = Counter(pod.component for pod in pods)
    waiting = sorted(pod.name for pod in pods if not pod.ready)
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    state = f"not Ready: {', '.join(waiting[:_NAMED])}{more}" if waiting else "all Ready"
    by_component = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counted(len(pods), 'pod')}, {state}: {by_component}"


def stores_words(seen: Inspection, rings: tuple[str, ...], window: float) -> str:
    """The two stores compared, ring by ring: members, and each difference up to some.

    Rings of which both hold the same are told together: `both stores hold the same members: ingester 3, …`.
    """
    told: list[str] = []
    same: dict[str, int] = {}
    for ring in rings:
        found = _ring_words(seen, ring, window)
        if isinstance(found, int):
            same[ring] = found
        else:
            told.append(found)
    if len(same) == 1:
        ((ring, count),) = same.items()
        told.insert(0, f"{ring}: both stores hold the same {counted(count, 'member')}")
    elif same:
        members = ", ".join(f"{ring} {count}" for ring, count in same.items())
        told.insert(0, f"both stores hold the same members: {members}")
    return "; ".join(told)


def _ring_words(seen: Inspection, ring: str, window: float) -> str | int:
    """What is to be said of one ring; where both stores hold the same, how many members."""
    summary = seen.ring(ring)
    if summary is None or not any(state.is_multi for state in summary.states):
        return f"{ring}: one store is in use"
    items = seen.table_items(ring)
    try:
        found = differences(seen, (ring,), window)
    except UnreadableStoreError as error:
        return f"{ring}: not known whether both stores hold the same ({error})"
    if not found:
        return len(items.members if items is not None else ())
    named = ", ".join(
        f"{one.member} {one.kind} in {one.store}{f' of {one.pod}' if one.pod else ''}"
        for one in found[:_NAMED]
    )
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{ring}: {counted(len(found), 'difference')} between the stores: {named}{more}"


def differing(before: Asked, now: Asked) -> tuple[str, ...]:
    """What is otherwise in a later question on the same step, old and new."""
    found = [
        f"{name}: {was} -> {is_now}"
        for name, was, is_now in (
            ("stores", before.stores, now.stores),
            ("pods", before.pods, now.pods),
            ("rolling back", before.rollback, now.rollback),
        )
        if was != is_now
    ]
    judged = {result.gate: result for result in before.gates}
    for result in now.gates:
        earlier = judged.get(result.gate)
        if earlier is None or earlier.verdict is not result.verdict:
            was = earlier.verdict.value if earlier else "not judged"
            found.append(f"{result.gate.value}: {was} -> {result.verdict.value}")
    return tuple(found)

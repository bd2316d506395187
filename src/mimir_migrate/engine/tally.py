"""What users asked in a step and how much of it failed, pod by pod, across runners that die.

Each pod's counters are compared with what the same process told last, whether the pod is Ready or not: a
distributor that is being stopped still answers, and so does one whose probe failed once. What a process
counted after it was asked for the last time nobody can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from mimir_migrate.engine.traffic import (
    PAIRS,
    QUERY_FIELDS,
    RULE_FIELDS,
    growth_of_groups,
    is_frontend,
)
from mimir_migrate.model.events import Counted, Recorded, StepStarted, UsersFailed
from mimir_migrate.model.facts import Counters, Inspection, PodFacts

_FIELDS = tuple(field for whole, failed, _ in PAIRS for field in (whole, failed))
_KEPT = tuple(field for field in _FIELDS if field not in RULE_FIELDS)
"""What a journal keeps of a pod. Rules are counted group by group, and there may be thousands."""


class _Told(msgspec.Struct, kw_only=True):
    """What one pod told last."""

    started_at: float | None = None
    counters: Counters | None = None
    """None: it was there from the start and has not told anything."""
    rules: bool = True
    """Whether its rules are in `counters`."""


class Tally:
    """Adds up what users asked since a step began, sample by sample."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] | None = None
        self._kept_at = 0.0
        """When an earlier runner kept what is gone on from; 0: nothing is."""
        self.users = Counters()
        """Growth of every counter since the last `begin`."""

    def begin(self) -> None:
        """Count from the last sample on."""
        self.users = Counters()

    def take(self, inspection: Inspection) -> bool:
        """Add what grew since each pod told its counters last; returns whether failures were among it.

        A pod that came since the first sample counts whole, and so does a process that started again. What
        an earlier runner did not keep of a process that was there already, such as its rules, is unknown.
        """
        first = self._told is None
        told: dict[str, _Told] = {} if self._told is None else self._told
        fronted = any(is_frontend(pod) and _has_queries(pod) for pod in inspection.pods)
        grown: dict[str, float] = {}
        here = {_key(pod) for pod in inspection.pods}
        self._told = {key: last for key, last in told.items() if key in here}
        for pod in inspection.pods:
            last = told.get(_key(pod))
            if last is None:
                before = first or (pod.started_at is not None and pod.started_at < self._kept_at)
                last = _Told() if before else _Told(counters=Counters())
            if pod.counters is not None:
                for field in _FIELDS:
                    if fronted and field in QUERY_FIELDS and not is_frontend(pod):
                        continue
                    more = _growth(field, last, pod)
                    if more is not None:
                        grown[field] = grown.get(field, 0.0) + more
                last = _Told(started_at=pod.started_at, counters=pod.counters)
            self._told[_key(pod)] = last
        self._kept_at = 0.0
        sums = {field: (getattr(self.users, field) or 0.0) + more for field, more in grown.items()}
        self.users = msgspec.structs.replace(self.users, **sums)
        return any(grown.get(failed) for _, failed, _ in PAIRS)

    def kept(self) -> dict[str, Counted]:
        """What each pod told last, for the journal: only pods that count what users ask, or were silent."""
        found = {}
        for key, last in (self._told or {}).items():
            values = {field: getattr(last.counters, field, None) for field in _KEPT}
            if last.counters is None or any(value is not None for value in values.values()):
                found[key] = Counted(
                    started_at=last.started_at, silent=last.counters is None, **values
                )
        return found

    def go_on(self, events: Sequence[Recorded]) -> str:
        """Count on from what an earlier runner of the same run kept last, where it kept anything.

        Returns:
            The step that was under way then, to which belongs what has failed since; empty: nothing is
            counted on.
        """
        if self._told is not None:
            return ""
        kept: Mapping[str, Counted] = {}
        step, users, at = "", Counters(), 0.0
        for recorded in events:
            match recorded.event:
                case StepStarted(step=name, counted=counted):
                    kept, step, users = counted or kept, name, Counters()
                    at = recorded.at if counted else at
                case UsersFailed(users=lost, counted=counted) if counted:
                    kept, users, at = counted, lost, recorded.at
                case _:
                    pass
        if not kept:
            return ""
        self._told = {key: _told_of(one) for key, one in kept.items()}
        self.users, self._kept_at = users, at
        return step


def _told_of(one: Counted) -> _Told:
    if one.silent:
        return _Told()
    values = {field: getattr(one, field) for field in _KEPT}
    return _Told(started_at=one.started_at, counters=Counters(**values), rules=False)


def _key(pod: PodFacts) -> str:
    return pod.pod.uid or pod.pod.name


def _has_queries(pod: PodFacts) -> bool:
    return pod.counters is not None and pod.counters.queries is not None


def _growth(field: str, last: _Told, pod: PodFacts) -> float | None:
    now = pod.counters
    value: float | None = getattr(now, field)
    if value is None or now is None:
        return None
    if last.counters is None:
        return None  # it was there before; what it counted until now nobody knows
    if last.started_at != pod.started_at:
        return value
    if field in RULE_FIELDS:
        if not last.rules:
            return None
        if now.rule_groups:
            which = RULE_FIELDS.index(field)
            return growth_of_groups(which, last.counters.rule_groups, now.rule_groups)
    begin: float | None = getattr(last.counters, field)
    return value if begin is None else max(0.0, value - begin)

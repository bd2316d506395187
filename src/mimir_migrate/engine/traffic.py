"""What the users of the cluster see, from the pods' own counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.model.facts import Counters, Inspection, PodFacts

PAIRS: tuple[tuple[str, str, str], ...] = (
    ("pushes", "failed_pushes", "failed pushes"),
    ("queries", "failed_queries", "failed queries"),
    ("rule_evaluations", "failed_rule_evaluations", "failed rule evaluations"),
    ("requests", "server_errors", "requests for rules and alerts answered with 5xx"),
)
"""Field of the whole, field of the failures, and what the failures are called."""

ALLOWED_SHARE = 0.001
"""Share of failures that is taken for noise where the baseline shows none: 0.1 %, the error budget
of the 99.9 % objective that Mimir's own mixin alerts on (`MimirRequestErrors` at 1 % is later)."""

BASELINE_FACTOR = 2.0
"""Failures may be this many times the baseline's share before users are not fine."""


RULE_FIELDS = ("rule_evaluations", "failed_rule_evaluations")
"""What is counted group by group, in the order of the pairs in `Counters.rule_groups`."""

QUERY_FIELDS = ("queries", "failed_queries")

_FIELDS = tuple(name for name in Counters.__struct_fields__ if name != "rule_groups")


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Failures as shares of the whole, by name; a name is missing where nothing was counted."""

    shares: dict[str, float]
    failures: dict[str, float]


def deltas(before: Inspection, after: Inspection) -> Counters | None:
    """Growth of every counter between two inspections, summed over all Ready pods.

    A process that started in between counts from zero; a pod that is new counts whole. None when a
    Ready pod did not answer its metrics page in `after`. Queries are those that the query-frontends
    answered, where there are any: what they ask of queriers is split into many, and asked again where it
    failed, which no user sees.
    """
    earlier = {pod.pod.uid or pod.pod.name: pod for pod in before.pods}
    fronted = any(is_frontend(pod) and _told(pod, "queries") for pod in after.pods)
    sums: dict[str, float | None] = {}
    for pod in after.pods:
        if not pod.pod.ready:
            continue
        if pod.counters is None:
            return None
        old = earlier.get(pod.pod.uid or pod.pod.name)
        for field in _FIELDS:
            if fronted and field in QUERY_FIELDS and not is_frontend(pod):
                continue
            grown = _growth(field, old, pod)
            if grown is not None:
                sums[field] = (sums.get(field) or 0.0) + grown
    return msgspec.structs.replace(Counters(), **sums)


def is_frontend(pod: PodFacts) -> bool:
    """Whether users' queries come to this pod before any querier."""
    return "query-frontend" in {pod.pod.component, *pod.pod.targets}


def _told(pod: PodFacts, field: str) -> bool:
    return pod.counters is not None and getattr(pod.counters, field) is not None


def uncounted(before: Inspection, after: Inspection) -> Iterator[tuple[str, str]]:
    """Ready pods whose metrics lack what failures are seen in though they told it: pod and counter.

    A process that told a counter goes on telling it; one that did not may just not have used it yet.
    Rules are another matter: with a tenant's last group a ruler forgets what it counted for it, which any
    change of its ring may bring.
    """
    earlier = {pod.pod.uid or pod.pod.name: pod for pod in before.pods}
    for pod in after.pods:
        old = earlier.get(pod.pod.uid or pod.pod.name)
        if old is None or old.counters is None or old.started_at != pod.started_at:
            continue
        if not pod.pod.ready or pod.counters is None:
            continue
        for whole, _, _ in PAIRS:
            if whole in RULE_FIELDS:
                continue
            if getattr(old.counters, whole) is not None and getattr(pod.counters, whole) is None:
                yield pod.pod.name, whole.replace("_", " ")


def _growth(field: str, old: PodFacts | None, new: PodFacts) -> float | None:
    value: float | None = getattr(new.counters, field)
    if value is None:
        return None
    if old is None or old.counters is None or old.started_at != new.started_at:
        return value if old is None or old.started_at != new.started_at else None
    if field in RULE_FIELDS and new.counters is not None and new.counters.rule_groups:
        return growth_of_groups(
            RULE_FIELDS.index(field), old.counters.rule_groups, new.counters.rule_groups
        )
    begin: float | None = getattr(old.counters, field)
    return value if begin is None else max(0.0, value - begin)


def growth_of_groups(
    which: int,
    old: Mapping[str, tuple[float, float]],
    new: Mapping[str, tuple[float, float]],
) -> float:
    """What grew in the groups that are there now; one that is new, or came back, counts from zero."""
    grown = 0.0
    for group, counts in new.items():
        begin = old[group][which] if group in old else 0.0
        grown += counts[which] - begin if counts[which] >= begin else counts[which]
    return grown


def shares_of(grown: Counters) -> Shares:
    """Failures of each kind as a share of the whole."""
    shares: dict[str, float] = {}
    failures: dict[str, float] = {}
    for whole, failed, words in PAIRS:
        total: float | None = getattr(grown, whole)
        bad: float | None = getattr(grown, failed)
        if bad is None or total is None:
            continue
        failures[words] = bad
        shares[words] = bad / total if total > 0 else (1.0 if bad else 0.0)
    return Shares(shares=shares, failures=failures)


def complaints(grown: Counters, baseline: Counters | None, *, over: str) -> Sequence[str]:
    """Each kind of failure whose share is above what the baseline allows, in words.

    `over` is the time in which it was counted, in words: a share tells nothing without it.
    """
    now = shares_of(grown)
    usual = shares_of(baseline).shares if baseline is not None else {}
    found = []
    for words, share in now.shares.items():
        allowed = max(ALLOWED_SHARE, BASELINE_FACTOR * usual.get(words, 0.0))
        if share > allowed:
            found.append(
                f"{words} in {over}: {now.failures[words]:.0f}, {share:.2%} of all "
                f"(baseline {usual.get(words, 0.0):.2%}, allowed {allowed:.2%})"
            )
    return found


def failures(users: Counters) -> tuple[float, ...]:
    """How much of each kind failed."""
    return tuple(getattr(users, failed) or 0.0 for _, failed, _ in PAIRS)


def failed_words(users: Counters) -> str:
    """`12 of 756 pushes failed, 1 of 90 queries failed`; empty: nothing that users asked failed."""
    found = []
    for whole, failed, _ in PAIRS:
        total, bad = getattr(users, whole) or 0.0, getattr(users, failed) or 0.0
        if bad > 0:
            what = "requests for rules and alerts" if whole == "requests" else whole
            found.append(f"{bad:.0f} of {max(total, bad):.0f} {what.replace('_', ' ')} failed")
    return ", ".join(found)


def together(counts: Sequence[Counters]) -> Counters:
    """What users asked in several parts of one step."""
    sums: dict[str, float] = {}
    for users in counts:
        for whole, failed, _ in PAIRS:
            for field in (whole, failed):
                value: float | None = getattr(users, field)
                if value is not None:
                    sums[field] = sums.get(field, 0.0) + value
    return msgspec.structs.replace(Counters(), **sums)


def worse_than_before(users: Counters, baseline: Counters | None) -> bool:
    """Whether more of what users asked failed than the baseline lets expect.

    Where nothing failed in the baseline one failure is more. This decides whether somebody is asked
    before the next change, and not whether a gate passes: one look costs less than a failure unseen.
    """
    usual = shares_of(baseline).shares if baseline is not None else {}
    return any(
        share > BASELINE_FACTOR * usual.get(words, 0.0)
        for words, share in shares_of(users).shares.items()
    )

"""Which alerts of the products' own mixins a step sets off, or may, and why.

Names, expressions and times are those of
`operations/mimir-mixin/alerts/alerts.libsonnet` of github.com/grafana/mimir (gossip: since pull
request 6508 two alerts in place of `MimirGossipMembersMismatch`; ring members: pull request 2404), and
`cortex-mixin/alerts/alerts.libsonnet` of github.com/cortexproject/cortex-jsonnet. What whoever runs the
cluster has written themselves is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.durations import spoken
from mimir_migrate.model.facts import Inspection, PodFacts, PodRing
from mimir_migrate.model.plan import Chance, Step, StepAlert, StepKind
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import Store, StoreState

_MINUTE = 60.0
MISMATCH_PENDING = {Product.MIMIR: 15 * _MINUTE, Product.CORTEX: 5 * _MINUTE}
TOO_MANY = 10
"""Members beyond the pods that are up which `MimirGossipMembersTooHigh` allows for rollouts."""
TOO_FEW = 0.5
"""Part of the pods that are up below which `MimirGossipMembersTooLow` speaks of a split."""
_GOSSIP_PENDING = 20 * _MINUTE
_RING_PENDING = 15 * _MINUTE
_RESTARTS_WITHIN = 30 * _MINUTE
"""Two starts of one ingester within this make `…IngesterRestarts` fire, at once."""
_KV_PENDING = 5 * _MINUTE


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One step with what is true before and after it."""

    step: Step
    earlier: tuple[Step, ...]
    inspection: Inspection
    scale: Scale
    before: int
    """Pods that gossip before it."""
    after: int
    quiet: tuple[str, ...]
    """Components whose pods stop gossiping in it."""

    @property
    def prefix(self) -> str:
        return "Mimir" if self.inspection.product is Product.MIMIR else "Cortex"

    @property
    def pods(self) -> int:
        """Pods that the alerts count as up: those that belong to gossip."""
        return sum(facts.pod.gossips for facts in self.inspection.pods) or len(
            self.inspection.pods
        )

    def ends(self, step: Step) -> tuple[float, float]:
        """The least and the most that a step takes, in true seconds."""
        given = step.duration
        return self.scale.ends(
            given.low, given.high, fixed_low=given.fixed_low, fixed_high=given.fixed_high
        )

    def lasts(self, seconds: float) -> bool:
        return self.ends(self.step)[1] >= seconds


def with_alerts(
    steps: Sequence[Step],
    inspection: Inspection,
    rings: Sequence[str],
    scale: Scale = TRUE_TIME,
) -> tuple[Step, ...]:
    """The steps of a plan with the alerts of each.

    Args:
        steps: In order.
        inspection: What the plan was made from.
        rings: The rings that move.
        scale: Of the steps' durations and the pods': the alerts' own are true seconds.
    """
    states: Mapping[str, StoreState] | None = None
    made: list[Step] = []
    for step in steps:
        before = [one for one in inspection.pods if _gossips(one, states, rings)]
        after = before
        if step.kind is StepKind.ROLLOUT:
            after = [one for one in inspection.pods if _gossips(one, step.states, rings)]
            states = step.states
        names = {one.pod.name for one in after}
        seen = _Seen(
            step=step,
            earlier=tuple(made),
            inspection=inspection,
            scale=scale,
            before=len(before),
            after=len(after),
            quiet=tuple(
                sorted({one.pod.component for one in before if one.pod.name not in names})
            ),
        )
        made.append(msgspec.structs.replace(step, alerts=tuple(_alerts(seen))))
    return tuple(made)


def alert_words(alert: StepAlert) -> str:
    """What becomes of an alert, behind its name."""
    if alert.chance is Chance.ENDS:
        return f"cannot fire once the step is over: {alert.why}"
    held = f" after {spoken(alert.pending)}" if alert.pending else ""
    level = f" ({alert.severity})" if alert.severity else ""
    return f"{alert.chance.value} fire{held}{level}: {alert.why}"


def _gossips(
    facts: PodFacts, states: Mapping[str, StoreState] | None, rings: Sequence[str]
) -> bool:
    """Whether a ring of the pod is on memberlist: a process joins gossip for its first such ring only.

    What a pod does not tell counts as memberlist, which is every ring's default.
    """
    return any(_on_memberlist(view, states, rings) for view in facts.rings if view.enabled)


def _on_memberlist(
    view: PodRing, states: Mapping[str, StoreState] | None, rings: Sequence[str]
) -> bool:
    state = view.state
    if states is not None and view.ring in rings:
        state = states.get(view.ring, state)
    if state is not None:
        return Store.MEMBERLIST in {state.primary, state.secondary}
    return view.config is None or Store.MEMBERLIST.value in {
        view.config.store,
        view.config.primary,
        view.config.secondary,
    }


def _alerts(seen: _Seen) -> Iterator[StepAlert]:
    if seen.step.kind is StepKind.ROLLOUT:
        yield from _gossip(seen)
        yield from _ingesters(seen)
    yield from _stores(seen)


# --- gossip --------------------------------------------------------------------------------------


def _gossip(seen: _Seen) -> Iterator[StepAlert]:
    names = ["GossipMembersMismatch"]
    if seen.inspection.product is Product.MIMIR:
        names = ["GossipMembersTooHigh", "GossipMembersTooLow", *names]
    if seen.before and not seen.after:
        for name in names:
            yield StepAlert(
                name=seen.prefix + name,
                chance=Chance.ENDS,
                why="no pod gossips then, and memberlist_client_cluster_members_count is gone",
            )
    if not (seen.before or seen.after):
        return
    if seen.inspection.product is Product.MIMIR:
        yield from _too_high(seen)
        yield from _too_low(seen)
    yield from _mismatch(seen)


def _left_out(seen: _Seen) -> str:
    return (
        f"from this step on {seen.after} of {seen.pods} pods gossip: "
        f"{', '.join(seen.quiet)} have no ring on memberlist any more"
    )


def _gossip_members(which: str, chance: Chance, why: str) -> StepAlert:
    return StepAlert(
        name=f"MimirGossipMembers{which}",
        chance=chance,
        why=why,
        pending=_GOSSIP_PENDING,
        severity="warning",
    )


def _too_high(seen: _Seen) -> Iterator[StepAlert]:
    if seen.pods > TOO_MANY and seen.lasts(_GOSSIP_PENDING):
        yield _gossip_members(
            "TooHigh",
            Chance.MAY,
            f"pods that were replaced count until gossip forgets them; more than {TOO_MANY} at once "
            "set it off",
        )


def _too_low(seen: _Seen) -> Iterator[StepAlert]:
    few = TOO_FEW * seen.pods
    if seen.quiet and 0 < seen.after < few <= seen.before:
        yield _gossip_members("TooLow", Chance.WILL, _left_out(seen) + ", fewer than half")
    elif seen.before != seen.after and seen.lasts(_GOSSIP_PENDING):
        way = "shrinks" if seen.after < seen.before else "grows"
        yield _gossip_members(
            "TooLow", Chance.MAY, f"gossip {way} pod by pod while the rollout lasts"
        )


def _mismatch(seen: _Seen) -> Iterator[StepAlert]:
    pending = MISMATCH_PENDING[seen.inspection.product]
    name = f"{seen.prefix}GossipMembersMismatch"
    older = (
        ", in a mixin from before the end of 2023"
        if seen.inspection.product is Product.MIMIR
        else ""
    )
    if seen.quiet and seen.after:
        chance, why = Chance.WILL, _left_out(seen)
    elif seen.before != seen.after and seen.ends(seen.step)[0] >= pending:
        chance, why = Chance.WILL, "not all pods gossip while the rollout lasts"
    elif seen.lasts(pending):
        chance, why = (
            Chance.MAY,
            "pods that were replaced still count while new ones are up already",
        )
    else:
        return
    yield StepAlert(name=name, chance=chance, why=why + older, pending=pending, severity="warning")


# --- ingesters -----------------------------------------------------------------------------------


def _ingesters(seen: _Seen) -> Iterator[StepAlert]:
    views = [view for facts in seen.inspection.pods if (view := facts.ring("ingester"))]
    writers = [view for view in views if view.writes]
    if not writers:
        return
    yield from _restarts(seen)
    if seen.inspection.product is Product.MIMIR and seen.lasts(_RING_PENDING):
        yield StepAlert(
            name="MimirRingMembersMismatch",
            chance=Chance.MAY,
            why="an ingester that restarts is not up while its entry in the ring stays",
            pending=_RING_PENDING,
            severity="warning",
        )
    timeout = seen.scale.seconds(max(view.heartbeat_timeout or 0.0 for view in writers))
    if timeout and seen.lasts(timeout + _RING_PENDING):
        yield StepAlert(
            name=f"{seen.prefix}IngesterUnhealthy",
            chance=Chance.MAY,
            why="only where one ingester is away for longer than its heartbeat timeout, "
            f"{spoken(timeout)}, and the {spoken(_RING_PENDING)} besides",
            pending=_RING_PENDING,
            severity="critical",
        )


def _restarts(seen: _Seen) -> Iterator[StepAlert]:
    """A second rollout so soon after one that each ingester starts twice within half an hour."""
    since: list[Step] = []
    for step in reversed(seen.earlier):
        since.append(step)
        if step.kind is StepKind.ROLLOUT:
            break
    else:
        return
    low = sum(seen.ends(step)[0] for step in since)
    high = sum(seen.ends(step)[1] for step in (*since, seen.step))
    if low >= _RESTARTS_WITHIN:
        return
    sure = high < _RESTARTS_WITHIN
    yield StepAlert(
        name=f"{seen.prefix}IngesterRestarts",
        chance=Chance.WILL if sure else Chance.MAY,
        why=f"ingesters restart here for the second time since `{since[-1].id}`; not where more than "
        f"{spoken(_RESTARTS_WITHIN)} pass between the two, approvals included",
        severity="warning",
    )


# --- stores --------------------------------------------------------------------------------------


def _stores(seen: _Seen) -> Iterator[StepAlert]:
    """The first step in which pods ask DynamoDB anything."""
    if not _asks_dynamodb(seen.step) or any(map(_asks_dynamodb, seen.earlier)):
        return
    if any(Store.DYNAMODB.value in ring.primaries for ring in seen.inspection.rings):
        return
    whom = "DynamoDB" if seen.inspection.bridge is None else "the ring bridge"
    yield StepAlert(
        name=f"{seen.prefix}KVStoreFailure",
        chance=Chance.MAY,
        why=f"only where {whom} refuses every request of a pod; `pods-reach-dynamodb` holds the run "
        "before that",
        pending=_KV_PENDING,
        severity="critical" if seen.inspection.product is Product.MIMIR else "warning",
    )


def _asks_dynamodb(step: Step) -> bool:
    if not step.kind.deploys:
        return False
    if Store.DYNAMODB in step.primaries.values():
        return True
    both = any(Store.DYNAMODB in {one.primary, one.secondary} for one in step.states.values())
    return both and step.mirror

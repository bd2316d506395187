"""Findings about the ring bridge: what keeps rings from being moved onto it, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mimir_migrate.durations import spoken
from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.inspection.ring_tables import ring_keys
from mimir_migrate.model.facts import Evidence, Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import Store
from mimir_migrate.target_check import LEAST_HEARTBEAT_TIMEOUT
from mimir_migrate.words import counted, form

MOST_A_SECOND = 13.0
"""Heartbeats a second of one ring that whole-value compare-and-set carries (docs/bridge.md); the bridge
refuses further members above it."""
_PROXIES = frozenset({"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"})
_NO_PROXY = frozenset({"NO_PROXY", "no_proxy"})
_COSTS = {
    "ingester": "a crashed ingester is written to and asked for as long, within its quorum",
    "distributor": "limits are divided by as many distributors as there were, for as long",
    "store-gateway": "a crashed store-gateway's blocks are asked of it for as long, where no replica has them",
    "compactor": "a crashed compactor's tenants wait for as long",
    "ruler": "a crashed ruler's rules stand still for as long",
    "alertmanager": "a crashed alertmanager's tenants are notified by the others only, for as long",
}
"""What waiting longer for heartbeats costs, by ring: its members' work is taken over that much later."""


def heartbeats_a_second(inspection: Inspection, ring: str) -> tuple[int, float | None]:
    """How many members a ring has, and how many heartbeats a second they send together.

    None: no pod says how often.
    """
    writers = [view for _, view in inspection.staying(ring) if view.writes]
    periods = [view.heartbeat_period for view in writers if view.heartbeat_period]
    if not writers or not periods:
        return len(writers), None
    return len(writers), len(writers) / min(periods)


def short_timeouts(
    inspection: Inspection, rings: tuple[str, ...], scale: Scale
) -> dict[str, float]:
    """The rings that some pod waits less for heartbeats of than the bridge needs, with the least seconds.

    A `heartbeat_timeout` of 0 turns the judging of heartbeats off. A simulation's seconds are held to the
    true ones that they stand for.
    """
    found: dict[str, float] = {}
    for facts in inspection.pods:
        for view in facts.rings:
            timeout = view.heartbeat_timeout
            if view.ring not in rings or not view.enabled or not timeout:
                continue
            if scale.seconds(timeout) < LEAST_HEARTBEAT_TIMEOUT:
                found[view.ring] = min(timeout, found.get(view.ring, timeout))
    return found


def _towards(question: Question) -> bool:
    """Whether rings are to be moved onto the bridge."""
    return question.target.through_bridge is not None and question.to is Store.DYNAMODB


def bridge_for_cortex(question: Question) -> Iterator[Finding]:
    """`bridge-for-cortex`: the bridge is for Mimir; Cortex has a client of its own."""
    if question.target.through_bridge is None or question.inspection.product is not Product.CORTEX:
        return
    yield Finding(
        id="bridge-for-cortex",
        severity=Severity.BLOCKS,
        title="The target reaches DynamoDB through the ring bridge, and Cortex has a client of its own",
        evidence=(question.evidence("target", '[dynamodb] through = "bridge"'),),
        fix="Leave the entry and the section [bridge] out of the target.",
    )


def bridge_experimental(question: Question) -> Iterator[Finding]:
    """`bridge-experimental`: what the bridge is, wherever rings are to be moved onto it."""
    if not _towards(question):
        return
    yield Finding(
        id="bridge-experimental",
        severity=Severity.WARNS,
        title="The ring bridge is experimental, and every ring that reads it depends on it",
        evidence=(
            question.evidence(
                "docs/bridge.md",
                "run against stock Mimir and a stand-in for DynamoDB; never on AWS",
            ),
        ),
        fix="With a memberlist that works, stay there. The bridge is for clusters where pods may not gossip, "
        "or where policy wants state in a managed store.",
    )


def bridge_missing(question: Question) -> Iterator[Finding]:
    """`bridge-missing`: the bridge is not there, or does not serve a chosen ring."""
    bridge = question.inspection.bridge
    if bridge is None or not _towards(question):
        return
    if bridge.reason:
        yield Finding(
            id="bridge-missing",
            severity=Severity.BLOCKS,
            title="Whether the ring bridge is there is not known",
            evidence=(question.evidence("Kubernetes pods", bridge.reason),),
            fix="Let its pods be listed, then inspect again.",
            unknown=True,
        )
        return
    if not bridge.staying:
        yield Finding(
            id="bridge-missing",
            severity=Severity.INFORMS,
            title="The ring bridge is not there yet",
            evidence=(
                question.evidence(
                    "Kubernetes pods",
                    f"none with the label app.kubernetes.io/instance={question.target.bridge.name}",
                ),
            ),
            fix="The plan's step `bridge` waits for it; `mimir-migrate bridge manifest` prints it.",
        )
        return
    silent = [one for one in bridge.staying if one.page is None]
    if silent:
        yield Finding(
            id="bridge-missing",
            severity=Severity.INFORMS,
            title=f"{counted(len(silent), 'replica')} of the ring bridge did not answer",
            evidence=shown(
                question.evidence(
                    f"bridge pod {one.pod.name} GET /rings",
                    "; ".join(filter(None, (one.reason, one.pod.waiting_reason))),
                )
                for one in silent
            ),
            fix="The plan's step `bridge` waits for them. A replica that ends by itself says why in its "
            "log: `kubectl logs POD --previous`.",
            pods=tuple(one.pod.name for one in silent),
        )
    keys = ring_keys(question.inspection.product, question.inspection.pods, question.rings)
    lacking = {
        ring: key
        for ring, key in keys.items()
        if any(one.page is not None and key not in one.page.rings for one in bridge.staying)
    }
    if lacking:
        yield Finding(
            id="bridge-missing",
            severity=Severity.BLOCKS,
            title=f"The ring bridge does not serve {listed(lacking)}",
            evidence=shown(
                question.evidence(
                    f"bridge pod {one.pod.name} GET /rings", f"serves {', '.join(one.page.rings)}"
                )
                for one in bridge.staying
                if one.page is not None
            ),
            fix=f"Start it with --keys {','.join(keys.values())}.",
            rings=tuple(lacking),
        )


def heartbeat_timeout_short(question: Question) -> Iterator[Finding]:
    """`heartbeat-timeout-short`: a short outage of the bridge would make every member unhealthy."""
    if not _towards(question):
        return
    scale = question.target.scale
    short = short_timeouts(question.inspection, question.rings, scale)
    if not short:
        return
    asked = question.target.bridge.heartbeat_timeout
    evidence = shown(
        question.evidence(
            f"GET /config, ring {ring}",
            f"heartbeat_timeout {scale.words(seconds)}"
            + (f" -> {asked}" if asked else "")
            + f"; longer: {_COSTS.get(ring, 'a crashed member counts as there for as long')}",
        )
        for ring, seconds in short.items()
    )
    yield Finding(
        id="heartbeat-timeout-short",
        severity=Severity.WARNS if asked else Severity.BLOCKS,
        title=f"The first rollout sets heartbeat_timeout of {listed(short)} to {asked}"
        if asked
        else f"{listed(short)} {form(short, 'waits', 'wait')} less than 4 min for heartbeats, which a short outage of the ring "
        "bridge outlasts",
        evidence=evidence,
        fix="An outage of the bridge of T is seen as up to 2 T; each line says what waiting longer costs."
        if asked
        else 'Choose it: [bridge] heartbeat_timeout = "4m" in the target has the first rollout write it. '
        "Each line says what waiting longer costs.",
        rings=tuple(short),
    )


def heartbeats_too_fast(question: Question) -> Iterator[Finding]:
    """`heartbeats-too-fast`: a ring sends more heartbeats than the bridge carries."""
    if not _towards(question):
        return
    for ring in question.rings:
        members, rate = heartbeats_a_second(question.inspection, ring)
        if rate is None or rate <= MOST_A_SECOND:
            continue
        yield Finding(
            id="heartbeats-too-fast",
            severity=Severity.BLOCKS,
            title=f"The ring {ring} sends {rate:.1f} heartbeats a second; the ring bridge carries "
            f"{MOST_A_SECOND:g}",
            evidence=(question.evidence(f"GET /config, ring {ring}", counted(members, "member")),),
            fix=f"A heartbeat_period of {spoken(math.ceil(members / MOST_A_SECOND))} or more carries this many members.",
            rings=(ring,),
        )


def bridge_behind_proxy(question: Question) -> Iterator[Finding]:
    """`bridge-behind-proxy`: pods' Consul client would ask a web proxy for the bridge."""
    if question.target.through_bridge is None:
        return
    pods = [
        facts.pod
        for facts in question.inspection.pods
        if not facts.pod.terminating and _PROXIES & set(facts.pod.env)
    ]
    bare = [pod.name for pod in pods if not _NO_PROXY & set(pod.env)]
    if not pods:
        return
    asking = bare or [pod.name for pod in pods]
    yield Finding(
        id="bridge-behind-proxy",
        severity=Severity.BLOCKS if bare else Severity.WARNS,
        title=f"{listed(asking)} {form(asking, 'asks', 'ask')} a web proxy for "
        + ("everything" if bare else "what NO_PROXY leaves out"),
        evidence=tuple(
            Evidence(
                source=f"pod {pod.name}, environment",
                detail=", ".join(name for name in pod.env if name in _PROXIES | _NO_PROXY),
                at=question.at,
            )
            for pod in pods[:3]
        ),
        fix=f"The Consul client follows HTTP_PROXY: put {question.target.bridge.service} into NO_PROXY. "
        "Values of variables are not read here.",
        pods=tuple(pod.name for pod in pods),
    )


def bridge_without_token(question: Question) -> Iterator[Finding]:
    """`bridge-without-token`: whoever reaches the bridge's port can change the rings."""
    if not _towards(question) or question.target.bridge.token_variable:
        return
    yield Finding(
        id="bridge-without-token",
        severity=Severity.WARNS,
        title="Mimir's pods send the ring bridge no token: whoever reaches its port can change the rings",
        evidence=(question.evidence("target", "[bridge] token_variable is empty"),),
        fix="Fill a variable of Mimir's pods from a Secret, and name it in [bridge] token_variable.",
    )


def bridge_token_not_in_pods(question: Question) -> Iterator[Finding]:
    """`bridge-token-missing`: a pod would send the bridge another text than its token, and end itself."""
    variable = question.target.bridge.token_variable
    if not _towards(question) or not variable:
        return
    concerned = {facts.pod.name: facts.pod for facts, _ in question.views()}
    without = [
        pod.name for pod in concerned.values() if not pod.terminating and variable not in pod.env
    ]
    if without:
        yield Finding(
            id="bridge-token-missing",
            severity=Severity.WARNS,
            title=f"{listed(without)} {form(without, 'shows', 'show')} no environment variable {variable}",
            evidence=(
                question.evidence("Kubernetes pods, env", f"no {variable}; envFrom is not read"),
            ),
            fix=f"Give {variable} from the bridge's Secret to every pod (global.extraEnv) and deploy that "
            "first: a pod that sends no token ends itself at its start.",
            pods=tuple(without),
        )
    literal = [
        pod.name
        for pod in concerned.values()
        if not pod.terminating
        and not any(
            argument.lstrip("-") in {"config.expand-env", "config.expand-env=true"}
            for argument in pod.args
        )
    ]
    if literal:
        yield Finding(
            id="bridge-token-missing",
            severity=Severity.BLOCKS,
            title=f"{listed(literal)} would send ${{{variable}}} as it stands, not what it holds",
            evidence=(question.evidence("container arguments", "no -config.expand-env=true"),),
            fix="Start the pods with -config.expand-env=true, as mimir-distributed does.",
            pods=tuple(literal),
        )


RULES = {
    "bridge-for-cortex": bridge_for_cortex,
    "bridge-experimental": bridge_experimental,
    "bridge-missing": bridge_missing,
    "heartbeat-timeout-short": heartbeat_timeout_short,
    "heartbeats-too-fast": heartbeats_too_fast,
    "bridge-behind-proxy": bridge_behind_proxy,
    "bridge-without-token": bridge_without_token,
    "bridge-token-missing": bridge_token_not_in_pods,
}

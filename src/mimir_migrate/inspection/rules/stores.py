"""Findings about binaries and stores: what is offered, how well it works, what beats an edit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mimir_migrate.inspection.question import (
    Question,
    listed,
    shown,
)
from mimir_migrate.model.facts import Evidence, StoreOffer, told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product, Ring
from mimir_migrate.model.stores import Store
from mimir_migrate.words import counted, form

_NO_DYNAMODB = (
    "Upstream Mimir has no DynamoDB ring store: run an image with a DynamoDB KV client built in, or "
    "stay on memberlist and make it safer (the choice `stay` says how). Cortex has the store since "
    "1.15 and can be migrated with 1.16 or newer."
)

_NO_CONSUL = (
    "The ring bridge is reached through Mimir's Consul client, which this image does not offer: run a Mimir "
    "that has one (2.0 to 2.17 do), or stay on memberlist."
)

# Cortex' DynamoDB client by version, read in the tags (pkg/ring/kv/dynamodb, CHANGELOG).
_FIRST_SAFE = (1, 16, 0)
_FIRST_VERSIONED = (1, 20, 0)
_LAST_WITHOUT_RETRY = (1, 21, 1)
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def store_not_offered(question: Question) -> Iterator[Finding]:
    """`store-not-offered`: an image cannot use the wanted store, or `multi`, for a chosen ring."""
    offers = {(offer.image, offer.ring): offer for offer in question.inspection.offers}
    missing: dict[str, list[StoreOffer]] = {}
    unknown: list[str] = []
    for image in dict.fromkeys(
        facts.pod.image for facts in question.inspection.pods if not facts.pod.terminating
    ):
        for ring in question.rings:
            offer = offers.get((image, ring))
            if offer is None:
                if not any(known == image for known, _ in offers):
                    unknown.append(image)
                    break
                continue
            if not {question.to.value, "multi"} <= set(offer.stores):
                missing.setdefault(image, []).append(offer)
    for image, lacking in missing.items():
        stores = sorted({question.to.value, "multi"} - set(lacking[0].stores))
        yield Finding(
            id="store-not-offered",
            severity=Severity.BLOCKS,
            title=f"The image {image} offers no {listed(stores)} for "
            f"{listed(offer.ring for offer in lacking)}",
            evidence=shown(offer.evidence for offer in lacking),
            fix=_NO_CONSUL
            if question.to is Store.DYNAMODB and question.target.through_bridge
            else _NO_DYNAMODB
            if question.to is Store.DYNAMODB
            else "Run an image that offers memberlist and multi for its rings.",
            rings=tuple(offer.ring for offer in lacking),
            pods=_pods_of(question, image),
        )
    if unknown:
        yield Finding(
            id="store-not-offered",
            severity=Severity.BLOCKS,
            title=f"Which stores {listed(unknown)} {form(unknown, 'offers', 'offer')} is not known",
            evidence=shown(
                question.evidence(each.source, each.reason)
                for each in question.inspection.unanswered
                if "/config?mode=defaults" in each.source
            )
            or (
                question.evidence("GET /config?mode=defaults", f"no answer of {listed(unknown)}"),
            ),
            fix="Make a pod of this image answer /config?mode=defaults, then inspect again.",
            pods=tuple(pod for image in unknown for pod in _pods_of(question, image)),
            unknown=True,
        )


def _pods_of(question: Question, image: str) -> tuple[str, ...]:
    return tuple(facts.pod.name for facts in question.inspection.pods if facts.pod.image == image)


def store_client_version(question: Question) -> Iterator[Finding]:
    """`store-client-version`: known bugs of the DynamoDB client in the versions that run."""
    if question.target.through_bridge or not _has_client(question):
        return  # no pod has a DynamoDB client of its own to use
    by_version: dict[str, list[str]] = {}
    told: set[str] = set()
    revisions: dict[str, str] = {}
    pods_of_now = [facts for facts in question.inspection.pods if not facts.pod.terminating]
    for facts in pods_of_now:
        if facts.build is not None:
            told.add(facts.pod.image_id or facts.pod.image)
            by_version.setdefault(facts.build.version, []).append(facts.pod.name)
            revisions.setdefault(facts.build.version, facts.build.revision)
    silent = [
        facts.pod.name
        for facts in pods_of_now
        if (facts.pod.image_id or facts.pod.image) not in told
    ]
    for version, pods in by_version.items():
        source = told_by(pods[0], "/metrics: cortex_build_info")
        detail = f"version {version or 'empty'}, revision {revisions[version] or 'empty'}"
        yield from _judge_version(question, version, pods, question.evidence(source, detail))
    if silent:
        yield Finding(
            id="store-client-version",
            severity=Severity.BLOCKS,
            title=f"The version that {listed(silent)} {form(silent, 'runs', 'run')} is not known",
            evidence=(question.evidence("GET /metrics", "no pod of this image answered"),),
            fix="Make the pods answer /metrics, then inspect again.",
            pods=tuple(silent),
            unknown=True,
        )


def _has_client(question: Question) -> bool:
    """Whether the pods use DynamoDB, or are to use it and their images offer it."""
    offered = any(
        offer.ring in question.rings and Store.DYNAMODB.value in offer.stores
        for offer in question.inspection.offers
    )
    return (question.to is Store.DYNAMODB and offered) or any(
        Store.DYNAMODB in view.stores for _, view in question.views()
    )


def _judge_version(
    question: Question, version: str, pods: list[str], evidence: Evidence
) -> Iterator[Finding]:
    def found(severity: Severity, title: str, fix: str) -> Finding:
        return Finding(
            id="store-client-version",
            severity=severity,
            title=title,
            evidence=(evidence,),
            fix=fix,
            pods=tuple(pods),
        )

    number = read_version(version)
    if question.inspection.product is Product.MIMIR:
        yield found(
            Severity.INFORMS,
            f"Mimir {version or 'of a branch'} with a DynamoDB client of its own build: the known "
            "bugs are listed by versions of Cortex",
            "Ask whoever builds the image whether its client has the fixes of Cortex of 1.16 (#5480, #5502).",
        )
    elif number is None:
        yield found(
            Severity.INFORMS,
            f"The build says no release ({evidence.detail}): its DynamoDB client's bugs cannot be "
            "told by version",
            "Check that the revision contains #5480 and #5502 (1.16.0) and, for retried conflicts, #7706.",
        )
    elif number < _FIRST_SAFE:
        yield found(
            Severity.BLOCKS,
            f"Cortex {version} cannot mirror safely: older heartbeats overwrite newer ones (#5480), "
            "and a write that changes nothing fails (#5502)",
            "Upgrade to 1.16.0 or newer first.",
        )
    elif number < _FIRST_VERSIONED:
        yield found(
            Severity.WARNS,
            f"Cortex {version} writes items without a version: of two writers the last one wins",
            "Keep everything else still during the migration, or upgrade to 1.20.0 or newer first.",
        )
    elif number <= _LAST_WITHOUT_RETRY:
        yield found(
            Severity.INFORMS,
            f"Cortex {version} does not retry a write that conflicts (#7706): it is made good by the "
            "next heartbeat",
            "A few mirror_write_errors and TransactionCanceled are to be expected; nothing to do.",
        )


def read_version(text: str) -> tuple[int, int, int] | None:
    """A release's number; None for the empty version of a build from a branch, and for others."""
    match = _VERSION.match(text)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3] or 0)


def flag_overrides_store(question: Question) -> Iterator[Finding]:
    """`flag-overrides-store`: a command-line flag beats what the values files would say."""
    hits: dict[str, list[Evidence]] = {}
    pods: dict[str, list[str]] = {}
    through = question.target.through_bridge is not None
    for facts, view in question.views():
        ring = question.ring(view.ring)
        for argument in facts.pod.args:
            if sets_store(argument, ring, through_bridge=through):
                source = f"pod {facts.pod.name}, container arguments"
                hits.setdefault(ring.name, []).append(question.evidence(source, argument))
                pods.setdefault(ring.name, []).append(facts.pod.name)
    for flag in question.values.flags if question.values else ():
        for name in question.rings:
            if sets_store(f"-{flag.flag}", question.ring(name), through_bridge=through):
                source = flag.place or f"values, {flag.component}.extraArgs"
                hits.setdefault(name, []).append(question.evidence(source, f"-{flag.flag}"))
    for name, evidence in hits.items():
        on = f" on {counted(len(set(pods[name])), 'pod')}" if name in pods else ""
        yield Finding(
            id="flag-overrides-store",
            severity=Severity.BLOCKS,
            title=f"Flags set the store of the ring {name}{on}, so an edit of the values has no effect",
            evidence=shown(evidence),
            fix="Take these flags out of extraArgs and say the same in the configuration first.",
            rings=(name,),
            pods=tuple(dict.fromkeys(pods.get(name, ()))),
        )


def sets_store(argument: str, ring: Ring, *, through_bridge: bool = False) -> bool:
    """Whether a container argument decides the ring's store, its pair under multi, or its table or bridge."""
    if not argument.startswith("-"):
        return False
    name = argument.lstrip("-").partition("=")[0].split(" ")[0]
    if name == f"{ring.flag_prefix}store":
        return True
    detail = ring.detail_flag_prefix
    own = "consul." if through_bridge else "dynamodb."
    return name.startswith((f"{detail}multi.", f"{detail}{own}"))


def other_store(question: Question) -> Iterator[Finding]:
    """`other-store`: a chosen ring is on a store, or a pair of stores, that this tool does not move."""
    for name in question.rings:
        summary = question.inspection.ring(name)
        if summary is None:
            continue
        if summary.other_stores:
            yield Finding(
                id="other-store",
                severity=Severity.BLOCKS,
                title=f"The ring {name} is on {listed(summary.other_stores)}, which this tool does "
                "not move",
                evidence=shown(
                    question.evidence(
                        told_by(facts.pod.name, "/config?mode=diff"),
                        f"{'.'.join(question.ring(name).path)}.store: {view.config.store}",
                    )
                    for facts, view in question.views((name,))
                    if view.config is not None and view.state is None
                ),
                fix="Choose other rings, or bring this one to memberlist by the product's own guide.",
                rings=(name,),
            )
        elif untold := question.untold(summary):
            yield Finding(
                id="other-store",
                severity=Severity.BLOCKS,
                title=f"Which store the ring {name} is on is not known on {listed(untold)}",
                evidence=(question.evidence(f"ring {name}", "no answer from these pods"),),
                fix="Make these pods answer /config and /metrics, then inspect again.",
                rings=(name,),
                pods=untold,
                unknown=True,
            )


RULES = {
    "store-not-offered": store_not_offered,
    "store-client-version": store_client_version,
    "flag-overrides-store": flag_overrides_store,
    "other-store": other_store,
}

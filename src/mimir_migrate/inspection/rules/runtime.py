"""Findings about `multi` and the runtime configuration: what a switch would reach, and what was left."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Evidence, PodFacts, told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.stores import RuntimeBlock, StoreState
from mimir_migrate.words import form


def runtime_config_missing(question: Question) -> Iterator[Finding]:
    """`runtime-config-missing`: a pod of a ring that is switched by runtime follows nothing, or not well."""
    not_following: dict[str, Evidence] = {}
    unclear: dict[str, Evidence] = {}
    for facts in _hearers(question):
        name = facts.pod.name
        if facts.runtime is None:
            source = told_by(name, "/runtime_config")
            unclear[name] = question.evidence(source, "no usable answer")
        elif not facts.runtime.file:
            source = told_by(name, "/config")
            not_following[name] = question.evidence(source, "runtime_config.file is empty")
        elif facts.runtime.reload_successful is False:
            source = told_by(name, "/metrics")
            detail = "cortex_runtime_config_last_reload_successful is 0"
            not_following[name] = question.evidence(source, detail)
    static = question.strategy is Strategy.STATIC
    if not_following:
        yield Finding(
            id="runtime-config-missing",
            severity=Severity.INFORMS if static else Severity.BLOCKS,
            title=f"{listed(not_following)} would not follow a switch by the runtime configuration",
            evidence=shown(not_following.values()),
            fix="Set runtime_config.file (mimir-distributed's default configuration has it) and repair "
            "the file, or choose --strategy static.",
            pods=tuple(not_following),
        )
    if unclear and not static:
        yield Finding(
            id="runtime-config-missing",
            severity=Severity.BLOCKS,
            title=f"Whether {listed(unclear)} {form(unclear, 'follows', 'follow')} the runtime configuration "
            "is not known",
            evidence=shown(unclear.values()),
            fix="Make these pods answer /config and /runtime_config, or choose --strategy static.",
            pods=tuple(unclear),
            unknown=True,
        )


def _hearers(question: Question) -> Iterator[PodFacts]:
    """Pods that touch a chosen ring which follows the runtime configuration."""
    rings = {name for name in question.rings if question.ring(name).follows_runtime}
    for facts in question.inspection.pods:
        if any(view.enabled and view.ring in rings for view in facts.rings):
            yield facts


def runtime_block_left(question: Question) -> Iterator[Finding]:
    """`runtime-block-left`: a `multi_kv_config` from before that nothing uses now."""
    inspection = question.inspection
    blocks: dict[str, RuntimeBlock] = {
        told_by(facts.pod.name, "/runtime_config"): facts.runtime.block
        for facts in inspection.pods
        if facts.runtime is not None and facts.runtime.block.is_set
    }
    if question.values and question.values.runtime and question.values.runtime.is_set:
        blocks["values files"] = question.values.runtime
    multi = [summary for summary in inspection.rings if any(s.is_multi for s in summary.states)]
    wrong = [
        (source, block)
        for source, block in blocks.items()
        if block.primary and not _known_to_all(question, block)
    ]
    evidence = shown(
        question.evidence(source, _words(block)) for source, block in wrong or blocks.items()
    )
    if wrong:
        yield Finding(
            id="runtime-block-left",
            severity=Severity.BLOCKS,
            title="The runtime configuration names a primary that a ring on multi does not have",
            evidence=evidence,
            fix="Take multi_kv_config out of the runtime configuration, or name a store of that ring.",
        )
    elif blocks and not multi:
        yield Finding(
            id="runtime-block-left",
            severity=Severity.WARNS,
            title="The runtime configuration still has a multi_kv_config, though no ring is on multi",
            evidence=evidence,
            fix="The plan replaces it with its first rollout; take it out when you stay.",
        )
    elif any(not block.primary or block.mirror_enabled is None for block in blocks.values()):
        yield Finding(
            id="runtime-block-left",
            severity=Severity.WARNS,
            title="The multi_kv_config names a primary without mirror_enabled, or the other way round",
            evidence=evidence,
            fix="Write both keys: what is left out does not change in a running pod, and a restarted "
            "pod starts from its static values.",
        )
    silent = [
        facts.pod.name
        for facts in inspection.pods
        if facts.runtime is None and not facts.pod.terminating
    ]
    if silent and not blocks:
        yield Finding(
            id="runtime-block-left",
            severity=Severity.BLOCKS,
            title=f"Whether {listed(silent)} {form(silent, 'has', 'have')} a multi_kv_config from before is not "
            "known",
            evidence=(question.evidence("GET /runtime_config", f"no answer of {listed(silent)}"),),
            fix="Make these pods answer /config and /runtime_config, then inspect again.",
            pods=tuple(silent),
            unknown=True,
        )


def runtime_block_missing(question: Question) -> Iterator[Finding]:
    """`runtime-block-missing`: a pod reads another store than the others, for want of the runtime block.

    Where rings are switched and still mirrored, their static configuration names the store from before
    first; only the block says that the other one is read.
    """
    bearing: dict[str, list[str]] = {}
    without: dict[str, Evidence] = {}
    following = [ring.ring for ring in question.inspection.rings if ring.follows_runtime]
    for facts, view in question.views(following):
        state, runtime = view.state, facts.runtime
        if state is None or state.secondary is None or runtime is None or facts.pod.terminating:
            continue
        if runtime.block.primary == state.secondary.value:
            bearing.setdefault(state.secondary.value, []).append(facts.pod.name)
        else:
            without[facts.pod.name] = question.evidence(
                told_by(facts.pod.name, "/runtime_config"), _words(runtime.block)
            )
    if not bearing:
        return
    store = next(iter(bearing))
    said = question.values.runtime if question.values else None
    if question.values is not None and (said is None or said.primary != store):
        without["the values files"] = question.evidence(
            "values files", _words(said or RuntimeBlock())
        )
    if without:
        away = question.asked and question.to.value != store
        yield Finding(
            id="runtime-block-missing",
            severity=Severity.WARNS if away else Severity.BLOCKS,
            title=f"{listed(without)} would not read {store}, which the runtime block of other pods says",
            evidence=shown(without.values()),
            fix="Write multi_kv_config with both keys into the runtime configuration again, and repair it "
            "where a pod refuses it; a pod that starts without it reads the store from before.",
            pods=tuple(name for name in without if name != "the values files"),
        )


def _known_to_all(question: Question, block: RuntimeBlock) -> bool:
    """Whether every ring on `multi` that follows the block has its primary as one of its stores."""
    following = [ring.ring for ring in question.inspection.rings if ring.follows_runtime]
    return all(
        block.primary in view.stores
        for _, view in question.views(following)
        if view.config is not None and view.config.store == "multi"
    )


def _words(block: RuntimeBlock) -> str:
    mirror = "absent" if block.mirror_enabled is None else str(block.mirror_enabled).lower()
    return f"multi_kv_config: primary {block.primary or 'absent'}, mirror_enabled {mirror}"


def unchosen_multi_ring(question: Question) -> Iterator[Finding]:
    """`unchosen-multi-ring`: a ring on `multi` that was not chosen would be switched along.

    The runtime block is one for the whole process.
    """
    switches = any(question.ring(name).follows_runtime for name in question.rings)
    if not switches or question.strategy is Strategy.STATIC:
        return
    for summary in question.inspection.rings:
        if summary.ring in question.rings or not summary.enabled or not summary.follows_runtime:
            continue
        on_multi = [state.value for state in summary.states if state.is_multi] + [
            store for store in summary.other_stores if store.startswith("multi")
        ]
        unread = [
            facts.pod.name
            for facts, view in question.views((summary.ring,))
            if view.config is None
        ]
        if on_multi:
            yield Finding(
                id="unchosen-multi-ring",
                severity=Severity.BLOCKS,
                title=f"The ring {summary.ring} is on multi ({listed(on_multi)}) and was not chosen: "
                "the runtime configuration would switch it along",
                evidence=(
                    question.evidence(f"ring {summary.ring}", f"pods {listed(summary.pods)}"),
                ),
                fix="Choose it as well, finish its migration first, or take --strategy static.",
                rings=(summary.ring,),
            )
        elif unread:
            yield Finding(
                id="unchosen-multi-ring",
                severity=Severity.BLOCKS,
                title=f"Whether the ring {summary.ring}, which was not chosen, is on multi is not known",
                evidence=(question.evidence("GET /config", f"no answer of {listed(unread)}"),),
                fix="Make these pods answer /config, or take --strategy static.",
                rings=(summary.ring,),
                pods=tuple(unread),
                unknown=True,
            )


def mixed_state(question: Question) -> Iterator[Finding]:
    """`mixed-state`: the chosen rings stand in the middle of a migration, or at different places."""
    states: dict[str, set[StoreState]] = {}
    unknown: list[str] = []
    for name in question.rings:
        summary = question.inspection.ring(name)
        if summary is None or question.untold(summary):
            unknown.append(name)
        if summary is not None:
            states[name] = set(summary.states)
    every = {state for each in states.values() for state in each}
    if len(every) > 1 or any(state.is_multi for state in every):
        places = [
            f"{name} on {listed(sorted(state.value for state in each))}"
            for name, each in states.items()
            if each
        ]
        together: dict[str, list[str]] = {}
        for place in places:
            name, _, where = place.partition(" on ")
            together.setdefault(where, []).append(name)
        told = "; ".join(f"{listed(names)} on {where}" for where, names in together.items())
        yield Finding(
            id="mixed-state",
            severity=Severity.WARNS,
            title=f"A migration was begun before: {told}",
            evidence=shown(
                question.evidence(f"ring {place.split(' ')[0]}", place) for place in places
            ),
            fix="A plan goes on from here. Where a run of this tool stopped, `mimir-migrate runs` lists "
            "it, and `resume` or `rollback` ends it.",
            rings=tuple(states),
        )
    if unknown:
        yield Finding(
            id="mixed-state",
            severity=Severity.BLOCKS,
            title=f"Where {listed(unknown)} {'stands' if len(unknown) == 1 else 'stand'} is not known",
            evidence=(question.evidence("GET /config, /metrics", "not every pod answered"),),
            fix="Make the pods answer, then inspect again.",
            rings=tuple(unknown),
            unknown=True,
        )


RULES = {
    "runtime-config-missing": runtime_config_missing,
    "runtime-block-left": runtime_block_left,
    "runtime-block-missing": runtime_block_missing,
    "unchosen-multi-ring": unchosen_multi_ring,
    "mixed-state": mixed_state,
}

"""The facts that a plan rests on, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.edits import sha256
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import FactChange, Plan, PlanFact, Step, change_words
from mimir_migrate.model.target import Target

__all__ = ["FactChange", "compare", "facts_after", "facts_of", "file_fact", "stale_words"]


def facts_of(
    inspection: Inspection, target: Target, rings: tuple[str, ...], files: Sequence[SourceFile]
) -> tuple[PlanFact, ...]:
    """Everything a plan rests on, and for comparison what it does not rest on but operators know."""
    found = [
        _fact("cluster", inspection.identity.cluster_uid, "the plan is for one cluster"),
        _fact("namespace", inspection.identity.namespace, "the plan is for one release"),
        _fact("release", inspection.identity.release, "the plan is for one release"),
        _fact("aws account", inspection.identity.account, "the table is in one account"),
        _fact("aws region", inspection.identity.region, "the table is in one region"),
        _fact("product", inspection.product.value, "each product has its own rings"),
    ]
    for ring in inspection.rings:
        if ring.ring in rings:
            found.append(
                _fact(
                    f"ring {ring.ring}: configuration",
                    " and ".join(sorted(state.value for state in ring.states)),
                    "the first step starts from here",
                )
            )
            found.append(
                _fact(
                    f"ring {ring.ring}: primary",
                    " and ".join(sorted(store.value for store in ring.primaries)),
                    "the first step starts from here",
                )
            )
    for file in files:
        found.append(
            _fact(
                file_fact(file.path),
                sha256(file.content),
                "the edits were made for these bytes",
            )
        )
    for name, table in sorted(inspection.tables.items()):
        found.append(
            _fact(
                f"table {name}",
                "absent"
                if table is None
                else "ring table"
                if table.is_ring_table
                else "other keys",
                "the plan creates what is absent",
            )
        )
    images = sorted({pod.pod.image for pod in inspection.pods})
    found.append(_fact("images", ", ".join(images), "what a binary can do was read from these"))
    if inspection.release is not None:
        found.append(
            _fact(
                "chart version",
                inspection.release.chart_version,
                "the deploy renders this chart",
            )
        )
        found.append(_loose("release revision", str(inspection.release.revision)))
    for workload in inspection.workloads:
        found.append(_loose(f"replicas of {workload.name}", str(workload.replicas)))
    found.append(_loose("values files", ", ".join(target.values.files)))
    return tuple(found)


def facts_after(step: Step, facts: Sequence[PlanFact]) -> tuple[PlanFact, ...]:
    """Those of a plan's facts that a step decides, as they are to be once it is over."""
    wanted: dict[str, str] = {file_fact(edit.path): edit.after_sha256 for edit in step.edits}
    for ring, state in step.states.items():
        wanted[f"ring {ring}: configuration"] = state.value
    for ring, store in step.primaries.items():
        wanted[f"ring {ring}: primary"] = store.value
    return tuple(
        msgspec.structs.replace(fact, value=wanted[fact.name])
        for fact in facts
        if fact.name in wanted
    )


def compare(plan: Plan, now: Sequence[PlanFact]) -> tuple[FactChange, ...]:
    """Every fact of the plan that reads otherwise now, those that matter first."""
    current = {fact.name: fact for fact in now}
    changes = [
        FactChange(
            name=fact.name,
            before=fact.value,
            after=current[fact.name].value if fact.name in current else None,
            matters=fact.matters,
            why=fact.why,
        )
        for fact in plan.facts
        if fact.name not in current or current[fact.name].value != fact.value
    ]
    known = {fact.name for fact in plan.facts}
    changes += [
        FactChange(name=fact.name, before=None, after=fact.value, matters=False)
        for fact in now
        if fact.name not in known
    ]
    return tuple(sorted(changes, key=lambda change: (not change.matters, change.name)))


def file_fact(path: str) -> str:
    """The name of the fact that a file has the bytes that the edits were made for."""
    return f"file {path}"


def stale_words(changes: Sequence[FactChange], *, left: Sequence[str], fresh: str) -> str:
    """Every changed fact, what the plan would still do, and what a new plan would do."""
    return (
        "\n".join(f"    {change_words(change)}" for change in changes)
        + f"\n    steps of this plan: {', '.join(left) or 'nothing'}"
        + f"\n    steps of a new plan: {fresh}"
    )


def _fact(name: str, value: str, why: str) -> PlanFact:
    return PlanFact(name=name, value=value, matters=True, why=why)


def _loose(name: str, value: str) -> PlanFact:
    return PlanFact(name=name, value=value, matters=False)

"""Findings about who else changes the release: autoscalers, GitOps, helm, an edit not yet deployed."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.documents.pending_release import release_repair
from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import Inspection, Release
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.target import DeployMethod
from mimir_migrate.words import counted, form


def autoscaler_present(question: Question) -> Iterator[Finding]:
    """`autoscaler-present`: something can add and remove pods in the middle of a step."""
    evidence = [
        question.evidence(
            f"HorizontalPodAutoscaler {scaler.name}",
            f"{scaler.target}: {scaler.current} pods, wants {scaler.desired}",
        )
        for scaler in question.inspection.autoscalers
    ]
    moving = any(scaler.current != scaler.desired for scaler in question.inspection.autoscalers)
    if evidence:
        yield Finding(
            id="autoscaler-present",
            severity=Severity.BLOCKS if moving else Severity.WARNS,
            title="An autoscaler is changing the number of pods now"
            if moving
            else f"{counted(len(evidence), 'autoscaler')} can change the number of pods during a step",
            evidence=shown(evidence),
            fix="Fix the number of replicas for the time of the migration (pause KEDA's ScaledObjects "
            "with the annotation autoscaling.keda.sh/paused).",
        )
    yield from _unanswered(
        question,
        "autoscaler-present",
        "autoscalers",
        "Whether autoscalers can change the number of pods is not known",
    )


def gitops_owner(question: Question) -> Iterator[Finding]:
    """`gitops-owner`: Argo CD or Flux deploys these workloads and would take a change back."""
    owned = [workload for workload in question.inspection.workloads if workload.managed_by]
    if not owned:
        return
    external = question.target.deploy.method is DeployMethod.EXTERNAL
    owners = sorted({workload.managed_by for workload in owned})
    yield Finding(
        id="gitops-owner",
        severity=Severity.INFORMS if external else Severity.BLOCKS,
        title=f"{listed(owners)} {form(owners, 'deploys', 'deploy')} this release"
        + ("" if external else ", and would take back what helm or a command deploys"),
        evidence=shown(
            question.evidence(
                f"{workload.kind} {workload.name}", f"labels of {workload.managed_by}"
            )
            for workload in owned
        ),
        fix="Nothing to do: the plan waits for the deploy."
        if external
        else 'Set [deploy] method = "external" and bring the edits to its repository, or pause it.',
    )


def release_pending(question: Question) -> Iterator[Finding]:
    """`release-pending`: helm's last operation on the release is not over, or failed."""
    release = question.inspection.release
    if release is not None and release.status != "deployed":
        yield Finding(
            id="release-pending",
            severity=Severity.BLOCKS,
            title=f"The helm release {release.name} is {release.status or 'in an unknown state'}, "
            "not deployed",
            evidence=(
                question.evidence(
                    f"Secret sh.helm.release.v1.{release.name}.v{release.revision}",
                    f"status {release.status}"
                    + (f", over revision {release.over}" if release.over else ""),
                ),
            ),
            fix=_until_deployed(release, question.inspection.identity.namespace),
        )
    yield from _unanswered(
        question,
        "release-pending",
        "release's Secret",
        "Whether a helm operation is pending is not known",
    )


def _until_deployed(release: Release, namespace: str) -> str:
    if not release.pending:
        return "Deploy it again until it is deployed, or roll it back (`helm history`, `helm rollback`)."
    repair = release_repair(release.name, namespace, release.over)
    return f"Let the operation end. Where its helm died: {repair}."


def values_differ_from_release(question: Question) -> Iterator[Finding]:
    """`values-differ-from-release`: a deploy would bring more than the edit."""
    values, release = question.values, question.inspection.release
    if values is None:
        return
    if values.equals_release is False:
        yield Finding(
            id="values-differ-from-release",
            severity=Severity.BLOCKS,
            title="The values files are not what the release was deployed with "
            f"({counted(len(values.differing), 'difference')}), so a deploy would change more",
            evidence=shown(question.evidence("values", path) for path in values.differing),
            fix="Deploy the files as they are first, or bring them to what is deployed "
            "(`helm get values`).",
        )
    elif values.equals_release is None and (
        release is not None or question.target.deploy.method is DeployMethod.HELM
    ):
        yield Finding(
            id="values-differ-from-release",
            severity=Severity.BLOCKS,
            title="Whether the values files are what the release was deployed with is not known",
            evidence=(
                question.evidence(
                    "the helm release's Secret",
                    "it holds no values" if release else "there is none that can be read",
                ),
            ),
            fix="Check [kubernetes] release and that the release's Secrets can be read; "
            '[deploy] method = "command" needs no helm release.',
            unknown=True,
        )


def manifests_unknown(question: Question) -> Iterator[Finding]:
    """`manifests-unknown`: nothing shows before a deploy what else it would change."""
    deploy = question.target.deploy
    if deploy.method is not DeployMethod.COMMAND or deploy.template:
        return
    yield Finding(
        id="manifests-unknown",
        severity=Severity.WARNS,
        title="What a deploy would change besides the configuration cannot be shown beforehand",
        evidence=(
            question.evidence(
                "target.toml", '[deploy] method = "command", and no template is named'
            ),
        ),
        fix="Name a command that prints the manifests in [deploy] template, e.g. "
        '"helm template RELEASE CHART --version V -f $RENDERED"; without one the gate blast-radius '
        "holds at each step until it is overridden.",
    )


def _unanswered(question: Question, rule: str, word: str, title: str) -> Iterator[Finding]:
    reasons = _reasons(question.inspection, word)
    if reasons:
        yield Finding(
            id=rule,
            severity=Severity.BLOCKS,
            title=title,
            evidence=shown(question.evidence(source, reason) for source, reason in reasons),
            fix="`mimir-migrate rbac` prints the permissions that the tool needs.",
            unknown=True,
        )


def _reasons(inspection: Inspection, word: str) -> list[tuple[str, str]]:
    return [(each.source, each.reason) for each in inspection.unanswered if word in each.source]


RULES = {
    "autoscaler-present": autoscaler_present,
    "gitops-owner": gitops_owner,
    "manifests-unknown": manifests_unknown,
    "release-pending": release_pending,
    "values-differ-from-release": values_differ_from_release,
}

"""What the tool asks of Kubernetes, as rules: exactly that and nothing else.

`rbac` prints them, and the sandbox's API server enforces them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mimir_migrate.documents.journal_copy import secret_names
from mimir_migrate.model.target import Target

HELM_SECRET = "sh.helm.release.v1.{release}.v{revision}"  # noqa: S105 - helm's name for it
REVISIONS = 30
"""How many deploys after the present one a role that names the release's Secrets is good for."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of a Role or a ClusterRole."""

    group: str = ""
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    """The objects; empty: all of the namespace."""
    verbs: tuple[str, ...]
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """The rule as Kubernetes takes it."""
        made: dict[str, Any] = {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }
        if self.names:
            made["resourceNames"] = list(self.names)
        return made


def namespace_rules(
    target: Target, *, lease: str, revision: int | None = None
) -> tuple[Rule, ...]:
    """What is asked within the release's namespace.

    Args:
        target: The release, and whether a Terraform folder is judged: only then are service
            accounts read.
        lease: The name of the Lease that a run takes.
        revision: The present revision of the helm release, whose Secret and those of the next
            deploys are named; None: it is found by listing, which takes `list` on all Secrets.
    """
    rules = [
        Rule(resources=("pods",), verbs=("list",)),
        Rule(resources=("pods/proxy",), verbs=("get",), why="the pods' own pages"),
        Rule(
            resources=("pods/portforward",),
            verbs=("create",),
            why="only where the API server's proxy does not reach the pods (network policies)",
        ),
        secrets_rule(target.kubernetes.release, revision),
        Rule(
            group="apps", resources=("statefulsets", "deployments", "replicasets"), verbs=("list",)
        ),
        Rule(
            group="networking.k8s.io",
            resources=("networkpolicies",),
            verbs=("list",),
            why="optional: names the policy that closes a port",
        ),
        Rule(group="autoscaling", resources=("horizontalpodautoscalers",), verbs=("list",)),
        Rule(
            group="coordination.k8s.io",
            resources=("leases",),
            verbs=("create",),
            why="one Lease keeps a second operator out; a name cannot be given here",
        ),
        Rule(
            group="coordination.k8s.io",
            resources=("leases",),
            names=(lease,),
            verbs=("get", "update"),
        ),
    ]
    if target.journal.in_cluster:
        rules.append(
            Rule(
                resources=("secrets",),
                names=secret_names(target.kubernetes.release),
                verbs=("get", "update"),
                why="the copy of a run's journal; the Secrets themselves are below, so that none need be "
                "created",
            )
        )
    if target.terraform.dir:
        why = "their role annotation, to judge the permissions of the pods"
        rules.append(Rule(resources=("serviceaccounts",), verbs=("list",), why=why))
    return tuple(rules)


def optional_rules() -> tuple[Rule, ...]:
    """What the app's look at the pod behind a failing gate asks besides; nothing else needs it."""
    return (
        Rule(resources=("pods/log",), verbs=("get",)),
        Rule(resources=("events",), verbs=("list",)),
    )


def secrets_rule(release: str, revision: int | None) -> Rule:
    """How the release's own Secret is read."""
    if revision is None:
        return Rule(
            resources=("secrets",),
            verbs=("get", "list"),
            why="the release's own Secret (chart version, pending deploys), found by listing",
        )
    numbers = range(revision, revision + REVISIONS + 1)
    return Rule(
        resources=("secrets",),
        names=tuple(HELM_SECRET.format(release=release, revision=number) for number in numbers),
        verbs=("get",),
        why=f"the release's own Secret: the present revision, {revision}, and the next {REVISIONS}; "
        "print this again after that many deploys",
    )


def cluster_rules(target: Target) -> tuple[Rule, ...]:
    """What is asked outside of the namespace."""
    return (
        Rule(
            resources=("namespaces",),
            names=tuple(dict.fromkeys(("kube-system", target.kubernetes.namespace))),
            verbs=("get",),
            why="the uid of kube-system tells one cluster from another",
        ),
    )

"""`rbac`: the least permissions of the tool in Kubernetes, and of the tool and the pods in AWS."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from mimir_migrate.cli.options import is_terminal, narrate, target_from
from mimir_migrate.documents.cluster_rights import (
    Rule,
    cluster_rules,
    namespace_rules,
    optional_rules,
)
from mimir_migrate.documents.journal_copy import secret_names
from mimir_migrate.documents.permissions import (
    cleaning_policy,
    pod_actions,
    pod_policy,
    role_policy,
    simulation_policy,
    table_arn,
    tool_policy,
)
from mimir_migrate.engine.effects import lease_name
from mimir_migrate.errors import ExitCode, MigrateError
from mimir_migrate.model.target import Target

_ASKED = {
    "namespace": "Which namespace is the release in?",
    "release": "What is the helm release called?",
    "table": "What is the ring table called ({ring} stands for a ring's name)?",
    "region": "Which AWS region is the table in?",
}
_STAND_INS = {"namespace": "observability", "release": "mimir"}
"""What is written where nobody can be asked; said on stderr."""

_GROUP = "REPLACE-WITH-YOUR-GROUP"


def print_permissions(options: argparse.Namespace) -> int:
    """Print the manifests; what the target does not say is asked in a terminal."""
    target = _asked(target_from(options))
    revision = None if options.list_secrets else _revision(target, options.revision)
    print(manifests(target, revision=revision, cleans=options.clean), end="")
    return ExitCode.DONE


def _asked(target: Target) -> Target:
    """The target with what it lacks: asked of the operator, else as a stand-in that is said."""
    kubernetes, aws, dynamodb = target.kubernetes, target.aws, target.dynamodb
    given = {
        "namespace": kubernetes.namespace,
        "release": kubernetes.release,
        "table": dynamodb.table,
        "region": aws.region,
    }
    for key, question in _ASKED.items():
        if not given[key] and is_terminal():
            narrate(question)
            given[key] = input("> ").strip()
        if not given[key] and key in _STAND_INS:
            given[key] = _STAND_INS[key]
            narrate(f"note: no {key} is named (--{key}): written for {given[key]!r}")
    return msgspec.structs.replace(
        target,
        kubernetes=msgspec.structs.replace(
            kubernetes, namespace=given["namespace"], release=given["release"]
        ),
        aws=msgspec.structs.replace(aws, region=given["region"]),
        dynamodb=msgspec.structs.replace(dynamodb, table=given["table"]),
    )


def _revision(target: Target, named: int | None) -> int | None:
    """The present revision of the release: as named, else as the cluster says, else as asked.

    None where nobody knows it.
    """
    if named is not None:
        return named
    try:
        found = _of_cluster(target)
    except MigrateError as error:
        narrate(f"note: the release's present revision is not known: {error}")
    else:
        if found:
            return found
        narrate(f"note: helm has no release {target.kubernetes.release} there yet")
    if is_terminal():
        narrate("What is its present revision (`helm history`)? Empty: list all Secrets")
        typed = input("> ").strip()
        if typed.isdigit():
            return int(typed)
    narrate("note: without it (--revision N) the role lists the namespace's Secrets")
    return None


def _of_cluster(target: Target) -> int:
    """The revision that is installed; 0 where there is none."""
    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster

    api = KubernetesApi.connect(target.kubernetes, connections=1)
    try:
        release = KubernetesCluster(api, target.kubernetes).release()
    finally:
        api.close()
    return release.revision if release is not None else 0


def manifests(target: Target, *, revision: int | None = None, cleans: bool = False) -> str:
    """Kubernetes manifests, and the IAM policies as comments below them.

    Args:
        target: Names the release and the tables.
        revision: The present one, see `cluster_rights.namespace_rules`.
        cleans: Whether what `clean` needs beyond a migration is wanted too.
    """
    namespace = target.kubernetes.namespace
    rules = namespace_rules(target, lease=lease_name(target.kubernetes.release), revision=revision)
    outside = f"mimir-migrate-{namespace}"
    documents = (
        "# What mimir-migrate needs in the namespace: it reads, and writes one Lease. What the deploy\n"
        "# command needs (helm: ConfigMaps, Secrets, workloads) comes on top, as it does without this"
        " tool.\n" + _role("Role", "mimir-migrate", namespace, rules) + _optional(),
        _role("ClusterRole", outside, "", cluster_rules(target)),
        "# Fill in who runs mimir-migrate, here and below: a Group or a User; a ServiceAccount has a\n"
        "# namespace and no apiGroup.\n" + _binding("RoleBinding", "mimir-migrate", namespace),
        _binding("ClusterRoleBinding", outside, ""),
        *_copies(target),
        _policies(target, cleans=cleans),
    )
    return "---\n".join(documents)


def _copies(target: Target) -> Iterator[str]:
    """The empty Secrets that hold a journal's copy: a right to create Secrets would be one to all."""
    if not target.journal.in_cluster:
        return
    for number, name in enumerate(secret_names(target.kubernetes.release)):
        head = "# For the copy of a run's journal: made once, empty, and then only written.\n"
        yield (head if not number else "") + "\n".join(
            (
                "apiVersion: v1",
                "kind: Secret",
                "metadata:",
                f"  name: {name}",
                f"  namespace: {target.kubernetes.namespace}",
                "type: mimir-migrate/journal",
                "",
            )
        )


def _role(kind: str, name: str, namespace: str, rules: Iterable[Rule]) -> str:
    lines = [*_head(kind, name, namespace), "rules:"]
    for rule in rules:
        lines.extend(_rule(rule))
    return "\n".join((*lines, ""))


def _optional() -> str:
    """Rules of the Role above that nothing else needs, as comments."""
    lines = (line for rule in optional_rules() for line in _rule(rule))
    why = "  # Optional, for `i` on the app's Run screen, a pod's log and events: uncomment what you allow.\n"
    return why + "".join(f"  # {line.removeprefix('  ')}\n" for line in lines)


def _rule(rule: Rule) -> Iterator[str]:
    if rule.why:
        yield f"  # {rule.why[0].upper()}{rule.why[1:]}."
    for number, (key, value) in enumerate(rule.as_json().items()):
        start = f"  {'-' if not number else ' '} {key}:"
        if key == "resourceNames":
            yield start
            yield from (f"      - {name}" for name in value)
        else:
            yield f"{start} {json.dumps(value)}"


def _head(kind: str, name: str, namespace: str) -> Iterator[str]:
    yield "apiVersion: rbac.authorization.k8s.io/v1"
    yield f"kind: {kind}"
    yield "metadata:"
    yield f"  name: {name}"
    if namespace:
        yield f"  namespace: {namespace}"


def _binding(kind: str, name: str, namespace: str) -> str:
    group = "rbac.authorization.k8s.io"
    lines = (
        *_head(kind, name, namespace),
        "roleRef:",
        f"  apiGroup: {group}",
        f"  kind: {kind.removesuffix('Binding')}",
        f"  name: {name}",
        "subjects:",
        f"  - apiGroup: {group}",
        "    kind: Group",
        f"    name: {_GROUP}",
    )
    return "\n".join((*lines, ""))


def _policies(target: Target, *, cleans: bool) -> str:
    table = target.dynamodb.table.replace("{ring}", "*") or "*"
    arns = [table_arn(table, region=target.aws.region)]
    creates = not target.terraform.dir
    tool = tool_policy(arns, creates=creates, ttl=bool(target.dynamodb.ttl))
    if target.through_bridge is not None:
        from mimir_migrate.documents.bridge_manifest import bridge_policy

        return (
            "# IAM policy of whoever runs mimir-migrate:\n"
            + _commented(tool)
            + "# IAM policy of the ring bridge's role; Mimir's pods need no right:\n"
            + _commented(bridge_policy(target.dynamodb.table or "*", target.aws.region))
        )
    return (
        "# IAM policy of whoever runs mimir-migrate:\n"
        + _commented(tool)
        + (
            "# IAM policy of whoever runs `mimir-migrate clean --remove`, besides; take it away after:\n"
            + _commented(cleaning_policy(arns))
            if cleans
            else ""
        )
        + "# Optional, where Terraform does not tell what the pods' role may do:\n"
        + _commented(role_policy())
        + "# Optional, to let IAM say itself what the pods' role may do (a second opinion):\n"
        + _commented(simulation_policy())
        + "# IAM policy of the pods' role (every client version; `terraform` narrows it down):\n"
        + _commented(pod_policy(arns, pod_actions("")))
    )


def _commented(policy: Any) -> str:
    return "".join(f"# {line}\n" for line in json.dumps(policy, indent=2).splitlines())

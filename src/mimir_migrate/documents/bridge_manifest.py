"""The ring bridge as plain Kubernetes objects, and what its role must be allowed.

Nothing of the bridge itself is imported: it is a program in an image, started with options.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mimir_migrate.documents.permissions import ROLE_ANNOTATION, partition_of, table_arn
from mimir_migrate.documents.terraform.write import RingTable, terraform_file
from mimir_migrate.model.changes import TableSpec

Object = dict[str, Any]

BRIDGE_ACTIONS: Final = (
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
)
"""What the bridge calls; a transaction is allowed by the actions of the writes in it."""
PORT: Final = 8500
_ZONE: Final = "topology.kubernetes.io/zone"
_USER: Final = 65532
"""The user that images call `nonroot`."""
_FILES: Final = "/etc/ring-bridge"
_GRACE: Final = 60
"""Seconds from SIGTERM to SIGKILL: the bridge answers for 5 and finishes writes for 20 more."""


class BridgePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a bridge is to be."""

    image: str
    namespace: str
    table: str
    region: str
    cluster: str
    keys: tuple[str, ...]
    name: str = "ring-bridge"
    replicas: int = 3
    role_arn: str = ""
    """The role of its service account (IRSA); empty: by EKS Pod Identity, which needs no annotation."""
    token_secret: str = ""
    """Name of the Secret whose key `token` clients send; empty: none is asked for."""
    tls_secret: str = ""
    """Name of the Secret of type kubernetes.io/tls; empty: no TLS."""
    clients: tuple[tuple[str, str], ...] = (("app.kubernetes.io/name", "mimir"),)
    """Labels of the pods that may reach it."""

    @property
    def labels(self) -> dict[str, str]:
        """Of its pods."""
        return {"app.kubernetes.io/name": "ring-bridge", "app.kubernetes.io/instance": self.name}


def manifest(plan: BridgePlan) -> str:
    """The objects as YAML, with the IAM policy as a comment below them."""
    import yaml

    documents = [
        yaml.safe_dump(one, sort_keys=False, default_flow_style=False, width=1000)
        for one in objects(plan)
    ]
    return "---\n".join([_HEADER, *documents]) + _footer(plan)


def objects(plan: BridgePlan) -> tuple[Object, ...]:
    """The objects, in an order in which they can be applied."""
    return (
        _priority(plan),
        _account(plan),
        _service(plan),
        _deployment(plan),
        _budget(plan),
        _policy(plan),
    )


def bridge_policy(table: str, region: str) -> Object:
    """The least IAM policy of the bridge's role."""
    arn = table_arn(table, region=region, partition=partition_of(region))
    statement = {
        "Sid": "RingBridge",
        "Effect": "Allow",
        "Action": list(BRIDGE_ACTIONS),
        "Resource": [arn],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def bridge_terraform(plan: BridgePlan) -> str:
    """Table and policy as Terraform; the role is attached where its ARN is known."""
    spec = TableSpec(name=plan.table, region=plan.region, tags={"managed-by": "terraform"})
    return terraform_file(
        [RingTable(spec=spec)],
        actions=BRIDGE_ACTIONS,
        role=plan.role_arn.rsplit("/", 1)[-1],
        policy=f"{plan.table}-bridge",
    )


def host(plan: BridgePlan) -> str:
    """What `consul.host` of a ring is set to."""
    scheme = "https://" if plan.tls_secret else ""
    return f"{scheme}{plan.name}.{plan.namespace}.svc:{PORT}"


_HEADER = """\
# The ring bridge: rings in DynamoDB for a Mimir without a client for it. EXPERIMENTAL: never run on AWS.
# It stands on the write path of every ring that reads it. Read docs/bridge.md first.
"""


def _footer(plan: BridgePlan) -> str:
    text = "# What the bridge's role must be allowed, and nothing more:\n"
    text += "".join(
        f"#   {line}\n"
        for line in json.dumps(bridge_policy(plan.table, plan.region), indent=2).splitlines()
    )
    if not plan.role_arn:
        text += (
            "# No role is named (--role-arn): with EKS Pod Identity, once for the service account:\n"
            f"#   aws eks create-pod-identity-association --cluster-name EKS_CLUSTER --namespace "
            f"{plan.namespace} --service-account {plan.name} --role-arn ROLE_ARN\n"
        )
    if plan.token_secret:
        text += (
            f"# The Secret {plan.token_secret} has the token under the key `token`:\n"
            f"#   kubectl create secret generic {plan.token_secret} --namespace {plan.namespace} "
            "--from-file=token=FILE\n"
        )
    return text + f"# In Mimir, for a ring on it: store: consul, consul.host: {host(plan)}\n"


def _meta(plan: BridgePlan, **more: Any) -> Object:
    return {
        "name": plan.name,
        "namespace": plan.namespace,
        "labels": plan.labels,
        **more,
    }


def _priority(plan: BridgePlan) -> Object:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": f"{plan.namespace}-{plan.name}", "labels": plan.labels},
        "value": 1_000_000,
        "globalDefault": False,
        "description": "Rings of Mimir depend on the ring bridge: above Mimir's own pods",
    }


def _account(plan: BridgePlan) -> Object:
    annotations = {"annotations": {ROLE_ANNOTATION: plan.role_arn}} if plan.role_arn else {}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(plan, **annotations),
        "automountServiceAccountToken": False,
    }


def _service(plan: BridgePlan) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(plan),
        "spec": {
            "selector": plan.labels,
            "trafficDistribution": "PreferClose",
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def _deployment(plan: BridgePlan) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(plan),
        "spec": {
            "replicas": plan.replicas,
            "selector": {"matchLabels": plan.labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {"metadata": {"labels": plan.labels}, "spec": _pod(plan)},
        },
    }


def _pod(plan: BridgePlan) -> Object:
    secrets = [
        (name, folder)
        for name, folder in ((plan.token_secret, "token"), (plan.tls_secret, "tls"))
        if name
    ]
    return {
        "serviceAccountName": plan.name,
        "automountServiceAccountToken": False,
        "priorityClassName": f"{plan.namespace}-{plan.name}",
        "terminationGracePeriodSeconds": _GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": _ZONE,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": plan.labels},
                "matchLabelKeys": ["pod-template-hash"],
            }
        ],
        "containers": [_container(plan, secrets)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
            *({"name": folder, "secret": {"secretName": name}} for name, folder in secrets),
        ],
    }


def _container(plan: BridgePlan, secrets: Sequence[tuple[str, str]]) -> Object:
    scheme = "HTTPS" if plan.tls_secret else "HTTP"
    return {
        "name": "ring-bridge",
        "image": plan.image,
        "command": ["mimir-migrate"],
        "args": _arguments(plan),
        "env": [{"name": "MIMIR_MIGRATE_STATE", "value": "/tmp/state"}],  # noqa: S108 - a volume of its own
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "http", "scheme": scheme},
            "periodSeconds": 2,
            "failureThreshold": 1,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http", "scheme": scheme},
            "periodSeconds": 10,
            "failureThreshold": 6,
        },
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a folder of the pod's own
            *(
                {"name": folder, "mountPath": f"{_FILES}/{folder}", "readOnly": True}
                for _, folder in secrets
            ),
        ],
    }


def _arguments(plan: BridgePlan) -> list[str]:
    return [
        "bridge",
        "serve",
        f"--table={plan.table}",
        f"--region={plan.region}",
        f"--cluster={plan.cluster}",
        f"--keys={','.join(plan.keys)}",
        f"--port={PORT}",
        f"--token-file={_FILES}/token/token" if plan.token_secret else "--no-token",
        *(
            (f"--tls-certificate={_FILES}/tls/tls.crt", f"--tls-key={_FILES}/tls/tls.key")
            if plan.tls_secret
            else ()
        ),
    ]


def _budget(plan: BridgePlan) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(plan),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": plan.labels}},
    }


def _policy(plan: BridgePlan) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(plan),
        "spec": {
            "podSelector": {"matchLabels": plan.labels},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": dict(plan.clients)}}],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            ],
        },
    }

"""`rbac`: the least permissions of the tool in Kubernetes, and of the tool and the pods in AWS."""

from __future__ import annotations

import json

from mimir_migrate.documents.permissions import (
    pod_actions,
    pod_policy,
    role_policy,
    table_arn,
    tool_policy,
)
from mimir_migrate.engine.runner import lease_name
from mimir_migrate.model.target import Target

_ROLE = """\
# What mimir-migrate needs in the namespace: it reads, and writes one Lease. What the deploy command
# needs (helm: ConfigMaps, Secrets, workloads) comes on top, as it does without this tool.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: mimir-migrate
  namespace: {namespace}
rules:
  - apiGroups: [""]
    resources: [pods, configmaps, services]
    verbs: [get, list]
  - apiGroups: [""]
    # Their role annotation, to judge the permissions of the pods.
    resources: [serviceaccounts]
    verbs: [get, list]
  - apiGroups: [""]
    resources: [pods/proxy]
    verbs: [get]
  - apiGroups: [""]
    # The release's own Secret, to know the chart's version and whether a deploy is pending.
    resources: [secrets]
    verbs: [get, list]
  - apiGroups: [apps]
    resources: [statefulsets, deployments, replicasets]
    verbs: [get, list]
  - apiGroups: [autoscaling]
    resources: [horizontalpodautoscalers]
    verbs: [get, list]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [{lease}]
    verbs: [get, update, patch]
---
# The uid of kube-system tells one cluster from another.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: mimir-migrate-{namespace}
rules:
  - apiGroups: [""]
    resources: [namespaces]
    resourceNames: [kube-system, {namespace}]
    verbs: [get]
---
# Fill in who runs mimir-migrate, here and below.
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: mimir-migrate
  namespace: {namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: mimir-migrate
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group  # or User; a ServiceAccount has a namespace and no apiGroup
    name: REPLACE-WITH-YOUR-GROUP
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: mimir-migrate-{namespace}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: mimir-migrate-{namespace}
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group
    name: REPLACE-WITH-YOUR-GROUP
"""


def manifests(target: Target) -> str:
    """Kubernetes manifests, and the IAM policies as comments below them."""
    namespace = target.kubernetes.namespace or "observability"
    release = target.kubernetes.release or "mimir"
    table = target.dynamodb.table.replace("{ring}", "*") or "*"
    arns = [table_arn(table, region=target.aws.region)]
    creates = not target.terraform.dir
    tool = tool_policy(arns, creates=creates, ttl=bool(target.dynamodb.ttl))
    pods = pod_policy(arns, pod_actions(""))
    return (
        _ROLE.format(namespace=namespace, lease=lease_name(release))
        + "---\n# IAM policy of whoever runs mimir-migrate:\n"
        + _commented(tool)
        + "# Optional, where Terraform does not tell what the pods' role may do:\n"
        + _commented(role_policy())
        + "# IAM policy of the pods' role (every client version; `terraform` narrows it down):\n"
        + _commented(pods)
    )


def _commented(policy: object) -> str:
    return "".join(f"# {line}\n" for line in json.dumps(policy, indent=2).splitlines())

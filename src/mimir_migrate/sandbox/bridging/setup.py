"""A sandbox's bridge as it is put up: its table, its token, and the objects of `bridge manifest`."""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from mimir_migrate.documents.bridge_manifest import (
    PORT,
    BridgePlan,
    bridge_policy,
    objects,
)
from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.sandbox.aws.client import REGION, aws_client
from mimir_migrate.sandbox.deploy import HttpApi
from mimir_migrate.sandbox.files import SandboxFile
from mimir_migrate.sandbox.furnishing import make_table, table_name

NAME: Final = "ring-bridge"
TOKEN_VARIABLE: Final = "RING_BRIDGE_TOKEN"  # noqa: S105 - a variable's name
TOKEN_SECRET: Final = "ring-bridge-token"  # noqa: S105 - a Secret's name
TOKEN: Final = {
    "name": TOKEN_VARIABLE,
    "valueFrom": {"secretKeyRef": {"name": TOKEN_SECRET, "key": "token"}},
}
"""The token's variable as a container has it."""
USUAL_SPEED: Final = 6.0
MOST_SPEED: Final = 15.0
"""The bridge and its table live in real time: its polls of 0.5 s are 7.5 s for pods of that speed, and a
compare-and-set through three processes takes as many milliseconds at any speed."""
_ENVIRONMENT: Final = re.compile(rb"^(  extraEnv:\n)(?=    - name: GOMAXPROCS)", re.MULTILINE)
"""Where the example's variables of all components begin."""
_PATHS: Final[Mapping[str, str]] = {
    "PriorityClass": "apis/scheduling.k8s.io/v1/priorityclasses",
    "ServiceAccount": "api/v1/namespaces/{ns}/serviceaccounts",
    "Secret": "api/v1/namespaces/{ns}/secrets",
    "Service": "api/v1/namespaces/{ns}/services",
    "Deployment": "apis/apps/v1/namespaces/{ns}/deployments",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
}


def check_speed(speed: float) -> None:
    """Refuse a speed at which pods would outrun the bridge.

    Raises:
        UsageError: With the most.
    """
    if speed > MOST_SPEED:
        raise UsageError(
            f"--speed {speed:g}: with --through bridge the bridge's processes live in real time",
            hint=f"{MOST_SPEED:g} at most; left out: {USUAL_SPEED:g}.",
        )


def with_token(values: bytes) -> bytes:
    """The example's values with the token's variable, from its Secret, for every pod."""
    line = (
        f"    - name: {TOKEN_VARIABLE}\n"
        f"      valueFrom: {{secretKeyRef: {{name: {TOKEN_SECRET}, key: token}}}}\n"
    )
    return _ENVIRONMENT.sub(lambda found: found[1] + line.encode(), values, count=1)


def service_host(sandbox: SandboxFile) -> str:
    """The Service's name as pods resolve it."""
    return f"{NAME}.{sandbox.namespace}.svc"


def target_lines(sandbox: SandboxFile) -> str:
    """The section `[bridge]` of the sandbox's target."""
    return f"""\

[bridge]
service = {json.dumps(service_host(sandbox))}
port = {PORT}
{f'token_variable = "{TOKEN_VARIABLE}"' if sandbox.token_asked else ""}
heartbeat_timeout = "4m"
"""


def put_up(sandbox: SandboxFile) -> None:
    """Make the table, the role and the token, and apply what `bridge manifest` prints.

    Raises:
        UsageError: The API server refused an object.
    """
    make_table(sandbox, sandbox.table)
    plan = bridge_plan(sandbox)
    _make_role(sandbox, plan)
    api = HttpApi(sandbox)
    if sandbox.token_asked:
        token = base64.b64encode(secrets.token_hex(16).encode()).decode()
        metadata = {"name": TOKEN_SECRET, "namespace": sandbox.namespace}
        _create(api, sandbox, {"kind": "Secret", "metadata": metadata, "data": {"token": token}})
    for one in objects(plan):
        _create(api, sandbox, one)


def bridge_plan(sandbox: SandboxFile) -> BridgePlan:
    """What the sandbox's bridge is."""
    return BridgePlan(
        image="mimir-migrate:sandbox",
        namespace=sandbox.namespace,
        name=NAME,
        table=sandbox.table or table_name(),
        region=REGION,
        cluster=f"{sandbox.namespace}-{sandbox.release}",
        keys=tuple(ring.ring_key() for ring in rings_of(Product.MIMIR) if ring.movable),
        role_arn=f"arn:aws:iam::123456789012:role/{_role(sandbox)}",
        token_secret=TOKEN_SECRET if sandbox.token_asked else "",
    )


def _role(sandbox: SandboxFile) -> str:
    return f"{sandbox.namespace}-dev-{NAME}"


def _make_role(sandbox: SandboxFile, plan: BridgePlan) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/sandbox"},
        "Condition": {
            "StringEquals": {"sandbox:sub": f"system:serviceaccount:{plan.namespace}:{NAME}"}
        },
    }
    iam = aws_client("iam", sandbox.aws_port)
    iam.create_role(
        RoleName=_role(sandbox),
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    iam.put_role_policy(
        RoleName=_role(sandbox),
        PolicyName="rings",
        PolicyDocument=json.dumps(bridge_policy(plan.table, plan.region)),
    )


def _create(api: HttpApi, sandbox: SandboxFile, one: Mapping[str, Any]) -> None:
    path = _PATHS[one["kind"]].format(ns=sandbox.namespace)
    code, answer = api.call("POST", path, dict(one))
    if code != http.client.CREATED:
        said = answer.get("message", answer)
        raise UsageError(f"applying the bridge's {one['kind']}: {said}")

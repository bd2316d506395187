"""What a new sandbox is given: values, kubeconfig, target, and what AWS holds before the first deploy."""

from __future__ import annotations

import base64
import json
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import DynamoDBSettings, StoreState
from mimir_migrate.sandbox.aws.client import REGION, aws_client
from mimir_migrate.sandbox.files import SandboxFile
from mimir_migrate.sandbox.kubernetes.certificate import CERTIFICATE

_EXAMPLES: Final[Mapping[Product, str]] = {
    Product.MIMIR: "values.yaml",
    Product.CORTEX: "values-cortex.yaml",
}
_CLUSTER_LABEL: Final = re.compile(rb"^ +cluster_label:.*\n", re.MULTILINE)


def values_text(sandbox: SandboxFile, path: str) -> bytes:
    """The values to start from: a file's, else the example's, in the package or in its checkout."""
    place = Path(path) if path else example_path(sandbox.product)
    try:
        text = place.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the values file {place} cannot be read", hint="Name another with --values."
        ) from error
    return text if path else _as_known(sandbox, text)


def example_path(product: Product) -> Path:
    """Where a product's example values stand: in the package, or in its checkout."""
    here = Path(__file__).resolve()
    folders = [here.parent, *here.parents[2:4]]
    places = [folder / "examples" / _EXAMPLES[product] for folder in folders]
    return next((place for place in places if place.exists()), places[-1])


def _as_known(sandbox: SandboxFile, example: bytes) -> bytes:
    """The example without what an older Cortex refuses: 1.21.1 does not know the label yet."""
    if sandbox.product is Product.MIMIR or sandbox.client == "master":
        return example
    return _CLUSTER_LABEL.sub(b"", example)


def on_dynamodb(sandbox: SandboxFile, text: bytes) -> bytes:
    """The values with every movable ring that is on at `dynamodb` only."""
    from mimir_migrate.documents import edits
    from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, Wanted

    source = SourceFile(path="values.yaml", content=text)
    files = ValuesFiles((source,), product=sandbox.product)
    names = files.view.all_rings
    settings = DynamoDBSettings(
        region=REGION, table_name=table_name(), puller_sync_time=_puller(sandbox)
    )
    wanted = Wanted(
        states=dict.fromkeys(names, StoreState.DYNAMODB), dynamodb=dict.fromkeys(names, settings)
    )
    for edit in files.edit(wanted):
        text = edits.apply(edit, text)
    return text


def table_name() -> str:
    """The ring table that the target names; it does not exist until somebody makes it."""
    return "observability-dev-mimir-rings"


def puller_sync_time(speed: float) -> str:
    """10 s of the sandbox's time as the wall clock has them, a Go duration."""
    return f"{max(1, round(10_000 / speed))}ms"


def _puller(sandbox: SandboxFile) -> str:
    return sandbox.puller_sync_time or puller_sync_time(sandbox.speed)


def write_files(place: Path, sandbox: SandboxFile, bridge: str = "") -> None:
    """Write the kubeconfig and the target of a sandbox that answers.

    Args:
        place: Its folder.
        sandbox: It.
        bridge: The target's section of the ring bridge; empty: rings are moved by the pods' own client.
    """
    trusted = base64.b64encode((place / CERTIFICATE).read_bytes()).decode()
    cluster = {
        "server": f"https://127.0.0.1:{sandbox.tls_port}",
        "certificate-authority-data": trusted,
    }
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "sandbox", "user": {"token": sandbox.token}}],
        "contexts": [
            {
                "name": "sandbox",
                "context": {
                    "cluster": "sandbox",
                    "user": "sandbox",
                    "namespace": sandbox.namespace,
                },
            }
        ],
    }
    path = place / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(kubeconfig, indent=2) + "\n")
    (place / "target.toml").write_text(_target(sandbox, bridge))


def _target(sandbox: SandboxFile, bridge: str) -> str:
    deploy = f"{shlex.quote(sys.executable)} -m mimir_migrate.sandbox.deploy --dir ."
    return f"""\
# A sandbox: a cluster on this machine. Paths are relative to this file.

[kubernetes]
kubeconfig = "kubeconfig"
context = "sandbox"
namespace = {json.dumps(sandbox.namespace)}
release = {json.dumps(sandbox.release)}

[values]
files = ["values.yaml"]

[aws]
region = "{REGION}"
endpoint_url = "http://127.0.0.1:{sandbox.aws_port}"

{_dynamodb(sandbox)}{bridge}
[deploy]
method = "command"
command = {json.dumps(deploy)}
template = {json.dumps(deploy + " --template")}
timeout = "10m"
{_simulation(sandbox.speed)}"""


def _dynamodb(sandbox: SandboxFile) -> str:
    table = f"[dynamodb]\ntable = {json.dumps(sandbox.table or table_name())}\n"
    if sandbox.through:
        return f'{table}through = "{sandbox.through}"\n'
    return f"""\
{table}# 10s of the sandbox's time: DynamoDB's own durations count in the seconds of the wall clock.
puller_sync_time = "{_puller(sandbox)}"
"""


def _simulation(speed: float) -> str:
    """What tells renderers how fast the sandbox lives; nothing where it lives in real time."""
    if speed == 1.0:
        return ""
    return f"""
[simulation]
# How many times as fast as a real cluster it lives. Durations and costs are shown times it; whatever waits
# or judges takes what the pods report.
speed = {speed:g}
"""


def make_table(sandbox: SandboxFile, name: str = "") -> None:
    """Make a ring table, for a sandbox that starts on DynamoDB; left out: the example's."""
    keys = (("RingKey", "HASH"), ("InstanceKey", "RANGE"))
    aws_client("dynamodb", sandbox.aws_port).create_table(
        TableName=name or table_name(),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )


def _table_pattern(sandbox: SandboxFile) -> str:
    return (sandbox.table or table_name()).replace("{ring}", "*")


def make_role(sandbox: SandboxFile) -> None:
    """The role that the example's service account names, allowed what the ring client does."""
    name = f"observability-dev-{sandbox.product.value}"
    account = f"system:serviceaccount:{sandbox.namespace}:{sandbox.product.value}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/sandbox"},
                "Condition": {"StringEquals": {"sandbox:sub": account}},
            }
        ],
    }
    actions = ("Query", "PutItem", "DeleteItem", "BatchWriteItem", "DescribeTable")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [f"dynamodb:{action}" for action in actions],
                "Resource": f"arn:aws:dynamodb:{REGION}:123456789012:table/{_table_pattern(sandbox)}",
            }
        ],
    }
    iam = aws_client("iam", sandbox.aws_port)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="rings", PolicyDocument=json.dumps(policy))

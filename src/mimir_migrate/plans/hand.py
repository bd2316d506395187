"""The commands that do a step by hand, without this tool."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY
from mimir_migrate.model.target import DeployMethod, Target

PATCH_END = "END_OF_PATCH"


def commands_for(
    stage: str,
    target: Target,
    *,
    tables: Sequence[TableSpec] = (),
    edits: Sequence[FileEdit] = (),
    before: Sequence[SourceFile] = (),
) -> tuple[str, ...]:
    """Shell commands in order: create tables, patch the values files, deploy, look."""
    found: list[str] = []
    for table in tables:
        found.extend(create_table(table, target))
    contents = {file.path: file.content for file in before}
    for edit in edits:
        diff = file_edits.unified(edit, contents[edit.path])
        found.append(f"patch --binary {shlex.quote(edit.path)} <<'{PATCH_END}'\n{diff}{PATCH_END}")
    if stage != "tables":
        found.append(deploy_command(target))
        found.append(look_command(target))
    return tuple(found)


def create_table(table: TableSpec, target: Target) -> tuple[str, ...]:
    """`aws dynamodb` commands that make the table as this tool does."""
    options = _aws_options(table, target)
    create = [
        "aws",
        "dynamodb",
        "create-table",
        "--table-name",
        table.name,
        "--billing-mode",
        "PAY_PER_REQUEST",
        "--attribute-definitions",
        f"AttributeName={HASH_KEY},AttributeType=S",
        f"AttributeName={RANGE_KEY},AttributeType=S",
        "--key-schema",
        f"AttributeName={HASH_KEY},KeyType=HASH",
        f"AttributeName={RANGE_KEY},KeyType=RANGE",
        *(["--deletion-protection-enabled"] if table.deletion_protection else []),
        *options,
    ]
    wait = ["aws", "dynamodb", "wait", "table-exists", "--table-name", table.name]
    commands = [shlex.join(create), shlex.join([*wait, *options])]
    if table.ttl:
        ttl = [
            "aws",
            "dynamodb",
            "update-time-to-live",
            "--table-name",
            table.name,
            "--time-to-live-specification",
            "Enabled=true,AttributeName=ttl",
        ]
        commands.append(shlex.join([*ttl, *options]))
    return tuple(commands)


def deploy_command(target: Target) -> str:
    """The command that deploys the values files."""
    kubernetes = target.kubernetes
    match target.deploy.method:
        case DeployMethod.COMMAND:
            return _in_folder(
                target,
                f"VALUES={shlex.quote(' '.join(target.values.files))} "
                f"sh -c {shlex.quote(target.deploy.command)}",
            )
        case DeployMethod.HELM:
            arguments = [
                "helm",
                "upgrade",
                kubernetes.release,
                target.deploy.chart,
                *(["--version", target.deploy.version] if target.deploy.version else []),
                "--namespace",
                kubernetes.namespace,
                *(["--kubeconfig", kubernetes.kubeconfig] if kubernetes.kubeconfig else []),
                *(["--kube-context", kubernetes.context] if kubernetes.context else []),
                *(word for file in target.values.files for word in ("--values", file)),
                *target.deploy.args,
            ]
            return _in_folder(target, shlex.join(arguments))
        case DeployMethod.EXTERNAL:
            return "# Have the values files applied by whatever deploys this release, and wait."


def _in_folder(target: Target, command: str) -> str:
    """A command in the target file's folder, from which the tool runs it too.

    A chart's path, a post renderer or `--set-file` may be relative to it. The shell's own folder stays.
    """
    return f"(cd {shlex.quote(target.folder)} && {command})" if target.folder else command


def left_commands(tables: Sequence[TableSpec], target: Target) -> tuple[str, ...]:
    """Shell commands that delete tables which a rollback leaves behind."""
    found: list[str] = []
    for table in tables:
        where = ["--table-name", table.name, *_aws_options(table, target)]
        if table.deletion_protection:
            off = ["aws", "dynamodb", "update-table", "--no-deletion-protection-enabled"]
            found.append(shlex.join([*off, *where]))
        found.append(shlex.join(["aws", "dynamodb", "delete-table", *where]))
    return tuple(found)


def _aws_options(table: TableSpec, target: Target) -> list[str]:
    """Where a table is and who asks, as flags of `aws`."""
    return [
        *(["--region", table.region] if table.region else []),
        *(["--endpoint-url", target.aws.endpoint_url] if target.aws.endpoint_url else []),
        *(["--profile", target.aws.profile] if target.aws.profile else []),
    ]


def look_command(target: Target) -> str:
    """A command that shows every pod of the release, old ones included."""
    kubernetes = target.kubernetes
    arguments = [
        "kubectl",
        *(["--kubeconfig", kubernetes.kubeconfig] if kubernetes.kubeconfig else []),
        *(["--context", kubernetes.context] if kubernetes.context else []),
        "--namespace",
        kubernetes.namespace,
        "get",
        "pods",
        "--selector",
        f"app.kubernetes.io/instance={kubernetes.release}",
        "--output",
        "wide",
    ]
    return shlex.join(arguments)

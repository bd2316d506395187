"""The commands by hand work from any folder, as the tool's own do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.target import (
    AwsTarget,
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    Target,
    ValuesTarget,
)
from mimir_migrate.plans.hand import deploy_command, left_commands


def run(command: str, cwd: Path, bin_folder: Path) -> str:
    """What a shell prints that runs the command and then says where it is."""
    done = subprocess.run(
        ["/bin/sh", "-ec", f"{command}\npwd"],
        cwd=cwd,
        env={"PATH": f"{bin_folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("method", [DeployMethod.HELM, DeployMethod.COMMAND])
def test_a_deploy_by_hand_runs_in_the_target_files_folder(
    tmp_path: Path, method: DeployMethod
) -> None:
    """A relative chart is found wherever the operator stands, who stands there afterwards as well."""
    folder, elsewhere, programs = (tmp_path / name for name in ("the target", "home", "bin"))
    for each in (folder / "charts" / "mimir", elsewhere, programs):
        each.mkdir(parents=True)
    (programs / "helm").write_text('#!/bin/sh\nls -d "$3" && echo deployed\n')
    (programs / "helm").chmod(0o755)
    target = Target(
        folder=str(folder),
        kubernetes=KubernetesTarget(namespace="m", release="m"),
        values=ValuesTarget(files=(str(folder / "values.yaml"),)),
        deploy=DeployTarget(
            method=method, chart="./charts/mimir", command="ls -d ./charts/mimir && echo deployed"
        ),
    )

    said = run(deploy_command(target), elsewhere, programs)

    assert said.splitlines() == ["./charts/mimir", "deployed", str(elsewhere)]


def test_a_target_without_a_folder_stays_where_it_is() -> None:
    """Flags alone name no folder; their paths are absolute."""
    target = Target(deploy=DeployTarget(method=DeployMethod.HELM, chart="grafana/mimir"))
    assert deploy_command(target).startswith("helm upgrade ")


def test_what_is_left_is_deleted_by_commands_with_its_place() -> None:
    """Deletion protection goes first, where there is one; region, endpoint and profile go along."""
    target = Target(aws=AwsTarget(profile="observability", endpoint_url="http://127.0.0.1:1"))
    tables = (
        TableSpec(name="rings", region="eu-west-1"),
        TableSpec(name="free", region="", deletion_protection=False),
    )
    where = "--endpoint-url http://127.0.0.1:1 --profile observability"
    assert left_commands(tables, target) == (
        (
            "aws dynamodb update-table --no-deletion-protection-enabled --table-name rings "
            f"--region eu-west-1 {where}"
        ),
        f"aws dynamodb delete-table --table-name rings --region eu-west-1 {where}",
        f"aws dynamodb delete-table --table-name free {where}",
    )

"""helm is called with the installed chart, the values files in order, and nothing that surprises."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.adapters.deploy.deployer import Deployer
from mimir_migrate.adapters.deploy.helm import Helm, for_template
from mimir_migrate.adapters.deploy.render import ManifestRenderer, ValuesRender
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import BlockedError, CommandError, UsageError
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.target import (
    DeployMethod,
    DeployTarget,
    KubernetesTarget,
    Target,
    ValuesTarget,
)

CLUSTER = KubernetesTarget(
    kubeconfig="/home/ada/.kube/config", context="eu", namespace="metrics", release="mimir"
)


class Interruption:
    """Stands where a deploy's lock does; whoever began a deploy is interrupted in the middle."""

    descriptor = 0

    def __init__(self, status: Callable[[], str]) -> None:
        self._status = status

    def held(self, run: str, step: str) -> AbstractContextManager[Interruption]:
        return contextlib.nullcontext(self)

    def began(self, pid: int) -> None:
        while True:
            with contextlib.suppress(ValueError):  # the file is being written
                if self._status() == "pending-upgrade":
                    break
            time.sleep(0.02)
        raise KeyboardInterrupt


class Helmsman:
    """Deploys and renders with helm from one target."""

    def __init__(self, folder: Path, *, installed: str = "5.7.0", render: str = "") -> None:
        self.folder = folder
        (folder / "base.yaml").write_text("a: 1\n")
        (folder / "own.yaml").write_text("a: ${A}\n")
        self.target = Target(
            folder=str(folder),
            kubernetes=CLUSTER,
            values=ValuesTarget(render=render),
            deploy=DeployTarget(chart="grafana/mimir-distributed"),
        )
        programs = Programs(Redactor(), grace=0.5)
        self.helm = Helm(programs, CLUSTER, lambda: installed, folder=str(folder))
        self.values = ValuesRender(programs, self.target)
        self.deployer = Deployer(programs, self.helm, self.values)
        self.programs = programs

    def deploy_interrupted(self, status: Callable[[], str]) -> None:
        """Deploy, and be interrupted once helm is in the middle of it."""
        lock: Any = Interruption(status)
        whole = self.deployer
        self.deployer = Deployer(self.programs, self.helm, self.values, lock=lock)
        try:
            self.deploy(args=("--hang",))
        finally:
            self.deployer = whole

    def deploy(self, **fields: object) -> str:
        deploy = DeployTarget(**{"chart": "grafana/mimir-distributed", **fields})
        return self.deployer.deploy(
            Deploy(
                deploy=deploy,
                files=("base.yaml", "own.yaml"),
                release="mimir",
                namespace="metrics",
                folder=str(self.folder),
            ),
            run="run-1",
            step="2-roll",
        ).detail


def test_upgrade_names_everything(helm_program: Any, tmp_path: Path) -> None:
    """The installed version, the namespace, all files in order, arguments, cluster; no other flag."""
    helmsman = Helmsman(tmp_path)
    detail = helmsman.deploy(args=("--set", "image.tag=2.17.0", "--wait"))
    call = helm_program.calls[-1]

    assert call["args"] == [
        *("upgrade", "mimir", "grafana/mimir-distributed", "--version", "5.7.0", "-n", "metrics"),
        *("-f", f"{tmp_path}/base.yaml", "-f", f"{tmp_path}/own.yaml"),
        *("--set", "image.tag=2.17.0", "--wait"),
        *("--kubeconfig", "/home/ada/.kube/config", "--kube-context", "eu"),
    ]
    assert (call["cwd"], call["stdin"]) == (str(tmp_path), "")
    assert detail == "helm upgraded the release mimir with grafana/mimir-distributed 5.7.0"
    assert helm_program.releases["mimir"][-1]["status"] == "deployed"


def test_a_named_version_wins(helm_program: Any, tmp_path: Path) -> None:
    """deploy.version over the installed one."""
    Helmsman(tmp_path).deploy(version="5.8.0")

    assert helm_program.releases["mimir"][-1]["chart"] == "mimir-distributed-5.8.0"


def test_an_unknown_version_is_refused(helm_program: Any, tmp_path: Path) -> None:
    """helm would take the newest chart: it is not called at all."""
    with pytest.raises(UsageError, match="which version") as refused:
        Helmsman(tmp_path, installed="").deploy()

    assert "--chart-version" in refused.value.hint
    assert helm_program.calls == []


@pytest.mark.parametrize(
    "arg",
    [
        *("--reuse-values", "--reset-then-reuse-values", "--atomic", "--atomic=true", "--install"),
        *("-i", "--version=9", "-n", "--kube-context=other", "--dry-run=server"),
    ],
)
def test_arguments_that_deploy_something_else_are_refused(
    helm_program: Any, tmp_path: Path, arg: str
) -> None:
    """The message names the argument and the reason; helm is not called."""
    with pytest.raises(UsageError, match=f"must not hold {arg.split('=', maxsplit=1)[0]}"):
        Helmsman(tmp_path).deploy(args=(arg,))

    assert helm_program.calls == []


def test_no_chart_is_refused(helm_program: Any, tmp_path: Path) -> None:
    """The message names the entry."""
    with pytest.raises(UsageError, match="no chart") as refused:
        Helmsman(tmp_path).deploy(chart="")

    assert "target.toml" in refused.value.hint


def test_a_failed_upgrade_says_what_helm_said(helm_program: Any, tmp_path: Path) -> None:
    """Without the secrets that it printed."""
    with pytest.raises(CommandError, match="cannot patch") as failed:
        Helmsman(tmp_path).deploy(args=("--fail",))

    assert "hunter2" not in failed.value.message + failed.value.stderr


def test_a_release_that_is_not_there(helm_program: Any, tmp_path: Path) -> None:
    """It is not made; the hint says how to find the right one."""
    helm_program.write_releases({})
    with pytest.raises(CommandError, match="no deployed releases") as failed:
        Helmsman(tmp_path).deploy()

    assert "helm list -A" in failed.value.hint


def test_helm_that_was_ended_leaves_the_repair(helm_program: Any, tmp_path: Path) -> None:
    """The release is pending, helm refuses it from then on, and the error has the exact command."""
    helmsman = Helmsman(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        helmsman.deploy_interrupted(lambda: helm_program.releases["mimir"][-1]["status"])
    assert helm_program.releases["mimir"][-1]["status"] == "pending-upgrade"

    with pytest.raises(BlockedError, match="pending-upgrade at revision 2") as blocked:
        helmsman.deploy()
    assert "another operation" in blocked.value.message
    assert "`helm rollback mimir 1 -n metrics`" in blocked.value.hint
    assert "mimir-migrate resume" in blocked.value.hint

    releases = helm_program.releases
    releases["mimir"][-1]["status"] = "deployed"
    helm_program.write_releases(releases)
    assert "upgraded" in helmsman.deploy()


def test_the_repair_goes_back_to_the_last_good_revision(helm_program: Any, tmp_path: Path) -> None:
    """A failed revision is not what to go back to."""
    statuses = ("superseded", "deployed", "failed", "pending-upgrade")
    helm_program.write_releases(
        {
            "mimir": [
                {"revision": n, "status": status, "chart": ""}
                for n, status in enumerate(statuses, 1)
            ]
        }
    )
    blocked = Helmsman(tmp_path).helm.pending("mimir", "metrics")

    assert blocked is not None
    assert "`helm rollback mimir 2 -n metrics`" in blocked.hint


def test_a_whole_release_is_not_pending(helm_program: Any, tmp_path: Path) -> None:
    """Also where helm cannot tell."""
    assert Helmsman(tmp_path).helm.pending("mimir", "metrics") is None
    assert Helmsman(tmp_path).helm.pending("other", "metrics") is None


def test_rendering_does_what_upgrading_does(helm_program: Any, tmp_path: Path) -> None:
    """The same chart, version and settings, on private copies of the contents given."""
    helmsman = Helmsman(tmp_path)
    target = Target(
        folder=str(tmp_path),
        kubernetes=CLUSTER,
        deploy=DeployTarget(
            chart="grafana/mimir-distributed",
            args=("--set", "a=b", "--history-max", "5", "--wait", "--repo=https://charts"),
        ),
    )
    renderer = ManifestRenderer(helmsman.programs, target, helmsman.helm, helmsman.values)
    found = renderer.render({"/x/base.yaml": b"a: 1\n", "/x/own.yaml": b"a: 2\n"})
    call = helm_program.calls[-1]
    copies = [call["args"][8], call["args"][10]]

    assert found == (
        {"kind": "ConfigMap", "data": {"values": "a: 1\n"}},
        {"kind": "ConfigMap", "data": {"values": "a: 2\n"}},
    )
    assert call["args"] == [
        *("template", "mimir", "grafana/mimir-distributed", "--version", "5.7.0", "-n", "metrics"),
        *("-f", copies[0], "-f", copies[1]),
        *("--is-upgrade", "--set", "a=b", "--repo=https://charts"),
    ]
    assert [Path(copy).name for copy in copies] == ["base.yaml", "own.yaml"]
    assert call["modes"] == ["0o600", "0o600"]
    assert not any(Path(copy).exists() for copy in copies)


def test_a_values_template_is_rendered_before_helm_gets_it(
    helm_program: Any, tmp_path: Path
) -> None:
    """helm sees the values as deployed, in a file that nobody else can read."""
    Helmsman(tmp_path, render="cat $VALUES | sed 's/${A}/7/'").deploy()
    call = helm_program.calls[-1]

    assert call["contents"] == ["a: 1\na: 7\n"]
    assert call["modes"] == ["0o600"]


def test_arguments_for_rendering() -> None:
    """What only an upgrade knows is left out with its value; what shapes manifests stays."""
    args = (
        "--timeout",
        "5m",
        "-f",
        "x.yaml",
        "--devel",
        "--wait",
        "--labels=a=b",
        "--set-string",
        "a=b",
    )

    assert for_template(args) == ("-f", "x.yaml", "--devel", "--set-string", "a=b")


@pytest.mark.parametrize(
    ("history", "hint"),
    [
        (("deployed", "pending-upgrade"), "`helm rollback mimir 1 -n metrics`"),
        ((), "`helm history mimir -n metrics`"),
    ],
)
def test_a_command_that_helm_refuses_inside_leaves_the_repair_too(
    helm_program: Any, tmp_path: Path, history: tuple[str, ...], hint: str
) -> None:
    """A helmfile or a script says Helm's words; the exact command is in the error all the same."""
    revisions = [
        {"revision": number, "status": status, "chart": ""}
        for number, status in enumerate(history, 1)
    ]
    helm_program.write_releases({"mimir": revisions} if revisions else {})
    words = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress"
    change = Deploy(
        deploy=DeployTarget(method=DeployMethod.COMMAND, command=f"echo '{words}' >&2; exit 1"),
        release="mimir",
        namespace="metrics",
        files=(),
        folder=str(tmp_path),
    )
    with pytest.raises(BlockedError) as blocked:
        Helmsman(tmp_path).deployer.deploy(change, run="r", step="both")
    assert "another operation" in blocked.value.message
    assert hint in blocked.value.hint
    assert "mimir-migrate resume" in blocked.value.hint

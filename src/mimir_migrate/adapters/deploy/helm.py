"""The helm program: upgrades a release, renders a chart, and tells how to repair a stuck release."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from mimir_migrate import decoding
from mimir_migrate.adapters.process import Programs
from mimir_migrate.documents.pending_release import release_repair
from mimir_migrate.errors import BlockedError, CommandError, UsageError
from mimir_migrate.model.target import DeployTarget, KubernetesTarget

_FORBIDDEN = {
    "--reuse-values": "the values files are what is deployed",
    "--reset-then-reuse-values": "the values files are what is deployed",
    "--atomic": "helm would roll back by itself, behind the gates",
    "--rollback-on-failure": "helm would roll back by itself, behind the gates",
    "--install": "a release that is not there must not be made",
    "-i": "a release that is not there must not be made",
    "--dry-run": "nothing would be deployed",
    "--version": "`deploy.version` names the chart's version",
    "--namespace": "`kubernetes.namespace` names it",
    "-n": "`kubernetes.namespace` names it",
    "--kube-context": "`kubernetes.context` names it",
    "--kubeconfig": "`kubernetes.kubeconfig` names it",
}
"""Arguments of `deploy.args` that would make a deploy another one than was planned."""

_SHARED_WITH_VALUE = frozenset(
    [
        "--set",
        "--set-string",
        "--set-json",
        "--set-literal",
        "--set-file",
        "-f",
        "--values",
        "--repo",
        "--ca-file",
        "--cert-file",
        "--key-file",
        "--username",
        "--password",
        "--keyring",
        "--post-renderer",
        "--post-renderer-args",
    ]
)
_SHARED = frozenset(
    [
        "--devel",
        "--insecure-skip-tls-verify",
        "--pass-credentials",
        "--plain-http",
        "--dependency-update",
        "--no-hooks",
        "--skip-crds",
        "--skip-schema-validation",
        "--disable-openapi-validation",
        "--enable-dns",
        "--verify",
    ]
)
_UPGRADE_WITH_VALUE = frozenset(
    ["--history-max", "--timeout", "--description", "--labels", "-l", "-o", "--output"]
)
"""What `helm upgrade` and `helm template` both know, and what only the former does (helm 3.18)."""

_BUSY = re.compile(r"another operation \(install/upgrade/rollback\) is in progress")
"""What every `helm upgrade` says over a pending revision (helm `pkg/action/action.go`; seen of 4.2.3)."""
_MISSING_RELEASE = re.compile(r"has no deployed releases|release: not found")


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `helm history`."""

    revision: int
    status: str = ""
    chart: str = ""


class Helm:
    """Calls helm for one cluster."""

    def __init__(
        self,
        programs: Programs,
        kubernetes: KubernetesTarget,
        installed_version: Callable[[], str],
        *,
        folder: str = "",
    ) -> None:
        """Call helm as this cluster's context.

        Args:
            programs: Starts it.
            kubernetes: The kubeconfig and the context.
            installed_version: The version of the chart that is installed; empty where it is unknown.
            folder: Where it runs, so that a chart's relative path is the target file's.
        """
        self._programs = programs
        self._kubernetes = kubernetes
        self._installed_version = installed_version
        self._folder = folder

    def upgrade(
        self,
        deploy: DeployTarget,
        *,
        release: str,
        namespace: str,
        files: Sequence[str],
        env: dict[str, str],
        timeout: float,
        inherits: Sequence[int] = (),
        on_start: Callable[[int], None] | None = None,
    ) -> str:
        """Upgrade a release; returns the chart's version. Waits for helm, not for the rollout.

        Raises:
            UsageError: No chart is named, its version is unknown, or an argument is not allowed.
            BlockedError: An earlier helm died in the middle, so that helm refuses the release.
            CommandError: helm failed.
        """
        version = self.version(deploy)
        words = ["helm", "upgrade", release, *self._chart(deploy, version, namespace, files)]
        try:
            self._programs.run(
                [*words, *allowed(deploy.args), *self._cluster()],
                cwd=self._folder,
                env=env,
                timeout=timeout,
                inherits=inherits,
                on_start=on_start,
            )
        except CommandError as error:
            raise self._explained(error, release, namespace) from error
        return version

    def template(
        self,
        deploy: DeployTarget,
        *,
        release: str,
        namespace: str,
        files: Sequence[str],
        timeout: float,
    ) -> str:
        """The manifests that the chart renders to with these values files, as YAML documents.

        Raises:
            UsageError: No chart is named, its version is unknown, or an argument is not allowed.
            CommandError: helm failed.
        """
        version = self.version(deploy)
        words = ["helm", "template", release, *self._chart(deploy, version, namespace, files)]
        done = self._programs.run(
            [*words, "--is-upgrade", *for_template(allowed(deploy.args))],
            cwd=self._folder,
            timeout=timeout,
        )
        return done.stdout

    def version(self, deploy: DeployTarget) -> str:
        """The chart's version to deploy: the one named, else the installed one.

        Raises:
            UsageError: Neither is known. Without a version helm would take the newest chart.
        """
        version = deploy.version or self._installed_version()
        if not version:
            raise UsageError(
                "cannot tell which version of the chart is installed, and helm would take the newest",
                hint="name it: `version` under [deploy] in target.toml, or --chart-version",
            )
        return version

    def pending(self, release: str, namespace: str) -> BlockedError | None:
        """What to do when helm died in the middle of an operation on the release; None: it did not."""
        try:
            done = self._programs.run(
                ["helm", "history", release, "-n", namespace, "-o", "json", *self._cluster()],
                cwd=self._folder,
                timeout=60,
            )
            history = decoding.decode(done.stdout, list[Revision])
        except (CommandError, UsageError, msgspec.DecodeError, msgspec.ValidationError):
            return None
        return release_pending(release, namespace, history)

    def explained(
        self, error: CommandError, release: str, namespace: str
    ) -> CommandError | BlockedError:
        """The error of a command that calls helm, with what to do where helm refused a pending release."""
        if not _BUSY.search(error.stderr):
            return error
        stuck = self.pending(release, namespace)
        hint = f"{release_repair(release, namespace, 0)}; then `mimir-migrate resume`"
        return BlockedError(
            f"{error.message}; {stuck.message if stuck else 'helm refuses the release as pending'}",
            hint=stuck.hint if stuck else hint,
        )

    def _chart(
        self, deploy: DeployTarget, version: str, namespace: str, files: Sequence[str]
    ) -> Iterator[str]:
        if not deploy.chart:
            raise UsageError(
                "no chart is named to deploy with helm",
                hint="name it: `chart` under [deploy] in target.toml, or --chart",
            )
        yield from (deploy.chart, "--version", version, "-n", namespace)
        for path in files:
            yield from ("-f", path)

    def _cluster(self) -> Iterator[str]:
        if self._kubernetes.kubeconfig:
            yield from ("--kubeconfig", self._kubernetes.kubeconfig)
        if self._kubernetes.context:
            yield from ("--kube-context", self._kubernetes.context)

    def _explained(
        self, error: CommandError, release: str, namespace: str
    ) -> CommandError | BlockedError:
        """The error with what to do next."""
        if _MISSING_RELEASE.search(error.stderr):
            hint = f"`helm list -A` shows the releases there are; [kubernetes] names {release}"
            return CommandError(
                error.message, returncode=error.returncode, stderr=error.stderr, hint=hint
            )
        stuck = self.pending(release, namespace)
        if stuck is None:
            return error
        return BlockedError(f"{error.message}; {stuck.message}", hint=stuck.hint)


def release_pending(
    release: str, namespace: str, history: Sequence[Revision]
) -> BlockedError | None:
    """What to do when the newest revision was never finished; None: it was."""
    newest = max(history, key=lambda one: one.revision, default=None)
    if newest is None or not newest.status.startswith("pending-"):
        return None
    good = [one.revision for one in history if one.status in {"deployed", "superseded"}]
    return BlockedError(
        f"the helm release {release} is {newest.status} at revision {newest.revision}: another helm is "
        "at work on it, or died in the middle",
        hint=f"{release_repair(release, namespace, max(good, default=0))}; then `mimir-migrate resume`",
    )


def allowed(args: Sequence[str]) -> tuple[str, ...]:
    """`deploy.args`, refused where they would deploy something else than was planned.

    Raises:
        UsageError: One of them would.
    """
    for word in args:
        name = word.split("=", 1)[0]
        if name in _FORBIDDEN:
            raise UsageError(
                f"deploy.args must not hold {name}: {_FORBIDDEN[name]}",
                hint="take it out of [deploy] args in target.toml",
            )
    return tuple(args)


def for_template(args: Sequence[str]) -> tuple[str, ...]:
    """The arguments of an upgrade that rendering needs as well and knows."""
    kept: list[str] = []
    words = iter(args)
    for word in words:
        name, _, value = word.partition("=")
        if name in _SHARED_WITH_VALUE:
            kept += [word] if value else [word, next(words, "")]
        elif name in _SHARED:
            kept.append(word)
        elif name in _UPGRADE_WITH_VALUE and not value:
            next(words, "")
    return tuple(kept)

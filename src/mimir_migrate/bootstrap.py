"""Puts the parts together: the one place that knows both the core and the adapters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.adapters.identity import host, user_at_host
from mimir_migrate.adapters.journal.locks import RunnerLock
from mimir_migrate.adapters.journal.sqlite import SqliteJournal
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.adapters.undo_records import records_beside
from mimir_migrate.adapters.unexpected import keep_details
from mimir_migrate.documents.journal_copy import JournalCopy
from mimir_migrate.model.changes import Change
from mimir_migrate.model.target import Target
from mimir_migrate.operations import Environment, Operations, RunOptions
from mimir_migrate.ports import Changes, Cluster, Files, Hooks, JournalCopies, Renderer, World
from mimir_migrate.settings import STATE, state_folder

if TYPE_CHECKING:
    from mimir_migrate.adapters.deploy.helm import Helm
    from mimir_migrate.adapters.deploy.lock import DeployLock
    from mimir_migrate.adapters.deploy.render import ValuesRender
    from mimir_migrate.adapters.process import Programs


def operations(state: Path | None = None) -> Operations:
    """Everything that an operator can do, on the real world.

    Args:
        state: The folder for journals; None: the user's.
    """
    store = _Store(state or state_folder())
    return Operations(
        Environment(
            store=store,
            clock=SystemClock(),
            world_for=_Worlds(),
            changes_for=changes_for,
            recorder=recorder,
            spawn=partial(spawn, state=store.folder),
            who=user_at_host(),
            host=host(),
            pid=os.getpid(),
            keep_details=partial(keep_details, folder=store.folder),
            redact=Redactor(os.environ).text,
            records_beside=records_beside,
            hooks_for=hooks_for,
            copies_for=copies_for,
        )
    )


class _Store(JournalStore):
    """The journals; a run's runner holds its lock as long as its process lives."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, redactor=Redactor(os.environ))
        self._lock: RunnerLock | None = None
        self._readers: dict[str, SqliteJournal] = {}

    def open(self, run: str) -> SqliteJournal:
        """Open a journal once; whoever follows a run reads on instead of reading again."""
        if run not in self._readers:
            self._readers[run] = super().open(run)
        return self._readers[run]

    def adopt(self, copy: JournalCopy) -> bool:
        """Take another machine's run in; what was read of it before is read again."""
        if not super().adopt(copy):
            return False
        self._readers.pop(copy.run, None)
        return True

    def open_for_runner(self, run: str) -> SqliteJournal:
        """Become the runner of a run and open its journal."""
        self._lock = self.lock(run)
        return super().open_for_runner(run)


class _Worlds:
    """One world for a target, so that connections are made once."""

    def __init__(self) -> None:
        self._worlds: dict[bytes, World] = {}

    def __call__(self, target: Target) -> World:
        import msgspec

        key = msgspec.json.encode(target)
        if key not in self._worlds:
            self._worlds[key] = world_for(target)
        return self._worlds[key]


def world_for(target: Target) -> World:
    """The reading ports of a target."""
    from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
    from mimir_migrate.adapters.aws.iam import RolePermissions
    from mimir_migrate.adapters.aws.session import AwsClients
    from mimir_migrate.adapters.deploy.render import ManifestRenderer
    from mimir_migrate.adapters.files import DiskFiles
    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.bridge_pods import KubernetesBridgePods
    from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
    from mimir_migrate.adapters.kubernetes.network import ReleaseNetwork
    from mimir_migrate.adapters.kubernetes.pages import ProxyPages
    from mimir_migrate.adapters.kubernetes.stories import ReleaseStories
    from mimir_migrate.adapters.terraform_files import DiskTerraform

    clients = AwsClients(target.aws)
    api = KubernetesApi.connect(target.kubernetes)
    cluster = KubernetesCluster(api, target.kubernetes)
    programs, helm, values = _programs(target, cluster)
    pages = ProxyPages(api, target.kubernetes.namespace)
    return World(
        clock=SystemClock(),
        cluster=cluster,
        pages=pages,
        tables=DynamoDBTables(clients),
        files=DiskFiles(),
        renderer=ManifestRenderer(programs, target, helm, values),
        terraform=DiskTerraform(),
        roles=RolePermissions(clients),
        deploys=deploy_lock(target, cluster),
        network=ReleaseNetwork(api, target.kubernetes.namespace, pages),
        bridge=KubernetesBridgePods(api, target) if target.through_bridge else None,
        stories=ReleaseStories(api, target.kubernetes.namespace),
    )


def renderer_for(target: Target) -> Renderer:
    """What renders a target's values; the cluster is asked for the chart's version only.

    Where the target names the version, no cluster is needed, nor a release or a namespace.
    """
    import msgspec

    from mimir_migrate.adapters.deploy.helm import Helm
    from mimir_migrate.adapters.deploy.render import ManifestRenderer, ValuesRender
    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
    from mimir_migrate.adapters.process import Programs

    def installed() -> str:
        if not (where.namespace and where.release):
            return ""
        release = KubernetesCluster(KubernetesApi.connect(where), where).release()
        return release.chart_version if release is not None else ""

    where = target.kubernetes
    # helm renders nothing without either word; a chart's configuration is the same with any.
    target = msgspec.structs.replace(
        target,
        kubernetes=msgspec.structs.replace(
            where, release=where.release or "release", namespace=where.namespace or "default"
        ),
    )
    programs = Programs(Redactor(os.environ))
    helm = Helm(programs, where, installed, folder=target.folder)
    return ManifestRenderer(programs, target, helm, ValuesRender(programs, target))


def copies_for(target: Target) -> JournalCopies:
    """Where a target's runs are kept in the cluster."""
    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.journal_copies import SecretCopies

    where = target.kubernetes
    return SecretCopies(
        KubernetesApi.connect(where, connections=1), where.namespace, where.release
    )


def hooks_for(target: Target) -> Hooks:
    """What runs the target's hooks."""
    from mimir_migrate.adapters.hooks import CommandHooks

    return CommandHooks(Redactor(os.environ), folder=target.folder)


def changes_for(target: Target, run: str) -> Changes:
    """Everything that changes the world, for one run."""
    del run
    from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
    from mimir_migrate.adapters.aws.remains import RingTableRemains
    from mimir_migrate.adapters.aws.session import AwsClients
    from mimir_migrate.adapters.changes import RealChanges
    from mimir_migrate.adapters.deploy.deployer import Deployer
    from mimir_migrate.adapters.kubernetes.api import KubernetesApi
    from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
    from mimir_migrate.adapters.kubernetes.lease import KubernetesLease

    clock = SystemClock()
    api = KubernetesApi.connect(target.kubernetes)
    cluster = KubernetesCluster(api, target.kubernetes)
    programs, helm, values = _programs(target, cluster)
    clients = AwsClients(target.aws)
    return RealChanges(
        tables=DynamoDBTables(clients),
        remains=RingTableRemains(clients),
        leases=KubernetesLease(api, target.kubernetes.namespace, clock),
        deployments=Deployer(programs, helm, values, lock=deploy_lock(target, cluster)),
    )


def deploy_lock(target: Target, cluster: Cluster) -> DeployLock:
    """What tells of a release's deploy commands that outlived their runner."""
    from mimir_migrate.adapters.deploy.lock import DeployLock

    return DeployLock(
        Path(state_folder()),
        server=cluster.server(),
        namespace=target.kubernetes.namespace,
        release=target.kubernetes.release,
    )


def _programs(target: Target, cluster: Cluster) -> tuple[Programs, Helm, ValuesRender]:
    from mimir_migrate.adapters.deploy.helm import Helm
    from mimir_migrate.adapters.deploy.render import ValuesRender
    from mimir_migrate.adapters.process import Programs

    def installed() -> str:
        release = cluster.release()
        return release.chart_version if release is not None else ""

    programs = Programs(Redactor(os.environ))
    helm = Helm(programs, target.kubernetes, installed, folder=target.folder)
    return programs, helm, ValuesRender(programs, target)


def recorder(files: Files) -> tuple[Changes, Files, Callable[[], Sequence[Change]]]:
    """What a dry run is made of."""
    from mimir_migrate.adapters.recorder import OverlayFiles, RecordingChanges

    changes = RecordingChanges()
    return changes, OverlayFiles(files, changes), lambda: changes.changes


def end_runners(state: Path) -> tuple[str, ...]:
    """End every runner of a state folder on this machine, also one that is busy.

    Returns:
        The runs that were cut short; a runner whose run is over was about to end by itself.

    For the journals of a sandbox that is about to end; a real run is stopped by a request.
    """
    from mimir_migrate.adapters.runner_process import end_process

    store = JournalStore(state, redactor=Redactor(os.environ))
    ended = []
    for run in store.list_runs():
        if run.runner_pid is not None:
            end_process(run.runner_pid, over=partial(_has_no_runner, store, run.run))
            if run.unfinished:
                ended.append(run.run)
    return tuple(ended)


def _has_no_runner(store: JournalStore, run: str) -> bool:
    return store.runner_pid(run) is None


def spawn(run: str, purpose: str, options: RunOptions, *, state: Path | None = None) -> int:
    """Start a runner in a session of its own; its log stands beside the journals."""
    from mimir_migrate.adapters.runner_process import start_detached

    folder = state or state_folder()
    arguments = [sys.executable, "-m", "mimir_migrate", "_work", run, "--purpose", purpose]
    arguments += ["--gate-timeout", str(options.gate_timeout)]
    if options.approve_all:
        arguments.append("--approve-all")
    if options.takeover:
        arguments.append("--takeover")
    if options.canonical:
        arguments.append("--canonical")
    return start_detached(
        arguments, log=folder / "runs" / f"{run}.log", variables={STATE: str(folder)}
    )

"""Brings values files to the cluster, in the way that the target names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from mimir_migrate.adapters.deploy.helm import Helm
from mimir_migrate.adapters.deploy.lock import DeployLock, DeployMark
from mimir_migrate.adapters.deploy.render import ValuesRender
from mimir_migrate.adapters.files import DiskFiles
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.values_files import private_copies, variables
from mimir_migrate.durations import read_duration, spoken
from mimir_migrate.errors import CommandError, UsageError
from mimir_migrate.model.changes import Deploy, Outcome
from mimir_migrate.model.target import DeployMethod


class Deployer:
    """Performs `model.changes.Deploy`. Each way of deploying is safe to repeat."""

    def __init__(
        self,
        programs: Programs,
        helm: Helm,
        values: ValuesRender,
        *,
        lock: DeployLock | None = None,
    ) -> None:
        """Deploy with these programs.

        Args:
            programs: Starts the deploy command.
            helm: Upgrades releases.
            values: Renders values templates before helm gets them.
            lock: Inherited by what deploys, so that the next runner knows of it.
        """
        self._programs = programs
        self._helm = helm
        self._values = values
        self._lock = lock

    def deploy(self, change: Deploy, *, run: str, step: str) -> Outcome:
        """Deploy, or say who must.

        A command may return before or after the rollout; what came of it is for the gates to see.

        Raises:
            UsageError: The target does not say enough, or a program is missing.
            BlockedError: The helm release is stuck, or a dead runner's deploy still runs.
            CommandError: The program failed or took longer than `deploy.timeout`.
        """
        files = tuple(str(Path(change.folder, path).absolute()) for path in change.files)
        env = {**variables(files), "MIMIR_MIGRATE_RUN": run, "MIMIR_MIGRATE_STEP": step}
        match change.deploy.method:
            case DeployMethod.HELM:
                with self._marked(run, step) as mark:
                    return self._with_helm(change, files, env, mark)
            case DeployMethod.COMMAND:
                with self._marked(run, step) as mark:
                    return self._with_command(change, env, mark)
            case DeployMethod.EXTERNAL:
                return Outcome(
                    detail=f"{', '.join(files)} must be applied to the release {change.release} in "
                    f"{change.namespace} by whoever deploys it; the gates wait for that"
                )

    def _marked(self, run: str, step: str) -> contextlib.AbstractContextManager[DeployMark | None]:
        return self._lock.held(run, step) if self._lock else contextlib.nullcontext()

    def _with_helm(
        self, change: Deploy, files: Sequence[str], env: dict[str, str], mark: DeployMark | None
    ) -> Outcome:
        with self._as_deployed(files) as deployed:
            version = self._helm.upgrade(
                change.deploy,
                release=change.release,
                namespace=change.namespace,
                files=deployed,
                env=env,
                timeout=timeout_of(change),
                inherits=(mark.descriptor,) if mark else (),
                on_start=mark.began if mark else None,
            )
        return Outcome(
            detail=f"helm upgraded the release {change.release} with {change.deploy.chart} {version}"
        )

    def _with_command(
        self, change: Deploy, env: dict[str, str], mark: DeployMark | None
    ) -> Outcome:
        if not change.deploy.command:
            raise UsageError(
                "no deploy command is named",
                hint="name it: `command` under [deploy] in target.toml, or --deploy-command",
            )
        try:
            done = self._programs.run(
                change.deploy.command,
                cwd=change.folder,
                env=env,
                timeout=timeout_of(change),
                inherits=(mark.descriptor,) if mark else (),
                on_start=mark.began if mark else None,
            )
        except CommandError as error:
            raise self._helm.explained(error, change.release, change.namespace) from error
        return Outcome(detail=f"the deploy command succeeded after {spoken(done.seconds)}")

    @contextlib.contextmanager
    def _as_deployed(self, files: Sequence[str]) -> Iterator[Sequence[str]]:
        """The files themselves, or a private copy of the values that they render to."""
        if not self._values.configured:
            yield files
            return
        reader = DiskFiles()
        rendered = self._values.rendered_values({path: reader.read(path) for path in files})
        with private_copies({"values.yaml": rendered or b""}) as copies:
            yield copies


def timeout_of(change: Deploy) -> float:
    """Seconds that a deploy may take.

    Raises:
        UsageError: The target's entry is not a duration.
    """
    seconds = read_duration(change.deploy.timeout)
    if not seconds or seconds < 0:
        raise UsageError(
            f"deploy.timeout is not a duration: {change.deploy.timeout!r}",
            hint="write it as 30m or 1h30m",
        )
    return seconds

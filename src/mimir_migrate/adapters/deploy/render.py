"""Renders values files without touching the cluster: to manifests, and to the values as deployed."""

from __future__ import annotations

from collections.abc import Mapping

from mimir_migrate.adapters.deploy.helm import Helm
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.values_files import private_copies, variables
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.target import DeployMethod, Target

_TIMEOUT = 120.0
"""Seconds; a chart of this size renders in one or two."""


class ValuesRender:
    """The values as deployed, where the files are templates of them (`[values] render`)."""

    def __init__(self, programs: Programs, target: Target) -> None:
        self._programs = programs
        self._command = target.values.render
        self._folder = target.folder

    @property
    def configured(self) -> bool:
        """Whether a command is named; otherwise the files are what is deployed."""
        return bool(self._command)

    def rendered_values(self, files: Mapping[str, bytes]) -> bytes | None:
        """The values that the files (path → content, in order) render to; None: no command is named.

        The command runs in the target file's folder and reads copies of the files through `$VALUES`.

        Raises:
            CommandError: The command failed or took too long.
        """
        if not self._command:
            return None
        with private_copies(files) as copies:
            done = self._programs.run(
                self._command, cwd=self._folder, env=variables(copies), timeout=_TIMEOUT
            )
        return done.stdout.encode()


class ManifestRenderer:
    """Implements `ports.Renderer` with `[deploy] template` or `helm template`."""

    def __init__(
        self, programs: Programs, target: Target, helm: Helm, values: ValuesRender
    ) -> None:
        self._programs = programs
        self._target = target
        self._helm = helm
        self._values = values

    def values(self, files: Mapping[str, bytes]) -> bytes | None:
        """The values as deployed, where the files are templates; None: they are deployed as is.

        Raises:
            CommandError: Rendering failed.
        """
        return self._values.rendered_values(files) if self._values.configured else None

    def render(self, files: Mapping[str, bytes]) -> tuple[Mapping[str, object], ...] | None:
        """The manifests that the files (path → content, in order) render to; None: cannot.

        Raises:
            CommandError: Rendering failed.
            DocumentError: What it printed are no manifests.
            UsageError: helm cannot be called with what the target says.
        """
        deploy = self._target.deploy
        if not deploy.template and deploy.method is not DeployMethod.HELM:
            return None
        rendered = self._values.rendered_values(files)
        if deploy.template:
            with (
                private_copies(files) as copies,
                private_copies({} if rendered is None else {"values.yaml": rendered}) as whole,
            ):
                done = self._programs.run(
                    deploy.template,
                    cwd=self._target.folder,
                    env={**variables(copies), "RENDERED": " ".join(whole or copies)},
                    timeout=_TIMEOUT,
                )
            return manifests(done.stdout, "the output of deploy.template")
        contents = files if rendered is None else {"values.yaml": rendered}
        with private_copies(contents) as copies:
            text = self._helm.template(
                deploy,
                release=self._target.kubernetes.release,
                namespace=self._target.kubernetes.namespace,
                files=copies,
                timeout=_TIMEOUT,
            )
        return manifests(text, "the output of helm template")


def manifests(text: str, source: str) -> tuple[Mapping[str, object], ...]:
    """The YAML documents of a text, empty ones left out.

    Raises:
        DocumentError: It is not YAML, or a document is not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    found: list[Mapping[str, object]] = []
    try:
        for document in YAML(typ="safe").load_all(text):
            if isinstance(document, Mapping):
                found.append(document)
            elif document is not None:
                raise DocumentError(
                    f"holds a document that is not a manifest ({type(document).__name__})",
                    path=source,
                    hint="the command must print manifests on stdout and nothing else",
                )
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise DocumentError(
            f"is not YAML: {error.problem or 'it cannot be read'}",
            path=source,
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
            hint="the command must print manifests on stdout and nothing else",
        ) from error
    except (YAMLError, ValueError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DocumentError(
            f"is not YAML that can be read: {said}",
            path=source,
            hint="the command must print manifests on stdout and nothing else",
        ) from error
    return tuple(found)

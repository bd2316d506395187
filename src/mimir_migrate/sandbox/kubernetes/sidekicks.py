"""Pods of a release that are neither Mimir nor Cortex: nginx, the rollout-operator."""

from __future__ import annotations

from mimir_migrate.sandbox.interface import PodPhase, ProcessSpec, Response


class PlainProcess:
    """A process that is ready and knows none of Mimir's pages."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.phase = PodPhase.RUNNING
        self.ready = True
        self.crash_reason = ""
        self.log: tuple[str, ...] = ()

    def get(self, path: str, accept: str) -> Response:  # noqa: ARG002 - a process's signature
        """Answer `/ready` and nothing else."""
        if path.partition("?")[0] == "/ready":
            return Response(status=200, content_type="text/plain", body=b"ok\n")
        return Response(status=404, content_type="text/plain", body=b"404 page not found\n")

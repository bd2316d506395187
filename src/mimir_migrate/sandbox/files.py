"""The folder of a sandbox: what stands in it, and how its parts find each other through it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product

STATE_FILE: Final = "sandbox.json"
"""Its presence marks a folder as a sandbox's."""


class SandboxFile(msgspec.Struct, frozen=True, kw_only=True):
    """`sandbox.json`: a sandbox as its commands and its deploy command know it."""

    product: Product
    speed: float
    seed: int
    namespace: str
    release: str
    stores: tuple[str, ...]
    client: str
    app_version: str
    token: str
    pid: int = 0
    """Of the daemon; 0: it does not run yet."""
    port: int = 0
    """Of the Kubernetes API, for the sandbox's own commands."""
    tls_port: int = 0
    """Of the Kubernetes API with TLS, as the kubeconfig names it."""
    aws_port: int = 0
    values: tuple[str, ...] = ("values.yaml",)
    chart: str = ""
    """The folder of the real chart, rendered by Helm; empty: the sandbox's imitation of it."""
    through: str = ""
    """`bridge`: a ring bridge runs beside the release; empty: none does."""
    token_asked: bool = False
    """Whether that bridge asks for a token, which pods have from a Secret."""
    table: str = ""
    """The ring table that the target names, `{ring}` in it for one each; empty: the example's."""
    puller_sync_time: str = ""
    """What the target says; empty: 10 s of the sandbox's time."""
    binaries: dict[str, str] = {}
    """Image tag → path of the binary that its pods run; the empty tag stands for every other image.

    Empty: the pods are simulated.
    """

    @property
    def host(self) -> str:
        """The API server's host and port."""
        return f"127.0.0.1:{self.port}"


def read_sandbox(folder: str | Path) -> SandboxFile:
    """Read `sandbox.json`.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    path = Path(folder) / STATE_FILE
    try:
        return decoding.decode(path.read_bytes(), SandboxFile)
    except FileNotFoundError as error:
        raise UsageError(
            f"{folder} holds no sandbox",
            hint=f"Start one with `mimir-migrate sandbox up --dir {folder}`.",
        ) from error
    except (OSError, *decoding.UNREADABLE) as error:
        why = error.strerror if isinstance(error, OSError) else decoding.problem(error)
        raise UsageError(
            f"{path} cannot be read: {why}",
            hint=f"End what runs there, remove the folder, and start another with "
            f"`mimir-migrate sandbox up --dir {folder}`.",
        ) from error


def write_sandbox(folder: str | Path, sandbox: SandboxFile) -> None:
    """Write `sandbox.json` whole or not at all; it holds the token, so it is the user's only."""
    path = Path(folder) / STATE_FILE
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(sandbox), indent=2))
    fresh.replace(path)

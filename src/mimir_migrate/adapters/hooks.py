"""Runs the target's hooks: shell commands, each with a limit and facts in its environment."""

from __future__ import annotations

import time

from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.hooks import HookCall, HookResult

_TAIL = 400
"""Characters of what a hook said that the journal keeps."""
_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL: a hook has nothing to bring to an end."""


class CommandHooks:
    """Implements `ports.Hooks` with `sh -c`, in the target file's folder."""

    def __init__(self, redactor: Redactor, *, folder: str) -> None:
        self._redactor = redactor
        self._programs = Programs(redactor, grace=_GRACE)
        self._folder = folder

    def run(self, call: HookCall) -> HookResult:
        """Run one to its end or its limit; what goes wrong is the result's."""
        began = time.monotonic()
        try:
            done = self._programs.run(
                call.command, cwd=self._folder, env=call.facts, timeout=call.limit, check=False
            )
        except MigrateError as error:
            return HookResult(
                code=None, seconds=time.monotonic() - began, tail=self._tail(error.message)
            )
        except Exception as error:  # noqa: BLE001 - a hook never ends a run
            return HookResult(
                code=None, seconds=time.monotonic() - began, tail=type(error).__name__
            )
        said = f"{done.stdout}\n{done.stderr_tail}"
        return HookResult(code=done.returncode, seconds=done.seconds, tail=self._tail(said))

    def _tail(self, text: str) -> str:
        """The end of a text in one line. Redacted before it is cut: half a secret has no shape."""
        clean = " ".join(self._redactor.text(text[-65_536:]).split())
        return clean[-_TAIL:]

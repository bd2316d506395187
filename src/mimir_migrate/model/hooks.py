"""Commands that the target has run beside a run, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class HookPoint(StrEnum):
    """When a hook runs; the names are those of its entries in the target."""

    GATE_WAIT = "gate_wait"
    """A step begins: its gates are waited for before its change is made."""
    APPROVAL = "approval"
    """A step asks for an approval."""
    STEP_DONE = "step_done"
    FAILURE = "failure"
    """The run is held by a gate or the cluster, a change failed, or the run ended as failed."""
    END = "end"
    """The runner ends, whatever came of it."""


class OnFailure(StrEnum):
    """What a hook that fails does to the run."""

    IGNORE = "ignore"
    HOLD = "hold"
    """The run is held before its next change; never in a rollback."""


class HookCall(msgspec.Struct, frozen=True, kw_only=True):
    """One hook to run now."""

    point: HookPoint
    step: str
    command: str
    limit: float
    """Seconds after which it is ended."""
    facts: dict[str, str] = {}
    """What it is told, as variables of its environment. No secret is among them."""


class HookResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a hook ended."""

    code: int | None
    """Its exit code; None: it was ended after its limit, or could not be started."""
    seconds: float
    tail: str = ""
    """The end of what it said, secrets taken out."""

"""The Kubernetes Lease that keeps a second operator out.

Every write carries the `resourceVersion` that was read, so the API server refuses it when somebody
else wrote meanwhile. `holderIdentity` together with `leaseTransitions` is the fencing token: a runner
that was asleep past its lease's end finds another of either and has lost it.

A Lease's times are of its holder's clock. On the holder's own machine they are compared with the
clock; on another machine, whose clock may differ, a Lease counts as run out once it was seen standing
still for as long as it lasts, as Kubernetes' own leader election does it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimir_migrate.adapters import identity
from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi, NotFoundError, object_path
from mimir_migrate.adapters.kubernetes.lease_json import (
    claim_from_json,
    claim_to_json,
    has_run_out,
    parse_time,
    released_to_json,
    runs_out_at,
)
from mimir_migrate.durations import moment_words, spoken
from mimir_migrate.errors import ConflictError, InterruptedRunError, LeaseError
from mimir_migrate.model.changes import LeaseClaim, Outcome
from mimir_migrate.ports import Clock

_GROUP = "apis/coordination.k8s.io/v1"
_TRIES = 5
"""Writes that met somebody else's are made again so often, each after a new look."""
_LOOK = 2.0
"""Seconds between two looks at a Lease that seems abandoned."""


class KubernetesLease:
    """Takes, renews and releases Leases in one namespace. Safe to use from several threads."""

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        clock: Clock,
        *,
        host: str = "",
    ) -> None:
        """`host` is this machine's name; empty: as the system has it."""
        self._api = api
        self._namespace = namespace
        self._clock = clock
        self._host = host or identity.host()
        self._lock = threading.Lock()
        self._tokens: dict[str, int] = {}
        """`leaseTransitions` of each Lease as this process took it."""

    @understood("taking the lease")
    def take(self, claim: LeaseClaim, *, takeover: bool = False) -> Outcome:
        """Claim the Lease.

        A Lease that nobody holds is taken. So is one whose holder worked on the same run on this
        machine and is dead. One that ran out otherwise is taken with `takeover` only; from another
        machine's holder that first waits for as long as the Lease lasts.

        Raises:
            LeaseError: Somebody holds it, or did and `takeover` was not asked for.
            InterruptedRunError: The process was asked to stop while it watched an abandoned Lease.
        """
        with self._lock:
            for _ in range(_TRIES):
                lease = self._read(claim.name)
                before = claim_from_json(lease) if lease else None
                if lease and before:
                    self._check_may_take(lease, before, claim, takeover=takeover)
                try:
                    written = self._write(claim, lease)
                except ConflictError:
                    continue
                self._tokens[claim.name] = _transitions(written)
                again = before is not None and before.holder == claim.holder
                return Outcome(detail=_taken(claim, before), already=again)
        raise LeaseError(
            f"the lease {claim.name} is written by others all the time; it was not taken",
            hint="see who does with `kubectl get lease -o yaml`, then try again",
        )

    @understood("renewing the lease")
    def renew(self, claim: LeaseClaim) -> Outcome:
        """Prolong the Lease and say which step the run is at.

        Raises:
            LeaseError: It is not this process's any more.
        """
        with self._lock:
            for _ in range(_TRIES):
                lease = self._read(claim.name)
                self._check_is_ours(lease, claim)
                try:
                    self._write(claim, lease)
                except (ConflictError, NotFoundError):
                    continue
                return Outcome(
                    detail=f"the lease {claim.name} holds for {spoken(claim.duration)} more"
                )
        raise LeaseError(
            f"the lease {claim.name} is written by others all the time; it could not be renewed",
            hint="nothing is changed any more; `mimir-migrate resume` goes on",
        )

    @understood("giving the lease up")
    def release(self, claim: LeaseClaim) -> Outcome:
        """Give the Lease up; one that is not this process's is left as it is."""
        with self._lock:
            for _ in range(_TRIES):
                lease = self._read(claim.name)
                if lease is None or not self._is_ours(lease, claim):
                    self._tokens.pop(claim.name, None)
                    return Outcome(detail=f"the lease {claim.name} was not held", already=True)
                try:
                    self._api.send("PUT", self._path(claim.name), released_to_json(lease))
                except (ConflictError, NotFoundError):
                    continue
                self._tokens.pop(claim.name, None)
                return Outcome(detail=f"the lease {claim.name} is free")
        raise LeaseError(
            f"the lease {claim.name} is written by others all the time; it could not be released",
            hint="it runs out by itself",
        )

    @understood("reading the lease")
    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            lease: dict[str, Any] = self._api.get(self._path(name))
        except NotFoundError:
            return None
        return lease

    def _write(self, claim: LeaseClaim, lease: Mapping[str, Any] | None) -> dict[str, Any]:
        body = claim_to_json(
            claim, now=self._clock.now(), namespace=self._namespace, existing=lease
        )
        written: dict[str, Any]
        if lease is None:
            written = self._api.send(
                "POST", object_path("leases", self._namespace, group=_GROUP), body
            )
        else:
            written = self._api.send("PUT", self._path(claim.name), body)
        return written

    def _check_may_take(
        self, lease: dict[str, Any], before: LeaseClaim, claim: LeaseClaim, *, takeover: bool
    ) -> None:
        """Raise unless the Lease may be taken from the holder it names."""
        if before.holder == claim.holder or self._died_here(before, claim.run):
            return
        here = _host_of(before.holder) == self._host
        run_out = has_run_out(lease, self._clock.now())
        if run_out and takeover and (here or self._stands_still(lease, before)):
            return
        raise self._refusal(lease, before, claim, run_out=run_out)

    def _died_here(self, before: LeaseClaim, run: str) -> bool:
        """Whether the holder worked on `run` on this machine, and its process is no more."""
        pid = _pid_of(before.holder)
        return (
            before.run == run
            and _host_of(before.holder) == self._host
            and pid is not None
            and not _is_alive(pid)
        )

    def _stands_still(self, lease: dict[str, Any], before: LeaseClaim) -> bool:
        """Watch the Lease for as long as it lasts; False once somebody renews it."""
        version = lease["metadata"].get("resourceVersion")
        end = self._clock.now() + before.duration
        while (now := self._clock.now()) < end:
            self._clock.sleep(min(_LOOK, end - now))
            if self._clock.now() <= now:
                raise InterruptedRunError(
                    f"stopped while watching whether {before.holder} still renews the lease"
                )
            current = self._read(before.name)
            if current is None or current["metadata"].get("resourceVersion") != version:
                return False
        return True

    def _check_is_ours(self, lease: dict[str, Any] | None, claim: LeaseClaim) -> None:
        if lease is not None and self._is_ours(lease, claim):
            return
        now_held = claim_from_json(lease) if lease else None
        by = (
            f"{now_held.holder} holds it for the run {now_held.run}" if now_held else "nobody does"
        )
        raise LeaseError(
            f"this runner lost the lease {claim.name}: {by}; it changes nothing any more",
            hint=f"see `mimir-migrate status {now_held.run}`"
            if now_held and now_held.run
            else "`mimir-migrate resume` takes it again and goes on",
        )

    def _is_ours(self, lease: Mapping[str, Any], claim: LeaseClaim) -> bool:
        found = claim_from_json(lease)
        token = self._tokens.get(claim.name)
        return (
            found is not None
            and found.holder == claim.holder
            and (token is None or token == _transitions(lease))
        )

    def _refusal(
        self, lease: Mapping[str, Any], before: LeaseClaim, claim: LeaseClaim, *, run_out: bool
    ) -> LeaseError:
        now = self._clock.now()
        spec = lease.get("spec") or {}
        renewed = parse_time(spec.get("renewTime")) or before.since
        since = moment_words(before.since)
        about = f"the run {before.run or '(unnamed)'}, {', '.join(before.rings) or 'no ring'}"
        message = (
            f"{before.holder} holds the lease {before.name} of the namespace {self._namespace} "
            f"since {since}, for {about} to {before.store or 'an unnamed store'}, "
            f"at {f'the step {before.step}' if before.step else 'no step yet'}; "
            f"renewed {spoken(round(max(0.0, now - renewed)))} ago"
        )
        takes = f"`mimir-migrate resume {claim.run} --takeover` here"
        if run_out:
            return LeaseError(
                f"{message}, so it has run out",
                hint=f"make sure that its runner is dead, then {takes}",
            )
        left = (runs_out_at(lease) or now) - now
        return LeaseError(
            message,
            hint=f"let it end, or stop it there with `mimir-migrate stop {before.run or 'RUN'}`; if "
            f"its runner is dead, {takes} in {spoken(round(left))}",
        )

    def _path(self, name: str) -> str:
        return object_path("leases", self._namespace, name, group=_GROUP)


def _taken(claim: LeaseClaim, before: LeaseClaim | None) -> str:
    if before is None or before.holder == claim.holder:
        return f"the lease {claim.name} is held by {claim.holder}"
    return f"the lease {claim.name} was taken over from {before.holder}"


def _transitions(lease: Mapping[str, Any]) -> int:
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)


def _host_of(holder: str) -> str:
    """The host in `user@host run-id pid`; empty where it is written otherwise."""
    return holder.split(" ", maxsplit=1)[0].rpartition("@")[2] if "@" in holder else ""


def _pid_of(holder: str) -> int | None:
    last = holder.rsplit(" ", maxsplit=1)[-1]
    return int(last) if last.isdigit() else None


def _is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine; one that only waits to be reaped is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # no Linux, or it went meanwhile
        return True
    # The name in parentheses may hold anything; the state is the letter after it.
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}

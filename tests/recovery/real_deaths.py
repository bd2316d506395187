"""Runners on real processes that die of a real SIGKILL, as often as wanted, on a sandbox of three pods.

The commands are asked for in this process, so that each runner is its child: how it died is what the
operating system says, and nobody polls for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

import crash_points
import msgspec
from outside import Outside
from small_values import SMALL

from mimir_migrate import bootstrap, cli
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.model.changes import Deploy, WriteFile
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Event,
    LegStarted,
    Recorded,
    RunFinished,
    RunnerStarted,
    RunState,
    WaitStarted,
)
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.operations import Operations, RunOptions
from mimir_migrate.plans.planner import Order
from mimir_migrate.sandbox import commands
from mimir_migrate.settings import load_target

SPEED = 60.0
"""At a higher one the windows are shorter than the looks at the cluster: nothing is faster."""
PATIENCE = 300.0
"""Seconds that a runner is given to end or to die, which takes it tens on an idle machine."""

TINY: Mapping[Product, bytes] = {
    product: values.replace(b"  replicas: 3", b"  replicas: 0").replace(
        b"distributor: {replicas: 1}", b"distributor: {replicas: 0}"
    )
    for product, values in SMALL.items()
}
"""Two rulers, so that they can lose sight of each other, and a querier."""

RINGS = ("ruler",)

PLANTED = {
    "DEPLOY_TOKEN": "Planted-9f2c71d0e6b84a35",
    "AWS_SECRET_ACCESS_KEY": "PlantedwJalrXUtnFEMIK7MDENGbPxRfiCY99",
}
"""Secrets for the environment; the deploy command prints them."""


class Deaths:
    """One sandbox, one operator, and the runs that die in front of it.

    Args:
        folder: Where the sandbox and the journals stand; the state folder must be `folder/state`.
        product: What runs in it.
        strategy: How the ring is moved.
    """

    def __init__(self, folder: Path, product: Product, strategy: Strategy) -> None:
        self.folder = folder
        self.product = product
        self.strategy = strategy
        self.sandbox = folder / "sandbox"
        folder.mkdir(exist_ok=True)
        start = folder / "start.yaml"
        start.write_bytes(TINY[product])
        stores = "+dynamodb" if product is Product.MIMIR else ""
        commands.up(
            self.sandbox, product=product.value, stores=stores, speed=SPEED, values=str(start)
        )
        self.look = Outside(self.sandbox)
        self.target = _chatty(load_target(str(self.sandbox / "target.toml"), {}))
        self.slow = self.sandbox / "slow"
        """While there is such a file, the deploy command waits."""
        self.run = ""
        self.kills = 0
        self._pids: list[int] = []
        self._lost = self.lost_sight()

    def close(self) -> None:
        """Stop everything that was started."""
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._pids.clear()
        self.look.close()
        commands.down(self.sandbox)

    # --- what the operator does --------------------------------------------------------------

    @property
    def store(self) -> JournalStore:
        """The journals, opened again."""
        return JournalStore(self.folder / "state")

    @property
    def work(self) -> Operations:
        """What an operator can do, with the pids of the runners noted."""
        made = bootstrap.operations()

        def spawn(run: str, purpose: str, options: RunOptions) -> int:
            self._pids.append(bootstrap.spawn(run, purpose, options))
            return self._pids[-1]

        return Operations(msgspec.structs.replace(made._environment, spawn=spawn))

    def plan(self, to: Store) -> Plan:
        """A plan from what is there now."""
        return self.work.plan(self.target, Order(to=to, rings=RINGS, strategy=self.strategy))

    def apply(self, plan: Plan, *, dies: str = "") -> int:
        """Begin a run; how its runner ended, as `ended` says it."""
        with _Armed(dies):
            self.run = self.work.start(plan, options=RunOptions(approve_all=True))
            return self.ended()

    def go_on(self, command: str, *, dies: str = "") -> int:
        """`resume` or `rollback`; how the runner ended, as `ended` says it."""
        with _Armed(dies):
            self.work.go_on(self.run, command, RunOptions(approve_all=True))
            return self.ended()

    def die(self, command: str, kind: str, share: float, plan: Plan | None = None) -> None:
        """`apply` a plan, `resume` or `rollback` with a runner that dies, and look at what it left.

        The point comes from the dry run of that command: `share` says after which part of what is
        left to do. A runner writes two events at its beginning, two for each step and two for each
        change; those of the gates come on top, so there are at least so many.
        """
        work = self.work
        untouched = self.trace()
        left = work.dry_run(plan) if plan else work.dry_run_of(self.run, command)
        assert self.trace() == untouched, "a dry run touched something"
        count = len(left.changes)
        if kind.endswith("-event"):
            count = 2 + 2 * len(left.plan.steps) + 2 * (count - 2)
        at = f"{kind}:{1 + round(share * (count - 1))}"
        before = 1 if plan else len(self.events())
        code = self.apply(plan, dies=at) if plan else self.go_on(command, dies=at)
        self.check_dead(code, at, before)

    def command(self, *words: str) -> int:
        """Type a command and wait until it ends; its exit code."""
        return cli.run((*words, self.run, "--yes"))

    def killed_in_a_deploy(self, command: str) -> None:
        """`resume` or `rollback` with a runner that is killed while its deploy command waits."""
        self.slow.touch()
        self.work.go_on(self.run, command, RunOptions(approve_all=True))
        self._until(lambda: _deploys(self.events()[-1]))
        self._until(lambda: self.work.status(self.run).runner_pid == self._pids[-1])
        os.kill(self._pids[-1], signal.SIGKILL)
        before = len(self.events())
        self.check_dead(self.ended(), "during:deploy", before)
        assert _deploys(self.events()[-1])

    def waits_for_the_deploy(self, command: str, *, dies: str = "") -> int:
        """The next command waits for what the dead runner left, and says so; how it ended."""
        before = len(self.events())
        with _Armed(dies):
            self.work.go_on(self.run, command, RunOptions(approve_all=True))
            self._until(lambda: self._waits(before))
            assert not any(isinstance(event, LegStarted) for event in self.events()[before:])
            assert "still runs (pid" in self.work.status(self.run).waiting_for
            self.slow.unlink()
            return self.ended()

    def _waits(self, before: int) -> bool:
        return any(
            isinstance(event, WaitStarted) and "of the runner that died" in event.waiting_for
            for event in self.events()[before:]
        )

    @staticmethod
    def _until(condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.05)

    def ended(self) -> int:
        """Wait for the runner: its exit code, or the negative number of the signal it died of."""
        pid = self._pids[-1]
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._pids.pop()
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        raise AssertionError(f"the runner did not end: {self.events()[-3:]}")

    # --- what it left ------------------------------------------------------------------------

    def recorded(self) -> Sequence[Recorded]:
        """The run's journal, checksums verified."""
        with self.store.open(self.run) as journal:
            assert not journal.problem
            return journal.events()

    def events(self) -> list[Event]:
        """What the run's journal holds."""
        return [one.event for one in self.recorded()]

    def lost_sight(self) -> int:
        """What the sandbox's own watch counts."""
        found: int = commands.status(self.sandbox)["lost_sight"]
        return found

    def check_dead(self, code: int, at: str, before: int) -> None:
        """It died of SIGKILL at that point, its journal is whole, and `status` says what to do."""
        assert code == -signal.SIGKILL, (at, code)
        self.kills += 1
        events = self.events()
        kind, _, number = at.partition(":")
        fresh = len(events) - before
        if kind == "before-event":
            assert fresh == int(number) - 1, (at, events[before:])
        elif kind == "after-event":
            assert fresh == int(number), (at, events[before:])
        assert not isinstance(events[-1], RunFinished)
        status = self.work.status(self.run)
        assert status.runner_pid is None
        if any(isinstance(event, RunnerStarted) for event in events):
            assert status.state is RunState.DEAD, (at, status)
            assert f"resume {self.run}" in status.hint
            assert f"rollback {self.run}" in status.hint

    def check_ended(self, state: RunState) -> None:
        """It ended so; nobody lost sight, the lease is free, and only changes touched the servers."""
        last = self.events()[-1]
        assert isinstance(last, RunFinished)
        assert last.state is state, last
        assert self.look.lease() is None
        assert self.lost_sight() == self._lost
        written = [
            event.change.edit.after_sha256
            for event in self.events()
            if isinstance(event, ChangeIntended) and isinstance(event.change, WriteFile)
        ]
        if written:
            assert self.look.files()["values.yaml"] == written[-1]
        check_spans(self.recorded(), self.look)

    def trace(self) -> tuple[object, ...]:
        """What a dry run must leave as it is: requests that the servers saw, files and journals."""
        files = sorted((self.folder / "state").rglob("*.*"))
        kept = [str(path) for path in files if not path.name.endswith("-shm")]
        # Another process reads them: closing a journal's file here would give up SQLite's locks on it.
        sums = subprocess.run(["sha256sum", "/dev/null", *kept], capture_output=True, check=True)
        return (len(self.look.writes()), self.look.files(), sums.stdout)

    def written(self) -> list[str]:
        """What was done to files, each time that one was changed."""
        return [
            event.outcome.detail
            for event in self.events()
            if isinstance(event, ChangeDone) and "is edited" in event.outcome.detail
        ]

    def check_no_secret(self, said: Sequence[str]) -> None:
        """Planted secrets are in nothing that was written or said, and nobody else can read that."""
        folder = self.folder / "state"
        found = [folder, *folder.rglob("*")]
        assert {path.suffix for path in found} >= {".db", ".log", ".lock"}
        for path in found:
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
        texts = [path.read_bytes() for path in found if path.is_file()]
        texts += [one.encode() for one in said]
        for secret in (*PLANTED.values(), self.look._token):
            assert len(secret) > 8
            assert sum(text.count(secret.encode()) for text in texts) == 0


def _chatty(target: Target) -> Target:
    """A target whose deploy command prints secrets of the environment, and waits where it is told."""
    said = "echo token $DEPLOY_TOKEN; echo key $AWS_SECRET_ACCESS_KEY >&2; "
    waits = "while [ -e slow ]; do sleep 0.05; done; "
    command = said + waits + target.deploy.command
    deploy = msgspec.structs.replace(target.deploy, command=command)
    return msgspec.structs.replace(target, deploy=deploy)


def _deploys(event: Event) -> bool:
    return isinstance(event, ChangeIntended) and isinstance(event.change, Deploy)


class _Armed:
    """The runners that are started meanwhile kill themselves at a point; empty: none does."""

    def __init__(self, at: str) -> None:
        self._set = crash_points.variables(at) if at else {}
        self._before = {name: os.environ.get(name) for name in self._set}

    def __enter__(self) -> None:
        os.environ.update(self._set)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def check_spans(recorded: Sequence[Recorded], look: Outside) -> None:
    """Every mutating request that the servers saw falls into a change, or into a runner's life."""
    spans, lives = [], []

    def first(after: int, kinds: UnionType) -> float:
        later = (one.at for one in recorded[after + 1 :] if isinstance(one.event, kinds))
        return next(later, float("inf"))

    for number, one in enumerate(recorded):
        if isinstance(one.event, ChangeIntended):
            # What a dead runner's command still does is over before the next leg is planned.
            spans.append((one.at, first(number, ChangeDone | ChangeFailed | LegStarted)))
        if isinstance(one.event, RunnerStarted):
            lives.append((one.at, first(number, RunnerStarted | RunFinished)))
    writes = [one for one in look.writes() if recorded[0].at <= one["at"] <= recorded[-1].at]
    assert writes
    for write in writes:
        allowed = lives if "/leases" in write["path"] else spans
        assert any(begin <= write["at"] <= end for begin, end in allowed), write
    assert any("/leases" not in write["path"] for write in writes) == bool(spans)


def write_down(record: Path, line: Mapping[str, Any]) -> None:
    """Add a line to a record of deaths; it is on disk when this returns."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())

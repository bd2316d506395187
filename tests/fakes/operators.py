"""Small sandboxes with real processes, and an operator in front of them who has the command only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from answers import Answer

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.model.events import Asked, Event, Held, RunFinished
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox import commands

SPEED = 60.0
PATIENCE = 240.0
"""Seconds after which a test gives up on something that takes a few on an idle machine."""

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], limit: float = PATIENCE) -> Found:
    """The first true value of a condition."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


class Operator:
    """Somebody with the command, a state folder of their own, and one sandbox.

    Args:
        sandbox: The sandbox's folder.
        state: Where the journals of this operator stand.
    """

    def __init__(self, sandbox: Path, state: Path) -> None:
        self.sandbox = sandbox
        self.state = state
        self.target = str(sandbox / "target.toml")
        self.values = sandbox / "values.yaml"
        self.store = JournalStore(state)
        self._environment = {**os.environ, "MIMIR_MIGRATE_STATE": str(state)}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "mimir_migrate", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
            start_new_session=True,
        )

    def end(self, begun: subprocess.Popen[str], code: int | None = None) -> Answer:
        """Wait for a command."""
        try:
            out, err = begun.communicate(timeout=PATIENCE)
        finally:
            if begun.poll() is None:
                begun.kill()
                begun.communicate()
        answer = Answer(begun.returncode, out, err)
        assert "Traceback" not in err, err
        assert "\x1b" not in out + err
        if code is not None:
            assert answer.code == code, answer
        return answer

    def call(self, *arguments: str, code: int | None = 0) -> Answer:
        """Run a command and check its exit code."""
        return self.end(self.begin(*arguments), code)

    def plan(self, to: str, rings: str = "all") -> str:
        """Make a plan; the path of its file."""
        path = str(self.sandbox / "plan.json")
        self.call(
            *("plan", "--target", self.target, "--to", to),
            *("--rings", rings, "--output", path),
        )
        return path

    def run(self) -> str:
        """The newest run."""
        return self.store.list_runs()[0].run

    def events(self, after: int = 0) -> Sequence[Event]:
        """What the newest run's journal holds."""
        return [recorded.event for recorded in self.store.open(self.run()).events(after)]

    def status(self) -> dict[str, Any]:
        """`status --json`."""
        return self.call("status", "--json").document

    def wait_for(self, *kinds: type[Event], matching: Callable[[Any], bool] = bool) -> Event:
        """The first event of such a kind after which the run goes on or ends.

        The run must not end or be held before, unless that is what is waited for.
        """

        def found() -> list[Event]:
            for event in self.events():
                if isinstance(event, kinds) and matching(event):
                    return [event]
                assert not isinstance(event, RunFinished) or RunFinished in kinds, event
            return []

        wait_until(self.store.list_runs)
        return wait_until(found)[0]

    def wait(self, condition: Callable[[], Found]) -> Found:
        """The first true value of a condition."""
        return wait_until(condition)

    def ending(self) -> RunFinished:
        """How the newest run ended; waits until no runner works on it."""
        wait_until(lambda: self.store.runner_pid(self.run()) is None)
        last = self.events()[-1]
        assert isinstance(last, RunFinished), last
        return last

    def kill_runner(self) -> int:
        """SIGKILL to the runner that `status` names; returns once it is gone."""
        pid = self.status()["runner_pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.store.runner_pid(self.run()) is None)
        return pid

    def held(self) -> Held | Asked:
        """The hold or the question that the newest run is in."""
        found: list[Held | Asked] = []

        def look() -> bool:
            found[:] = [event for event in self.events() if isinstance(event, Held | Asked)]
            assert not isinstance(self.events()[-1], RunFinished), self.events()[-1]
            return bool(found)

        wait_until(look)
        return found[-1]

    def inject(self, fault: str, **arguments: str) -> None:
        """Let something go wrong in the sandbox."""
        commands.inject(self.sandbox, fault, arguments)

    def clear(self) -> None:
        """End every fault."""
        commands.inject(self.sandbox, "clear", {})

    def leave(self) -> None:
        """Nobody's runner outlives a test."""
        for listing in self.store.list_runs():
            pid = self.store.runner_pid(listing.run)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)


class Pool:
    """Running sandboxes; one that a test left as it found it serves the next."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._free: dict[str, list[Path]] = {}

    def take(self, product: Product) -> Path:
        """A sandbox of the product that is on memberlist and was never off it, as far as it shows."""
        if self._free.get(product.value):
            return self._free[product.value].pop()
        self._count += 1
        place = self._folder / f"{product.value}-{self._count}"
        start = self._folder / f"{product.value}.yaml"
        start.write_bytes(self.values(product))
        stores = "+dynamodb" if product is Product.MIMIR else ""
        commands.up(place, product=product.value, stores=stores, speed=SPEED, values=str(start))
        return place

    def give_back(self, product: Product, place: Path) -> None:
        """Keep a sandbox for the next test, or stop it if it is not as it was."""
        clean = False
        try:
            commands.inject(place, "clear", {})
            if (place / "values.yaml").read_bytes() == self.values(product):
                wait_until(lambda: commands.status(place)["cluster"]["settled"], 30.0)
                outside = _outside(place)
                clean = outside.lease() is None
                clean = clean and {"memberlist"} == set().union(*outside.stores().values())
                outside.delete_table()
                outside.close()
        finally:
            if clean:
                self._free.setdefault(product.value, []).append(place)
            else:
                commands.down(place)

    @staticmethod
    def operator(sandbox: Path, state: Path) -> Operator:
        """Somebody in front of a sandbox that is not a part of the pool."""
        return Operator(sandbox, state)

    @staticmethod
    def values(product: Product) -> bytes:
        """The values that every sandbox of the pool starts from."""
        from small_values import SMALL

        text: bytes = SMALL[product]
        return text

    def close(self) -> None:
        """Stop all."""
        for places in self._free.values():
            for place in places:
                commands.down(place)


def _outside(place: Path) -> Any:
    from outside import Outside

    return Outside(place)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """The sandboxes of this session."""
    made = Pool(tmp_path_factory.mktemp("sandboxes"))
    yield made
    made.close()


def _operator(pool: Pool, product: Product, tmp_path: Path) -> Iterator[Operator]:
    place = pool.take(product)
    operator = Operator(place, tmp_path / "state")
    try:
        yield operator
    finally:
        operator.leave()
        pool.give_back(product, place)


@pytest.fixture
def mimir(pool: Pool, tmp_path: Path) -> Iterator[Operator]:
    """An operator of a small Mimir (with a DynamoDB client) on memberlist."""
    yield from _operator(pool, Product.MIMIR, tmp_path)


@pytest.fixture
def cortex(pool: Pool, tmp_path: Path) -> Iterator[Operator]:
    """An operator of a small Cortex on memberlist."""
    yield from _operator(pool, Product.CORTEX, tmp_path)


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> Operator:
    """The operator of the product that a test's parameter names."""
    found: Operator = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def outside(request: pytest.FixtureRequest) -> Iterator[Callable[[Operator], Any]]:
    """Makes looks from outside, and closes their connections."""
    made: list[Any] = []

    def look(operator: Operator) -> Any:
        made.append(_outside(operator.sandbox))
        return made[-1]

    yield look
    for one in made:
        one.close()

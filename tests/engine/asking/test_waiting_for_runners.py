"""How long a command waits for a runner: for its answer, and for its end."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from quick_world import FakeClock, QuickWorld

from mimir_migrate.errors import UsageError
from mimir_migrate.model.events import Approved, Recorded, Request, RequestKind
from mimir_migrate.model.target import KubernetesTarget, Target
from mimir_migrate.operations.asking import Asking
from mimir_migrate.operations.planning import Planning
from mimir_migrate.operations.requests import Left
from mimir_migrate.runs.status import RunStatus, status_of

ANSWER = Recorded(
    seq=9, at=0.0, event=Approved(step="swap", question=8, by="olga", answers=("request-1",))
)
LEFT = Left(
    run="run-1", request=Request(kind=RequestKind.APPROVE, by="olga", run="run-1", id="request-1")
)


class Place:
    """A clock, and one run whose runner answers, ends and goes at its time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.answers_at = self.goes_at = float("inf")
        self.ended = True
        world = QuickWorld()
        world.start()
        self._status = status_of("run-1", world.journal.events(), now=self.clock.now())
        self.asking = Asking(self, self, self)  # type: ignore[arg-type]

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self.clock.now() - self.start, 3)

    def events(self, run: str) -> Sequence[Recorded]:
        """The answer, from its time on."""
        return [ANSWER] if self.now >= self.answers_at else []

    def status(self, run: str) -> RunStatus:
        """Where the run stands."""
        return msgspec.structs.replace(
            self._status,
            runner_pid=None if self.now >= self.goes_at else 4711,
            exit_code=0 if self.ended else None,
        )

    def world_for(self, target: Target) -> object:
        """Nobody gets so far."""
        raise AssertionError(target)


@pytest.fixture
def place() -> Place:
    return Place()


def test_an_answer_is_waited_for_up_to_ten_seconds(place: Place) -> None:
    """It is given as soon as it is there."""
    assert place.asking.answer(LEFT) is None
    assert 10.0 <= place.now < 10.5
    assert place.asking.answer(LEFT, within=2.0) is None
    assert 12.0 <= place.now < 12.7
    place.answers_at = place.now + 3
    assert place.asking.answer(LEFT) is ANSWER
    assert 15.0 <= place.now < 15.8


def test_a_runner_that_wrote_its_end_is_waited_for_until_it_is_gone(place: Place) -> None:
    """A request left for it would be read by nobody; one that stays is not waited for for ever."""
    place.goes_at = 3.0
    assert place.asking.settled("run-1").runner_pid is None
    assert 3.0 <= place.now < 3.2
    place.goes_at = float("inf")
    assert place.asking.settled("run-1").runner_pid == 4711
    assert 13.0 <= place.now < 13.4


@pytest.mark.parametrize("gone", [True, False])
def test_a_run_that_did_not_end_is_not_waited_for(place: Place, *, gone: bool) -> None:
    """Whether a runner works on it or none does."""
    place.ended, place.goes_at = gone, 0.0 if gone else float("inf")
    place.asking.settled("run-1")
    assert place.now == 0


def test_a_target_says_what_is_to_be_read(place: Place) -> None:
    """Values files, and a release to watch."""
    planning = Planning(place, place)  # type: ignore[arg-type]
    bare = Target(kubernetes=KubernetesTarget(namespace="", release=""))
    with pytest.raises(UsageError, match="values"):
        planning.sources(bare)
    with pytest.raises(UsageError, match="namespace"):
        next(iter(planning.watch(bare, seconds=1.0)))

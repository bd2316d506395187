"""The watch by itself: what it remembers of samples, and how it waits for a cluster that does not answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import release as fake
from quick_world import FakeClock

from mimir_migrate.engine.asking.desk import Desk
from mimir_migrate.engine.asking.hold import HeldTooLongError, Holds, StopAskedError
from mimir_migrate.engine.leftover import wait_for_leftover
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.engine.watch import Watch, held_pause
from mimir_migrate.errors import DeniedError, MigrateError, PlanStaleError, UnreachableError
from mimir_migrate.model.events import Continued, Held, Request, RequestKind, WaitStarted
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import FactChange

SEEN = fake.release(sizes={"ruler": 1}, on=("ruler",))
WINDOW = 50.0
MOVED = FactChange(name="images", before="a", after="b", matters=True)


class Place:
    """A cluster that answers or does not, the lease, the ground, and a deploy that is left."""

    def __init__(self, limit: float = 100.0) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.journal = MemoryJournal("run-1", self.clock)
        self.desk = Desk(self.journal)
        self.fails: MigrateError | None = None
        self.renewed = 0
        self.seen_by_ground: list[str] = []
        self.files_by_ground: list[str] = []
        self.changed: tuple[FactChange, ...] = ()
        self.left = ""
        holds = Holds(clock=self.clock, journal=self.journal, desk=self.desk, limit=limit)
        self.watch = Watch(look=self.look, holds=holds, keeper=self)  # type: ignore[arg-type]

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self.clock.now() - self.start, 3)

    def look(self) -> Inspection:
        """The cluster."""
        if self.fails is not None:
            raise self.fails
        return msgspec.structs.replace(SEEN, at=self.clock.now())

    def renew_if_due(self) -> None:
        """The lease."""
        self.renewed += 1

    def see(self, step: str, inspection: Inspection) -> tuple[FactChange, ...]:
        """The ground."""
        self.seen_by_ground.append(step)
        return self.changed

    def see_files(self, step: str) -> None:
        """The ground's files."""
        self.files_by_ground.append(step)

    def left_running(self) -> str:
        """A deploy that a dead runner left."""
        return self.left

    def after(self, seconds: float, **fields: object) -> None:
        """Later something is otherwise."""

        def put() -> None:
            for name, value in fields.items():
                setattr(self, name, value)

        self.clock.after(seconds, put)

    def ask_after(self, seconds: float, kind: RequestKind) -> None:
        """Later somebody asks something."""
        request = Request(kind=kind, by="olga", run="run-1")
        self.clock.after(seconds, lambda: setattr(self, "asked", self.journal.leave(request)))

    def of(self, kind: type[Any]) -> list[Any]:
        """Events of one kind."""
        found = [one.event for one in self.journal.events()]
        return [one for one in found if isinstance(one, kind)]

    def sample_for(self, seconds: float, every: float = 10.0) -> Inspection:
        """Samples for so long; the last."""
        end = self.now + seconds
        while True:
            found = self.watch.sample("swap", WINDOW)
            assert found is not None
            if self.now >= end:
                return found
            self.clock.sleep(every)


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_sample_is_compared_with_one_a_window_older(place: Place) -> None:
    """The youngest of those that are, else the oldest of two windows; the first with nothing."""
    first = place.sample_for(0)
    assert place.watch.reference(first, WINDOW) is None
    second = place.sample_for(20, every=20)
    assert place.watch.reference(second, WINDOW) is not None
    reference = place.watch.reference(second, WINDOW)
    assert reference is not None
    assert reference.at - place.start == pytest.approx(0, abs=0.1)
    later = place.sample_for(200)
    reference = place.watch.reference(later, WINDOW)
    assert reference is not None
    assert later.at - reference.at == pytest.approx(WINDOW, abs=0.1)


def test_a_sample_from_before_a_long_pause_is_not_compared_with(place: Place) -> None:
    """It would count what failed before the window."""
    place.sample_for(60)
    place.clock.sleep(2 * WINDOW + 1)
    found = place.watch.sample("swap", WINDOW)
    assert found is not None
    assert place.watch.reference(found, WINDOW) is None
    place.clock.sleep(25)
    found = place.watch.sample("swap", 5.0)
    assert found is not None
    reference = place.watch.reference(found, 5.0)
    assert reference is not None
    assert found.at - reference.at == pytest.approx(25, abs=0.1)


def test_what_was_seen_is_kept_for_two_windows(place: Place) -> None:
    """And three samples at least, however long ago they are."""
    last = place.sample_for(400)
    kept = [past for past, _ in place.watch.seen_since_change(10 * WINDOW)]
    assert last.at - kept[0].at == pytest.approx(2 * WINDOW, abs=10.1)
    few = Place()
    few.sample_for(1000, every=500)
    assert len(list(few.watch.seen_since_change(10_000))) == 3


def test_samples_since_the_change_come_with_their_references(place: Place) -> None:
    """Those of the last two windows; from before the change there is none."""
    place.sample_for(100)
    place.watch.world_changed()
    assert place.watch.latest is None
    assert place.watch.seen is not None
    assert list(place.watch.seen_since_change(WINDOW)) == []
    place.clock.sleep(1)
    last = place.sample_for(130)
    assert place.watch.latest is last
    assert place.watch.seen is last
    pairs = list(place.watch.seen_since_change(WINDOW))
    assert all(last.at - past.at <= 2 * WINDOW for past, _ in pairs)
    assert len(pairs) == 11
    ages = [round(past.at - old.at) for past, old in pairs if old is not None]
    # Those at the beginning of what is kept have none that is a window older.
    assert ages == [10] * 4 + [50] * 7
    past, reference = pairs[-1]
    assert past is last
    assert reference is not None
    assert past.at - reference.at == pytest.approx(WINDOW, abs=0.1)


def test_the_first_sample_since_a_change_has_no_reference(place: Place) -> None:
    """The second is compared with the first, however short ago that was."""
    place.watch.world_changed()
    place.clock.sleep(1)
    place.sample_for(10)
    (first, nothing), (second, before) = place.watch.seen_since_change(WINDOW)
    assert nothing is None
    assert before is first
    assert second.at - first.at == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(
    ("window", "pause", "held"), [(0.1, 0.2, 5.0), (12.0, 2.0, 12.0), (300.0, 5.0, 30.0)]
)
def test_a_hold_looks_seldom_and_gates_often(
    place: Place, window: float, pause: float, held: float
) -> None:
    """By the window, within bounds."""
    assert place.watch.pause(window) == pytest.approx(pause)
    assert held_pause(window) == held


@pytest.mark.parametrize("error", [UnreachableError, DeniedError])
def test_a_cluster_that_does_not_answer_gives_no_sample(
    place: Place, error: type[MigrateError]
) -> None:
    """With why, and what to do about it."""
    place.fails = error("no route", hint="look at the network")
    assert place.watch.sample("swap", WINDOW) is None
    assert place.watch.unasked == (
        "the cluster could not be asked: no route (look at the network)"
    )
    place.fails = error("no route")
    assert place.watch.sample("swap", WINDOW) is None
    assert place.watch.unasked == "the cluster could not be asked: no route"
    assert place.watch.seen is None
    assert place.renewed == 2


def test_a_cluster_that_does_not_answer_holds_the_run_until_it_does(place: Place) -> None:
    """After 20 s; that it is waited for is said at once, and once for each reason."""
    place.fails = UnreachableError("no route")
    place.after(8, fails=UnreachableError("timeout"))
    place.after(40, fails=None)
    assert place.watch.look("swap").at >= place.start + 40
    said = [(one.waiting_for, one.bound, one.step) for one in place.of(WaitStarted)]
    assert said == [
        ("the cluster to answer: no route", 20.0, "swap"),
        ("the cluster to answer: timeout", 20.0, "swap"),
    ]
    (held,) = place.of(Held)
    assert (held.reason, held.step) == ("the cluster could not be asked: timeout", "swap")
    at = {type(one.event): one.at - place.start for one in place.journal.events()}
    assert 20 < at[Held] <= 26
    (over,) = place.of(Continued)
    assert over.by == "the cluster answers"


def test_a_cluster_that_answers_soon_holds_nothing(place: Place) -> None:
    """A moment is no hold."""
    place.fails = UnreachableError("no route")
    place.after(12, fails=None)
    place.watch.look("swap")
    assert place.of(Held) == place.of(Continued) == []


def test_stop_is_heeded_while_the_cluster_does_not_answer(place: Place) -> None:
    """And so is the end of the runner's patience."""
    place.fails = UnreachableError("no route")
    place.ask_after(30, RequestKind.STOP)
    with pytest.raises(StopAskedError):
        place.watch.look("swap")
    other = Place(limit=60.0)
    other.fails = UnreachableError("no route")
    with pytest.raises(HeldTooLongError):
        other.watch.look("swap")
    assert 80 <= other.now <= 95


def test_every_look_is_held_against_the_ground(place: Place) -> None:
    """Samples, and while the run waits the files each second and the cluster each window."""
    place.watch.attend("swap", WINDOW)
    assert place.renewed == 1
    assert place.watch.changed == ()
    place.watch.refuse_changed("swap", SEEN)
    place.watch.stand_on(place, lambda step, changes, seen: PlanStaleError(step))  # type: ignore[arg-type]
    place.watch.sample("both", WINDOW)
    assert place.seen_by_ground == ["both"]
    place.watch.refuse_changed("both", SEEN)
    place.changed = (MOVED,)
    assert place.watch.changed == (MOVED,)
    with pytest.raises(PlanStaleError, match="both"):
        place.watch.refuse_changed("both", SEEN)
    place.seen_by_ground.clear()
    for _ in range(600):
        place.watch.attend("swap", WINDOW)
        place.clock.sleep(0.2)
    assert place.seen_by_ground == ["swap"] * 4
    assert 95 <= len(place.files_by_ground) <= 120
    assert place.renewed >= 600


def test_failures_of_users_are_told_with_their_step(place: Place) -> None:
    """After each sample in a step; before the first there is none."""
    told: list[str] = []
    place.watch.tell_failures(told.append)
    place.watch.sample("swap", WINDOW)
    place.watch.sample("", WINDOW)
    assert set(told) <= {"swap"}


def wait(place: Place, limit: float = 100.0) -> None:
    """Wait for a deploy that a dead runner left."""
    wait_for_leftover(
        deploys=place,  # type: ignore[arg-type]
        journal=place.journal,
        desk=place.desk,
        keeper=place,  # type: ignore[arg-type]
        clock=place.clock,
        limit=limit,
    )


def test_a_deploy_that_is_left_is_waited_for(place: Place) -> None:
    """The lease is kept meanwhile; that it ended is said."""
    wait(place)
    wait_for_leftover(
        deploys=None,
        journal=place.journal,
        desk=place.desk,
        keeper=place,  # type: ignore[arg-type]
        clock=place.clock,
        limit=100.0,
    )
    assert place.journal.events() == ()
    place.left = "helm runs"
    place.after(30, left="")
    wait(place)
    assert [(one.waiting_for, one.bound) for one in place.of(WaitStarted)] == [
        ("its end: helm runs", 100.0)
    ]
    assert [one.by for one in place.of(Continued)] == ["the deploy command ended"]
    assert 30 <= place.now <= 36
    assert place.renewed >= 5


def test_a_deploy_that_does_not_end_is_given_up_and_a_stop_is_heeded(place: Place) -> None:
    """Nothing is planned from what it may still change."""
    place.left = "helm runs"
    with pytest.raises(HeldTooLongError, match="helm runs, and did for 1 min 40 s more"):
        wait(place)
    assert 100 <= place.now <= 106
    other = Place()
    other.left = "helm runs"
    other.ask_after(20, RequestKind.STOP)
    wait(other)
    assert other.now <= 26
    assert other.of(Continued) == []

"""The stops of the guided tour, as data: when each is reached, what to look at, which key is next."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mimir_migrate.model.events import RunState
from mimir_migrate.runs.status import RunStatus

KEYS = {
    "start": "1",
    "inspect": "2",
    "choices": "3",
    "plan": "4",
    "values": "5",
    "run": "6",
    "report": "7",
}
"""The key that leads to each place."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator has come to, as far as the tour asks."""

    place: str
    """The screen in front."""
    looked: bool = False
    """Whether the cluster is inspected."""
    planned: bool = False
    status: RunStatus | None = None
    """Of the run that is followed; None: none was started."""
    was_held: bool = False
    """Whether the fault held the run at an earlier look."""
    saw_values: bool = False
    """Whether the values' difference was in front at an earlier look."""

    def approved(self, step: str) -> bool:
        """Whether somebody approved a step of the run."""
        return self.status is not None and any(one.step == step for one in self.status.approvals)

    def did(self, step: str) -> bool:
        """Whether the run made a step whole."""
        return self.status is not None and step in self.status.done_steps

    def asks_after(self, step: str) -> bool:
        """Whether the run made a step whole, and asks to approve a later one."""
        asks = self.status.approval_for if self.status is not None else ""
        return self.did(step) and asks not in {"", step}

    @property
    def state(self) -> RunState | None:
        """Where the run stands; None: there is none."""
        return self.status.state if self.status is not None else None

    @property
    def is_held(self) -> bool:
        """Whether the run waits for the operator, and not for an approval."""
        return self.state is RunState.HELD and self.status is not None and not self.status.question


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stop."""

    id: str
    place: str
    """The screen that it is about."""
    title: str
    look: str
    """What to look at."""
    next: str
    """What to press next."""
    reached: Callable[[Seen], bool]
    passing: bool = False
    """Whether it is over at once where gates pass at once; it has the number of the one before then, so
    that no number is left out."""


def _always(_: Seen) -> bool:
    return True


def _is_over(seen: Seen) -> bool:
    return seen.state in {RunState.DONE, RunState.ROLLED_BACK}


STOPS: tuple[Stop, ...] = (
    Stop(
        id="inspect",
        place="inspect",
        title="Inspect: where every ring stands",
        look="Above, each ring by component: the store that it reads, and how many of its pods see every "
        "member. Below, what to know before anything is moved. All of it was only read.",
        next="3 for the choices (arrows and Enter before it, if you like: a cell, its pods, what one answered)",
        reached=_always,
    ),
    Stop(
        id="choices",
        place="choices",
        title="Choices: stay, some rings, all of them",
        look="Time, cost and what each road needs, side by side. This cluster is healthy, and the tool "
        "says so: stay. The tour moves on all the same, to show how.",
        next="p makes the plan for all rings",
        reached=lambda seen: seen.looked and seen.place == "choices",
    ),
    Stop(
        id="plan",
        place="plan",
        title="Plan: every step before it is made",
        look="Each step says why, what it changes and touches, by which gates it is proven, how it is "
        "undone. `switch` changes the primary store; at `unmirror` quick rollback ends.",
        next="5 shows what the plan does to the values file",
        reached=lambda seen: seen.planned and seen.place in {"plan", "choices"},
    ),
    Stop(
        id="values",
        place="values",
        title="Values: the lines that change, and no byte more",
        look="Left the file as it is, right as it will be; comments, quotes and order stay. ] goes to "
        "the next step's difference. Durations in the file are the simulation's own.",
        next="4 goes back to the plan, where the run is started",
        reached=lambda seen: seen.planned and seen.place == "values",
    ),
    Stop(
        id="start",
        place="plan",
        title="Start: until here nothing was changed",
        look="A run begins once you typed the release's name, and asks for it again before each step that "
        "matters. On your own cluster press d first: it goes through the whole plan, and changes nothing.",
        next="s starts the run: type mimir, Enter",
        reached=lambda seen: seen.planned and seen.saw_values and seen.place == "plan",
    ),
    Stop(
        id="run",
        place="run",
        title="Run: a process of its own walks the plan",
        look="Left the steps, right the gates that the present one waits for; l is the log, = compares the "
        "two stores pod by pod. On a cluster of yours it goes on when the app is closed.",
        next="nothing: it makes the table, both stores and the mirror, and asks before the switch",
        reached=lambda seen: seen.status is not None,
    ),
    Stop(
        id="approve",
        place="run",
        title="The switch: it asks first",
        look="Both stores hold the same members, and memberlist is whole, to go back to: that evidence stands "
        "in the question, and your answer is for this question only.",
        next="a shows the question: type mimir, Enter",
        reached=lambda seen: seen.status is not None and seen.status.approval_for == "switch",
    ),
    Stop(
        id="fault",
        place="run",
        title="Something goes wrong on purpose",
        look="The tour lets users' requests fail now. Watch the gate users-fine: nothing more is changed "
        "until somebody has looked. u compares their errors with those before the run.",
        next="nothing yet: wait until the run is held",
        reached=lambda seen: seen.approved("switch"),
    ),
    Stop(
        id="held",
        place="run",
        title="Held: it waits for you",
        look="The gate users-fine failed, and the run stands still. The tour has ended its fault; `users "
        "failed`, which stays on the screen and in the report, is what it did.",
        next="r, then y, at any time: it continues once users are fine",
        reached=lambda seen: seen.approved("switch") and seen.is_held,
    ),
    Stop(
        id="goes-on",
        place="run",
        passing=True,
        title="It goes on",
        look="Users are fine again. The gates of the switch are proven now: every pod reads the table, "
        "and both stores hold the same members.",
        next="nothing: wait until the step switch is done, and the run asks for the next one",
        reached=lambda seen: seen.was_held and not seen.is_held,
    ),
    Stop(
        id="rollback",
        place="run",
        title="The switch is done: every ring is read from DynamoDB",
        look="Memberlist is still written, so going back is quick; the run asks before its next step, which "
        "would end that. The tour turns back here, as you could from anywhere.",
        next="b rolls back: type mimir, Enter",
        reached=lambda seen: seen.was_held and not seen.is_held and seen.asks_after("switch"),
    ),
    Stop(
        id="back",
        place="run",
        title="Rolling back",
        look="The same gates about members stand before each step; what is unwell besides does not keep "
        "a rollback from going on. At its end the values file is byte for byte what it was.",
        next="nothing: wait until it is rolled back",
        reached=lambda seen: seen.status is not None and seen.status.purpose == "rollback",
    ),
    Stop(
        id="over",
        place="run",
        title="It is over: the cluster and its values file are as they were",
        look="What happened stands in the journal, and the report is made of it: who approved which step on "
        "which evidence, every gate, what was left behind.",
        next="7 shows the report",
        reached=_is_over,
    ),
    Stop(
        id="report",
        place="report",
        title="The report, and the end of the tour: you have seen all of it",
        look="The arrows read on: steps, approvals, each gate with its evidence. USERS FAILED is the tour's "
        "fault. On your own cluster begin with `mimir-migrate init`, which writes target.toml and nothing else.",
        next="q, Down, Enter: you leave the demo, and the simulated cluster is removed",
        reached=lambda seen: _is_over(seen) and seen.place == "report",
    ),
)


def numbered(at: int) -> str:
    """Which stop of how many, for the operator."""
    passed = sum(not stop.passing for stop in STOPS[: at + 1])
    return f"{passed} of {sum(not stop.passing for stop in STOPS)}"


def furthest(seen: Seen, before: int) -> int:
    """The index of the stop that was come to; a tour never goes backwards.

    Args:
        seen: What the operator has come to.
        before: The index before.
    """
    last = before
    for index, stop in enumerate(STOPS):
        if index > before and stop.reached(seen):
            last = index
    return last


def next_words(stop: Stop, place: str) -> str:
    """What to press next, from the screen that is in front.

    Args:
        stop: The stop that was come to.
        place: The screen in front.
    """
    if place == stop.place or (stop.id == "plan" and place == "choices"):
        lead = "4 shows it; " if stop.id == "plan" and place == "choices" else ""
        return lead + stop.next
    return f"{KEYS[stop.place]} goes there; {stop.next}"

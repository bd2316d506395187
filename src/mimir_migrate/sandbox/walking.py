"""Walks a sandbox through this tool's own commands, as an operator would, and measures what happens.

The commands run as programs of their own, with a state folder of the walk, so that nothing of the
operator's journals is touched. Misses are the sandbox's own count, failures that of its users.
"""

# Longer than 400 lines. One walk from the plan to the rollback, whose commands share what they measured.

from __future__ import annotations

import http.client
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import ExitCode, UsageError
from mimir_migrate.model.events import Recorded
from mimir_migrate.model.plan import StepKind
from mimir_migrate.runs.floors import StepTime, step_times
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.deploy import HttpApi
from mimir_migrate.sandbox.files import read_sandbox
from mimir_migrate.sandbox.processes.users import Count, Users

_SHORT_OUTAGE: Final = "30"
"""Seconds that DynamoDB and the API server are away for."""
_LOOKED_AFTER: Final = 2.0
"""Seconds until a question is answered."""
_USER: Final = "operator"
_SHOWN: Final = 20
_MANY: Final = "1000000"
FAULTS: Final[Mapping[str, str]] = {
    "runner-killed": "the runner is killed with SIGKILL; `resume` goes on",
    "pod-killed": "a pod's process is killed with SIGKILL",
    "bridge-killed": "a replica of the ring bridge is killed with SIGKILL, and away for 30 s",
    "dynamodb-away": "DynamoDB does not answer for 30 s",
    "api-hangs": "the API server takes requests and does not answer for 30 s",
    "api-refuses": "the API server cuts every connection for 30 s",
}


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One command that changed something, from its start to its end."""

    purpose: str
    """`apply`, `resume` or `rollback`."""
    exit_code: int
    seconds: float
    steps: dict[str, float] = {}
    """Step → seconds, gates included."""
    rollouts: dict[str, float] = {}
    """Step → seconds from its change to the newest revision on every pod, where it rolled pods."""
    reason: str = ""
    observations: int = 0
    misses: int = 0
    missed: dict[str, int] = {}
    killed: tuple[str, ...] = ()
    """The pods that were killed on purpose."""
    late: int = 0
    """Pages that were answered only when they were asked again."""
    pushes: Count = Count()
    queries: Count = Count()
    reported_pushes: float | None = None
    """Failed pushes as this tool's report has them; None: it does not say."""
    reported_queries: float | None = None
    faults: tuple[str, ...] = ()
    took: float | None = None
    """What the steps took by the journal, seconds, without the time that somebody was waited for; those
    that a fault befell, and the tables, are left out. None: no step is left."""
    least: float | None = None
    """The sum of the same steps' floors (`runs/floors.py`), seconds."""
    failures: tuple[str, ...] = ()
    """The first requests of users that failed: seconds since the start, what, where, why."""


class Walk:
    """The commands of this tool on one sandbox.

    Args:
        folder: The sandbox's folder.
        say: Told what happens, one line at a time.
        users: Whether users push and query; only pods that are real processes can be asked.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, users: bool) -> None:
        self._folder = folder
        self._state = folder / "state"
        self._say = say
        self._users = Users(self._pods) if users else None
        self._environment = {**os.environ, "MIMIR_MIGRATE_STATE": str(self._state)}
        self._timers: list[threading.Timer] = []

    def __enter__(self) -> Self:
        if self._users is not None:
            self._users.start()
        return self

    def __exit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._users is not None:
            self._users.close()

    def run(self, *arguments: str) -> tuple[int, str]:
        """One command that changes nothing; returns its exit code and its output."""
        done = subprocess.run(
            [sys.executable, "-m", "mimir_migrate", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def confined(self) -> Path:
        """A target whose user is allowed what `rbac` prints and nothing else; its deploys stay Helm's own.

        Raises:
            UsageError: `rbac` prints nothing, or the API server does not take it.
        """
        usual = self._folder / "target.toml"
        code, manifests = self.run("rbac", "--target", str(usual))
        if code:
            raise UsageError(f"rbac ended with {code}: {manifests.strip()}")
        token = secrets.token_hex(16)
        body = {"user": _USER, "token": token, "manifests": manifests}
        status, answer = HttpApi(read_sandbox(self._folder)).call("POST", "sandbox/users", body)
        if status != http.client.OK:
            raise UsageError(f"the sandbox does not take the roles that rbac prints: {answer}")
        kubeconfig = decoding.decode((self._folder / "kubeconfig").read_bytes(), dict[str, Any])
        kubeconfig["users"][0]["user"]["token"] = token
        path = self._folder / "least.kubeconfig"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(kubeconfig))
        text = usual.read_text()
        confined = self._folder / "least.toml"
        confined.write_text(
            text.replace('kubeconfig = "kubeconfig"', f'kubeconfig = "{path.name}"')
        )
        return confined

    def leg(self, *arguments: str, faults: Mapping[str, Sequence[str]] | None = None) -> Leg:
        """One command that changes something, with faults at chosen steps.

        Args:
            arguments: The command, `--yes` and `--json` left out.
            faults: Step → faults that befall it while it waits for its gates.
        """
        before = commands.status(self._folder)
        pushes, queries = self._counts()
        began, started = time.monotonic(), time.time()
        events = Events()
        self._follow(arguments, events, dict(faults or {}))
        after = commands.status(self._folder)
        more_pushes, more_queries = self._counts()
        times = self._times(started, events.disturbed)
        missed_before = before.get("missed", {})
        missed = {
            key: count - missed_before.get(key, 0)
            for key, count in after.get("missed", {}).items()
            if count > missed_before.get(key, 0)
        }
        return Leg(
            purpose=arguments[0],
            exit_code=events.exit_code,
            seconds=round(time.monotonic() - began, 1),
            steps=events.steps,
            rollouts=events.rollouts,
            reason=events.reason,
            observations=int(after["observations"]) - int(before["observations"]),
            misses=int(after["lost_sight"]) - int(before["lost_sight"]),
            missed=missed,
            killed=tuple(events.killed),
            late=int(after.get("late", 0)) - int(before.get("late", 0)),
            pushes=_since(pushes, more_pushes),
            queries=_since(queries, more_queries),
            faults=tuple(events.faults),
            took=round(sum(one.took for one in times), 1) if times else None,
            least=round(sum(one.floor for one in times), 1) if times else None,
            failures=self._failures(started),
        )

    def steps_of(self, plan: Path) -> tuple[str, ...]:
        """The steps of a plan's file, by id."""
        found = decoding.decode(plan.read_bytes(), dict[str, Any])
        return tuple(str(step["id"]) for step in found["steps"])

    def reported(self) -> tuple[float | None, float | None]:
        """Failed pushes and queries of the newest run, as its report has them."""
        report = self._report()
        return failures_in(report) if report is not None else (None, None)

    def _report(self) -> Mapping[str, Any] | None:
        """The newest run's report; None: there is no run, or no report of it."""
        code, text = self.run("runs", "--json")
        runs = decoding.decode(text.encode(), dict[str, Any]).get("runs", ()) if not code else ()
        if not runs:
            return None
        path = self._state / "report.json"
        newest = max(str(one["run"]) for one in runs)
        code, _ = self.run("report", newest, "--output", str(path))
        return None if code else decoding.decode(path.read_bytes(), dict[str, Any])

    def _times(self, since: float, disturbed: Collection[str]) -> tuple[StepTime, ...]:
        """What the steps of the newest run took that were begun after `since`, a time of day.

        Steps that a fault befell are left out, and so are tables: they cost what AWS takes.
        """
        report = self._report() or {}
        events = decoding.convert(report.get("events") or [], list[Recorded])
        times = step_times([one for one in events if one.at >= since])
        return tuple(one for one in times if one.step not in {*disturbed, StepKind.TABLES.value})

    def _counts(self) -> tuple[Count, Count]:
        if self._users is None:
            return Count(), Count()
        return self._users.count("push"), self._users.count("query")

    def _failures(self, since: float) -> tuple[str, ...]:
        found = self._users.failures if self._users is not None else []
        return tuple(
            f"{one.at - since:.1f} s {one.kind} {one.pod}: {one.why}"
            for one in found
            if one.at >= since
        )[:_SHOWN]

    def _pods(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = commands.status(self._folder)["pods"]
        return found

    def _follow(
        self, arguments: Sequence[str], events: Events, faults: dict[str, Sequence[str]]
    ) -> None:
        """Run a command to its end, going on with `resume` where its runner was killed.

        A command whose run asks something ends with 3 where nobody sits in front of it; its run goes on.
        """
        command = [*arguments, "--yes", "--json"]
        while True:
            started = subprocess.Popen(
                [sys.executable, "-m", "mimir_migrate", *command],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=(self._folder / "walk.log").open("ab"),
            )
            killed = False
            if started.stdout is not None:
                for line in started.stdout:
                    step = events.take(line)
                    if events.asked and events.asked != events.answered:
                        self._approve(events)
                    if step in faults and not killed:
                        for fault in faults.pop(step):
                            self._say(f"  {fault} in the step {step}")
                            events.faults.append(f"{fault} in {step}")
                            events.disturbed.add(step)
                            killed = self._befall(fault, events) or killed
            code = started.wait()
            if killed:
                again = "resume" if arguments[0] == "apply" else arguments[0]
                command = [again, "--yes", "--json"]
            elif events.asked and code == ExitCode.BLOCKED:
                command = ["status", "--follow", "--json"]
            else:
                events.exit_code = code if events.over is None else events.over
                return

    def _approve(self, events: Events) -> None:
        """Answer a question after a while, as somebody does who looked, where the run does not itself."""
        step = events.answered = events.asked

        def answer() -> None:
            if events.asked == step:
                self._say(f"  the run asks before the step {step}; it is approved")
                events.disturbed.add(step)
                self.run("approve", "--step", step)

        timer = threading.Timer(_LOOKED_AFTER, answer)
        self._timers.append(timer)
        timer.start()

    def _befall(self, fault: str, events: Events) -> bool:
        """Let a fault happen; returns whether the runner is dead of it."""
        if fault == "runner-killed":
            os.kill(events.runner, signal.SIGKILL)
            return True
        if fault == "pod-killed":
            pods = [one for one in self._pods() if one["ready"] and one["component"] == "ruler"]
            if pods:
                events.killed.append(str(pods[0]["name"]))
                commands.inject(self._folder, "restart", {"pod": events.killed[-1]})
        elif fault == "api-refuses":
            commands.inject(self._folder, "api-drop", {"count": _MANY})
            timer = threading.Timer(float(_SHORT_OUTAGE), self._clear, ["api-drop"])
            self._timers.append(timer)
            timer.start()
        else:
            commands.inject(self._folder, fault, {"seconds": _SHORT_OUTAGE})
        return False

    def _clear(self, fault: str) -> None:
        commands.inject(self._folder, "clear", {"fault": fault})


class Events:
    """What the lines of a command's events say."""

    def __init__(self) -> None:
        self.exit_code = int(ExitCode.FAILED)
        self.runner = 0
        self.reason = ""
        self.steps: dict[str, float] = {}
        self.rollouts: dict[str, float] = {}
        self.faults: list[str] = []
        self.killed: list[str] = []
        self.disturbed: set[str] = set()
        """The steps that a fault befell."""
        self.asked = ""
        """The step before which the run asks; empty: it does not."""
        self.answered = ""
        """The step whose question somebody is about to answer."""
        self.over: int | None = None
        """The exit code that the run ended with; None: it has not."""
        self._seen = 0
        self._began: dict[str, float] = {}
        self._changed: dict[str, float] = {}

    def take(self, line: bytes) -> str:
        """Read one line; returns the step whose change was made just now, while its gates are waited for.

        Tables have no gates afterwards: their step is told of as soon as the first of them is there.
        """
        try:
            found = decoding.decode(line, dict[str, Any])
        except msgspec.DecodeError:
            return ""
        number = int(found.get("seq", 0))
        if number <= self._seen:
            return ""  # whoever follows a run again is told all of it again
        self._seen = number
        event, at = found.get("event") or {}, float(found.get("at", 0.0))
        step = str(event.get("step", ""))
        match event.get("type"):
            case "runner-started":
                self.runner, self.over, self.asked = int(event["pid"]), None, ""
            case "asked":
                self.asked, self.answered = step, ""
            case "approved" | "question-withdrawn":
                self.asked = ""
            case "step-started":
                self._close(at, other_than=step)
                self._began.setdefault(step, at)
            case "change-done":
                self._changed[step] = at
                return step if step == StepKind.TABLES.value else ""
            case "wait-started" if step in self._changed:
                return step
            case "gate-judged" if event["result"]["gate"] == "rollout-over":
                if event.get("good_samples") and step in self._changed:
                    self.rollouts[step] = round(at - self._changed[step] - event["window"], 1)
            case "step-done":
                self.steps[step] = round(at - self._began.get(step, at), 1)
            case "held":
                self.reason = str(event.get("reason", ""))
            case "run-finished":
                self.reason, self.over = str(event.get("reason", "")), int(event["exit_code"])
                if self.over == ExitCode.DONE:
                    self._close(at)
            case _:
                pass
        return ""

    def _close(self, at: float, *, other_than: str = "") -> None:
        """Count steps as done that nobody says are: the next runner found what a killed one had made."""
        for step, began in self._began.items():
            if step != other_than and step not in self.steps:
                self.steps[step] = round(at - began, 1)


def failures_in(report: Mapping[str, Any]) -> tuple[float, float]:
    """Failed pushes and queries in a run's report as JSON, over every step of every leg of the run.

    A step is told of as often as more of it is seen, each time whole; its last word counts.
    """
    last: dict[tuple[int, str], Mapping[str, Any]] = {}
    leg = 0
    for recorded in report.get("events") or ():
        event = recorded.get("event") or {}
        if event.get("type") == "leg-started":
            leg += 1
        elif event.get("type") == "users-failed":
            last[leg, str(event.get("step"))] = event.get("users") or {}
    pushes = sum(float(users.get("failed_pushes") or 0.0) for users in last.values())
    return pushes, sum(float(users.get("failed_queries") or 0.0) for users in last.values())


def _since(before: Count, after: Count) -> Count:
    return Count(
        asked=after.asked - before.asked,
        failed=after.failed - before.failed,
        refused=after.refused - before.refused,
        unanswered=after.unanswered - before.unanswered,
        parting=after.parting - before.parting,
    )


def refusal(walk: Walk, target: Path, plan: Path) -> tuple[int, tuple[str, ...]]:
    """`plan --to dynamodb`; returns its exit code, and the findings that it names where it refuses."""
    code, said = walk.run(
        "plan", "--target", str(target), "--to", "dynamodb", "--output", str(plan)
    )
    return code, tuple(dict.fromkeys(re.findall(r"\[([a-z][a-z-]+)\]", said)))


def last_line(text: str) -> str:
    """The last line that a command said; *no word* where it said nothing."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no word"

"""What the app looks at beside a run: how far a rollout is, and what stands behind a failing gate."""

from __future__ import annotations

import re

import msgspec

from mimir_migrate.errors import MigrateError, UsageError
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import Environment
from mimir_migrate.ports import World
from mimir_migrate.runs.rollouts import Rolled, rolled

LOG_LINES = 200
"""Lines of a pod's log that are read."""
_PAGE = re.compile(r"GET (/[\w/?=&.-]*)")
_TELLING = re.compile("multikv|ring_members|memberlist")
"""Lines of a pod's metrics that say something about its rings."""


class PodStory(msgspec.Struct, frozen=True, kw_only=True):
    """What one pod says, and what is said of it; each part with why it is not there, where it is not."""

    pod: Pod
    answers: tuple[tuple[str, str], ...]
    """What was asked, and the answer."""
    log: str
    events: tuple[str, ...]


class Watching:
    """Reads what stands behind a gate; changes nothing."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def rollout(self, target: Target) -> tuple[Rolled, ...]:
        """How far a rollout of the release is, by component.

        Raises:
            MigrateError: Kubernetes does not tell.
        """
        cluster = self._environment.world_for(target).cluster
        return rolled(cluster.pods(), cluster.workloads())

    def look_into(self, target: Target, words: str) -> PodStory:
        """The answer, the log and the events of the pod that some evidence names.

        Args:
            target: The release.
            words: The evidence; a pod's name stands in it, and the page that was asked where one was.

        Raises:
            UsageError: No pod of the release is named in it.
            MigrateError: Kubernetes does not tell which pods there are.
        """
        world = self._environment.world_for(target)
        named = [pod for pod in world.cluster.pods() if pod.name in words]
        if not named:
            raise UsageError(
                "no pod that is there now is named in the evidence",
                hint="Put the cursor on a gate, or on a line of its evidence, that names one.",
            )
        pod = max(named, key=lambda each: len(each.name))
        asked = _PAGE.search(words)
        paths = dict.fromkeys(["/ready", asked[1] if asked else "/runtime_config"])
        return PodStory(
            pod=pod,
            answers=tuple((f"GET {path}", self._answer(world, pod, path)) for path in paths),
            log=self._log(world, pod),
            events=self._events(world, pod),
        )

    def _answer(self, world: World, pod: Pod, path: str) -> str:
        try:
            page = world.pages.get(pod, path)
        except MigrateError as error:
            return f"no answer: {error.message}"
        lines = self._environment.redact(page.text).splitlines()
        if path == "/metrics":
            lines = [line for line in lines if _TELLING.search(line) and not line.startswith("#")]
        return "\n".join([f"{page.status}", *lines[:LOG_LINES]])

    def _log(self, world: World, pod: Pod) -> str:
        if world.stories is None:
            return "not read here"
        try:
            return self._environment.redact(world.stories.log(pod, LOG_LINES)) or "it is empty"
        except MigrateError as error:
            return f"not read: {error.message}. {error.hint}"

    def _events(self, world: World, pod: Pod) -> tuple[str, ...]:
        if world.stories is None:
            return ("not read here",)
        try:
            found = tuple(self._environment.redact(event) for event in world.stories.events(pod))
        except MigrateError as error:
            return (f"not read: {error.message}. {error.hint}",)
        return found or ("there are none",)

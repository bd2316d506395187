"""What stands behind a failing gate, to read: a pod's answer, its log, its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimir_migrate.widgets.text import Line, line
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.operations.watching import PodStory


def story_lines(story: PodStory) -> list[Line]:
    """The story as lines; text of the pod is shown as it is."""
    pod = story.pod
    state = "Ready" if pod.ready else f"not Ready {pod.waiting_reason}".rstrip()
    if pod.terminating:
        state += ", terminating"
    found = [
        line(
            (pod.name, "strong"),
            f"  {state}, {counted(pod.restarts, 'restart')}, on {pod.node or 'no node'}",
        )
    ]
    for asked, answer in story.answers:
        found += [line(""), line((f"Its answer to {asked}", "accent"))]
        found += [line(f"  {text}") for text in answer.splitlines()]
    found += [line(""), line(("Its events", "accent"))]
    found += [line(f"  {text}") for text in story.events]
    found += [line(""), line(("Its log, the last lines", "accent"))]
    return found + [line(f"  {text}") for text in story.log.splitlines()]

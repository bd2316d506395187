"""A plan as JSON that can be applied, as a Markdown runbook, and as a shell script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.plan import SCHEMA, Plan, Step
from mimir_migrate.model.scale import Scale
from mimir_migrate.plans import timing
from mimir_migrate.plans.alerts import alert_words
from mimir_migrate.plans.hand import PATCH_END
from mimir_migrate.plans.rollback import back_names
from mimir_migrate.words import counted

MADE_BY = "`mimir-migrate plan --to dynamodb -o plan.json` writes one."
"""What makes a plan."""

_OTHER = "and a plan that can be run is JSON"
_FORMS = {
    ".md": f"it is named as a runbook for people, {_OTHER}",
    ".sh": f"it is named as a script, {_OTHER}",
    ".toml": f"it is named as a target file, {_OTHER}",
    ".yaml": f"it is named as a YAML file, {_OTHER}",
    ".yml": f"it is named as a YAML file, {_OTHER}",
}
"""What a file that is no JSON is by the ending of its name."""


def to_json(plan: Plan) -> bytes:
    """The plan as one JSON document that `apply` takes."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def from_json(content: bytes, *, path: str) -> Plan:
    """Read a plan that was exported as JSON.

    Raises:
        DocumentError: It is not a plan, or one of a schema that this version does not know.
    """
    try:
        schema = decoding.decode(content, _Stamp).schema
    except decoding.UNREADABLE as error:
        raise DocumentError(
            f"not a plan: {_FORMS.get(PurePath(path).suffix) or decoding.problem(error)}",
            path=path,
            hint=MADE_BY,
        ) from error
    if schema != SCHEMA:
        raise DocumentError(
            f"a plan of the schema {schema!r}; this version reads {SCHEMA!r}",
            path=path,
            hint="Make the plan again with this version.",
        )
    try:
        return decoding.decode(content, Plan)
    except decoding.UNREADABLE as error:
        raise DocumentError(
            f"not a plan of this version: {decoding.problem(error)}",
            path=path,
            hint="Make the plan again with this version; a plan is not meant to be edited.",
        ) from error


class _Stamp(msgspec.Struct):
    schema: str


def to_markdown(plan: Plan) -> str:
    """A runbook that can be followed by hand."""
    return "\n".join(_markdown(plan)) + "\n"


def _markdown(plan: Plan) -> Iterator[str]:
    here = plan.identity
    yield f"# Move {', '.join(plan.rings)} to {plan.end.value}"
    yield ""
    yield f"- release `{here.release}` in namespace `{here.namespace}` of `{here.server}`"
    yield f"- AWS account `{here.account or 'unknown'}`, region `{here.region or 'unknown'}`"
    yield f"- product: {plan.product.value}, strategy: {plan.strategy.value}"
    if note := plan.target.scale.note:
        yield f"- {note}"
    for ring, state in plan.start.items():
        yield f"- the ring `{ring}` is on `{state}`"
    yield ""
    if not plan.steps:
        yield "Nothing is left to do."
        return
    left = timing.time_left(plan.steps)
    if left is not None:
        yield (
            f"{counted(len(plan.steps), 'step')} with their gates, besides approvals: "
            f"{left.words(plan.target.scale)}."
        )
    for number, step in enumerate(plan.steps, 1):
        if step.closes_way_back:
            yield (
                f"Quick rollback, a switch or one rollout, is open until "
                f"`{step.id}`, step {number}, which is made only once the old store is proven; from there on rollback is full and "
                "takes what that step says."
            )
    yield "Stop and go back the moment something is not as expected."
    for finding in plan.findings:
        yield ""
        fix = f" → {finding.fix}" if finding.fix else ""
        yield f"> **{finding.severity.value}** `{finding.id}`: {finding.title}{fix}"
    for note in plan.notes:
        yield ""
        yield f"> {note}"
    for number, step in enumerate(plan.steps, 1):
        yield ""
        yield from _markdown_step(number, step, plan.target.scale)
    yield ""
    yield "## What the plan rests on"
    yield ""
    yield "| fact | value | makes the plan stale |"
    yield "|---|---|---|"
    for fact in plan.facts:
        yield f"| {fact.name} | `{fact.value}` | {'yes' if fact.matters else 'no'} |"


def _begun(words: str) -> str:
    return words[:1].upper() + words[1:]


def _markdown_step(number: int, step: Step, scale: Scale) -> Iterator[str]:
    yield f"## {number}. {step.title}"
    yield ""
    marks = [" — **switches the primary store**"] if step.crossing else []
    if step.closes_way_back:
        marks.append(" — **quick rollback ends here**")
    yield f"`{step.id}`" + "".join(marks)
    yield ""
    yield f"**What.** {step.what}"
    yield ""
    yield f"**Why.** {step.why}"
    yield ""
    if step.before:
        yield "**Only if** " + ", ".join(f"`{gate.value}`" for gate in step.before) + " pass."
        yield ""
    if step.diff:
        yield "**The change.**"
        yield ""
        yield "```diff"
        yield step.diff.rstrip("\n")
        yield "```"
        yield ""
    yield "**By hand.**"
    yield ""
    yield "```sh"
    yield from step.commands
    yield "```"
    yield ""
    yield "**Expect.**"
    yield ""
    for line in step.expected:
        yield f"- {line}"
    if step.after:
        yield "- gates: " + ", ".join(f"`{gate.value}`" for gate in step.after)
    yield ""
    yield f"**Time.** {_begun(step.duration.words(scale))}: {step.duration.basis}."
    yield ""
    yield f"**Touches.** {step.touches[0] if step.touches else 'nothing'}."
    yield ""
    if step.alerts:
        yield "**Alerts.**"
        yield ""
        for alert in step.alerts:
            yield f"- `{alert.name}` {alert_words(alert)}"
        yield ""
    yield f"**Undo.** {step.undo}"
    yield ""
    yield f"**Rollback.** {step.way_back}"
    if step.back:
        yield ""
        yield "The steps from here to the start, which `rollback` takes:"
        yield ""
        for place, back in enumerate(step.back, 1):
            yield f"{place}. `{back.id}` ({back.kind.value}): {back.title}"


def to_shell(plan: Plan) -> str:
    """A script that stops before every step until the operator has looked."""
    return "\n".join(_shell(plan)) + "\n"


def _shell(plan: Plan) -> Iterator[str]:
    here = plan.identity
    yield "#!/bin/sh"
    yield f"# Move {', '.join(plan.rings)} of the release {here.release} to {plan.end.value}."
    yield "# It changes nothing before each question is answered with the step's name, and checks no"
    yield "# gate: look at what is expected after every step before going on."
    yield "set -eu"
    yield "ask() {"
    yield '    printf "\\n%s\\nType %s to go on: " "$2" "$1"'
    yield "    read -r answer"
    yield '    [ "$answer" = "$1" ] || { echo "stopped before $1"; exit 1; }'
    yield "}"
    for step in plan.steps:
        yield ""
        yield f"# {step.id}: {step.title}"
        for line in step.expected:
            yield f"#   expect: {line}"
        for alert in step.alerts:
            yield f"#   alert: {alert.name} {alert_words(alert)}"
        yield f"#   undo: {step.undo}"
        if step.back:
            yield f"#   rolling back from after it: {back_names(step.back)}"
        if step.closes_way_back:
            yield "#   QUICK ROLLBACK ENDS HERE"
        yield f"ask {step.id} {_quoted(step.title)}"
        yield from step.commands


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


__all__ = ["PATCH_END", "from_json", "to_json", "to_markdown", "to_shell"]

"""A run's journal as the bytes of its copy in the cluster: compressed, bounded, and read back whole.

Where it does not fit, the oldest gates lose their evidence first, then the oldest gates and waits lose
their words; each keeps its number and its time. What is needed to take a run over is never left out:
plans, intents with their hunks, outcomes, questions and answers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.changes import Deploy, WriteFile
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeIntended,
    EditsRemade,
    Event,
    GateJudged,
    LegStarted,
    QuestionSeenAgain,
    Recorded,
    RunStarted,
    WaitStarted,
)
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.target import Target

SCHEMA = 1
"""Version of a copy's form. One with a higher number is refused."""

SECRETS = 4
"""How many Secrets hold the copy: two sets of two, written in turn, so that one is always whole."""
PARTS = SECRETS // 2
PART = 700_000
"""Bytes in one Secret; Kubernetes allows 1 MiB for all of its data (`MaxSecretSize`)."""
CAPACITY = PARTS * PART

LEFT_OUT = "(left out of the copy)"


class JournalCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One run's journal as its copy holds it."""

    schema: int = SCHEMA
    run: str
    created_at: float
    by: str
    """`user@host` of the runner that wrote it, as that machine names itself."""
    events: tuple[Recorded, ...]
    left_out: int = 0
    """How many events lost their words, to fit."""

    @property
    def last_at(self) -> float:
        """When its last event was."""
        return self.events[-1].at if self.events else self.created_at


def secret_names(release: str) -> tuple[str, ...]:
    """The names of the Secrets that hold a release's copy."""
    return tuple(f"mimir-migrate-{release}-{number}" for number in range(SECRETS))


def encode(copy: JournalCopy, *, capacity: int = CAPACITY) -> bytes:
    """The copy as bytes, at most `capacity`.

    Raises:
        DocumentError: Not even without any gate's words does it fit.
    """
    content = _packed(copy)
    if len(content) <= capacity:
        return content
    events = copy.events
    for shorter in (_without_evidence, _without_words):
        droppable = [
            number for number, one in enumerate(copy.events) if shorter(one.event) != one.event
        ]
        # The oldest first, in steps of an eighth, so that little more is lost than has to be.
        for part in range(1, 9):
            gone = set(droppable[: -(-len(droppable) * part // 8)])
            events = tuple(
                msgspec.structs.replace(one, event=shorter(one.event)) if number in gone else one
                for number, one in enumerate(copy.events)
            )
            lost = len(gone) if shorter is _without_words else 0
            content = _packed(msgspec.structs.replace(copy, events=events, left_out=lost))
            if len(content) <= capacity:
                return content
        copy = msgspec.structs.replace(copy, events=events)
    raise DocumentError(
        f"the journal of the run {copy.run} takes {len(content)} bytes in its copy, and {capacity} fit",
        path="the copy in the cluster",
        hint='leave `[journal] copy = "cluster"` out of the target for this release',
    )


def decode(content: bytes) -> JournalCopy:
    """Read a copy back.

    Raises:
        DocumentError: It is not one, or a newer version wrote it.
    """
    try:
        plain = zlib.decompress(content)
        stamp = decoding.decode(plain, _Stamp).schema
        if stamp > SCHEMA:
            raise DocumentError(
                f"a newer mimir-migrate wrote it (schema {stamp}, this one reads {SCHEMA})",
                path="the copy in the cluster",
                hint="go on with that version",
            )
        return decoding.decode(plain, JournalCopy)
    except (zlib.error, *decoding.UNREADABLE) as error:
        why = "it is damaged" if isinstance(error, zlib.error) else decoding.problem(error)
        raise DocumentError(
            f"it cannot be understood: {why}",
            path="the copy in the cluster",
            hint="go on with the machine and the version of mimir-migrate that wrote it",
        ) from error


class _Stamp(msgspec.Struct):
    schema: int


def split(content: bytes) -> tuple[bytes, ...]:
    """The copy's bytes as `PARTS` parts; the last ones may be empty."""
    return tuple(content[start : start + PART] for start in range(0, PARTS * PART, PART))


def _packed(copy: JournalCopy) -> bytes:
    return zlib.compress(msgspec.json.encode(copy), 6)


def _without_evidence(event: Event) -> Event:
    if isinstance(event, GateJudged) and event.result.evidence:
        return msgspec.structs.replace(
            event, result=msgspec.structs.replace(event.result, evidence=())
        )
    return event


def _without_words(event: Event) -> Event:
    if isinstance(event, GateJudged | WaitStarted | QuestionSeenAgain | BaselineTaken):
        if isinstance(event, WaitStarted) and event.waiting_for == LEFT_OUT:
            return event
        return WaitStarted(step=getattr(event, "step", ""), waiting_for=LEFT_OUT, bound=0.0)
    return event


# --- another machine -----------------------------------------------------------------------------


def localised(events: Sequence[Recorded], target: Target) -> tuple[Recorded, ...]:
    """A run's events with another machine's paths: its target, and its copies of the values files.

    Args:
        events: All of the run's events.
        target: What the machine says of the same release.

    Raises:
        DocumentError: It is about another release, table or region, or has not as many values files.
    """
    started = next((one.event for one in events if isinstance(one.event, RunStarted)), None)
    if started is None:
        raise DocumentError(
            "it holds no start",
            path="the copy in the cluster",
            hint="go on on the machine that wrote it",
        )
    old = started.plan.target
    _refuse_other_place(old, target)
    names = dict(zip(old.values.files, target.values.files, strict=True))
    return tuple(
        msgspec.structs.replace(one, event=_event(one.event, names, target)) for one in events
    )


def _refuse_other_place(old: Target, here: Target) -> None:
    pairs = (
        ("[kubernetes] namespace", old.kubernetes.namespace, here.kubernetes.namespace),
        ("[kubernetes] release", old.kubernetes.release, here.kubernetes.release),
        ("[dynamodb] table", old.dynamodb.table, here.dynamodb.table),
        ("[aws] region", old.aws.region, here.aws.region),
        ("[deploy] method", old.deploy.method.value, here.deploy.method.value),
        ("[values] files", str(len(old.values.files)), str(len(here.values.files))),
    )
    other = [
        f"{name}: {theirs} there, {mine} here" for name, theirs, mine in pairs if theirs != mine
    ]
    if other:
        raise DocumentError(
            "the run is of another target than this machine's: " + "; ".join(other),
            path="the copy in the cluster",
            hint="the target here must name the same release, table and files, in the same order",
        )


def _event(event: Event, names: dict[str, str], target: Target) -> Event:
    replace = msgspec.structs.replace
    match event:
        case RunStarted(plan=plan) | LegStarted(plan=plan):
            return replace(event, plan=_plan(plan, names, target))
        case ChangeIntended(change=WriteFile(edit=edit) as change):
            return replace(event, change=replace(change, edit=_edit(edit, names)))
        case ChangeIntended(change=Deploy() as change):
            moved = replace(
                change,
                deploy=target.deploy,
                files=target.values.files,
                folder=target.folder,
            )
            return replace(event, change=moved)
        case EditsRemade(paths=paths):
            return replace(event, paths=tuple(names.get(path, path) for path in paths))
        case _:
            return event


def _plan(plan: Plan, names: dict[str, str], target: Target) -> Plan:
    replace = msgspec.structs.replace
    return replace(
        plan,
        target=target,
        steps=tuple(
            replace(step, edits=tuple(_edit(edit, names) for edit in step.edits))
            for step in plan.steps
        ),
        restore=tuple(_edit(edit, names) for edit in plan.restore),
        facts=tuple(replace(fact, name=_fact(fact.name, names)) for fact in plan.facts),
    )


def _fact(name: str, names: dict[str, str]) -> str:
    kind, space, path = name.partition(" ")
    return f"{kind}{space}{names.get(path, path)}"


def _edit(edit: FileEdit, names: dict[str, str]) -> FileEdit:
    return msgspec.structs.replace(edit, path=names.get(edit.path, edit.path))


def kept_words(release: str, namespace: str) -> Iterator[str]:
    """What is stored, where, and who can read it; for whoever starts a run."""
    names = secret_names(release)
    yield (
        'note: [journal] copy = "cluster" keeps the plan, the lines of values files that are edited, and '
        f"every event of the run in the Secrets {names[0]} to {names[-1]} of the namespace {namespace};"
    )
    yield "      everybody who may get Secrets there can read them"

"""What a step says of itself, in words for the operator."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.stores import Store


class StepWords(msgspec.Struct, frozen=True, kw_only=True):
    """The prose of one step."""

    title: str
    what: str
    why: str
    expected: tuple[str, ...]
    undo: str
    way_back: str


def words_for(
    stage: str,
    *,
    to: Store,
    rings: str,
    crossing: str,
    by_restart: bool,
    dynamodb_poll: str,
    through_bridge: bool = False,
) -> StepWords:
    """The words of one kind of move.

    `rings` and `crossing` are names joined for reading; `by_restart` says whether a later switch
    back is a rollout; `dynamodb_poll` is how late a change is seen with DynamoDB as primary;
    `through_bridge` whether configurations and metrics call DynamoDB `consul`.
    """
    words = _words(
        stage, to=to, rings=rings, crossing=crossing, by_restart=by_restart, poll=dynamodb_poll
    )
    return _by_consul(words) if through_bridge else words


_SPELLED = {
    "`store: dynamodb`": "`store: consul`, the ring bridge",
    "primary: dynamodb": "primary: consul",
    "cortex_multikv_primary_store names dynamodb": "cortex_multikv_primary_store names consul",
    "/config shows dynamodb as primary": "/config shows consul as primary",
}
"""What of the words is read off a pod or written into a file."""


def _by_consul(words: StepWords) -> StepWords:
    def spelled(text: str) -> str:
        for usual, here in _SPELLED.items():
            text = text.replace(usual, here)
        return text

    return StepWords(
        title=words.title,
        what=spelled(words.what),
        why=spelled(words.why),
        expected=tuple(map(spelled, words.expected)),
        undo=spelled(words.undo),
        way_back=spelled(words.way_back),
    )


def _words(
    stage: str, *, to: Store, rings: str, crossing: str, by_restart: bool, poll: str
) -> StepWords:
    away = to.other
    match stage:
        case "both":
            return _both(to, away, rings)
        case "mirror":
            return _mirror(to, away, rings)
        case "switch":
            return _switch(to, away, crossing, poll)
        case "swap":
            return _swap(to, away, crossing, poll)
        case "unmirror":
            return _unmirror(to, away, rings)
        case "settle":
            return _settle(to, away, rings, by_restart=by_restart)
        case _:
            return _clear(to)


def _both(to: Store, away: Store, rings: str) -> StepWords:
    return StepWords(
        title=f"Give {rings} both stores, {away.value} stays primary",
        what=f"Every pod restarts with `store: multi`: it goes on reading {away.value}, and knows "
        f"{to.value} as its second store.",
        why="A pod can only be switched to a store that it has configured; doing this first keeps "
        "the restart apart from the switch.",
        expected=(
            "every pod's /config shows `store: multi` for the chosen rings",
            f"cortex_multikv_primary_store names {away.value} on every pod",
            "no pod of the older revision is left",
        ),
        undo="Deploy the values from before this step: one rollout.",
        way_back=f"Open: nothing is read from {to.value} yet; one rollout takes it back.",
    )


def _mirror(to: Store, away: Store, rings: str) -> StepWords:
    return StepWords(
        title=f"Mirror writes of {rings} to {to.value}",
        what=f"Every write that {away.value} took is also made to {to.value}.",
        why="One heartbeat of one member copies the whole ring. Only once both stores hold the same "
        "ring can readers change over without losing sight of a member.",
        expected=(
            "cortex_multikv_mirror_enabled is 1 for every client of the chosen rings",
            f"{to.value} holds the same members as {away.value}: id, address, state, zone, tokens",
        ),
        undo="Write the runtime block with mirror_enabled: false.",
        way_back="Open: the switch was not made; mirroring can be taken out at any time.",
    )


def _switch(to: Store, away: Store, crossing: str, poll: str) -> StepWords:
    return StepWords(
        title=f"Switch {crossing} to {to.value} by the runtime configuration",
        what=f"Every pod reads {to.value} from its next reload on, without a restart; writes are "
        f"mirrored to {away.value}.",
        why="It reaches all pods within seconds, so primaries are mixed as briefly as can be."
        + _poll(to, poll),
        expected=(
            f"cortex_multikv_primary_store names {to.value} for every client of {crossing}",
            "every ring page shows the same members as before",
        ),
        undo=f"Write the runtime block with primary: {away.value}; removing the block would not "
        "take the switch back.",
        way_back=f"Open: {away.value} is still written; the switch back takes as long as this one.",
    )


def _swap(to: Store, away: Store, crossing: str, poll: str) -> StepWords:
    return StepWords(
        title=f"Roll {crossing} over to {to.value} as primary",
        what=f"Every pod restarts and reads {to.value}; writes are mirrored to {away.value}. While "
        "it lasts, pods with either primary run side by side.",
        why=f"The runtime configuration does not reach {crossing} here, so a restart is the only "
        "way. Both stores are mirrored, so members stay visible; no scaling, no other rollout and "
        "no node drain may happen meanwhile." + _poll(to, poll),
        expected=(
            f"every pod's /config shows {to.value} as primary",
            f"cortex_multikv_primary_store names {to.value} on every pod",
            "both stores hold the same members",
        ),
        undo=f"Deploy the values from before this step ({away.value} primary, mirrored): one "
        "rollout.",
        way_back=f"Open: {away.value} is still written; one rollout takes it back.",
    )


def _unmirror(to: Store, away: Store, rings: str) -> StepWords:
    return StepWords(
        title=f"Stop mirroring {rings} to {away.value}",
        what=f"Writes go to {to.value} only; {away.value} stands still from here on.",
        why=f"The next restart takes {away.value} away. A pod that still mirrored would write an "
        "older ring over what the others wrote.",
        expected=("cortex_multikv_mirror_enabled is 0 for every client of the chosen rings",),
        undo="Write the runtime block with mirror_enabled: true and wait until both stores are equal.",
        way_back=f"Needs more than a switch from here on: {away.value} must be mirrored and compared "
        "again first.",
    )


def _settle(to: Store, away: Store, rings: str, *, by_restart: bool) -> StepWords:
    undo = "three rollouts" if by_restart else "two rollouts and the switch between them"
    return StepWords(
        title=f"Leave {away.value}: {rings} on {to.value} only",
        what=f"Every pod restarts with `store: {to.value}`; the runtime block stays as it is until "
        "the rollout is over.",
        why="It ends the double configuration. The block must outlive the rollout: without it a pod "
        "that was not restarted yet would fall back to its static primary.",
        expected=(
            f"every pod's /config shows `store: {to.value}` for the chosen rings",
            "the multikv metrics are gone from every pod",
            "no pod of the older revision is left",
        ),
        undo=f"Full rollback: {undo}.",
        way_back=f"Takes {undo} from here on; this tool walks it with `rollback`.",
    )


def _clear(to: Store) -> StepWords:
    return StepWords(
        title="Remove the runtime block",
        what="multi_kv_config leaves the runtime configuration; no ring is on `multi` any more, so "
        "nothing follows it.",
        why="A block left over would decide the next migration's start.",
        expected=("/runtime_config shows no multi_kv_config on any pod",),
        undo="Nothing to undo: no pod acts on it.",
        way_back=f"Needs more than a switch: every pod is on {to.value} only.",
    )


def _poll(to: Store, poll: str) -> str:
    if to is Store.DYNAMODB and poll:
        return f" From then on a ring change is seen up to {poll} late."
    return ""


def tables_left(tables: Sequence[TableSpec]) -> str:
    """What a rollback leaves of the tables that a run made; empty: it made none."""
    if not tables:
        return ""
    names = ", ".join(table.name for table in tables)
    one = len(tables) == 1
    said = (
        f"the {'table' if one else 'tables'} {names} {'stays' if one else 'stay'}, with what the pods "
        f"wrote into {'it' if one else 'them'}"
    )
    if any(table.deletion_protection for table in tables):
        said += " and protected from deletion"
    return said


def tables_stay(tables: Sequence[TableSpec]) -> str:
    """How making tables is undone."""
    left = tables_left(tables)
    return (
        f"A rollback deletes nothing: {left}. On demand that costs next to nothing; delete "
        f"{'it' if len(tables) == 1 else 'them'} by hand once no pod names "
        f"{'it' if len(tables) == 1 else 'them'}."
    )

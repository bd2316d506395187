"""Findings about DynamoDB: the table, and how often the pods poll it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from mimir_migrate.durations import format_duration, read_duration, spoken
from mimir_migrate.inspection.pacing import RING, pacing
from mimir_migrate.inspection.question import Question, listed, shown, shown_of_each
from mimir_migrate.inspection.ring_tables import RingTable, ring_tables
from mimir_migrate.model.facts import Evidence, Table, told_by
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.stores import Store

_INDEX_KEYS = {"metric_name", "timestamp"}
_POLL_OFTENER = (
    "Set [dynamodb] puller_sync_time so that puller_sync_time + 2 × heartbeat_period stays below "
    "heartbeat_timeout; 10s fits both products' defaults."
)
_USABLE = frozenset({"", "ACTIVE", "UPDATING"})


def places_by_table(question: Question) -> dict[str, list[RingTable]]:
    """The chosen rings' tables, by the table's name: where the rings are, or will be."""
    found: dict[str, list[RingTable]] = {}
    for place in ring_tables(
        question.inspection.product, question.inspection.pods, question.target
    ):
        if place.ring in question.rings:
            found.setdefault(place.table, []).append(place)
    return found


def _in_use(question: Question, places: list[RingTable]) -> bool:
    """Whether pods are configured for the table already."""
    return any(
        Store.DYNAMODB in view.stores for _, view in question.views(place.ring for place in places)
    )


def table_missing(question: Question) -> Iterator[Finding]:
    """`table-missing`: a table is not there, not usable, or none is named at all."""
    places = places_by_table(question)
    named = {place.ring for each in places.values() for place in each}
    if question.to is Store.DYNAMODB and set(question.rings) - named:
        yield Finding(
            id="table-missing",
            severity=Severity.BLOCKS if question.asked else Severity.INFORMS,
            title=f"The target names no table for {listed(set(question.rings) - named)}",
            evidence=(question.evidence("target", "[dynamodb] table is empty"),),
            fix='Set [dynamodb] table in target.toml or --table, e.g. "metrics-{ring}-ring".',
            rings=tuple(ring for ring in question.rings if ring not in named),
        )
    for name, rings_there in places.items():
        if question.to is not Store.DYNAMODB and not _in_use(question, rings_there):
            continue
        rings = tuple(place.ring for place in rings_there)
        source = f"DynamoDB DescribeTable {name}"
        if name not in question.inspection.tables:
            yield Finding(
                id="table-missing",
                severity=Severity.BLOCKS,
                title=f"Whether the table {name} exists is not known",
                evidence=shown(unread_about(question, f"DescribeTable {name}"))
                or (question.evidence(source, "it was not read"),),
                fix=_how_to_read(question, f"DescribeTable {name}"),
                rings=rings,
                unknown=True,
            )
            continue
        table = question.inspection.tables[name]
        if table is None:
            yield _absent(question, name, rings, source, _in_use(question, rings_there))
        elif table.status not in _USABLE:
            yield Finding(
                id="table-missing",
                severity=Severity.BLOCKS,
                title=f"The table {name} is {table.status}, not ACTIVE",
                evidence=(question.evidence(source, f"status {table.status}"),),
                fix="Wait until it is ACTIVE, then inspect again.",
                rings=rings,
            )


def _how_to_read(question: Question, words: str) -> str:
    """What to do about a table that could not be read, by why it could not."""
    said = " ".join(each.detail for each in unread_about(question, words))
    if "AccessDenied" in said or "not authorized" in said:
        return "Allow dynamodb:DescribeTable on it (`mimir-migrate rbac` prints the policy)."
    if "credentials" in said or "Expired" in said:
        return "Log in to AWS again, or name a profile in [aws] profile, then inspect again."
    return (
        "Check that this machine reaches DynamoDB ([aws] region and endpoint_url, VPN, proxy), then "
        "inspect again."
    )


def _absent(
    question: Question, name: str, rings: tuple[str, ...], source: str, in_use: bool
) -> Finding:
    by_terraform = bool(question.target.terraform.dir)
    if by_terraform and question.target.through_bridge:
        fix = (
            "Terraform makes the table ([terraform] dir), so no step does: `mimir-migrate bridge manifest "
            "--terraform` prints it with the bridge's policy; review it, run `terraform apply`, then plan."
        )
    elif by_terraform:
        fix = (
            "Terraform makes the tables ([terraform] dir), so no step does: `mimir-migrate terraform "
            "--output ring-tables.tf` writes what is missing as a new file; review it, run `terraform "
            "apply`, then plan."
        )
    elif in_use:
        fix = "Make it (keys RingKey and InstanceKey): neither product ever does."
    else:
        fix = "Nothing to do: the plan's first step makes it, before anything points at it."
    return Finding(
        id="table-missing",
        severity=Severity.BLOCKS
        if in_use or (by_terraform and question.asked)
        else Severity.INFORMS,
        title=f"The table {name} does not exist"
        + (", yet pods are configured for it" if in_use else " yet"),
        evidence=(question.evidence(source, "ResourceNotFoundException"),),
        fix=fix,
        rings=rings,
    )


def table_wrong_keys(question: Question) -> Iterator[Finding]:
    """`table-wrong-keys`: the table is not a ring table, e.g. the index table of chunk storage."""
    for name, places in places_by_table(question).items():
        table = question.inspection.tables.get(name)
        if table is None or table.is_ring_table:
            continue
        rings = tuple(place.ring for place in places)
        if not table.keys:
            yield Finding(
                id="table-wrong-keys",
                severity=Severity.BLOCKS,
                title=f"The keys of the table {name} are not known",
                evidence=(question.evidence(f"DynamoDB DescribeTable {name}", "no KeySchema"),),
                fix="Check the table with `aws dynamodb describe-table`.",
                rings=rings,
                unknown=True,
            )
            continue
        yield Finding(
            id="table-wrong-keys",
            severity=Severity.BLOCKS,
            title=f"The table {name} is not a ring table{_what_it_is(table)}",
            evidence=(question.evidence(f"DynamoDB DescribeTable {name}", _keys(table)),),
            fix="Name a table of its own with the hash key RingKey (S) and the range key InstanceKey (S).",
            rings=rings,
        )


def _keys(table: Table) -> str:
    return ", ".join(f"{key.role} {key.name} ({key.type})" for key in table.keys)


def _what_it_is(table: Table) -> str:
    if {key.name for key in table.keys} == _INDEX_KEYS:
        return ": metric_name and timestamp are the keys of the chunks' index table"
    return ""


def unread_about(question: Question, words: str) -> list[Evidence]:
    """What was not answered about a request whose source has these words."""
    return [
        question.evidence(each.source, each.reason)
        for each in question.inspection.unanswered
        if words in each.source
    ]


def puller_sync_too_slow(question: Question) -> Iterator[Finding]:
    """`puller-sync-too-slow`: polled so seldom that living members count as UNHEALTHY.

    It must hold that puller_sync_time + 2 × heartbeat_period < heartbeat_timeout. With Cortex'
    default of 60 s, members were UNHEALTHY for 7 to 15 s of every minute (measured).
    """
    if question.target.through_bridge:
        return  # no pod polls the table
    slow: dict[str, list[Evidence]] = {}
    unclear: dict[str, list[Evidence]] = {}
    for name in question.rings:
        _judge_polls(question, name, slow, unclear)
    if slow:
        yield Finding(
            id="puller-sync-too-slow",
            severity=Severity.BLOCKS if question.to is Store.DYNAMODB else Severity.WARNS,
            title=f"DynamoDB is polled too seldom for {_rings(slow)}: living members would count as "
            "UNHEALTHY",
            evidence=shown_of_each(slow.values()),
            fix=_POLL_OFTENER,
            rings=tuple(slow),
        )
    if unclear := {name: found for name, found in unclear.items() if name not in slow}:
        yield Finding(
            id="puller-sync-too-slow",
            severity=Severity.BLOCKS,
            title=f"Whether DynamoDB is polled often enough for {_rings(unclear)} is not known",
            evidence=shown_of_each(unclear.values()),
            fix=_POLL_OFTENER,
            rings=tuple(unclear),
            unknown=True,
        )


def _judge_polls(
    question: Question,
    name: str,
    slow: dict[str, list[Evidence]],
    unclear: dict[str, list[Evidence]],
) -> None:
    """Put what the pods and the target say of one ring's polls to those that are too slow, or unclear."""
    words = question.target.scale.words
    for facts, view in question.views((name,)):
        uses = Store.DYNAMODB in view.stores
        if question.to is not Store.DYNAMODB and not uses:
            continue
        polls = {"pod": view.puller_sync_time} if uses else {}
        if question.to is Store.DYNAMODB:
            polls["target"] = read_duration(question.target.dynamodb.puller_sync_time)
        for who, poll in polls.items():
            source = told_by(facts.pod.name, "/config") if who == "pod" else "target"
            period, timeout = view.heartbeat_period, view.heartbeat_timeout
            configured = question.values.heartbeats if question.values else {}
            if who == "target" and name in configured:
                # What is going to be written is held against what is written beside it.
                period, timeout = configured[name]
            if timeout == 0:
                continue  # 0 turns the judging of heartbeats off
            if poll is None or period is None or timeout is None:
                detail = f"ring {name}: puller_sync_time, heartbeat period or timeout unknown"
                unclear.setdefault(name, []).append(question.evidence(source, detail))
            elif poll + 2 * period >= timeout:
                detail = f"{words(poll)} + 2 × {words(period)} is not below {words(timeout)}"
                slow.setdefault(name, []).append(
                    question.evidence(source, f"ring {name}: {detail}")
                )


def _rings(names: Collection[str]) -> str:
    """The ring, or the rings, by name."""
    return f"{'the ring' if len(names) == 1 else 'the rings'} {listed(names)}"


def rollout_outruns_poll(question: Question) -> Iterator[Finding]:
    """`rollout-outruns-poll`: the next ingester is stopped before readers have seen the last one.

    A rollout on DynamoDB failed 12 of 756 pushes by quorum (measured), see `inspection.pacing`.
    """
    if question.target.through_bridge:
        return
    found = pacing(question.inspection, question.target, question.rings)
    if found is None:
        return
    scale = question.target.scale
    # A simulation's poll is rounded to milliseconds, which make tenths of a second.
    seconds = math.ceil(round(scale.seconds(found.needed), 1))
    have, needed, wanted = scale.words(found.have), spoken(seconds), format_duration(seconds)
    fix = (
        f'Set {found.setting}: {wanted}; `[dynamodb] min_ready_duration = "auto"` (--min-ready-duration '
        "auto) lets the plan write it in its first rollout."
        if found.path
        else f"Give the ingesters' workloads minReadySeconds {wanted} or more: their binary has no "
        "min_ready_duration, and this tool patches no workload."
    )
    yield Finding(
        id="rollout-outruns-poll",
        severity=Severity.WARNS,
        title="A rollout on DynamoDB can fail pushes: the next ingester is stopped "
        f"{have} after the last one was ready, and readers need {needed} to see it",
        evidence=(
            question.evidence(
                f"GET /config and workloads of {listed(found.pods)}",
                f"min_ready_duration and minReadySeconds {have}; one poll and two heartbeats are {needed}",
            ),
        ),
        fix=fix,
        rings=(RING,),
        pods=found.pods,
    )


RULES = {
    "table-missing": table_missing,
    "table-wrong-keys": table_wrong_keys,
    "puller-sync-too-slow": puller_sync_too_slow,
    "rollout-outruns-poll": rollout_outruns_poll,
}

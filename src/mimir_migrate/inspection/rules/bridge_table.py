"""Findings about whose a ring bridge's table is: one table, one bridge, one cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.inspection.question import Question, listed, shown
from mimir_migrate.model.facts import BridgeReplica, Evidence, RingHead
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.stores import Store
from mimir_migrate.words import form

FORMAT = "1"
"""Version of how a ring is stored that this program's bridge knows (`bridge.head.FORMAT`)."""
_FLAG = "--{}="


def bridge_table_taken(question: Question) -> Iterator[Finding]:
    """`bridge-table-taken`: a ring bridge of another cluster keeps its rings in this table.

    A bridge refuses to serve another cluster's rings, so the plan would only see that it is not ready. A
    DynamoDB client of the pods' own would not even notice: members stand beside the other cluster's.
    """
    if question.to is not Store.DYNAMODB:
        return
    heads = [one for one in question.inspection.heads if one.ring in question.rings]
    if question.target.through_bridge is None:
        if heads:
            yield _finding(
                heads,
                _evidence(question, heads),
                f"A ring bridge keeps {listed(one.ring for one in heads)} in the table "
                f"{heads[0].table}, for the cluster {listed(one.cluster for one in heads)}",
                "Name another table, or remove the bridge's items once nobody uses it any more: two "
                "writers on one table delete each other's members.",
            )
        return
    unknown = [one for one in heads if one.format != FORMAT]
    if unknown:
        yield _finding(
            unknown,
            _evidence(question, unknown),
            f"{listed(one.ring for one in unknown)} {form(unknown, 'lies', 'lie')} in the table "
            f"{unknown[0].table} in a format that this version does not know",
            "Run the version of `bridge serve` that wrote them, or give the bridge a table of its own.",
        )
    yield from _of_others(question, heads)


def _of_others(question: Question, heads: Sequence[RingHead]) -> Iterator[Finding]:
    """Rings under another name than the replicas were started with."""
    bridge = question.inspection.bridge
    replicas = bridge.staying if bridge is not None else ()
    named = {name: one for one in replicas if (name := started_with(one, "cluster"))}
    if len(named) > 1:
        yield Finding(
            id="bridge-table-taken",
            severity=Severity.BLOCKS,
            title=f"Replicas of the ring bridge were started for different clusters: {listed(named)}",
            evidence=shown(
                question.evidence(f"bridge pod {one.pod.name}", f"--cluster={name}")
                for name, one in named.items()
            ),
            fix="Start all of them with the same --cluster; a rollout of the bridge that stands halfway "
            "has to end first.",
        )
        return
    where = question.inspection.identity
    ours = next(iter(named), f"{where.namespace}-{where.release}")
    theirs = [one for one in heads if one.cluster != ours]
    if not theirs:
        return
    whose = listed(one.cluster for one in theirs)
    yield _finding(
        theirs,
        _evidence(question, theirs),
        f"{listed(one.ring for one in theirs)} in the table {theirs[0].table} "
        f"{form(theirs, 'belongs', 'belong')} to the cluster {whose}; "
        + (
            f"the ring bridge here was started for {ours}, and refuses to serve them"
            if named
            else "a ring bridge that is started with another --cluster refuses to serve them"
        ),
        "Each cluster has a table of its own: give this one's bridge another --table, and name it in "
        f"[dynamodb] table. If the rings are this cluster's, start the bridge with --cluster={whose}.",
        Severity.BLOCKS if named else Severity.WARNS,
    )


def bridge_other_table(question: Question) -> Iterator[Finding]:
    """`bridge-other-table`: the bridge keeps rings in another table than the one that is looked into."""
    bridge, wanted = question.inspection.bridge, question.target.dynamodb.table
    if bridge is None or question.target.through_bridge is None or not wanted:
        return
    others = {
        one.pod.name: table
        for one in bridge.staying
        if (table := started_with(one, "table")) and table != wanted
    }
    if others:
        yield Finding(
            id="bridge-other-table",
            severity=Severity.BLOCKS,
            title=f"The ring bridge keeps its rings in {listed(others.values())}, and the target names "
            f"{wanted}",
            evidence=shown(
                question.evidence(f"bridge pod {name}", f"--table={table}")
                for name, table in others.items()
            ),
            fix="Name the bridge's table in [dynamodb] table, or start every replica with the target's.",
        )


def started_with(replica: BridgeReplica, option: str) -> str:
    """What a replica was started with, as its page says or, where it gives none, its pod's arguments."""
    page = replica.page
    said = "" if page is None else {"cluster": page.cluster, "table": page.table}[option]
    flag = _FLAG.format(option)
    return said or next(
        (arg.removeprefix(flag) for arg in replica.pod.args if arg.startswith(flag)), ""
    )


def _evidence(question: Question, heads: Sequence[RingHead]) -> tuple[Evidence, ...]:
    return shown(
        question.evidence(
            f"DynamoDB Query {one.table} RingKey=bridge:{one.ring_key}",
            f"cluster {one.cluster or 'none'}, format {one.format or 'none'}",
        )
        for one in heads
    )


def _finding(
    heads: Sequence[RingHead],
    evidence: tuple[Evidence, ...],
    title: str,
    fix: str,
    severity: Severity = Severity.BLOCKS,
) -> Finding:
    return Finding(
        id="bridge-table-taken",
        severity=severity,
        title=title,
        evidence=evidence,
        fix=fix,
        rings=tuple(one.ring for one in heads),
    )


RULES = {"bridge-table-taken": bridge_table_taken, "bridge-other-table": bridge_other_table}

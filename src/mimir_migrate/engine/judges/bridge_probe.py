"""The gate that proves the ring bridge's replicas to be one store: what each wrote, all others read.

The writes are the replicas' own, every 2 s, on a key that no client is served. A gate only looks.
"""

from __future__ import annotations

from mimir_migrate.durations import spoken
from mimir_migrate.engine.gate_notes import GateContext, Notes
from mimir_migrate.engine.judges.bridge import pages_of, source_of
from mimir_migrate.model.events import GateResult
from mimir_migrate.model.facts import Bridge, BridgeProbe, BridgeReplica, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.words import counted

WRITTEN_WITHIN = 30.0
"""True seconds within which a replica is acknowledged a write of its own; it makes one each 2 s, and a
write is held for up to 15 s while the table is away."""


def bridge_consistent(inspection: Inspection, context: GateContext) -> GateResult:
    """`bridge-consistent`: each replica writes, and every replica reads what any of them wrote before."""
    notes = Notes()
    dict(pages_of(notes, inspection.bridge))  # what does not answer is noted
    proven = _proven(inspection.bridge)
    silent = [
        one
        for one in (inspection.bridge.staying if inspection.bridge else ())
        if one.page is not None and one.page.probe is None
    ]
    for replica in silent:
        notes.cannot_tell(
            source_of(replica), "makes no probes: it is of an older version of `bridge serve`"
        )
    before = _proven(context.reference.bridge if context.reference else None)
    for replica, probe in proven.values():
        _writes(notes, replica, probe, before)
    if not before and proven:
        notes.cannot_tell("ring bridge", "the first sample is taken, the next is compared with it")
    for name, (writer, then) in before.items():
        if name not in proven or not then.written:
            continue
        for reader, probe in proven.values():
            _reads(notes, reader, probe, writer, then)
    return notes.result(
        Gate.BRIDGE_CONSISTENT,
        inspection,
        f"{counted(len(proven), 'replica')} of the ring bridge wrote, and each reads what the others wrote",
    )


def _proven(bridge: Bridge | None) -> dict[str, tuple[BridgeReplica, BridgeProbe]]:
    """The replicas that stay and tell of their probes, by their names of this start."""
    return {
        one.page.probe.name: (one, one.page.probe)
        for one in (bridge.staying if bridge is not None else ())
        if one.page is not None and one.page.probe is not None
    }


def _writes(
    notes: Notes,
    replica: BridgeReplica,
    probe: BridgeProbe,
    before: dict[str, tuple[BridgeReplica, BridgeProbe]],
) -> None:
    """Hold a replica to a write of its own since the reference."""
    page = replica.page
    assert page is not None  # noqa: S101 - its probe comes from it
    source = source_of(replica)
    because = f" ({probe.problem})" if probe.problem else ""
    age = page.now - (probe.written_at or page.started)
    if age > WRITTEN_WITHIN:
        last = f"for {spoken(age)}" if probe.written else f"since it started {spoken(age)} ago"
        notes.fail(source, f"was acknowledged no write of its own {last}{because}")
    elif not probe.written:
        notes.cannot_tell(source, f"has written nothing of its own yet{because}")
    elif probe.name in before and probe.written <= before[probe.name][1].written:
        notes.cannot_tell(source, f"wrote nothing of its own since the sample before{because}")
    elif before and probe.name not in before:
        notes.cannot_tell(source, "started since the sample before, the next is compared with it")


def _reads(
    notes: Notes,
    reader: BridgeReplica,
    probe: BridgeProbe,
    writer: BridgeReplica,
    then: BridgeProbe,
) -> None:
    """Hold a replica's newest read to what another one was acknowledged before it began.

    Ages are a replica's own, so clocks that differ do no harm: the read began that long before the
    replica was asked, and the write was acknowledged before its replica had answered.
    """
    page = reader.page
    assert page is not None  # noqa: S101 - its probe comes from it
    source = source_of(reader)
    began = reader.asked_at - (page.now - probe.read_at)
    if began <= writer.answered_at:
        because = f" ({probe.problem})" if probe.problem else ""
        notes.cannot_tell(source, f"has read nothing since the sample before{because}")
    elif probe.read.get(then.name, 0) < then.written:
        found = probe.read.get(then.name)
        notes.fail(
            source,
            f"does not read what {writer.pod.name} wrote: number {then.written} was acknowledged, "
            + (f"it reads {found}" if found else "it reads nothing of it")
            + "; another table, or an old copy of it?",
        )

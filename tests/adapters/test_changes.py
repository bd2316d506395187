"""Every change passes one place: with the lease, once, and never in a dry run."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from hashlib import sha256
from pathlib import Path

import pytest
from crash_points import (
    CrashingChanges,
    CrashingJournal,
    variables,
    with_crash_points,
)

from mimir_migrate.adapters.changes import RealChanges
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import FileChangedError, LeaseError, UsageError
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    LeaseClaim,
    Outcome,
    ReleaseLease,
    RenewLease,
    TableSpec,
    TakeLease,
    WriteFile,
)
from mimir_migrate.model.edits import FileEdit, Hunk
from mimir_migrate.model.events import StepStarted
from mimir_migrate.model.target import DeployTarget

CLAIM = LeaseClaim(
    name="mimir-migrate",
    holder="ann@laptop run-1 7",
    run="run-1",
    store="dynamodb",
    rings=("ruler",),
    step="2-roll",
)
TABLE = TableSpec(name="rings", region="eu-west-1")


class World:
    """Tables, a lease and deploys in memory, with a log of what was done to them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.tables: set[str] = set()
        self.holder = ""

    def create_table(self, spec: TableSpec) -> Outcome:
        self.log.append(f"create {spec.name}")
        already = spec.name in self.tables
        self.tables.add(spec.name)
        return Outcome(detail="", already=already)

    def take(self, claim: LeaseClaim, *, takeover: bool = False) -> Outcome:
        if self.holder and not takeover:
            raise LeaseError("held")
        self.holder = claim.holder
        return Outcome(detail="")

    def renew(self, claim: LeaseClaim) -> Outcome:
        if self.holder != claim.holder:
            raise LeaseError(f"lost to {self.holder}")
        self.log.append("asked for the lease")
        return Outcome(detail="")

    def release(self, claim: LeaseClaim) -> Outcome:
        self.holder = ""
        return Outcome(detail="")

    def deploy(self, change: Deploy, *, run: str, step: str) -> Outcome:
        self.log.append(f"deploy for {run} {step}")
        return Outcome(detail="")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def changes(world: World) -> RealChanges:
    return RealChanges(tables=world, leases=world, deployments=world, remains=world)


@pytest.fixture
def edit(tmp_path: Path) -> FileEdit:
    path = tmp_path / "values.yaml"
    path.write_bytes(b"store: memberlist\n")
    return FileEdit(
        path=str(path),
        before_sha256=sha256(b"store: memberlist\n").hexdigest(),
        after_sha256=sha256(b"store: dynamodb\n").hexdigest(),
        hunks=(Hunk(start=7, before=b"memberlist", after=b"dynamodb"),),
    )


def deploy() -> Deploy:
    return Deploy(deploy=DeployTarget(), files=("v.yaml",), release="mimir", namespace="mimir")


def test_each_change_reaches_its_adapter_with_the_lease(
    changes: RealChanges, world: World, edit: FileEdit
) -> None:
    """The lease is asked for right before each change; a deploy is told the run and the step."""
    changes.perform(TakeLease(claim=CLAIM))
    changes.perform(CreateTable(table=TABLE))
    changes.perform(WriteFile(edit=edit))
    changes.perform(deploy())

    assert world.log == [
        *("asked for the lease", "create rings"),
        "asked for the lease",
        *("asked for the lease", "deploy for run-1 2-roll"),
    ]
    assert Path(edit.path).read_bytes() == b"store: dynamodb\n"


@pytest.mark.parametrize("kind", ["table", "file", "deploy"])
def test_nothing_is_changed_without_the_lease(
    changes: RealChanges, world: World, edit: FileEdit, kind: str
) -> None:
    """Not before it was taken, not after it was released, not when somebody else took it."""
    change: Change = {
        "table": CreateTable(table=TABLE),
        "file": WriteFile(edit=edit),
        "deploy": deploy(),
    }[kind]

    with pytest.raises(LeaseError, match="no lease was taken"):
        changes.perform(change)
    changes.perform(TakeLease(claim=CLAIM))
    world.holder = "bob@jump run-2 1"
    with pytest.raises(LeaseError, match="lost to bob"):
        changes.perform(change)
    world.holder = CLAIM.holder
    changes.perform(ReleaseLease(claim=CLAIM))
    with pytest.raises(LeaseError, match="no lease was taken"):
        changes.perform(change)

    assert world.log == []
    assert Path(edit.path).read_bytes() == b"store: memberlist\n"


def test_repeating_a_change_does_nothing_twice(
    changes: RealChanges, world: World, edit: FileEdit
) -> None:
    """Outcomes say that the world was so already."""
    changes.perform(TakeLease(claim=CLAIM))
    outcomes = [
        changes.perform(change).already
        for change in (CreateTable(table=TABLE), WriteFile(edit=edit))
        for _ in range(2)
    ]

    assert outcomes == [False, True, False, True]


def test_a_file_of_somebody_else_is_left_alone(changes: RealChanges, edit: FileEdit) -> None:
    """A file that is not what the edit was made for is refused."""
    changes.perform(TakeLease(claim=CLAIM))
    Path(edit.path).write_bytes(b"store: consul\n")
    with pytest.raises(FileChangedError):
        changes.perform(WriteFile(edit=edit))

    assert Path(edit.path).read_bytes() == b"store: consul\n"


class PulledPlugError(BaseException):
    """Stands for the process ending."""


def pull_the_plug() -> None:
    raise PulledPlugError


@pytest.mark.parametrize(("when", "created"), [("before", ["t0"]), ("after", ["t0", "t1"])])
def test_a_crash_comes_before_or_after_the_chosen_change(
    changes: RealChanges, world: World, when: str, created: list[str]
) -> None:
    """Renewals, which come with time, do not count."""
    crashing = CrashingChanges(changes, 3, when, pull_the_plug)
    crashing.perform(TakeLease(claim=CLAIM))
    crashing.perform(RenewLease(claim=CLAIM))
    crashing.perform(CreateTable(table=TableSpec(name="t0", region="")))
    with pytest.raises(PulledPlugError):
        crashing.perform(CreateTable(table=TableSpec(name="t1", region="")))

    assert sorted(world.tables) == created
    assert crashing.count == 3


@pytest.mark.parametrize(("when", "kept"), [("before", 1), ("after", 2)])
def test_a_crash_at_an_event_of_the_journal(tmp_path: Path, when: str, kept: int) -> None:
    """The event is on disk or it is not."""
    store = JournalStore(tmp_path, redactor=Redactor())
    run = store.new_run_id()
    with store.create(run) as journal:
        crashing = CrashingJournal(journal, 2, when, pull_the_plug)
        crashing.append(StepStarted(step="a"))
        with pytest.raises(PulledPlugError):
            crashing.append(StepStarted(step="b"))

    with store.open(run) as journal:
        assert len(journal.events()) == kept


def test_without_the_variable_nothing_is_wrapped(changes: RealChanges, tmp_path: Path) -> None:
    """The hook is out of the way in real use; what is not a crash point is refused."""
    store = JournalStore(tmp_path, redactor=Redactor())
    with store.create(store.new_run_id()) as journal:
        assert with_crash_points(changes, journal, {}) == (changes, journal)
        wrapped, same = with_crash_points(changes, journal, {"MIMIR_MIGRATE_CRASH": "before:7"})
        assert isinstance(wrapped, CrashingChanges)
        assert same is journal
        for wrong in ("7", "before:0", "during:3"):
            with pytest.raises(UsageError, match="not a crash point"):
                with_crash_points(changes, journal, {"MIMIR_MIGRATE_CRASH": wrong})


def test_the_hook_really_kills(tmp_path: Path) -> None:
    """With the variable set, the process ends by SIGKILL right after the chosen event is on disk."""
    script = """
        import os, sys
        from pathlib import Path
        from crash_points import with_crash_points
        from mimir_migrate.adapters.journal.store import JournalStore
        from mimir_migrate.adapters.recorder import RecordingChanges
        from mimir_migrate.model.events import StepStarted

        store = JournalStore(Path(sys.argv[1]))
        _, journal = with_crash_points(RecordingChanges(), store.create(sys.argv[2]), os.environ)
        for number in range(5):
            journal.append(StepStarted(step=str(number)))
    """
    store = JournalStore(tmp_path, redactor=Redactor())
    run = store.new_run_id()
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path, run],
        check=False,
        env=variables("after-event:3"),
    )

    assert result.returncode == -9
    with store.open(run) as journal:
        assert len(journal.events()) == 3

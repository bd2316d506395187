"""Planted secrets are in nothing that a run leaves behind, and nobody else can read what it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.app import MigrateApp
from mimir_migrate.model.changes import Change, Deploy, Outcome
from mimir_migrate.model.events import (
    ChangeFailed,
    Recorded,
    Request,
    RequestKind,
    RunStarted,
    RunState,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations import Operations
from mimir_migrate.plans.planner import Order
from mimir_migrate.runs import report

pytestmark = pytest.mark.usefixtures("brisk")

IN_ENVIRONMENT = "Planted9c1e-environment"
IN_COMMENT = "Planted77ab-comment"
IN_SETTING = "Planted03fd-setting"
IN_OUTPUT = "Planted5512-output"
IN_REASON = "Planted8e8e-reason"
KEY_ID = "AKIAPLANTED0PLANTED0"
SECRETS = (IN_ENVIRONMENT, IN_COMMENT, IN_SETTING, IN_OUTPUT, IN_REASON, KEY_ID)

VALUES = (
    SMALL[Product.CORTEX]
    .replace(
        b"      kvstore: {store: memberlist}   # in one line\n",
        b"      # password: " + IN_COMMENT.encode() + b"\n"
        b"      kvstore: {store: memberlist}   # in one line\n"
        b"      # access key " + KEY_ID.encode() + b"\n",
    )
    .replace(
        b"ruler: {enabled: true",
        b"gateway_password: " + IN_SETTING.encode() + b"\nruler: {enabled: true",
    )
)

OUTPUT = (
    f"echo 'password: {IN_OUTPUT}'; echo \"logged in with $PLANTED_TOKEN\" >&2; "
    f"echo 'Authorization: Bearer {IN_OUTPUT}=' >&2; "
)


class Chatty:
    """Deploys after a real program said too much; the first one fails."""

    def __init__(self, inner: Any, programs: Programs) -> None:
        self._inner = inner
        self._programs = programs
        self.failures = 1

    def perform(self, change: Change) -> Outcome:
        if isinstance(change, Deploy):
            self.failures, now = self.failures - 1, self.failures
            self._programs.run(OUTPUT + ("exit 3" if now > 0 else "true"), timeout=30)
        return self._inner.perform(change)


def plain(events: Sequence[Recorded]) -> bytes:
    """Events as text; bytes of files are in base64 on disk, and here they are not."""
    return repr([msgspec.to_builtins(one, builtin_types=(bytes,)) for one in events]).encode()


def walked(folder: Path, redactor: Redactor) -> tuple[Operations, str]:
    """A run whose first deploy fails, gone on with and taken back, with its journal on disk."""
    world = VirtualWorld(Product.CORTEX, VALUES)
    chatty = Chatty(world.changes, Programs(redactor))
    store = JournalStore(folder, redactor=redactor, now=world.clock.now)
    work: list[Operations] = []

    def spawn(run: str, purpose: str, options: Any) -> int:
        work[0].work(run, purpose, options)
        return 1

    work.append(
        Operations(
            msgspec.structs.replace(
                world.operations._environment,
                store=store,
                changes_for=lambda *_: chatty,
                spawn=spawn,
            )
        )
    )
    order = Order(to=Store.DYNAMODB, rings=("ruler",))
    run = work[0].start(work[0].plan(world.target, order), options=world.options)
    assert any(isinstance(one.event, ChangeFailed) for one in work[0].events(run))
    store.open(run).leave(
        Request(kind=RequestKind.HOLD, by="olga@laptop", reason=f"token: {IN_REASON}")
    )
    store.open(run).leave(Request(kind=RequestKind.CONTINUE, by="olga@laptop"))
    work[0].go_on(run, "resume", world.options)
    assert work[0].status(run).state is RunState.DONE
    work[0].go_on(run, "rollback", world.options)
    assert work[0].status(run).state is RunState.ROLLED_BACK
    assert world.values == VALUES
    return work[0], run


def pictures(work: Operations, run: str) -> str:
    """The app's pages of the cluster, the run and its report, photographed with the run chosen."""
    started = work.events(run)[0].event
    assert isinstance(started, RunStarted)
    app = MigrateApp(
        work, clock=work.clock.now, target=started.plan.target, run=run, poll_seconds=3600.0
    )
    taken: list[str] = []

    async def script() -> None:
        async with app.run_test(size=(160, 100), notifications=True) as pilot:
            for key in "267":
                await pilot.press(key)
                await app.workers.wait_for_complete()
                await pilot.pause()
                taken.append(app.export_screenshot())

    asyncio.run(script())
    assert run in taken[-1]
    assert "FAILED" in taken[-1]
    return "".join(taken)


def test_planted_secrets_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal, report in each form, pictures and status: counted byte by byte, none."""
    monkeypatch.setenv("PLANTED_TOKEN", IN_ENVIRONMENT)
    folder = tmp_path / "state"
    work, run = walked(folder, Redactor(os.environ))
    events = work.events(run)
    texts = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for end in (".md", ".json", ".html"):
        texts[end] = report.render(run, events, end).encode()
    texts["events"] = plain(events)
    texts["pictures"] = pictures(work, run).encode()
    texts["status"] = msgspec.json.encode(work.status(run))
    failed = next(one.event for one in events if isinstance(one.event, ChangeFailed))
    assert "[redacted]" in failed.reason
    found = {
        (name, secret): text.count(secret.encode())
        for name, text in texts.items()
        for secret in SECRETS
    }
    assert {key: count for key, count in found.items() if count} == {}
    assert len(texts) > 4


def test_without_a_redactor_they_would_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above plants them where they would be found."""

    class Open(Redactor):
        def text(self, text: str) -> str:
            return text

    monkeypatch.setenv("PLANTED_TOKEN", IN_ENVIRONMENT)
    folder = tmp_path / "state"
    work, run = walked(folder, Open())
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    everything += plain(work.events(run))
    for secret in (IN_ENVIRONMENT, IN_OUTPUT, IN_REASON, IN_COMMENT, KEY_ID):
        assert secret.encode() in everything, secret


def test_the_state_folder_is_the_operators_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders 0700 and files 0600, whatever the umask and however the folder was made before."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        store = JournalStore(folder)
        run = store.new_run_id()
        lock = store.lock(run)
        journal = store.create(run)
        modes = {
            path: path.stat().st_mode & 0o777 for path in (folder, *sorted(folder.rglob("*")))
        }
        journal.close()
        lock.release()
    finally:
        os.umask(before)
    assert len(modes) > 3
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() or path == folder else 0o600), path

"""Runners on real processes that kill themselves with SIGKILL, one after the other, in one migration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_deaths import PLANTED, Deaths

from mimir_migrate.cli import run
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import LegStarted, RunnerStarted, RunState
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store


@pytest.fixture
def deaths(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deaths]:
    """A sandbox of its own, and an operator in front of it."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    for name, secret in PLANTED.items():
        monkeypatch.setenv(name, secret)
    made = Deaths(tmp_path, *request.param)
    try:
        yield made
    finally:
        made.close()


FORWARD = (
    ("after-event", 0.0),
    ("before", 0.3),
    ("after", 0.3),
    ("before-event", 0.4),
    ("after", 0.5),
    ("after-event", 0.5),
    ("before", 1.0),
)
"""Kinds of points, and after which part of what is left to do each lies."""


@pytest.mark.parametrize(
    "deaths", [(Product.CORTEX, Strategy.STATIC)], ids=["cortex-static"], indirect=True
)
def test_seven_deaths_on_the_way_forward(deaths: Deaths) -> None:
    """Killed and resumed seven times, and it ends as a run that lived: each change in effect once."""
    start = deaths.look.everything()
    plan = deaths.plan(Store.DYNAMODB)
    end = plan.steps[-1].edits[-1].after_sha256
    deaths.die("apply", *FORWARD[0], plan)
    for kind, share in FORWARD[1:]:
        deaths.die("resume", kind, share)
    assert deaths.command("resume") == ExitCode.DONE, deaths.events()[-8:]
    deaths.check_ended(RunState.DONE)
    assert deaths.kills == 7
    assert len(deaths.written()) == len(set(deaths.written())), "an edit was made twice"
    assert deaths.look.stores()["ruler"] == {"dynamodb"}
    assert deaths.look.files()["values.yaml"] == end
    found = deaths.look.everything()
    assert {**found["files"], "values.yaml": ""} == {**start["files"], "values.yaml": ""}
    assert found["pods"] == start["pods"]
    assert len(deaths.look.members()["rulers/ring"]) == start["pods"]["ruler"]


@pytest.mark.parametrize(
    "deaths", [(Product.MIMIR, Strategy.AUTO)], ids=["mimir-runtime"], indirect=True
)
def test_five_deaths_there_and_back(deaths: Deaths, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed in the switch and in a deploy, taken back, and the rollback dies twice: the start again."""
    start = deaths.look.everything()
    deaths.die("apply", "before-event", 0.3, deaths.plan(Store.DYNAMODB))
    deaths.die("resume", "after", 0.35)
    assert deaths.look.everything() != start
    deaths.killed_in_a_deploy("resume")
    before = len(deaths.events())
    code = deaths.waits_for_the_deploy("rollback", dies="after-event:9")
    deaths.check_dead(code, "after-event:9", before)
    deaths.die("resume", "before", 0.6)
    assert deaths.command("resume") == ExitCode.ROLLED_BACK
    deaths.check_ended(RunState.ROLLED_BACK)
    assert deaths.kills == 5
    assert deaths.look.everything() == start
    events = deaths.events()
    runners = [event.purpose for event in events if isinstance(event, RunnerStarted)]
    assert runners == ["apply", "resume", "resume", "rollback", "resume", "resume"]
    legs = [event.purpose for event in events if isinstance(event, LegStarted)]
    assert set(legs[legs.index("rollback") :]) == {"rollback"}, "a rollback turned round"
    commands = (("status", "--json"), ("report",), ("status", "--follow", "--json"))
    for words in commands:
        run(words)
    deaths.check_no_secret(capsys.readouterr())

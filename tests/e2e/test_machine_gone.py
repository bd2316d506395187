"""The machine is gone, with real processes: another state folder, another copy of the files, the least rights."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from operators import Operator
from test_least_permissions import least_of, printed

from mimir_migrate.model.events import Held, StepDone

pytestmark = pytest.mark.soak


def keep_copies(operator: Any) -> None:
    """Have the target keep a copy in the cluster."""
    target = operator.sandbox / "target.toml"
    if "[journal]" in target.read_text():
        return
    target.write_text(target.read_text() + '\n[journal]\ncopy = "cluster"\n')


def elsewhere(operator: Any, place: Path, values: bytes) -> Operator:
    """Somebody else, with a checkout of their own and nothing of the first machine's state."""
    shutil.copytree(operator.sandbox, place)
    (place / "values.yaml").write_bytes(values)
    return Operator(place, place.parent / "other-state")


def as_host(operator: Any, name: str, *arguments: str) -> Any:
    """Run a command of an operator on a machine that has another name."""
    program = (
        f"import socket, sys; socket.gethostname = lambda: {name!r}; "
        "from mimir_migrate.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "MIMIR_MIGRATE_STATE": str(operator.state)},
        cwd=operator.sandbox,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("alive", [True, False], ids=["its runner lives", "its runner is gone"])
def test_what_a_second_machine_asks_is_refused_with_what_can_be_done(
    mimir: Any, tmp_path: Path, *, alive: bool
) -> None:
    """It would be read by nobody: nothing is left for it there, and where to say it is said."""
    keep_copies(mimir)
    begun = mimir.begin("apply", mimir.plan("dynamodb", "ruler"), "--yes")
    mimir.wait_for(StepDone, matching=lambda event: event.step == "tables")
    mimir.call("hold")
    mimir.wait(lambda: any(isinstance(event, Held) for event in mimir.events()))
    run = mimir.run()
    if not alive:
        mimir.kill_runner()
    other = elsewhere(mimir, tmp_path / "other", mimir.values.read_bytes())

    nothing = as_host(other, "second", "approve")
    assert nothing.returncode == 2
    assert "status --target FILE" in nothing.stderr
    told = as_host(other, "second", "status", "--brief", "--target", other.target)
    assert run in told.stdout
    for request in (["approve"], ["hold"], ["continue"], ["stop"]):
        refused = as_host(other, "second", *request)
        assert refused.returncode == 3, request
        assert "what is asked here does not reach it" in refused.stderr
        assert f"resume {run} --takeover" in refused.stderr
    for purpose in ("resume", "rollback"):
        refused = as_host(other, "second", purpose, "--yes", "--target", other.target)
        assert refused.returncode == 4
        assert "--takeover" in refused.stderr
    assert not other.store.open(run).open_requests()

    mimir.call("rollback", "--yes")
    mimir.end(begun, None)


@pytest.mark.parametrize("purpose", ["resume", "rollback"])
@pytest.mark.parametrize("file", ["before", "after"])
def test_somebody_else_ends_the_run_with_the_rights_that_rbac_prints(
    mimir: Any, tmp_path: Path, purpose: str, file: str
) -> None:
    """Byte for byte, by what the role names."""
    keep_copies(mimir)
    least = least_of(mimir)
    manifests = printed(mimir)
    least.allow([one for one in manifests if one["kind"] != "Secret"])
    for one in manifests:
        if one["kind"] == "Secret":
            where = one["metadata"]["namespace"]
            code, _ = least.api.call("POST", f"api/v1/namespaces/{where}/secrets", one)
            assert code in {201, 409}
    before = mimir.values.read_bytes()
    plan = str(mimir.sandbox / "copied.json")
    to = ("--to", "dynamodb", "--rings", "ruler", "-o", plan)
    said = mimir.call("plan", "--target", least.target, *to).err
    assert "everybody who may get Secrets" in said
    begun = mimir.begin("apply", plan, "--yes")
    mimir.wait_for(StepDone, matching=lambda event: event.step == "both")
    os.kill(mimir.store.runner_pid(mimir.run()) or 0, signal.SIGKILL)
    mimir.end(begun)

    other = elsewhere(
        mimir, tmp_path / "other", before if file == "before" else mimir.values.read_bytes()
    )
    target = str(other.sandbox / "least.toml")
    assert mimir.run() in other.call("status", "--brief", "--target", target).out
    other.call(purpose, "--takeover", "--yes", "--target", target)

    assert "people are named as their own machines" in other.call("report").out
    if purpose == "rollback":
        assert other.values.read_bytes() == before
    else:
        other.call("rollback", "--yes", "--target", target)
        assert other.values.read_bytes() == before
    refused = least.told()["refused"]
    # The release's own Secret is found by counting up, which asks for some that are not allowed.
    assert [one for one in refused if not one.startswith("secrets")] == []
    assert [one for one in refused if "mimir-migrate-" in one] == []
    mimir.values.write_bytes(before)

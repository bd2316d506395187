"""A deploy command that outlives its runner is noticed, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mimir_migrate.adapters.deploy.deployer import Deployer
from mimir_migrate.adapters.deploy.helm import Helm
from mimir_migrate.adapters.deploy.lock import DeployLock
from mimir_migrate.adapters.deploy.render import ValuesRender
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import BlockedError, CommandError
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.target import DeployMethod, DeployTarget, Target

WAITS = "touch begun; while [ -e begun ]; do sleep 0.05; done"

OUTLIVES = "while kill -0 $PPID 2>/dev/null; do sleep 0.02; done"
"""A runner that lives sees the command end, and what it left behind is no deploy then."""

RUNNER = """
    import sys
    from pathlib import Path
    sys.path.append(sys.argv[1])
    from test_deploy_lock import deploy
    deploy(Path(sys.argv[2]), sys.argv[3])
"""


def lock_in(folder: Path) -> DeployLock:
    return DeployLock(folder / "state", server="k:6443", namespace="metrics", release="mimir")


def deploy(folder: Path, line: str) -> None:
    """Deploy by a command, as a runner does."""
    programs = Programs(Redactor())
    target = Target(deploy=DeployTarget(method=DeployMethod.COMMAND, command=line))
    helm = Helm(programs, target.kubernetes, lambda: "")
    deployer = Deployer(programs, helm, ValuesRender(programs, target), lock=lock_in(folder))
    change = Deploy(
        deploy=target.deploy,
        files=("values.yaml",),
        release="mimir",
        namespace="metrics",
        folder=str(folder),
    )
    deployer.deploy(change, run="run-1", step="both")


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def killed_runner(folder: Path, line: str) -> None:
    """A runner that is killed once its deploy command said that it had begun."""
    words = [sys.executable, "-c", textwrap.dedent(RUNNER), str(Path(__file__).parent)]
    with subprocess.Popen([*words, str(folder), line]) as runner:
        until((folder / "begun").exists)
        runner.kill()
    assert runner.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "line",
    [WAITS, f"({WAITS}) & {OUTLIVES}; exit 0"],
    ids=["the-command", "a-child-of-it"],
)
def test_a_command_that_outlives_its_runner_is_told(tmp_path: Path, line: str) -> None:
    """With its pid, run and step, for as long as it or a child of it lives; nothing is deployed then."""
    lock = lock_in(tmp_path)
    assert lock.left_running() == ""
    killed_runner(tmp_path, f"echo $$ > pid; {line}")
    try:
        pid = (tmp_path / "pid").read_text().strip()
        said = lock.left_running()
        assert "the deploy command of the runner that died still runs" in said
        for words in (f"pid {pid}", "run-1", "step both"):
            assert words in said
        with pytest.raises(BlockedError, match=f"pid {pid}"):
            deploy(tmp_path, "touch second")
        assert not (tmp_path / "second").exists()
    finally:
        (tmp_path / "begun").unlink()
    until(lambda: lock.left_running() == "")
    deploy(tmp_path, "touch second")
    assert (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("end", "outcome"),
    [("exit 0", contextlib.nullcontext()), ("exit 3", pytest.raises(CommandError))],
    ids=["well", "failed"],
)
def test_what_a_command_left_in_the_background_is_not_waited_for(
    tmp_path: Path, end: str, outcome: contextlib.AbstractContextManager[object]
) -> None:
    """The runner saw the command end; a tunnel or an agent that it started is not a deploy."""
    try:
        with outcome:
            deploy(tmp_path, f"(while [ ! -e over ]; do sleep 0.05; done) & echo $! > pid; {end}")
        os.kill(int((tmp_path / "pid").read_text()), 0)
        assert lock_in(tmp_path).left_running() == ""
    finally:
        (tmp_path / "over").touch()


def test_the_lock_is_the_operators_alone_and_the_releases_own(tmp_path: Path) -> None:
    """Folder 0700 and file 0600; another release's deploy is none of this one's."""
    other = DeployLock(tmp_path / "state", server="k:6443", namespace="metrics", release="loki")
    with lock_in(tmp_path).held("run-1", "both"):
        assert "run-1" in lock_in(tmp_path).left_running()
        assert other.left_running() == ""
        (file,) = (tmp_path / "state" / "deploys").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert lock_in(tmp_path).left_running() == ""
    assert file.read_bytes() == b""


def test_an_error_that_nobody_foresaw_leaves_the_command_and_its_lock(tmp_path: Path) -> None:
    """As a runner that was killed does: the next one is told of it, and waits."""
    programs = Programs(Redactor())
    lock = lock_in(tmp_path)

    def fail_while_it_runs() -> None:
        with lock.held("run-1", "both") as mark:

            def odd(pid: int) -> None:
                mark.began(pid)
                until((tmp_path / "pid").exists)
                raise KeyError(pid)

            line = f"echo $$ > pid; {WAITS}"
            programs.run(line, cwd=str(tmp_path), inherits=(mark.descriptor,), on_start=odd)

    with pytest.raises(KeyError):
        fail_while_it_runs()
    try:
        pid = (tmp_path / "pid").read_text().strip()
        assert f"pid {pid}" in lock.left_running()
    finally:
        until((tmp_path / "begun").exists)
        (tmp_path / "begun").unlink()
    until(lambda: not lock.left_running())


def test_an_error_after_the_command_ended_leaves_no_lock(tmp_path: Path) -> None:
    """Nothing holds it any more."""
    lock = lock_in(tmp_path)

    with pytest.raises(KeyError), lock.held("run-1", "both"):
        raise KeyError

    assert lock.left_running() == ""

"""kubectl, and an exported plan followed by hand, on a sandbox."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from operators import Operator, mimir, outside, pool

from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.files import read_sandbox

__all__ = ["mimir", "outside", "pool"]

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="`kubectl` is not installed"
)
needs_others = pytest.mark.skipif(
    shutil.which("aws") is None or shutil.which("patch") is None,
    reason="`aws` or `patch` is not installed",
)


def kubectl(sandbox: Path, *words: str) -> str:
    """What kubectl prints."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(sandbox / "kubeconfig"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@needs_kubectl
def test_kubectl_is_answered_as_by_a_cluster(mimir: Operator) -> None:
    """It sends its token only over TLS; lists, tables, one object, a patch, and what may be done."""
    listed = kubectl(mimir.sandbox, "get", "pods", "--output", "wide").splitlines()
    named = json.loads(kubectl(mimir.sandbox, "get", "pods", "--output", "json"))["items"]

    assert listed[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert [line.split()[1:3] for line in listed[1:]] == [["1/1", "Running"]] * len(named)
    assert {line.split()[0] for line in listed[1:]} == {pod["metadata"]["name"] for pod in named}
    assert "statefulset.apps/" in kubectl(mimir.sandbox, "get", "statefulsets", "-o", "name")
    pod = named[0]["metadata"]["name"]
    kubectl(mimir.sandbox, "annotate", "pod", pod, "looked-at=yes")
    assert "looked-at: yes" in kubectl(mimir.sandbox, "describe", "pod", pod)
    kubectl(mimir.sandbox, "annotate", "pod", pod, "looked-at-")


def test_without_the_kubeconfigs_certificate_the_server_is_not_trusted(mimir: Operator) -> None:
    """The certificate is the sandbox's own, for 127.0.0.1, and its key is the user's alone."""
    found = read_sandbox(mimir.sandbox)
    url = f"https://127.0.0.1:{found.tls_port}/version"
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {found.token}"})
    trusting = ssl.create_default_context(cafile=mimir.sandbox / "tls.crt")
    with urllib.request.urlopen(asked, context=trusting, timeout=20) as answer:
        assert json.load(answer)["major"] == "1"
    with pytest.raises(OSError, match="certificate"):
        urllib.request.urlopen(asked, timeout=20)
    assert (mimir.sandbox / "tls.key").stat().st_mode & 0o777 == 0o600


class ByHand:
    """Somebody who follows an exported plan: reads the question, answers with the step's name."""

    def __init__(self, script: Path, folder: Path) -> None:
        self._folder = folder
        self._output = (folder / "said").open("w")
        self._running = subprocess.Popen(
            ["sh", str(script)],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
        )

    def asked(self) -> str:
        """The step that the script asks for now; empty: none."""
        last = self.said().rpartition("\nType ")[2]
        return last.removesuffix(" to go on: ") if last.endswith(" to go on: ") else ""

    def answer(self, step: str) -> None:
        """Let it go on."""
        assert self._running.stdin is not None
        self._running.stdin.write(f"{step}\n")
        self._running.stdin.flush()

    def said(self) -> str:
        """All that the script and its commands printed."""
        return (self._folder / "said").read_text()

    def over(self) -> bool:
        """Whether it ended."""
        return self._running.poll() is not None

    @property
    def code(self) -> int | None:
        """How it ended."""
        return self._running.poll()

    def end(self) -> None:
        """Leave nothing running."""
        self._running.kill()
        self._running.communicate()
        self._output.close()


def all_good(operator: Operator) -> bool:
    """Every check of the ruler's ring; before it is mirrored no pod has a reason to ask DynamoDB."""
    words = ("verify", "--target", operator.target, "--rings", "ruler", "--json")
    checks = operator.call(*words, code=None).document["checks"]
    bad = {check["gate"] for check in checks if check["verdict"] != "pass"}
    return bad <= {"pods-reach-dynamodb"}


@pytest.fixture
def by_hand(mimir: Operator, tmp_path: Path) -> Iterator[tuple[ByHand, list[str]]]:
    """The script of a plan for the ruler's ring, and its steps in order."""
    script = tmp_path / "plan.sh"
    mimir.call(
        *("plan", "--target", mimir.target, "--to", "dynamodb", "--rings", "ruler"),
        *("--output", str(script), "--output", str(tmp_path / "plan.json")),
    )
    steps = [step["id"] for step in json.loads((tmp_path / "plan.json").read_text())["steps"]]
    one = ByHand(script, tmp_path)
    yield one, steps
    one.end()


@needs_kubectl
@needs_others
def test_a_plans_script_moves_a_ring_by_hand(
    mimir: Operator, outside, by_hand: tuple[ByHand, list[str]]
) -> None:
    """Each answered once the gates are good; every command works as it stands; nobody is lost."""
    script, steps = by_hand
    look = outside(mimir)
    lost = commands.status(mimir.sandbox)["lost_sight"]
    for number, step in enumerate(steps):
        mimir.wait(lambda step=step: script.asked() == step or script.over())
        assert not script.over(), script.said()
        if number > 1:
            mimir.wait(lambda: all_good(mimir))
        script.answer(step)
    mimir.wait(script.over)

    assert script.code == 0, script.said()
    assert "Running" in script.said()
    assert look.stores()["ruler"] == {"dynamodb"}
    assert commands.status(mimir.sandbox)["lost_sight"] == lost

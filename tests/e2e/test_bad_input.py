"""Bad input on a running cluster: one clear message, the exit code, and everything as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import RunStarted
from mimir_migrate.plans.export import from_json
from mimir_migrate.sandbox import commands


def refused(operator, look, arguments: list[str], code: int, *words: str) -> str:
    """Call a command that must refuse; returns what it said."""
    before = (look.everything(), look.writes())
    answer = operator.call(*arguments, code=code)
    for word in words:
        assert word in answer.err, (word, answer.err)
    assert answer.out == ""
    assert (look.everything(), look.writes()) == before
    assert list(operator.store.list_runs()) == []
    return answer.err


def test_what_is_wrong_is_named_and_nothing_is_touched(mimir, outside) -> None:
    """Namespace, release, context, ring and values that are wrong; a stale plan; nobody to approve."""
    look = outside(mimir)
    inspect = ["inspect", "--target", mimir.target]
    plan = ["plan", "--target", mimir.target, "--to", "dynamodb"]
    failed, blocked = ExitCode.USAGE, ExitCode.BLOCKED
    refused(mimir, look, [*inspect, "--namespace", "no"], failed, "namespace no", "127.0.0.1")
    refused(mimir, look, [*inspect, "--release", "no"], failed, "no pod there has the label")
    refused(
        mimir, look, [*inspect, "--context", "no"], failed, "context no", "Its contexts: sandbox"
    )
    refused(mimir, look, [*plan, "--rings", "rust"], failed, "no ring named 'rust'", "ruler")
    refused(
        mimir,
        look,
        [*plan, "--output", str(mimir.sandbox / "no" / "p.md")],
        failed,
        "cannot write",
    )

    broken = mimir.sandbox / "broken.yaml"
    broken.write_text("a: [1\nb: {")
    said = refused(mimir, look, [*plan, "--values", str(broken)], blocked, "not YAML")
    assert f"{broken}:2" in said
    broken.unlink()
    refused(mimir, look, [*plan, "--values", str(broken)], failed, str(broken), "no such file")

    path = mimir.plan("dynamodb", "ruler")
    refused(mimir, look, ["apply", path], blocked, "an approval is awaited", "--yes")
    before = mimir.values.read_bytes()
    mimir.values.write_bytes(before + b"# somebody's note\n")
    said = refused(mimir, look, ["apply", path, "--yes"], ExitCode.STALE, "the plan is stale")
    [line] = [line for line in said.splitlines() if f"file {mimir.values}" in line]
    assert " -> " in line
    refused(mimir, look, ["apply", path, "--dry-run"], ExitCode.STALE, "the plan is stale")
    mimir.values.write_bytes(before)


def test_upstream_mimir_is_refused_and_another_cluster_too(mimir, outside, tmp_path) -> None:
    """No DynamoDB client: exit 3, the evidence, what can be done instead; no file is written.

    A plan of another cluster: exit 5, both clusters in the text.
    """
    place = tmp_path / "upstream"
    commands.up(place, product="mimir", speed=60.0, seed=7, values=str(mimir.values))
    try:
        other = type(mimir)(place, tmp_path / "other-state")
        look = outside(other)
        written = str(place / "p.json")
        said = refused(
            other,
            look,
            ["plan", "--target", other.target, "--to", "dynamodb", "--output", written],
            ExitCode.BLOCKED,
            "store-not-offered",
            "consul, etcd, inmemory, memberlist, multi",
            "stay on memberlist",
            "Cortex has the store since",
        )
        assert "/config?mode=defaults" in said
        assert not Path(written).exists()
        document = other.call("inspect", "--target", other.target, "--json").document
        [finding] = [one for one in document["findings"] if one["id"] == "store-not-offered"]
        assert finding["severity"] == "blocks"
        other.call(
            "inspect", "--target", other.target, "--fail-on", "blocks", code=ExitCode.BLOCKED
        )

        plan = mimir.plan("dynamodb", "ruler")
        kept = (mimir.sandbox / "kubeconfig").read_bytes()
        shutil.copy(place / "kubeconfig", mimir.sandbox / "kubeconfig")
        answer = mimir.call("apply", plan, "--yes", code=ExitCode.STALE)
        (mimir.sandbox / "kubeconfig").write_bytes(kept)
        assert "    cluster: " in answer.err
        assert "the plan is for one cluster" in answer.err
        assert list(mimir.store.list_runs()) == []
    finally:
        commands.down(place)


def test_a_journal_that_was_cut_short_is_said(mimir, tmp_path) -> None:
    """Every command about the run names the file; the file stays as it is; another run is not kept out."""
    path = mimir.plan("dynamodb", "ruler")
    plan = from_json(Path(path).read_bytes(), path=path)
    journal = mimir.store.create("20260101-000000-0000")
    journal.append(RunStarted(run=journal.run, by="a@b", host="b", tool_version="1", plan=plan))
    file = Path(journal.path)
    journal.close()
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    cut = file.read_bytes()
    for command in ("status", "report", "resume", "rollback"):
        answer = mimir.call(command, code=ExitCode.USAGE)
        assert str(file) in answer.err, command
        assert "`mimir-migrate plan`" in answer.err, command
        assert answer.out == ""
    runs = mimir.call("runs", "--json")
    assert runs.document["runs"] == []
    assert str(file) in runs.err
    assert file.read_bytes() == cut
    mimir.call("apply", path, "--dry-run")


def test_the_demo_s_last_line_is_its_result(tmp_path) -> None:
    """One line of JSON for each event, and the verdict of both ways at the end."""
    product = "cortex"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mimir_migrate", "demo", "--headless", "--json"),
            *("--product", product, "--rings", "ruler", "--speed", "60"),
        ],
        env={
            **os.environ,
            "MIMIR_MIGRATE_STATE": str(tmp_path / "state"),
            "TMPDIR": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["schema"] for line in lines} == {"mimir-migrate/1"}
    last = lines[-1]
    assert last["event"] == "demo.finished"
    assert (last["product"], last["rings"]) == (product, ["ruler"])
    assert (last["forward"]["verdict"], last["forward"]["exit"]) == ("done", 0)
    assert (last["back"]["verdict"], last["back"]["exit"]) == ("done", 0)
    assert last["forward"]["seconds"] > 0
    assert last["lost_sight"] == 0
    assert last["observations"] > 1000
    assert list(tmp_path.glob("mimir-migrate-demo-*")) == []

"""`edit --through bridge`: rings on Consul's client, pointed at the bridge, there and back to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mimir_migrate.cli import run

EXAMPLES = Path(__file__).parents[3] / "examples"
HOST = "ring-bridge.mimir.svc:8500"
THROUGH = ("--through", "bridge", "--bridge-host", HOST)


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """A values file of Mimir."""
    file = tmp_path / "values.yaml"
    file.write_bytes((EXAMPLES / "values.yaml").read_bytes())
    return file


def edit(file: Path, *options: str) -> int:
    return run(["edit", str(file), *options, "--in-place"])


def kvstore(file: Path, *path: str) -> Any:
    found = yaml.safe_load(file.read_text())["mimir"]["structuredConfig"]
    for key in (*path, "kvstore"):
        found = found[key]
    return found


def ruler(file: Path) -> Any:
    return kvstore(file, "ruler", "ring")


def test_a_state_is_spelled_with_consul_at_the_bridges_host(values: Path) -> None:
    """The token comes by a variable; nothing of DynamoDB stands in the pods' configuration."""
    more = ("--bridge-token-variable", "RING_BRIDGE_TOKEN", "--heartbeat-timeout", "4m")

    assert edit(values, "--to", "memberlist+dynamodb", "--rings", "ruler", *THROUGH, *more) == 0

    assert ruler(values) == {
        "store": "multi",
        "multi": {"primary": "memberlist", "secondary": "consul", "mirror_enabled": True},
        "consul": {"host": HOST, "acl_token": "${RING_BRIDGE_TOKEN}"},
    }


def test_every_state_there_and_back_to_the_byte(values: Path) -> None:
    """With the timeouts, and the runtime block that names Consul."""
    before = values.read_bytes()
    for state, runtime in (
        ("memberlist+dynamodb", "memberlist"),
        ("dynamodb+memberlist", "dynamodb"),
        ("dynamodb", "none"),
    ):
        call = ("--to", state, "--runtime-primary", runtime, "--heartbeat-timeout", "4m")
        assert edit(values, *call, *THROUGH) == 0
    assert ruler(values)["store"] == "consul"
    there = values.read_bytes()
    for record in ("values.yaml.undo.3", "values.yaml.undo.2", "values.yaml.undo"):
        undone = ["edit", str(values), "--undo", str(values.parent / record), "--in-place"]
        assert run(undone) == 0
    assert values.read_bytes() == before

    values.write_bytes(there)
    for record in values.parent.glob("*.undo*"):
        record.unlink()
    assert edit(values, "--to", "memberlist", *THROUGH) == 0
    assert "consul" not in values.read_text()


def test_the_runtime_block_names_the_store_as_the_rings_do(values: Path) -> None:
    """A block that named dynamodb would name a store that no ring has."""
    call = ("--to", "dynamodb+memberlist", "--runtime-primary", "dynamodb", *THROUGH)

    assert edit(values, *call, "--heartbeat-timeout", "keep") == 0

    runtime = yaml.safe_load(values.read_text())["runtimeConfig"]
    assert runtime["multi_kv_config"] == {"primary": "consul", "mirror_enabled": True}


def test_short_timeouts_are_refused_until_something_is_said(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each ring's own, and what the longer one costs."""
    call = ("--to", "memberlist+dynamodb", "--rings", "ruler,compactor", *THROUGH)
    before = values.read_bytes()

    assert edit(values, *call) == 3
    said = capsys.readouterr().err
    assert "ruler (1m), compactor (1m)" in said or "compactor (1m), ruler (1m)" in said
    assert values.read_bytes() == before
    assert edit(values, *call, "--heartbeat-timeout", "1m") == 2
    assert edit(values, *call, "--heartbeat-timeout", "keep") == 0


def test_another_consul_is_somebody_elses(values: Path) -> None:
    """A ring on it is never touched, neither with the bridge nor without."""
    call = ("--rings", "ruler", *THROUGH, "--heartbeat-timeout", "keep")
    assert edit(values, "--to", "dynamodb", *call) == 0
    values.write_text(values.read_text().replace(HOST, "consul.other:8500"))

    assert edit(values, "--to", "dynamodb+memberlist", *call) == 3
    assert edit(values, "--to", "memberlist", "--rings", "ruler") == 3


@pytest.mark.parametrize(
    "wrong",
    [
        ("--through", "bridge"),
        ("--through", "bridge", "--bridge-host", "ring-bridge"),
        (*THROUGH, "--table", "rings"),
        (*THROUGH, "--bridge-token-variable", "s.secret"),
        ("--bridge-host", HOST, "--table", "rings", "--region", "eu-west-1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(values: Path, wrong: tuple[str, ...]) -> None:
    """Before anything is written."""
    before = values.read_bytes()

    assert edit(values, "--to", "dynamodb", "--heartbeat-timeout", "keep", *wrong) == 2
    assert values.read_bytes() == before


def test_cortex_needs_no_bridge(tmp_path: Path) -> None:
    """It has a client of its own."""
    file = tmp_path / "values.yaml"
    file.write_bytes((EXAMPLES / "values-cortex.yaml").read_bytes())

    assert edit(file, "--to", "dynamodb", *THROUGH) == 2

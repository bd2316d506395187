"""`[dynamodb] through` and `[bridge]` in the target: what is allowed, with the line of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.documents.target_text import target_text
from mimir_migrate.errors import UsageError
from mimir_migrate.model.stores import BridgeSettings
from mimir_migrate.model.target import BridgeTarget, TableTarget, Target, Through
from mimir_migrate.settings import load_target

GOOD = """\
[kubernetes]
namespace = "mimir"

[dynamodb]
table = "rings"
through = "bridge"

[bridge]
service = "ring-bridge.mimir.svc"
port = 8501
tls = true
token_variable = "RING_BRIDGE_TOKEN"
heartbeat_timeout = "4m"
"""


def load(tmp_path: Path, text: str) -> Target:
    file = tmp_path / "target.toml"
    file.write_text(text)
    return load_target(str(file), {})


def test_the_bridge_is_read_from_the_target(tmp_path: Path) -> None:
    """With what a ring's `kvstore` is told of it."""
    target = load(tmp_path, GOOD)

    assert target.through_bridge == BridgeSettings(
        host="https://ring-bridge.mimir.svc:8501",
        token_variable="RING_BRIDGE_TOKEN",
        namespace="mimir",
    )
    assert (target.bridge.name, target.bridge.namespace) == ("ring-bridge", "mimir")


def test_without_the_word_there_is_no_bridge() -> None:
    """The pods' own client is the usual way."""
    assert Target().through_bridge is None


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('through = "bridge"', 'through = "brigde"', "target.toml:6: .*did you mean bridge"),
        ('service = "ring-bridge.mimir.svc"\n', "", "target.toml:6: .*needs .bridge. service"),
        ('table = "rings"', 'table = "r-{ring}"', "target.toml:5: .*one table for all rings"),
        ('table = "rings"', 'table = "rings"\nttl = "48h"', "target.toml:6: .*does nothing"),
        ('through = "bridge"\n', "", "target.toml:8: .*nothing goes through it"),
        ("port = 8501", 'port = "8501"', "target.toml:10: .*a whole number"),
        ("port = 8501", "port = true", "target.toml:10: .*a whole number"),
        ("port = 8501", "port = 0", "target.toml:10: .*not a port"),
        ("tls = true", 'tls = "yes"', "target.toml:11: .*true or false"),
        (
            "ring-bridge.mimir.svc",
            "ring-bridge.other.svc",
            "target.toml:9: .*Mimir's own, 'mimir'",
        ),
        ("ring-bridge.mimir.svc", "https://ring-bridge:8500", "target.toml:9: .*host name"),
        ("RING_BRIDGE_TOKEN", "5f2e-c0ffee", "target.toml:12: .*environment variable"),
        ('"4m"', '"1m"', "target.toml:13: .*less than 4 minutes"),
        ('"4m"', '"long"', "target.toml:13: .*not a duration"),
        ("tls = true", "tsl = true", "target.toml:11: .*did you mean tls"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, line: str, instead: str, said: str
) -> None:
    """Exit 2, before anything else."""
    assert line in GOOD
    with pytest.raises(UsageError, match=said):
        load(tmp_path, GOOD.replace(line, instead, 1))


def test_a_token_is_never_quoted(tmp_path: Path) -> None:
    """Whoever writes the token in place of the variable's name finds it in no message."""
    with pytest.raises(UsageError) as refused:
        load(tmp_path, GOOD.replace("RING_BRIDGE_TOKEN", "5f2e-c0ffee"))
    assert "c0ffee" not in f"{refused.value.message} {refused.value.hint}"


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """`init` writes every entry: those at their default as comments."""
    target = Target(
        dynamodb=TableTarget(table="rings", through=Through.BRIDGE),
        bridge=BridgeTarget(service="ring-bridge.mimir.svc", tls=True, port=8501),
    )

    text = target_text(target, folder=str(tmp_path))

    again = load(tmp_path, text)
    assert (again.dynamodb, again.bridge) == (target.dynamodb, target.bridge)
    assert '# token_variable = ""' in text
    assert '# through = "client"' in target_text(Target(), folder=str(tmp_path))


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("ring-bridge.mimir.svc:8500", True),
        ("ring-bridge:8500", True),
        ("ring-bridge.mimir:8500", True),
        ("RING-BRIDGE.mimir.svc.cluster.local.:8500", True),
        ("https://ring-bridge.mimir.svc:8500", True),
        ("ring-bridge.mimir.svc", True),
        ("ring-bridge.other.svc:8500", False),
        ("ring-bridge.mimir.svc:8501", False),
        ("ring-bridge.mimir.example.com:8500", False),
        ("consul:8500", False),
        ("localhost:8500", False),
        ("", False),
    ],
)
def test_a_host_is_the_bridge_under_any_of_its_services_names(host: str, ours: bool) -> None:
    """Another name, namespace or port is somebody else's Consul."""
    bridge = BridgeSettings(host="ring-bridge.mimir.svc:8500", namespace="mimir")
    assert bridge.is_at(host) is ours

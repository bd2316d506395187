"""`edit --through bridge`: what it needs to be told, and what it refuses."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import msgspec

from mimir_migrate.cli.options import narrate
from mimir_migrate.durations import parse_duration, spoken
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import BridgeSettings, StoreState

if TYPE_CHECKING:
    from mimir_migrate.documents.values.files import ValuesFiles, Wanted

_HOST = re.compile(r"(https://)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[0-9]{1,5}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEEP = "keep"


def with_bridge(files: ValuesFiles, wanted: Wanted, options: argparse.Namespace) -> Wanted:
    """What is wanted, with DynamoDB reached through the bridge where that is asked for.

    Raises:
        UsageError: The options do not go together, or one is wrong.
        BlockedError: A ring would wait too short for heartbeats.
    """
    from mimir_migrate.documents.config.kv_blocks import spelled_block

    if not options.through:
        for flag in ("bridge_host", "bridge_token_variable", "heartbeat_timeout"):
            if getattr(options, flag):
                raise UsageError(
                    f"--{flag.replace('_', '-')} needs --through bridge",
                    hint="Give that too, or leave it out: without it pods ask DynamoDB themselves.",
                )
        return wanted
    bridge = _settings(files, options)
    runtime = spelled_block(wanted.runtime, bridge)
    narrate(
        "note: the ring bridge is experimental, it was never run on AWS; it stands on the write path of "
        "every ring that reads it (docs/bridge.md)"
    )
    return msgspec.structs.replace(
        wanted, bridge=bridge, runtime=runtime, config=_timeouts(files, wanted, options)
    )


def _settings(files: ValuesFiles, options: argparse.Namespace) -> BridgeSettings:
    if files.product is not Product.MIMIR:
        raise UsageError(
            "--through bridge: Cortex has a DynamoDB client of its own",
            hint="Leave --through out.",
        )
    if not _HOST.fullmatch(options.bridge_host):
        raise UsageError(
            f"--bridge-host {options.bridge_host!r}: it has to name the bridge's host and port",
            hint="For example ring-bridge.mimir.svc:8500, as `mimir-migrate bridge manifest` says it.",
        )
    if options.table or options.region or options.ttl:
        raise UsageError(
            "--table, --region and --ttl are the bridge's own, not the pods'",
            hint="Leave them out here; `mimir-migrate bridge serve` takes the first two.",
        )
    variable = options.bridge_token_variable
    if variable and not _VARIABLE.fullmatch(variable):
        raise UsageError(
            "--bridge-token-variable is not the name of an environment variable",
            hint="The token itself never stands in values: name the variable that a Secret fills.",
        )
    if variable:
        narrate(
            f"note: ${{{variable}}} is filled where the pods run with -config.expand-env=true and have "
            f"{variable} from a Secret (global.extraEnv)"
        )
    return BridgeSettings(host=options.bridge_host, token_variable=variable)


def _timeouts(
    files: ValuesFiles, wanted: Wanted, options: argparse.Namespace
) -> dict[tuple[str, ...], str]:
    """The heartbeat timeouts to write beside what is wanted already."""
    from mimir_migrate.documents.values.timeouts import LEAST, short_timeouts

    moved = [name for name, state in wanted.states.items() if state is not StoreState.MEMBERLIST]
    asked = options.heartbeat_timeout
    short = short_timeouts(files, moved)
    if asked and asked != _KEEP and parse_duration(asked) < LEAST:
        raise UsageError(
            f"--heartbeat-timeout {asked}: {spoken(LEAST)} is the least",
            hint=f"Give {spoken(LEAST)} or more, or keep to leave the rings' own.",
        )
    if not short or asked == _KEEP:
        for name, now in short.items():
            narrate(
                f"warning: the ring {name} waits {now} for heartbeats; {spoken(LEAST)} is the least"
            )
        return wanted.config
    if not asked:
        listed = ", ".join(f"{name} ({now})" for name, now in short.items())
        raise BlockedError(
            f"these rings wait less than {spoken(LEAST)} for heartbeats, and would all be unhealthy after "
            f"a short outage of the bridge: {listed}",
            hint="--heartbeat-timeout 4m writes it for them: a crashed member then counts as there for as "
            "long (a crashed ruler's rules stand still meanwhile). --heartbeat-timeout keep leaves them.",
        )
    found = dict(wanted.config)
    for name, now in short.items():
        ring = ring_named(files.product, name)
        if ring is not None:
            found[ring.heartbeat_timeout_path] = asked
            narrate(f"note: heartbeat_timeout of the ring {name}: {now} -> {asked}")
    return found

"""`bridge`: serve rings for a Mimir that has no client for DynamoDB."""

from __future__ import annotations

import argparse
import sys

from mimir_migrate.cli.extras import refuse_missing
from mimir_migrate.cli.options import narrate
from mimir_migrate.durations import parse_duration
from mimir_migrate.errors import ExitCode, UsageError

_FEWEST = 2
"""Replicas of a bridge."""
_CLIENTS = (("app.kubernetes.io/name", "mimir"),)
"""Labels of the pods that may reach it, where none is named: those of the chart's."""


def say_usage(options: argparse.Namespace) -> int:
    """Print the help of `bridge`, which does nothing by itself."""
    options.parser.print_help(sys.stderr)
    return ExitCode.USAGE


def serve(options: argparse.Namespace) -> int:
    """Serve rings until SIGTERM."""
    refuse_missing("bridge", "the ring bridge")
    import asyncio

    from mimir_migrate.bridge.serving import EXPERIMENTAL, Options
    from mimir_migrate.bridge.serving import serve as serve_rings

    keys = _keys(options)
    _check(options)
    chosen = Options(
        table=options.table,
        region=options.region,
        cluster=options.cluster,
        keys=keys,
        listen=options.listen,
        port=options.port,
        endpoint_url=options.endpoint_url,
        token_file=options.token_file,
        tls_certificate=options.tls_certificate,
        tls_key=options.tls_key,
        leaving=parse_duration(options.leaving),
    )
    narrate(EXPERIMENTAL)
    if options.no_token:
        narrate("no token is asked for: everybody who reaches this port can change the rings")
    asyncio.run(serve_rings(chosen))
    return ExitCode.DONE


def manifest(options: argparse.Namespace) -> int:
    """Print the bridge as Kubernetes objects, or its table and policy as Terraform."""
    from mimir_migrate.documents.bridge_manifest import BridgePlan, bridge_terraform
    from mimir_migrate.documents.bridge_manifest import manifest as written

    clients = dict(one.partition("=")[::2] for one in options.client)
    if not all(clients.values()):
        raise UsageError(
            f"--client {' '.join(options.client)}: a label is NAME=VALUE",
            hint="For example --client app.kubernetes.io/name=mimir.",
        )
    if options.replicas < _FEWEST:
        raise UsageError(
            f"--replicas {options.replicas}: with fewer than {_FEWEST}, a restart of one is an outage "
            "of every ring that reads it",
            hint=f"Give {_FEWEST} or more, or leave it out.",
        )
    plan = BridgePlan(
        image=options.image,
        namespace=options.namespace,
        table=options.table,
        region=options.region,
        cluster=options.cluster,
        keys=_keys(options),
        name=options.name,
        replicas=options.replicas,
        role_arn=options.role_arn,
        token_secret="" if options.no_token else options.token_secret,
        tls_secret=options.tls_secret,
        clients=tuple(clients.items()) or _CLIENTS,
    )
    if options.no_token:
        narrate("no token is asked for: every pod that reaches the port can change the rings")
    print(bridge_terraform(plan) if options.terraform else written(plan), end="")
    return ExitCode.DONE


def _keys(options: argparse.Namespace) -> tuple[str, ...]:
    """The rings' keys.

    Raises:
        UsageError: One is not a key, or named twice.
    """
    from mimir_migrate.bridge.probe import KEY  # the replicas' own: no client is served it

    keys = tuple(key for given in options.keys for key in given.split(",") if key)
    wrong = [key for key in keys if key.startswith("/") or key != key.strip() or key == KEY]
    if not keys or wrong or len(set(keys)) < len(keys):
        raise UsageError(
            f"--keys {','.join(options.keys)}: "
            + (f"{wrong[0]!r} is not a key" if wrong else "each ring has to be named once"),
            hint="The keys of Mimir's rings: `mimir-migrate inspect --json` shows them; the ingesters' "
            "is collectors/ring.",
        )
    return keys


def _check(options: argparse.Namespace) -> None:
    """Refuse what cannot be served.

    Raises:
        UsageError: With the option.
    """
    if bool(options.tls_certificate) != bool(options.tls_key):
        raise UsageError(
            "--tls-certificate and --tls-key go together", hint="Give both, or neither for no TLS."
        )
    if not 0 <= options.port < 1 << 16:
        raise UsageError(
            f"--port {options.port} is not a port",
            hint="Give a number up to 65535; 0 is any free one.",
        )

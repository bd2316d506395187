"""The commands of the ring bridge."""

from __future__ import annotations

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.options import add_command, deferred


def add_bridge(commands: Subparsers[Parser]) -> None:
    """Add `bridge` with its commands."""
    bridge = add_command(
        commands,
        "bridge",
        deferred("bridge.commands", "say_usage"),
        "experimental: a stock Mimir's rings in DynamoDB, by a service that speaks Consul's KV API",
    )
    actions = bridge.add_subparsers(metavar="ACTION", prog="mimir-migrate bridge")
    _serve(actions)
    _manifest(actions)


def _rings(parser: Parser) -> None:
    """Which rings, and where they lie."""
    parser.add_argument("--table", required=True, help="the table; it is never made")
    parser.add_argument("--region", required=True, help="its AWS region")
    parser.add_argument(
        "--cluster",
        required=True,
        metavar="NAME",
        help="the cluster that the rings are of; a table with rings of another one is refused",
    )
    parser.add_argument(
        "--keys",
        required=True,
        action="append",
        metavar="KEY,…",
        help="the rings' keys with their prefixes, e.g. collectors/ring; no other key is served",
    )


def _serve(actions: Subparsers[Parser]) -> None:
    serve = add_command(
        actions, "serve", deferred("bridge.commands", "serve"), "serve rings until SIGTERM"
    )
    _rings(serve)
    serve.add_argument(
        "--listen",
        default="0.0.0.0",  # noqa: S104 - it serves pods of the cluster
        metavar="ADDRESS",
        help="where to listen",
    )
    serve.add_argument("--port", type=int, default=8500, help="0: any free one")
    serve.add_argument("--endpoint-url", default="", help="of a DynamoDB that is not AWS' own")
    token = serve.add_mutually_exclusive_group(required=True)
    token.add_argument(
        "--token-file",
        default="",
        metavar="FILE",
        help="the token that clients have to send; read again when it changes",
    )
    token.add_argument(
        "--no-token", action="store_true", help="let everybody who reaches the port read and write"
    )
    serve.add_argument(
        "--tls-certificate",
        default="",
        metavar="FILE",
        help="PEM, read again when it changes; left out: no TLS",
    )
    serve.add_argument("--tls-key", default="", metavar="FILE", help="the certificate's key")
    serve.add_argument(
        "--leaving",
        default="5s",
        metavar="DURATION",
        help="after SIGTERM: how long it still answers, not ready",
    )


def _manifest(actions: Subparsers[Parser]) -> None:
    made = add_command(
        actions,
        "manifest",
        deferred("bridge.commands", "manifest"),
        "print the bridge as Kubernetes YAML, or its table and policy as Terraform",
    )
    made.add_argument("--image", required=True, help="an image with this program in it")
    made.add_argument("--namespace", required=True, help="where it is to run: Mimir's own")
    _rings(made)
    made.add_argument("--name", default="ring-bridge", help="of the objects")
    made.add_argument("--replicas", type=int, default=3, help="2 at least")
    made.add_argument(
        "--role-arn",
        default="",
        metavar="ARN",
        help="the role of its service account (IRSA); left out: EKS Pod Identity",
    )
    token = made.add_mutually_exclusive_group()
    token.add_argument(
        "--token-secret",
        default="ring-bridge-token",
        metavar="NAME",
        help="the Secret whose key `token` clients send",
    )
    token.add_argument("--no-token", action="store_true", help="ask for none")
    made.add_argument(
        "--tls-secret", default="", metavar="NAME", help="a Secret with tls.crt and tls.key"
    )
    made.add_argument(
        "--client",
        action="append",
        default=[],
        metavar="LABEL=VALUE",
        help="label of the pods that may reach it; left out: app.kubernetes.io/name=mimir",
    )
    made.add_argument(
        "--terraform", action="store_true", help="table and IAM policy as Terraform instead"
    )

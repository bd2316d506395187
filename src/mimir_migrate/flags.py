"""The entries of target.toml as flags: what `--help` needs to know of them, and nothing heavier."""

from __future__ import annotations

from collections.abc import Mapping

TARGET_FILE = "target.toml"
"""What commands take by themselves where it lies in the working folder."""

FLAGS: Mapping[str, tuple[str, str, str]] = {
    "kubeconfig": ("kubernetes", "kubeconfig", "path of the kubeconfig"),
    "context": ("kubernetes", "context", "context in the kubeconfig"),
    "namespace": ("kubernetes", "namespace", "namespace of the release"),
    "release": ("kubernetes", "release", "name of the helm release"),
    "values": ("values", "files", "values file; repeat it in order of precedence, the last wins"),
    "values-root": ("values", "root", "keys down to the chart's values, joined by dots"),
    "values-render": ("values", "render", "command that prints the values as deployed"),
    "terraform": ("terraform", "dir", "folder with the Terraform of tables and permissions"),
    "aws-region": ("aws", "region", "AWS region"),
    "aws-profile": ("aws", "profile", "profile of the AWS configuration"),
    "aws-endpoint-url": ("aws", "endpoint_url", "endpoint of a local DynamoDB"),
    "table": ("dynamodb", "table", "ring table, or one for each ring with {ring} in the name"),
    "puller-sync-time": ("dynamodb", "puller_sync_time", "how often pods read the table"),
    "min-ready-duration": (
        "dynamodb",
        "min_ready_duration",
        "how long a new ingester is not Ready yet: a duration, or auto for a poll and two heartbeats",
    ),
    "ttl": ("dynamodb", "ttl", "expiry of items that are not renewed, at least 24h; empty: none"),
    "deploy-method": ("deploy", "method", "helm, command or external"),
    "chart": ("deploy", "chart", "chart that helm deploys"),
    "chart-version": ("deploy", "version", "version of the chart"),
    "deploy-arg": ("deploy", "args", "further argument for helm; repeat it"),
    "deploy-command": ("deploy", "command", "command that deploys $VALUES"),
    "deploy-template": ("deploy", "template", "command that prints the manifests of $VALUES"),
    "deploy-timeout": ("deploy", "timeout", "how long a deploy may take"),
}
"""Each entry of target.toml as a flag: flag → section, key, what it is."""

LISTS = frozenset({"values", "deploy-arg"})
"""Flags that may be repeated."""

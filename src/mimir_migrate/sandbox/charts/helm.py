"""Renders the real chart with real Helm, where there is one: the SDK's library, or the program.

Kinds that this cluster does not have (monitors, roles, jobs of hooks) are left out, and named.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mimir_migrate.errors import CommandError, UsageError

_WITHIN: Final = 120.0
_HOOK: Final = "helm.sh/hook"


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart made of values."""

    manifests: tuple[dict[str, Any], ...]
    left_out: tuple[str, ...]
    """Kind and name of each object that the sandbox's cluster does not have."""


class ChartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart says of itself."""

    name: str
    version: str
    app_version: str
    by: str
    """What renders it."""


@lru_cache(maxsize=8)
def chart_facts(chart: str) -> ChartFacts:
    """Read a chart's own metadata.

    Raises:
        UsageError: There is no chart, or nothing that renders it.
    """
    path = Path(chart) / "Chart.yaml"
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(
            f"the chart {chart} cannot be read: {error}",
            hint="Name an unpacked chart's folder, with its dependencies in charts/.",
        ) from error
    return ChartFacts(
        name=str(found["name"]),
        version=str(found["version"]),
        app_version=str(found.get("appVersion", "")),
        by=_renderer(),
    )


def render_with_helm(
    chart: str, values: Mapping[str, Any], *, name: str, namespace: str, kinds: Mapping[str, str]
) -> Rendered:
    """Render a chart's folder.

    Args:
        chart: The folder.
        values: The values, all files laid over each other.
        name: The release's name.
        namespace: Where it is to run.
        kinds: The kinds that the cluster has.

    Raises:
        CommandError: Helm refuses the values.
    """
    kept, left_out = [], []
    for manifest in _documents(_texts(chart, values, name, namespace)):
        metadata = manifest.get("metadata") or {}
        if manifest.get("kind") not in kinds or _HOOK in (metadata.get("annotations") or {}):
            left_out.append(f"{manifest.get('kind')} {metadata.get('name')}")
            continue
        metadata.setdefault("namespace", namespace)
        kept.append(manifest)
    return Rendered(manifests=tuple(kept), left_out=tuple(sorted(left_out)))


def _renderer() -> str:
    try:
        import helm_python  # noqa: F401 - only whether it is there
    except ImportError:
        if shutil.which("helm"):
            return "helm"
        raise UsageError(
            "a chart is rendered by Helm itself, and there is none",
            hint="Install the extra `pip install 'mimir-migrate[real]'`, or the helm program; or leave "
            "--chart out: the sandbox's own imitation of the chart is rendered.",
        ) from None
    return "helm-python-sdk"


def _texts(chart: str, values: Mapping[str, Any], name: str, namespace: str) -> Iterator[str]:
    if _renderer() == "helm":
        yield _by_program(chart, values, name, namespace)
        return
    from helm_python import Chart

    try:
        with Chart.load(chart) as loaded:
            found = loaded.render(dict(values), name=name, namespace=namespace, is_install=True)
    except Exception as error:  # the SDK's errors are of many kinds and all mean the same here
        raise CommandError(f"helm renders {chart}: {error}", returncode=1) from error
    for path, text in sorted(found.items()):
        if path.endswith((".yaml", ".yml", ".tpl")):
            yield text


def _by_program(chart: str, values: Mapping[str, Any], name: str, namespace: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(dict(values), file)
        file.flush()
        command = ["helm", "template", name, chart, "--namespace", namespace, "-f", file.name]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_WITHIN, check=False
        )
    if done.returncode:
        raise CommandError(f"helm renders {chart}: {done.stderr.strip()}", returncode=1)
    return done.stdout


def _documents(texts: Iterator[str]) -> Iterator[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for text in texts:
        for found in yaml.load_all(text, Loader=loader):
            if isinstance(found, dict):
                yield found

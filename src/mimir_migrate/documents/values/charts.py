"""What a manifest says of the chart whose values it holds: name and version, and whose chart that is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.values.nodes import node_at, text_at
from mimir_migrate.documents.yaml.positions import Node
from mimir_migrate.model.rings import Product

_OURS = {
    "mimir-distributed": Product.MIMIR,
    "cortex": Product.CORTEX,
}
_IMAGES = {
    "mimir": Product.MIMIR,
    "enterprise-metrics": Product.MIMIR,
    "mimir-all-in-one": Product.MIMIR,
    **_OURS,
}
_OTHERS = re.compile(
    r"loki|tempo|pyroscope|phlare|thanos|prometheus|grafana-mimir|enterprise-logs|enterprise-traces"
    r"|promtail|alloy|grafana-agent|grafana-operator|k8s-monitoring|victoria|app-template|opentelemetry"
    r"|jaeger|^grafana$|^minio$|^memcached$|^consul$|^etcd$"
)
"""Charts and images of other products; `grafana-mimir` is Bitnami's chart, which is built otherwise."""
_TEMPLATE = re.compile(r"\{\{|\$\{|%\{")
_ARCHIVE = re.compile(r"-v?\d+\.\d+\.\d+.*$|\.tgz$")
_VERSION = re.compile(r"(?P<operator>[<>=~^!]*)\s*v?(?P<major>\d+)(?P<rest>[.\w*-]*)")
_NAME_KEYS = ("chart", "chart_ref", "chartName", "chart_name")
_VERSION_KEYS = ("targetRevision", "version", "chart_version", "chartVersion")
FIRST_STRUCTURED = 3
"""The first major version of mimir-distributed that has `mimir.structuredConfig`."""


class ChartName(msgspec.Struct, frozen=True, kw_only=True):
    """A chart, as far as it is known."""

    name: str = ""
    """Without repository and archive version; empty: not known."""
    version: str = ""

    @property
    def owner(self) -> Product | None:
        """The product that the chart is of; None: another one's, or not known."""
        return _OURS.get(self.name)

    @property
    def is_other(self) -> bool:
        """Whether it is known to be the chart of something else."""
        return self.owner is None and bool(_OTHERS.search(self.name))

    @property
    def is_before_structured(self) -> bool:
        """Whether every version that it may be is older than `mimir.structuredConfig`."""
        if self.owner is not Product.MIMIR:
            return False
        return all(_highest_major(part) < FIRST_STRUCTURED for part in self.version.split("||"))


_NO_LIMIT = 1_000_000


def _highest_major(constraint: str) -> int:
    """The highest major version that a constraint allows, e.g. 2 of `2.0.14`, `~2.1` and `<3.0.0`."""
    found = []
    # Of a range with a hyphen the upper end.
    for match in _VERSION.finditer(constraint.rsplit(" - ", maxsplit=1)[-1]):
        operator, major = match["operator"], int(match["major"])
        if operator.startswith((">", "!")):
            continue
        excluded = operator == "<" and not re.search(r"[1-9]", match["rest"])
        found.append(major - 1 if excluded else major)
    return min(found, default=_NO_LIMIT)


class ImageName(ChartName, frozen=True, kw_only=True):
    """An image, by the same rules."""

    @property
    def owner(self) -> Product | None:
        """The product whose binary it holds; None: another one's, or not known."""
        return _IMAGES.get(self.name)


def described(image: str) -> ImageName:
    """An image's repository, with or without its tag."""
    return ImageName(name=_basename(image.split("@", maxsplit=1)[0]))


def chart_near(documents: Sequence[Node], document: Node, keys: Sequence[str]) -> ChartName:
    """The chart that the mappings on the way to values name; of several the nearest."""
    found = ChartName()
    node = document
    for position in range(len(keys) + 1):
        if node.kind == "mapping" and position < len(keys):
            found = _named_by(documents, node) or found
        entry = node_at(node, keys[position : position + 1]) if position < len(keys) else None
        if entry is None:
            break
        node = entry[1].resolved
    return found


def _named_by(documents: Sequence[Node], node: Node) -> ChartName | None:
    version = next((text for key in _VERSION_KEYS if (text := text_at(node, key))), "")
    for key in _NAME_KEYS:
        entry = node.get(key)
        if entry is None:
            continue
        inside = entry[1].resolved
        if inside.kind == "scalar":
            return _chart(inside.value, version)
        name = (
            text_at(inside, "spec", "chart") or text_at(inside, "name") or text_at(inside, "chart")
        )
        within = text_at(inside, "spec", "version") or text_at(inside, "version")
        return _chart(name, within or version)
    if node.get("valuesInline") or node.get("valuesFile"):
        return _chart(text_at(node, "name"), version)
    if node.get("chartRef"):
        return _referred(
            documents, text_at(node, "chartRef", "kind"), text_at(node, "chartRef", "name")
        )
    # A chart in a Git folder, or an OCI address: its last part, where that is a name that is known.
    for key, known in (("path", ""), ("repoURL", version)):
        if node.get("helm") and node.get(key):
            found = _chart(text_at(node, key), known)
            if found.owner or found.is_other:
                return found
    return None


def _referred(documents: Sequence[Node], kind: str, name: str) -> ChartName | None:
    """What a Flux `chartRef` stands for: a document of the same file, else its name where that tells."""
    for each in documents:
        if text_at(each, "kind") == kind and text_at(each, "metadata", "name") == name:
            chart = text_at(each, "spec", "chart") or text_at(each, "spec", "url")
            version = text_at(each, "spec", "version") or text_at(each, "spec", "ref", "tag")
            return _chart(chart, version or text_at(each, "spec", "ref", "semver"))
    found = _chart(name, "")
    return found if found.owner or found.is_other else None


def _chart(name: str, version: str) -> ChartName:
    if _TEMPLATE.search(name):
        return ChartName()
    return ChartName(
        name=_ARCHIVE.sub("", _ARCHIVE.sub("", _basename(name))),
        version="" if _TEMPLATE.search(version) else version,
    )


def _basename(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1].split(":")[0].strip()

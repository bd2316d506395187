"""The paths of the Kubernetes API."""

from __future__ import annotations

from typing import Final

import msgspec

from mimir_migrate.sandbox.kubernetes.objects import KINDS

REVIEWS: Final = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews"})
"""What is asked by creating something that is not kept."""


class ApiPath(msgspec.Struct, frozen=True):
    """What a path of the API names."""

    plural: str
    namespace: str = ""
    name: str = ""
    rest: str = ""


def target_of(path: str) -> ApiPath | None:
    """Read a path such as `/apis/apps/v1/namespaces/NS/deployments/NAME/scale`."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        version, rest = "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        version, rest = "/".join(parts[1:3]), parts[3:]
    else:
        return None
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] in {*KINDS, *REVIEWS}:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    kind = KINDS.get(rest[0])
    if rest[0] not in REVIEWS and (kind is None or kind.api_version != version):
        return None
    name = rest[1] if len(rest) > 1 else ""
    return ApiPath(rest[0], namespace, name, "/".join(rest[2:]))

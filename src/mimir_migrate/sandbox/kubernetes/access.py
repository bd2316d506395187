"""Who may do what at the sandbox's API server, by Kubernetes' own Roles (RBAC).

The sandbox's own token may do everything. Another user is added with a token and with manifests of
roles and bindings; from then on each of its requests has to be allowed by a rule: verb, API group,
resource or `resource/subresource`, and the object's name where the rule names some. What no rule allows
is answered as Kubernetes does it. Each rule's grains that allowed something are remembered, so that a
test can ask which of them nobody needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import msgspec

from mimir_migrate.sandbox.kubernetes.objects import KINDS, ApiError

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asked(msgspec.Struct, frozen=True):
    """What a request asks for, in the words of RBAC."""

    verb: str
    group: str
    resource: str
    """With the subresource behind a slash."""
    namespace: str = ""
    name: str = ""


class Grain(msgspec.Struct, frozen=True):
    """The smallest part of a rule: one verb on one resource, of one name or of any (empty)."""

    namespace: str
    """Where it holds; empty: everywhere."""
    verb: str
    group: str
    resource: str
    name: str = ""

    def allows(self, asked: Asked) -> bool:
        """Whether it allows a request."""
        return (
            self.namespace in {"", asked.namespace}
            and self.verb in {"*", asked.verb}
            and self.group in {"*", asked.group}
            and self.resource in {"*", asked.resource}
            and self.name in {"", asked.name}
        )


class Access:
    """The users of a server besides the one who may do everything."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._grains: dict[str, tuple[Grain, ...]] = {}
        self._needed: dict[str, set[Grain]] = {}
        self.refused: list[str] = []
        """What was refused, in order."""

    def add(self, user: str, token: str, manifests: Iterable[Any]) -> int:
        """Let a user in with what roles allow; returns how many grains those have.

        Bindings are taken to be the user's, whomever they name: what `rbac` prints leaves that open.
        """
        documents = [one for one in manifests if isinstance(one, Mapping)]
        roles = {
            (one["kind"], one["metadata"]["name"]): one.get("rules") or []
            for one in documents
            if one.get("kind") in {"Role", "ClusterRole"}
        }
        grains: list[Grain] = []
        for one in documents:
            if one.get("kind") not in {"RoleBinding", "ClusterRoleBinding"}:
                continue
            everywhere = one["kind"] == "ClusterRoleBinding"
            namespace = "" if everywhere else str(one["metadata"].get("namespace", ""))
            reference = one["roleRef"]
            for rule in roles[reference["kind"], reference["name"]]:
                grains += _grains_of(rule, namespace)
        self._tokens[token] = user
        self._grains[user] = tuple(grains)
        self._needed[user] = set()
        self.refused.clear()
        return len(grains)

    def user_of(self, token: str) -> str | None:
        """Whose token it is."""
        return self._tokens.get(token)

    def check(self, user: str, asked: Asked) -> None:
        """Let a request of a user pass.

        Raises:
            ApiError: No rule allows it.
        """
        allowing = [one for one in self._grains.get(user, ()) if one.allows(asked)]
        if not allowing:
            error = _forbidden(user, asked)
            self.refused.append(error.message)
            raise error
        if len(allowing) == 1:
            self._needed[user].add(allowing[0])

    def may(self, user: str, asked: Asked) -> bool:
        """Whether a rule allows it, for an access review."""
        return any(one.allows(asked) for one in self._grains.get(user, ()))

    def not_needed(self, user: str) -> tuple[Grain, ...]:
        """Grains that no request needed so far: without them nothing would have been refused."""
        return tuple(one for one in self._grains[user] if one not in self._needed[user])


def asked_of(
    method: str, query: Mapping[str, str], plural: str, where: tuple[str, str, str]
) -> Asked:
    """A request in the words of RBAC.

    Args:
        method: The HTTP method.
        query: What stands behind the question mark.
        plural: The kind.
        where: Namespace, name and subresource.
    """
    namespace, name, rest = where
    subresource = rest.split("/")[0]
    verb = _VERBS.get(method, method.lower())
    if not name:
        # A list of one name by its field counts as that name (apiserver `request/requestinfo.go`).
        fields = query.get("fieldSelector", "")
        name = fields.removeprefix("metadata.name=") if fields.startswith("metadata.name=") else ""
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
    if method == "GET" and query.get("watch") in {"true", "1"}:
        verb = "watch"
    if subresource == "portforward":
        # Since Kubernetes 1.35 a websocket needs what a POST needs.
        verb = "create"
    if plural == "namespaces":
        namespace = name
    kind = KINDS.get(plural)
    return Asked(
        verb=verb,
        group=kind.group if kind else "authorization.k8s.io",
        resource=f"{plural}/{subresource}" if subresource else plural,
        namespace=namespace,
        name=name.partition(":")[0],
    )


def asked_by_review(body: Mapping[str, Any]) -> Asked:
    """What an access review asks about."""
    spec = (body.get("spec") or {}).get("resourceAttributes") or {}
    resource, sub = str(spec.get("resource", "")), str(spec.get("subresource", ""))
    return Asked(
        verb=str(spec.get("verb", "")),
        group=str(spec.get("group", "")),
        resource=f"{resource}/{sub}" if sub else resource,
        namespace=str(spec.get("namespace", "")),
        name=str(spec.get("name", "")),
    )


def _grains_of(rule: Mapping[str, Any], namespace: str) -> Iterable[Grain]:
    names = rule.get("resourceNames") or [""]
    for verb, group, resource, name in product(
        rule.get("verbs") or (), rule.get("apiGroups") or (), rule.get("resources") or (), names
    ):
        yield Grain(namespace, verb, group, resource, name)


def _forbidden(user: str, asked: Asked) -> ApiError:
    """As the API server words it (`apimachinery errors.NewForbidden`, `authorizer` reasons)."""
    resource = asked.resource.partition("/")[0]
    subject = resource + (f".{asked.group}" if asked.group else "")
    named = f'{subject} "{asked.name}"' if asked.name else subject
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return ApiError(
        403,
        "Forbidden",
        f'{named} is forbidden: User "{user}" cannot {asked.verb} resource "{asked.resource}" in '
        f'API group "{asked.group}" {place}',
    )

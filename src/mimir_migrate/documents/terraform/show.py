"""Reads `terraform show -json`, of a state or of a plan: the only place that has computed names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.permissions import Statement, read_policy
from mimir_migrate.documents.terraform.facts import (
    RoleFact,
    Subject,
    TableFact,
    TerraformFacts,
    Text,
)
from mimir_migrate.documents.terraform.roles import WHOLE_DYNAMODB, subjects_of
from mimir_migrate.errors import DocumentError

_AFTER_APPLY = "known after apply"


class _Resource(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    type: str
    values: Mapping[str, Any]

    def text(self, key: str) -> Text:
        """A value; a plan leaves out what is known only after it was applied."""
        value = self.values.get(key)
        if isinstance(value, str):
            return Text(value)
        return Text(f"${{{self.address}.{key}}}", _AFTER_APPLY)

    def document(self, key: str) -> Any:
        """A policy's document; None where it is not known or no JSON."""
        try:
            return json.loads(self.values.get(key) or "null")
        except ValueError:
            return None


def read_show(text: str, *, path: str = "terraform show -json") -> TerraformFacts:
    """Read what Terraform printed.

    Raises:
        DocumentError: The text is not what `terraform show -json` prints.
    """
    hint = "terraform show -json > show.json, or for a plan: terraform show -json PLANFILE"
    try:
        shown = json.loads(text)
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}", path=path, hint=hint) from error
    values = (
        shown.get("planned_values") or shown.get("values") if isinstance(shown, dict) else None
    )
    if not isinstance(values, dict) or "format_version" not in shown:
        raise DocumentError("neither a state nor a plan", path=path, hint=hint)
    try:
        resources = tuple(_resources(values.get("root_module", {})))
        tables = tuple(_table(one, path) for one in resources if one.type == "aws_dynamodb_table")
        roles = tuple(_roles(resources, path))
    except (AttributeError, KeyError, TypeError) as error:
        # Whatever the text is, it has not the shape that Terraform documents.
        raise DocumentError(
            f"a resource of another shape: {error}", path=path, hint=hint
        ) from error
    return TerraformFacts(tables=tables, roles=roles)


def merged(files: TerraformFacts, shown: TerraformFacts) -> TerraformFacts:
    """Take what Terraform knows, and from the files what it has not seen yet.

    A module call in the files stands for everything below its address.
    """
    return TerraformFacts(
        tables=(*shown.tables, *_not_shown(files.tables, shown.tables)),
        roles=(*shown.roles, *_not_shown(files.roles, shown.roles)),
        releases=files.releases,
        unread=files.unread,
    )


def _not_shown(written: tuple[Any, ...], shown: tuple[Any, ...]) -> Iterator[Any]:
    known = {_plain(one.address) for one in shown}
    for one in written:
        address = _plain(one.address)
        if not any(other == address or other.startswith(f"{address}.") for other in known):
            yield one


def _plain(address: str) -> str:
    """An address without the indices of count and for_each."""
    return re.sub(r"\[[^\]]*\]", "", address)


def _resources(module: Any) -> Iterator[_Resource]:
    if not isinstance(module, dict):
        return
    for one in module.get("resources", []):
        if one.get("mode", "managed") == "managed":
            yield _Resource(
                address=str(one.get("address", "")),
                type=str(one.get("type", "")),
                values=one.get("values") or {},
            )
    for child in module.get("child_modules", []):
        yield from _resources(child)


def _first(value: Any) -> Mapping[str, Any]:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _table(one: _Resource, path: str) -> TableFact:
    ttl = _first(one.values.get("ttl"))
    encryption = _first(one.values.get("server_side_encryption"))
    attributes = one.values.get("attribute") or []
    return TableFact(
        address=one.address,
        file=path,
        name=one.text("name"),
        hash_key=one.text("hash_key"),
        range_key=Text(str(one.values.get("range_key") or "")),
        key_types={str(item["name"]): str(item["type"]) for item in attributes},
        billing=Text(str(one.values.get("billing_mode") or "PROVISIONED")),
        deletion_protection=bool(one.values.get("deletion_protection_enabled")),
        ttl_attribute=str(ttl.get("attribute_name") or "") if ttl.get("enabled") else "",
        kms_key=str(encryption.get("kms_key_arn") or ""),
    )


def _roles(resources: tuple[_Resource, ...], path: str) -> Iterator[RoleFact]:
    by_arn = {
        str(one.values.get("arn")): one.document("policy")
        for one in resources
        if one.type == "aws_iam_policy"
    }
    for role in resources:
        if role.type != "aws_iam_role":
            continue
        name = role.text("name")
        subjects = (
            *subjects_of(role.document("assume_role_policy")),
            *_associated(role, resources),
        )
        if not subjects:
            continue
        statements: list[Statement] = []
        unread: list[str] = []
        for inline in role.values.get("inline_policy") or []:
            statements.extend(_statements(inline.get("policy")))
        for one in resources:
            if one.values.get("role") not in {name.value, role.values.get("id")}:
                continue
            if one.type == "aws_iam_role_policy":
                statements.extend(read_policy(one.document("policy")))
            elif one.type == "aws_iam_role_policy_attachment":
                arn = str(one.values.get("policy_arn") or "")
                if by_arn.get(arn):
                    statements.extend(read_policy(by_arn[arn]))
                elif WHOLE_DYNAMODB.search(arn):
                    statements.append(Statement(actions=("dynamodb:*",), resources=("*",)))
                elif ":aws:policy/" not in arn:
                    unread.append(f"{one.address}: {arn or _AFTER_APPLY}")
        yield RoleFact(
            address=role.address,
            file=path,
            name=name,
            subjects=subjects,
            statements=tuple(statements),
            unread=tuple(unread),
        )


def _statements(policy: Any) -> tuple[Statement, ...]:
    try:
        return read_policy(json.loads(policy or "null"))
    except ValueError:
        return ()


def _associated(role: _Resource, resources: tuple[_Resource, ...]) -> Iterator[Subject]:
    for one in resources:
        same = one.values.get("role_arn") and one.values["role_arn"] == role.values.get("arn")
        if one.type == "aws_eks_pod_identity_association" and same:
            yield Subject(
                namespace=str(one.values.get("namespace", "")),
                name=str(one.values.get("service_account", "")),
                association=True,
            )

"""Reads `terraform show -json`, of a state or of a plan: the only place that has computed names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.policies import read_policy
from mimir_migrate.documents.terraform.blocks import TABLES
from mimir_migrate.documents.terraform.facts import (
    AssociationFact,
    ResourcePolicyFact,
    RoleFact,
    Subject,
    TableFact,
    TerraformFacts,
    Text,
)
from mimir_migrate.documents.terraform.policy_sources import Read, doubted, managed, together
from mimir_migrate.documents.terraform.role_parts import ASSOCIATIONS, handed_on, subjects_of
from mimir_migrate.documents.terraform.tables import cloud_control_table
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


def read_show(text: str, *, path: str = "terraform show -json") -> TerraformFacts:
    """Read what Terraform printed.

    Raises:
        DocumentError: The text is not what `terraform show -json` prints.
    """
    hint = "terraform show -json > show.json, or for a plan: terraform show -json PLANFILE"
    try:
        shown = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise DocumentError(f"not JSON: {error}", path=path, hint=hint) from error
    except RecursionError as error:
        raise DocumentError("it is nested too deeply", path=path, hint=hint) from error
    values = (
        shown.get("planned_values") or shown.get("values") if isinstance(shown, dict) else None
    )
    if not isinstance(values, dict) or "format_version" not in shown:
        raise DocumentError("neither a state nor a plan", path=path, hint=hint)
    try:
        resources = tuple(_resources(values.get("root_module", {})))
        tables = tuple(
            _table(one, path) if one.type == "aws_dynamodb_table" else _cloud_control(one, path)
            for one in resources
            if one.type in TABLES
        )
        roles = tuple(_roles(resources, path))
    except (AttributeError, KeyError, TypeError) as error:
        # Whatever the text is, it has not the shape that Terraform documents.
        raise DocumentError(
            f"a resource of another shape: {error}", path=path, hint=hint
        ) from error
    return TerraformFacts(
        tables=tables,
        roles=roles,
        associations=tuple(_associations(resources, path)),
        resource_policies=tuple(
            _resource_policy(one)
            for one in resources
            if one.type == "aws_dynamodb_resource_policy"
        ),
    )


def merged(files: TerraformFacts, shown: TerraformFacts) -> TerraformFacts:
    """Take what Terraform knows, and from the files what it has not seen yet.

    A module call in the files stands for everything below its address.
    """
    return TerraformFacts(
        tables=(*shown.tables, *_not_shown(files.tables, shown.tables)),
        roles=(*shown.roles, *_not_shown(files.roles, shown.roles)),
        releases=files.releases,
        unread=files.unread,
        remote=files.remote,
        associations=(
            *shown.associations,
            *_not_shown(files.associations, shown.associations),
        ),
        resource_policies=(
            *shown.resource_policies,
            *_not_shown(files.resource_policies, shown.resource_policies),
        ),
        shown=True,
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
        looked_up = one.get("mode", "managed") != "managed"
        if not looked_up or one.get("type") == "aws_iam_policy":
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
        region=_region(one),
        replicas=tuple(
            Text(str(item.get("region_name") or "")) for item in one.values.get("replica") or []
        ),
    )


def _cloud_control(one: _Resource, path: str) -> TableFact:
    found = cloud_control_table(
        one.values.get, address=one.address, file=path, region=_region(one)
    )
    later = Text("", _AFTER_APPLY)
    known = one.values.get("key_schema") is not None
    return msgspec.structs.replace(
        found,
        name=one.text("table_name"),
        hash_key=found.hash_key if known else later,
        range_key=found.range_key if known else later,
    )


def _resource_policy(one: _Resource) -> ResourcePolicyFact:
    statements, unread = _document(one, "policy")
    return ResourcePolicyFact(
        address=one.address,
        table=one.text("resource_arn"),
        statements=statements,
        unread=unread,
    )


def _region(one: _Resource) -> Text:
    """From the provider's attribute since its version 6, else from the ARN."""
    fields = str(one.values.get("arn") or "").split(":")
    where = 3
    return Text(str(one.values.get("region") or (fields[where] if len(fields) > where else "")))


def _roles(resources: tuple[_Resource, ...], path: str) -> Iterator[RoleFact]:
    by_arn = {str(one.values.get("arn")): one for one in resources if one.type == "aws_iam_policy"}
    attached: dict[str, list[_Resource]] = {}
    for one in resources:
        for held in _roles_of(one):
            attached.setdefault(held, []).append(one)
    above = together(_denied_above(resources))
    for role in resources:
        if role.type != "aws_iam_role":
            continue
        name = role.text("name")
        trust, trust_unread = _document(role, "assume_role_policy")
        subjects = (*subjects_of(trust), *_associated(role, resources))
        if not subjects:
            continue
        here = {
            id(one): one
            for key in dict.fromkeys((name.value, str(role.values.get("id") or "")))
            for one in attached.get(key, ())
        }
        statements, unread = together(
            (
                *(
                    _parsed(one.get("policy"), role.address)
                    for one in role.values.get("inline_policy") or []
                    if one.get("policy")
                ),
                *(_policy(one, by_arn) for one in here.values()),
                *(
                    _of_arn(str(arn), role.address, by_arn)
                    for arn in role.values.get("managed_policy_arns") or []
                ),
                above,
            )
        )
        boundary = str(role.values.get("permissions_boundary") or "")
        limit, limit_unread = _of_arn(boundary, role.address, by_arn) if boundary else (None, ())
        yield RoleFact(
            address=role.address,
            file=path,
            name=name,
            subjects=subjects,
            trust=trust,
            trust_reason="; ".join(trust_unread),
            statements=statements,
            unread=unread,
            boundary=limit,
            boundary_unread=limit_unread,
        )


def _denied_above(resources: tuple[_Resource, ...]) -> Iterator[Read]:
    """What policies of an organisation deny that are attached; to the pods' account, perhaps."""
    attached = {
        str(one.values.get("policy_id"))
        for one in resources
        if one.type == "aws_organizations_policy_attachment"
    }
    for one in resources:
        if one.type == "aws_organizations_policy" and str(one.values.get("id")) in attached:
            statements, unread = _document(one, "content")
            denies = tuple(each for each in statements if not each.allows)
            yield doubted(
                (denies, unread), f"{one.address} may be attached above the pods' account"
            )


def _roles_of(one: _Resource) -> tuple[str, ...]:
    if one.type in {"aws_iam_role_policy", "aws_iam_role_policy_attachment"}:
        return (str(one.values.get("role") or ""),)
    if one.type == "aws_iam_role_policy_attachments_exclusive":
        return (str(one.values.get("role_name") or ""),)
    if one.type == "aws_iam_policy_attachment":
        return tuple(map(str, one.values.get("roles") or ()))
    return ()


def _policy(one: _Resource, by_arn: Mapping[str, _Resource]) -> Read:
    if one.type == "aws_iam_role_policy":
        return _document(one, "policy")
    arns = one.values.get("policy_arns") or [one.values.get("policy_arn") or ""]
    return together(_of_arn(str(arn), one.address, by_arn) for arn in arns)


def _of_arn(arn: str, address: str, by_arn: Mapping[str, _Resource]) -> Read:
    if arn in by_arn:
        return _document(by_arn[arn], "policy")
    if ":aws:policy/" in arn:
        return managed(arn)
    return (), (f"{address}: {arn or _AFTER_APPLY}",)


def _document(one: _Resource, key: str) -> Read:
    return _parsed(one.values.get(key), one.address)


def _parsed(text: Any, address: str) -> Read:
    """Statements of a policy's text; what is not there is known after the apply."""
    if not text:
        return (), (f"{address}: {_AFTER_APPLY}",)
    try:
        return read_policy(json.loads(text)), ()
    except (ValueError, RecursionError):
        return (), (f"{address}: a policy that is not JSON",)


def _associated(role: _Resource, resources: tuple[_Resource, ...]) -> Iterator[Subject]:
    for one in resources:
        same = one.values.get("role_arn") and one.values["role_arn"] == role.values.get("arn")
        if one.type in ASSOCIATIONS and same:
            yield _subject(one)


def _subject(one: _Resource) -> Subject:
    return Subject(
        namespace=str(one.values.get("namespace", "")),
        name=str(one.values.get("service_account", "")),
        association=True,
        doubt=handed_on(one.values.get("target_role_arn")),
    )


def _associations(resources: tuple[_Resource, ...], path: str) -> Iterator[AssociationFact]:
    made = {str(one.values.get("arn")) for one in resources if one.type == "aws_iam_role"}
    for one in resources:
        if one.type in ASSOCIATIONS:
            arn = one.text("role_arn").value
            yield AssociationFact(
                address=one.address,
                file=path,
                subject=_subject(one),
                role=arn,
                is_here=arn in made,
            )

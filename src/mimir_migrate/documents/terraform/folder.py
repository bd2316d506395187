"""Reads a Terraform folder: tables, roles and helm releases that stand in it.

What only Terraform computes is unknown here, with the reason; `terraform show -json` knows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.permissions import Statement
from mimir_migrate.documents.terraform.expressions import reason_of, text_of
from mimir_migrate.documents.terraform.facts import (
    HelmReleaseFact,
    RoleFact,
    TableFact,
    TerraformFacts,
    Text,
)
from mimir_migrate.documents.terraform.modules import Block, Module, is_local, read_modules
from mimir_migrate.documents.terraform.roles import attached_by_name, read_roles

Attached = tuple[str, tuple[Statement, ...], tuple[str, ...]]
"""A role's name, the statements attached to it, and what of them could not be read."""

_TABLE_MODULE = re.compile(r"terraform-aws-modules/(terraform-aws-)?dynamodb-table\b")
"""The one remote module that is known to name the table by its argument `name`."""


def read_terraform(files: Mapping[str, str]) -> TerraformFacts:
    """Read the files of a folder.

    Args:
        files: Text by path, relative to the folder. Modules whose folder is among the files are
            followed with the arguments of each call.
    """
    modules, unread = read_modules(files)
    tables: list[TableFact] = []
    roles: list[RoleFact] = []
    releases: list[HelmReleaseFact] = []
    attached: list[Attached] = []
    for module in modules:
        here = dict(_tables(module))
        tables.extend(here.values())
        by_reference = {key.split("[", 1)[0]: table for key, table in here.items()}
        roles.extend(read_roles(module, by_reference))
        attached.extend(attached_by_name(module, by_reference))
        releases.extend(_release(one) for one in module.of("resource", "helm_release"))
    return TerraformFacts(
        tables=tuple(tables),
        roles=tuple(_with_attached(role, attached) for role in roles),
        releases=tuple(releases),
        unread=unread,
    )


def _with_attached(role: RoleFact, attached: Iterable[Attached]) -> RoleFact:
    for name, statements, unread in attached:
        if role.name.known and role.name.value == name:
            role = msgspec.structs.replace(
                role,
                statements=(*role.statements, *statements),
                unread=(*role.unread, *unread),
            )
    return role


def _text(value: Any) -> Text:
    return Text(text_of(value), reason_of(value))


def _tables(module: Module) -> Iterator[tuple[str, TableFact]]:
    """Tables of one module, by how its blocks refer to them."""
    for block in module.of("resource", "aws_dynamodb_table"):
        yield _entry(block), _resource_table(block)
    for block in module.of("module"):
        source = text_of(block.get("source"))
        if not is_local(source) and (
            "hash_key" in block.raw or _TABLE_MODULE.search(source.lower())
        ):
            yield _entry(block), _module_table(block, source)


def _entry(block: Block) -> str:
    """Its reference, with the key of `for_each` where there is one."""
    key = block.scope.each.get("key", "")
    return f'{block.reference}["{key}"]' if key else block.reference


def _resource_table(block: Block) -> TableFact:
    protection = block.get("deletion_protection_enabled")
    encryption = next(iter(block.blocks("server_side_encryption")), {})
    ttl = next(iter(block.blocks("ttl")), {})
    billing = block.get("billing_mode")
    return TableFact(
        address=block.address,
        file=block.file,
        name=_text(block.get("name")),
        hash_key=_text(block.get("hash_key")),
        range_key=_text(block.get("range_key")),
        key_types={
            text_of(one.get("name")): text_of(one.get("type")) for one in block.blocks("attribute")
        },
        billing=_text(billing) if billing is not None else Text("PROVISIONED"),
        deletion_protection=_flag(protection),
        ttl_attribute=text_of(ttl.get("attribute_name")) if ttl.get("enabled", True) else "",
        kms_key=text_of(encryption.get("kms_key_arn")),
    )


def _module_table(block: Block, source: str) -> TableFact:
    plain = bool(_TABLE_MODULE.search(source.lower()))
    name = _text(block.get("name"))
    if not plain:
        given = ", ".join(
            f"{key} {text_of(block.get(key))!r}"
            for key in ("namespace", "stage", "name")
            if key in block.raw
        )
        name = Text(name.value, f"computed in module {block.name} ({source}) from {given}")
    attributes = block.get("attributes") or block.get("dynamodb_attributes")
    # The well-known module is on-demand unless told otherwise; of others nobody knows.
    default = Text("PAY_PER_REQUEST") if plain else Text("", f"the default of {source}")
    billing = block.get("billing_mode")
    ttl = block.get("ttl_enabled") is True
    return TableFact(
        address=block.address,
        file=block.file,
        name=name,
        hash_key=_text(block.get("hash_key")),
        range_key=_text(block.get("range_key")),
        key_types={
            text_of(one.get("name")): text_of(one.get("type"))
            for one in (attributes if isinstance(attributes, list) else [])
            if isinstance(one, dict)
        },
        billing=_text(billing) if billing is not None else default,
        deletion_protection=_flag(block.get("deletion_protection_enabled")),
        ttl_attribute=text_of(block.get("ttl_attribute_name")) if ttl else "",
        kms_key=text_of(block.get("server_side_encryption_kms_key_arn")),
        source=source,
    )


def _flag(value: Any) -> bool | None:
    if value is None:
        return False
    return value if isinstance(value, bool) else None


def _release(block: Block) -> HelmReleaseFact:
    written = " ".join(str(one) for one in _strings(block.raw.get("values")))
    return HelmReleaseFact(
        address=block.address,
        file=block.file,
        name=_text(block.get("name")),
        namespace=_text(block.get("namespace")),
        chart=_text(block.get("chart")),
        templates=tuple(re.findall(r'templatefile\(\s*"([^"]+)"', written)),
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, str):
        yield value

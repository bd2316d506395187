"""DynamoDB tables that a Terraform folder makes: by resources, and by modules that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.policy_text import OWN_REGION
from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.facts import RemoteModule, TableFact, Text
from mimir_migrate.documents.terraform.language.evaluate import truth
from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Unresolved,
    first_unknown,
    read_json,
    reason_of,
    text_of,
)
from mimir_migrate.documents.terraform.modules import Module
from mimir_migrate.documents.terraform.sources import is_local, literal

_TABLE_MODULE = re.compile(r"terraform-aws-modules/(terraform-aws-)?dynamodb-table\b")
"""The one remote module that is known to name the table by its argument `name`."""
_KNOWN = re.compile(r"(^|[/:])terraform-aws-modules/")
"""Modules of which none but that one makes a table."""
_WRAPPERS = re.compile(r"//wrappers\b")
_DYNAMODB = re.compile(r"dynamo-?db")
_TEMPLATES = (
    "aws_cloudformation_stack",
    "aws_cloudformation_stack_set",
    "aws_cloudcontrolapi_resource",
    "kubernetes_manifest",
    "kubectl_manifest",
)
"""Resources that hand a template on to somebody who makes what is in it."""
_SOURCE = re.compile(r'^\s*source\s*=\s*"([^"]+)"', re.MULTILINE)
_WORD = re.compile(r"[\w.-]+")
_DEEPEST = 6


def read_tables(module: Module) -> Iterator[TableFact]:
    """Tables of one module."""
    for block in module.of("resource", "aws_dynamodb_table"):
        yield _resource_table(block)
    for block in module.of("resource", "awscc_dynamodb_table"):
        yield cloud_control_table(
            block.get,
            address=block.address,
            file=block.file,
            region=_region(block),
            doubt=block.doubt,
        )
    for block in module.of("module"):
        source = _remote_source(block)
        if not source:
            continue
        if _TABLE_MODULE.search(source.lower()):
            yield from _of_known_module(block, source)
        elif block.has("hash_key") or _DYNAMODB.search(source.lower()):
            yield _module_table(block, source, block.get)


def read_remote(module: Module) -> Iterator[RemoteModule]:
    """Calls of modules that are not in the folder, but those that are known to make tables."""
    for block in module.of("module"):
        source = _remote_source(block)
        if source and not _KNOWN.search(source.lower()):
            texts = tuple(
                text
                for key in block.body.attributes
                if key != "source"
                for text in _texts(block.get(key), 0)
            )
            yield RemoteModule(address=block.address, file=block.file, source=source, texts=texts)
    for block in module.of("resource", *_TEMPLATES):
        written = [text_of(block.get(key)) for key in block.body.attributes]
        if any(_DYNAMODB.search(text.lower()) for text in written):
            texts = tuple(word for text in written for word in _WORD.findall(text))
            yield RemoteModule(
                address=block.address, file=block.file, source=block.type, texts=texts
            )


def read_terragrunt(path: str, text: str) -> RemoteModule:
    """What Terragrunt hands to a module: its inputs are not evaluated, only looked through for names."""
    source = _SOURCE.search(text)
    return RemoteModule(
        address="inputs",
        file=path,
        source=source[1] if source else "the module of Terragrunt",
        texts=tuple(_WORD.findall(text)),
    )


def _texts(value: Any, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _texts(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, depth + 1)
    elif isinstance(value, str):
        yield value


def _remote_source(block: Block) -> str:
    source = literal(block.body, "source")
    return "" if is_local(source) else source


def _text(value: Any) -> Text:
    if isinstance(value, (list, dict, Block)):
        return Text("", "it is not text")
    return Text(text_of(value), reason_of(value))


def _flag(value: Any) -> bool | None:
    return False if value is None else truth(value)


def _region(block: Block) -> Text:
    found = block.region()
    if isinstance(found, Unresolved) and found.text == OWN_REGION:
        return Text("")
    return _text(found)


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _attributes(value: Any) -> dict[str, str]:
    """Types by name; both spellings of the keys."""
    found = read_json(value) if isinstance(value, (Json, str)) else value
    named = {}
    for one in found if isinstance(found, list) else []:
        item = _folded(one)
        if item:
            named[text_of(item.get("name"))] = text_of(item.get("type"))
    return named


def _folded(one: Any) -> dict[str, Any]:
    """An item of AWS's own lists: `AttributeName`, `attribute_name` and `name` are one key."""
    found = {}
    for key, value in _dict(one).items():
        plain = key.replace("_", "").lower().removeprefix("attribute")
        found[plain.removeprefix("key") if plain == "keytype" else plain] = value
    return found


def _resource_table(block: Block) -> TableFact:
    encryption: Mapping[str, Any] = next(iter(block.blocks("server_side_encryption")), {})
    ttl: Mapping[str, Any] = next(iter(block.blocks("ttl")), {})
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
        deletion_protection=_flag(block.get("deletion_protection_enabled")),
        ttl_attribute=text_of(ttl.get("attribute_name")) if ttl.get("enabled", True) else "",
        kms_key=text_of(encryption.get("kms_key_arn")),
        region=_region(block),
        replicas=_replicas(
            (*block.blocks("replica"), *block.open_blocks("replica")), "region_name"
        ),
        doubt=block.doubt,
    )


def _replicas(listed: Any, key: str) -> tuple[Text, ...]:
    """Regions of replicas: texts, or mappings that name them under a key."""
    if isinstance(listed, Unresolved):
        return (_text(listed),)
    return tuple(
        _text(one.get(key) if isinstance(one, Mapping) else one)
        for one in (listed if isinstance(listed, (list, tuple)) else ())
    )


def cloud_control_table(
    get: Callable[[str], Any], *, address: str, file: str, region: Text, doubt: str = ""
) -> TableFact:
    """A table made through AWS's Cloud Control API, whose keys are one list.

    Args:
        get: Its arguments by name; None: not set.
        address: As Terraform names it.
        file: Where it stands.
        region: Where it is made.
        doubt: Why it is not known whether it is made; empty: it is.
    """
    billing = get("billing_mode")
    schema = get("key_schema")
    schema = read_json(schema) if isinstance(schema, (Json, str)) else schema
    keys = {"HASH": Text(""), "RANGE": Text("")}
    hole = first_unknown(schema)
    if isinstance(schema, list):
        for one in schema:
            item = _folded(one)
            keys[text_of(item.get("type")).upper()] = _text(item.get("name"))
    if hole is not None:
        keys = {kind: key if key.value else Text("", hole.reason) for kind, key in keys.items()}
    ttl = _dict(get("time_to_live_specification"))
    return TableFact(
        address=address,
        file=file,
        name=_text(get("table_name")),
        hash_key=keys["HASH"],
        range_key=keys["RANGE"],
        key_types=_attributes(get("attribute_definitions")),
        billing=_text(billing) if billing is not None else Text("PROVISIONED"),
        deletion_protection=_flag(get("deletion_protection_enabled")),
        ttl_attribute=text_of(ttl.get("attribute_name")) if ttl.get("enabled") else "",
        kms_key=text_of(_dict(get("sse_specification")).get("kms_master_key_id")),
        region=region,
        doubt=doubt,
    )


def _of_known_module(block: Block, source: str) -> Iterator[TableFact]:
    if not _WRAPPERS.search(source):
        yield from _created(_module_table(block, source, block.get), block.get)
        return
    items, defaults = block.get("items"), block.get("defaults")
    hole = items if isinstance(items, Unresolved) else None
    if hole is None and isinstance(defaults, Unresolved):
        hole = defaults
    if hole is not None or not isinstance(items, dict):
        reason = hole.reason if hole else "no map"
        name = Text("${items}", f"the tables of {source} are {text_of(hole)}: {reason}")
        table = _module_table(block, source, block.get)
        yield msgspec.structs.replace(table, name=name, hash_key=name, range_key=name)
        return
    for key, item in items.items():
        if isinstance(item, Unresolved):
            given = {"name": item}
        else:
            given = {**_dict(defaults), **_dict(item)}
        table = _module_table(block, source, given.get)
        named = msgspec.structs.replace(table, address=f'{block.address}.wrapper["{key}"]')
        yield from _created(named, given.get)


def _created(table: TableFact, get: Any) -> Iterator[TableFact]:
    """A module's table unless its arguments say that it makes none."""
    for key in ("create", "create_table"):
        value = get(key)
        found = True if value is None else truth(value)
        if found is False:
            return
        if found is None:
            table = msgspec.structs.replace(
                table, doubt=f"{key} = {text_of(value)}: {reason_of(value) or 'no bool'}"
            )
    yield table


def _module_table(block: Block, source: str, get: Any) -> TableFact:
    well_known = bool(_TABLE_MODULE.search(source.lower()))
    name = _text(get("name"))
    if not well_known:
        given = ", ".join(
            f"{key} {text_of(get(key))!r}"
            for key in ("namespace", "stage", "name")
            if get(key) is not None
        )
        name = Text(name.value, f"computed in module {block.name} ({source}) from {given}")
    attributes = get("attributes") or get("dynamodb_attributes")
    # The well-known module is on-demand unless told otherwise; of others nobody knows.
    default = Text("PAY_PER_REQUEST") if well_known else Text("", f"the default of {source}")
    billing = get("billing_mode")
    ttl = get("ttl_enabled") is True
    encryption = _dict(get("server_side_encryption"))
    keys = [get("hash_key"), get("range_key")]
    unset = Text("") if well_known else Text("", f"the default of {source}")
    return TableFact(
        address=block.address,
        file=block.file,
        name=name,
        hash_key=_text(keys[0]) if keys[0] is not None else unset,
        range_key=_text(keys[1]) if keys[1] is not None else unset,
        key_types=_attributes(attributes),
        billing=_text(billing) if billing is not None else default,
        # The default of the well-known module differs by its version.
        deletion_protection=truth(get("deletion_protection_enabled")),
        ttl_attribute=text_of(get("ttl_attribute_name")) if ttl else "",
        kms_key=text_of(
            get("server_side_encryption_kms_key_arn") or encryption.get("kms_key_arn")
        ),
        source=source,
        region=_region(block),
        replicas=_replicas(get("replica_regions"), "region_name"),
        doubt=block.doubt,
    )

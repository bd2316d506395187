"""Writes what a Terraform folder lacks, as one new file that `terraform fmt` leaves as it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mimir_migrate.documents.permissions import POD_KMS_ACTIONS
from mimir_migrate.documents.terraform.sources import read_folders
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.facts import Table
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE


class RingTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table to write, and what is there already."""

    spec: TableSpec
    existing: Table | None = None
    """As DynamoDB has it; it is imported then, and kept as it is where the spec says nothing."""


class _Attribute(msgspec.Struct, frozen=True):
    name: str
    value: str | tuple[str, ...] | dict[str, str]
    """An expression; a list or a map of expressions is written over several lines."""


class _Block(msgspec.Struct, frozen=True):
    head: str
    body: tuple[_Attribute | _Block | None, ...]
    """None is an empty line."""


def labels_taken(files: Mapping[str, str]) -> frozenset[str]:
    """Labels that resources and data sources of a folder have, of whichever type."""
    block = re.compile(r'^\s*(?:resource|data)\s+"?[\w-]+"?\s+"?([\w-]+)', re.MULTILINE)
    folders, _ = read_folders(files)
    return frozenset(
        (
            # Also of a file that cannot be read as a whole.
            *(label for text in files.values() for label in block.findall(text)),
            *(name for folder in folders.values() for _, _, name in folder.blocks),
        )
    )


def terraform_file(
    tables: Sequence[RingTable],
    *,
    actions: Sequence[str],
    role: str = "",
    policy: str = "",
    taken: Collection[str] = (),
    made: Sequence[str] = (),
) -> str:
    """Write tables, the pods' policy, and `import` blocks for tables that are there.

    Args:
        tables: The ring tables to write.
        actions: What the ring's client calls, see `permissions.pod_actions`.
        role: Name of the role that gets the policy; empty: attaching it is left to the operator.
        policy: Name of the policy; empty: the first table's name with `-pods`.
        taken: Labels that the folder has already, see `labels_taken`.
        made: ARNs of ring tables that the folder makes already and that the policy is to cover.

    Returns:
        An empty text where there is no table to write and none to cover.

    Raises:
        BlockedError: A table that is there has other keys than a ring table.
    """
    for one in tables:
        if one.existing is not None and not one.existing.is_ring_table:
            there = ", ".join(f"{key.name} ({key.role})" for key in one.existing.keys)
            raise BlockedError(
                f"the table {one.spec.name} is there with other keys: {there}",
                hint="keys cannot be changed: choose another name",
            )
    if not tables and not made:
        return ""
    labels = _labels([one.spec.name for one in tables], taken)
    blocks: list[_Block] = []
    for one, label in zip(tables, labels, strict=True):
        blocks.append(_table(one, label))
        if one.existing is not None:
            blocks.append(_import(one.spec.name, label))
    keys = sorted(
        {one.existing.kms_key for one in tables if one.existing and one.existing.kms_key}
    )
    first = tables[0].spec.name if tables else made[0].rsplit("/", 1)[-1]
    resources = (
        *(f"aws_dynamodb_table.{label}.arn" for label in labels),
        *(quoted(arn) for arn in made),
    )
    name = policy or f"{first}-pods"
    blocks.extend(_policy(resources, actions, keys, name, role, _free("ring_tables", taken)))
    return "\n".join((*_head(tables), *(_written(block) for block in blocks)))


def _head(tables: Sequence[RingTable]) -> Iterable[str]:
    if not tables:
        yield "# What the pods of Mimir or Cortex need on the tables of their hash rings."
        yield ""
        return
    regions = ", ".join(dict.fromkeys(one.spec.region for one in tables))
    yield f"# DynamoDB tables for the hash rings of Mimir or Cortex, in {regions}."
    yield "# The provider that applies this file must be configured for that region."
    if any(one.existing for one in tables):
        yield "# `import` blocks need Terraform 1.5 or newer."
    yield ""


def _table(one: RingTable, label: str) -> _Block:
    spec, existing = one.spec, one.existing
    body: list[_Attribute | _Block | None] = [
        _Attribute("name", quoted(spec.name)),
        _Attribute("billing_mode", quoted("PAY_PER_REQUEST")),
        _Attribute("hash_key", quoted(HASH_KEY)),
        _Attribute("range_key", quoted(RANGE_KEY)),
        _Attribute("deletion_protection_enabled", "true" if spec.deletion_protection else "false"),
    ]
    for key in (HASH_KEY, RANGE_KEY):
        kind = (_Attribute("name", quoted(key)), _Attribute("type", quoted("S")))
        body += [None, _Block("attribute", kind)]
    ttl = TTL_ATTRIBUTE if spec.ttl else (existing.ttl_attribute if existing else "")
    if ttl:
        settings = (_Attribute("attribute_name", quoted(ttl)), _Attribute("enabled", "true"))
        body += [None, _Block("ttl", settings)]
    if existing and existing.kms_key:
        own_key = _Attribute("kms_key_arn", quoted(existing.kms_key))
        body += [None, _Block("server_side_encryption", (_Attribute("enabled", "true"), own_key))]
    if spec.tags:
        tags = {_tag(name): quoted(value) for name, value in sorted(spec.tags.items())}
        body += [None, _Attribute("tags", tags)]
    return _Block(f'resource "aws_dynamodb_table" "{label}"', tuple(body))


def _import(name: str, label: str) -> _Block:
    return _Block(
        "import",
        (_Attribute("to", f"aws_dynamodb_table.{label}"), _Attribute("id", quoted(name))),
    )


def _policy(
    resources: Sequence[str],
    actions: Sequence[str],
    keys: Sequence[str],
    name: str,
    role: str,
    own: str,
) -> Iterable[_Block]:
    statements = [_statement("RingTables", sorted(actions), resources)]
    if keys:
        quoted_keys = tuple(quoted(key) for key in keys)
        statements.append(_statement("RingTableKeys", sorted(POD_KMS_ACTIONS), quoted_keys))
    body: list[_Attribute | _Block | None] = []
    for statement in statements:
        body += [None, statement] if body else [statement]
    document = f"aws_iam_policy_document.{own}"
    yield _Block(f'data "aws_iam_policy_document" "{own}"', tuple(body))
    yield _Block(
        f'resource "aws_iam_policy" "{own}"',
        (
            _Attribute("name", quoted(name)),
            _Attribute("description", quoted("What pods need on the tables of their hash rings")),
            _Attribute("policy", f"data.{document}.json"),
        ),
    )
    if role:
        yield _Block(
            f'resource "aws_iam_role_policy_attachment" "{own}"',
            (
                _Attribute("role", quoted(role)),
                _Attribute("policy_arn", f"aws_iam_policy.{own}.arn"),
            ),
        )


def _statement(sid: str, actions: Sequence[str], resources: Sequence[str]) -> _Block:
    return _Block(
        "statement",
        (
            _Attribute("sid", quoted(sid)),
            _Attribute("effect", quoted("Allow")),
            _Attribute("actions", tuple(quoted(action) for action in actions)),
            _Attribute("resources", tuple(resources)),
        ),
    )


def quoted(text: str) -> str:
    """A string of HCL that means exactly `text`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for char, written in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(char, written)
    return f'"{escaped.replace("${", "$${").replace("%{", "%%{")}"'


def _tag(name: str) -> str:
    """A map's key: an identifier stands as it is, anything else in quotes."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) else quoted(name)


def _labels(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Terraform's own names for the tables, each once."""
    labels: list[str] = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_]", "_", name)
        stem = stem if stem[0].isalpha() or stem[0] == "_" else f"ring_{stem}"
        labels.append(_free(stem, {*taken, *labels}))
    return labels


def _free(stem: str, taken: Collection[str]) -> str:
    number = 1
    label = stem
    while label in taken:
        number += 1
        label = f"{stem}_{number}"
    return label


_INDENT: Final = "  "


def _written(block: _Block, depth: int = 0) -> str:
    """A block as `terraform fmt` writes it, with the line's end after its last brace."""
    indent = _INDENT * depth
    lines = [f"{indent}{block.head} {{"]
    run: list[_Attribute] = []
    for item in (*block.body, None):
        if isinstance(item, _Attribute) and isinstance(item.value, str):
            run.append(item)
            continue
        lines += _aligned([(one.name, str(one.value)) for one in run], depth + 1)
        run = []
        if isinstance(item, _Attribute):
            lines += _over_lines(item, depth + 1)
        elif isinstance(item, _Block):
            lines.append(_written(item, depth + 1).removesuffix("\n"))
        else:
            lines.append("")
    lines.pop()  # the empty line that closed the last run
    return "\n".join((*lines, f"{indent}}}", ""))


def _aligned(pairs: Sequence[tuple[str, str]], depth: int) -> list[str]:
    """Assignments in neighbouring lines, which have their `=` in one column."""
    width = max((len(name) for name, _ in pairs), default=0)
    return [f"{_INDENT * depth}{name:<{width}} = {value}" for name, value in pairs]


def _over_lines(item: _Attribute, depth: int) -> list[str]:
    indent = _INDENT * depth
    if isinstance(item.value, dict):
        inside = _aligned(tuple(item.value.items()), depth + 1)
        return [f"{indent}{item.name} = {{", *inside, f"{indent}}}"]
    listed = [f"{indent}{_INDENT}{one}," for one in item.value]
    return [f"{indent}{item.name} = [", *listed, f"{indent}]"]

"""Roles of service accounts in Terraform files: whom they trust and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mimir_migrate.documents.permissions import Statement, read_policy
from mimir_migrate.documents.terraform.expressions import (
    Unresolved,
    policy_document,
    reason_of,
    text_of,
)
from mimir_migrate.documents.terraform.facts import RoleFact, Subject, TableFact, Text
from mimir_migrate.documents.terraform.modules import Block, Module

_SUBJECT = re.compile(r"^system:serviceaccount:([^:]+):(.+)$")
_ROLE_MODULE_POLICIES = ("policies", "role_policy_arns", "additional_policy_arns")
WHOLE_DYNAMODB = re.compile(
    r":policy/(AmazonDynamoDBFullAccess(_v2)?|AdministratorAccess|PowerUserAccess)$"
)
"""Policies kept by AWS that allow all of DynamoDB; the others allow nothing of it that counts."""

Policies = Mapping[str, Any]
"""Documents by how blocks of the module refer to them; `Unresolved` where they cannot be read."""


def read_roles(module: Module, tables: Mapping[str, TableFact]) -> Iterator[RoleFact]:
    """Roles that service accounts may take.

    Args:
        module: The module to read.
        tables: The module's tables by how its blocks refer to them.
    """
    policies = _policies(module)
    for block in module.of("resource", "aws_iam_role"):
        role = _role(block, module, policies, tables)
        if role.subjects or role.trust_reason:
            yield role
    for block in module.of("module"):
        subjects = tuple(_module_subjects(block))
        if subjects:
            found, unread = _attached(_module_policies(block), policies, tables)
            yield RoleFact(
                address=block.address,
                file=block.file,
                name=_text(block.get("name") or block.get("role_name")),
                subjects=subjects,
                statements=found,
                unread=unread,
            )


def _text(value: Any) -> Text:
    return Text(text_of(value), reason_of(value))


def _policies(module: Module) -> Policies:
    found: dict[str, Any] = {}
    for block in module.of("data", "aws_iam_policy_document"):
        found[block.reference] = _document(block)
    for block in module.of("resource", "aws_iam_policy"):
        found[block.reference] = _pointed(block, "policy", found)
    for block in module.of("module"):
        if "policy" in block.raw:
            found[block.reference] = _pointed(block, "policy", found)
    return found


def _pointed(block: Block, key: str, policies: Policies) -> Any:
    """A policy argument: a document that the module has, or one written in place."""
    for reference in block.references(key):
        if reference in policies:
            return policies[reference]
    return policy_document(block.get(key))


def _document(block: Block) -> Any:
    """A `data "aws_iam_policy_document"` as the JSON that it makes."""
    if block.dynamic or "source_policy_documents" in block.raw:
        return Unresolved(block.address, f"{block.address} is put together from other blocks")
    return {"Statement": [_statement(one) for one in block.blocks("statement")]}


def _statement(block: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"Effect": text_of(block.get("effect")) or "Allow"}
    for key, name in (
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ):
        if key in block:
            value = block[key]
            listed = value if isinstance(value, list) else [value]
            made[name] = [text_of(one) for one in listed]
    conditions: dict[str, dict[str, Any]] = {}
    for condition in _listed(block.get("condition")):
        test = conditions.setdefault(text_of(condition.get("test")), {})
        test[text_of(condition.get("variable"))] = condition.get("values")
    if conditions:
        made["Condition"] = conditions
    return made


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _role(
    block: Block, module: Module, policies: Policies, tables: Mapping[str, TableFact]
) -> RoleFact:
    trust = _pointed(block, "assume_role_policy", policies)
    subjects = [*subjects_of(trust), *_associations(block, module)]
    pieces: list[tuple[str, Any]] = [
        (f"{block.address} inline", policy_document(one.get("policy")))
        for one in block.blocks("inline_policy")
    ]
    for arn, value in _arns(block, "managed_policy_arns"):
        pieces.append((arn, value))
    for other in module.of("resource", "aws_iam_role_policy"):
        if block.reference in other.references("role"):
            pieces.append((other.address, _pointed(other, "policy", policies)))
    for other in module.of(
        "resource", "aws_iam_role_policy_attachment", "aws_iam_policy_attachment"
    ):
        if block.reference in (*other.references("role"), *other.references("roles")):
            pieces.extend(_arns(other, "policy_arn"))
    statements, unread = _attached(pieces, policies, tables)
    return RoleFact(
        address=block.address,
        file=block.file,
        name=_text(block.get("name") or block.get("name_prefix")),
        subjects=tuple(subjects),
        trust_reason=reason_of(trust) if isinstance(trust, Unresolved) and not subjects else "",
        statements=statements,
        unread=unread,
    )


def attached_by_name(
    module: Module, tables: Mapping[str, TableFact]
) -> Iterator[tuple[str, tuple[Statement, ...], tuple[str, ...]]]:
    """Policies that a module attaches to a role by its name, wherever that role is made.

    Returns:
        For each: the role's name, the statements, and what could not be read.
    """
    policies = _policies(module)
    for block in module.of("resource", "aws_iam_role_policy", "aws_iam_role_policy_attachment"):
        role = block.get("role")
        if block.references("role") or not text_of(role) or reason_of(role):
            continue
        pieces: list[tuple[str, Any]] = (
            [(block.address, _pointed(block, "policy", policies))]
            if "policy" in block.raw
            else list(_arns(block, "policy_arn"))
        )
        yield (text_of(role), *_attached(pieces, policies, tables))


def _arns(block: Block, key: str) -> Iterator[tuple[str, Any]]:
    """What an argument with ARNs of policies points to: (how it is named, what it is)."""
    names = block.references(key)
    yield from ((name, name) for name in names)
    value = block.get(key)
    listed = value.values() if isinstance(value, dict) else _listed(value)
    for one in listed:
        if not isinstance(one, Unresolved):
            yield text_of(one), text_of(one)
        elif not names:
            yield one.text, one


def _attached(
    pieces: Any, policies: Policies, tables: Mapping[str, TableFact]
) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    """Statements of all policies of a role, and the policies that could not be read."""
    statements: list[Statement] = []
    unread: list[str] = []
    for name, value in pieces:
        document = policies.get(value, value) if isinstance(value, str) else value
        if isinstance(document, dict):
            statements.extend(_with_tables(one, tables) for one in _of_document(document))
        elif isinstance(document, str) and ":aws:policy/" in document:
            if WHOLE_DYNAMODB.search(document):
                statements.append(Statement(actions=("dynamodb:*",), resources=("*",)))
        else:
            unread.append(f"{name}: {reason_of(document) or 'not in these files'}")
    return tuple(statements), tuple(dict.fromkeys(unread))


def _of_document(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Read a resolved document, in which parts may be unknown."""
    return read_policy(_plain(document))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.text if isinstance(value, Unresolved) else value


def _with_tables(statement: Statement, tables: Mapping[str, TableFact]) -> Statement:
    """Write the names of tables that are known into resources that refer to them."""
    resources = tuple(_with_table(one, tables) for one in statement.resources)
    return Statement(
        allows=statement.allows,
        actions=statement.actions,
        not_actions=statement.not_actions,
        resources=resources,
        not_resources=statement.not_resources,
        conditional=statement.conditional,
    )


def _with_table(resource: str, tables: Mapping[str, TableFact]) -> str:
    found = re.match(
        r"^\$\{((?:aws_dynamodb_table|module)\.[\w-]+)(?:\[[^\]]*\])?\.(?:dynamodb_table_)?arn\}",
        resource,
    )
    table = tables.get(found[1]) if found else None
    if found is None or table is None or not table.name.known:
        return resource
    return f"arn:aws:dynamodb:*:*:table/{table.name.value}{resource[found.end() :]}"


def subjects_of(trust: Any) -> Iterator[Subject]:
    """Service accounts that a trust policy (the parsed JSON) lets in by the token's `:sub`."""
    if not isinstance(trust, dict):
        return
    for one in _listed(trust.get("Statement")):
        if not isinstance(one, dict):
            continue
        for test in (one.get("Condition") or {}).values():
            for variable, values in test.items() if isinstance(test, dict) else ():
                if str(variable).endswith(":sub"):
                    yield from _subject_texts(values)


def _subject_texts(values: Any) -> Iterator[Subject]:
    for value in _listed(values):
        text = text_of(value)
        match = _SUBJECT.match(text)
        if match:
            yield Subject(namespace=match[1], name=match[2])
        elif "${" in text:
            yield Subject(namespace=text, name=text)


def _associations(role: Block, module: Module) -> Iterator[Subject]:
    for one in module.of("resource", "aws_eks_pod_identity_association"):
        if role.reference in one.references("role_arn"):
            yield Subject(
                namespace=text_of(one.get("namespace")),
                name=text_of(one.get("service_account")),
                association=True,
            )


def _module_subjects(block: Block) -> Iterator[Subject]:
    """Service accounts as the well-known role modules take them."""
    providers = block.get("oidc_providers")
    for provider in providers.values() if isinstance(providers, dict) else ():
        if isinstance(provider, dict):
            for text in _flat(provider.get("namespace_service_accounts")):
                namespace, _, name = text.rpartition(":")
                yield Subject(namespace=namespace or text, name=name)
    for key in ("oidc_fully_qualified_subjects", "oidc_subjects_with_wildcards"):
        yield from _subject_texts(_flat(block.get(key)))
    associations = block.get("associations")
    for one in associations.values() if isinstance(associations, dict) else ():
        if isinstance(one, dict):
            yield Subject(
                namespace=text_of(one.get("namespace")),
                name=text_of(one.get("service_account")),
                association=True,
            )


def _flat(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _flat(one)]
    return [] if value is None else [text_of(value)]


def _module_policies(block: Block) -> Iterator[tuple[str, Any]]:
    for key in _ROLE_MODULE_POLICIES:
        if key in block.raw:
            yield from _arns(block, key)

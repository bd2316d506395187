"""Roles of service accounts in Terraform files: whom they trust and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from mimir_migrate.documents.terraform.blocks import Block, Given
from mimir_migrate.documents.terraform.facts import (
    ResourcePolicyFact,
    RoleFact,
    Subject,
    Text,
)
from mimir_migrate.documents.terraform.language.expressions import (
    text_of,
)
from mimir_migrate.documents.terraform.module_roles import module_role
from mimir_migrate.documents.terraform.modules import Module
from mimir_migrate.documents.terraform.policy_sources import (
    Attachments,
    Policies,
    Read,
    doubted,
    organization_denies,
    together,
)
from mimir_migrate.documents.terraform.role_parts import (
    associated,
    associations_of,
    boundary_of,
    by_arns,
    keys_of,
    subjects_of,
    text_fact,
)
from mimir_migrate.documents.terraform.sources import is_local, literal

_WRAPPED = re.compile(r"//wrappers\b")


def read_roles(modules: Iterable[Module]) -> Iterator[RoleFact]:
    """Roles that service accounts may take, with all that is attached to them wherever."""
    modules = tuple(modules)
    policies = Policies(modules)
    attachments = Attachments(modules, policies)
    associations = associations_of(modules)
    above = organization_denies(modules, policies)
    for module in modules:
        for block in module.of("resource", "aws_iam_role"):
            role = under(_role(block, policies, attachments, associations), above)
            if role.subjects or role.trust_reason or _takes_tokens(role):
                yield role
        for block in module.of("module"):
            if not is_local(literal(block.body, "source")):
                for one in _calls(block):
                    for role in module_role(one, policies, attachments, associations):
                        yield under(role, above)


def under(role: RoleFact, above: Read) -> RoleFact:
    """A role with what an organisation denies its account."""
    statements, unread = above
    return msgspec.structs.replace(
        role, statements=(*role.statements, *statements), unread=(*role.unread, *unread)
    )


def _calls(block: Block) -> Iterator[Block]:
    """A module's call, or those that its wrapper makes of `items` with their `defaults`."""
    items, defaults = block.get("items"), block.get("defaults")
    if not _WRAPPED.search(literal(block.body, "source")) or not isinstance(items, dict):
        yield block
        return
    for key, item in items.items():
        given = {**(defaults if isinstance(defaults, dict) else {})}
        yield Given(block, key, {**given, **(item if isinstance(item, dict) else {})})


def read_resource_policies(modules: Iterable[Module]) -> Iterator[ResourcePolicyFact]:
    """Policies that tables have themselves."""
    modules = tuple(modules)
    policies = Policies(modules)
    for module in modules:
        for block in module.of("resource", "aws_dynamodb_resource_policy"):
            read = policies.read(block.get("policy"), block.address)
            statements, unread = doubted(read, block.doubt)
            yield ResourcePolicyFact(
                address=block.address,
                table=text_fact(block.get("resource_arn")),
                statements=statements,
                unread=unread,
            )


def _role(
    block: Block,
    policies: Policies,
    attachments: Attachments,
    associations: dict[str, list[Subject]],
) -> RoleFact:
    trust, trust_unread = policies.read(block.get("assume_role_policy"), block.address)
    name = _named(block)
    keys = keys_of(block, name)
    statements, unread = together(
        (
            *(
                policies.read(one.get("policy"), f"{block.address} inline")
                for one in block.blocks("inline_policy")
                if one.get("policy") is not None
            ),
            *_open(block, "inline_policy"),
            *by_arns(block, "managed_policy_arns", policies),
            attachments.of(block, name.value, _exclusive(block)),
        )
    )
    boundary, boundary_unread = boundary_of(block, policies)
    subjects = (*subjects_of(trust), *associated(keys, associations))
    return RoleFact(
        address=block.address,
        file=block.file,
        name=name,
        subjects=subjects,
        trust=trust,
        trust_reason="; ".join(trust_unread),
        statements=statements,
        unread=unread,
        boundary=boundary,
        boundary_unread=boundary_unread,
        doubt=block.doubt,
    )


def _exclusive(block: Block) -> dict[str, str]:
    """Arguments of a role that take away what is attached beside them, by the type that attaches it."""
    found = {}
    if block.blocks("inline_policy") or block.open_blocks("inline_policy"):
        found["aws_iam_role_policy"] = f"inline_policy of {block.address} takes others away"
    if block.get("managed_policy_arns") is not None:
        why = f"managed_policy_arns of {block.address} takes others away"
        found |= {"aws_iam_role_policy_attachment": why, "aws_iam_policy_attachment": why}
    return found


def _named(block: Block) -> Text:
    """The name of a role; Terraform goes on from a prefix, and makes one up where there is neither."""
    if block.get("name") is not None:
        return text_fact(block.get("name"))
    prefix = block.get("name_prefix")
    begun = "" if prefix is None else text_of(prefix)
    return Text(f"{begun}${{{block.reference}.id}}", "Terraform makes it up")


def _open(block: Block, key: str) -> Iterator[Read]:
    for one in block.open_blocks(key):
        yield (), (f"{one.text}: {one.reason}",)


def _takes_tokens(role: RoleFact) -> bool:
    """Whether the trust policy speaks of an OIDC provider, whomever it names."""
    return any(
        ":oidc-provider/" in name
        for one in role.trust
        for named in one.principals
        for name in named.names
    )

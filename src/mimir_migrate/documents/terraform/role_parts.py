"""What roles of resources and roles of modules have in common: whom they trust, and what limits them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mimir_migrate.documents.policies import Statement
from mimir_migrate.documents.policy_text import unknown_in
from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.facts import AssociationFact, Subject, Text
from mimir_migrate.documents.terraform.language.expressions import Unresolved, reason_of, text_of
from mimir_migrate.documents.terraform.modules import Module
from mimir_migrate.documents.terraform.policy_sources import Policies, Read, listed

_SUBJECT = re.compile(r"^system:serviceaccount:([^:]+):(.+)$", re.IGNORECASE)
_BOUNDARIES = (
    "permissions_boundary",
    "permissions_boundary_arn",
    "role_permissions_boundary_arn",
)
ASSOCIATIONS = ("aws_eks_pod_identity_association", "awscc_eks_pod_identity_association")
"""Resources that associate a role with a service account."""


def text_fact(value: Any) -> Text:
    """A value as a text that may not be known."""
    return Text(text_of(value), reason_of(value))


def keys_of(block: Block, name: Text) -> tuple[str, ...]:
    """What associations and attachments may name a role by: its name, and its address."""
    return name.value, f"{block.module.root}:{block.module.prefix}{block.reference}"


def by_arns(block: Block, key: str, policies: Policies) -> Iterator[Read]:
    """Policies that an argument names by their ARNs: a list, a map, or one."""
    value = block.get(key)
    for one in value.values() if isinstance(value, dict) else listed(value):
        yield policies.read(one, block.address)


def boundary_of(
    block: Block, policies: Policies
) -> tuple[tuple[Statement, ...] | None, tuple[str, ...]]:
    """The permissions boundary, and what of it could not be read; None: there is none."""
    value = block.first(*_BOUNDARIES)
    if value is None or value == "":
        return None, ()
    return policies.read(value, block.address)


def subjects_of(trust: Iterable[Statement]) -> Iterator[Subject]:
    """Service accounts that a trust policy names by the token's `:sub`, or everybody.

    Whether they get in is another question, see `role_trust`.
    """
    for one in trust:
        tokens = any(named.type == "Federated" for named in one.principals)
        named_by = [item for item in one.conditions if item.key.lower().endswith(":sub")]
        if tokens and not named_by and one.allows:
            yield Subject(namespace="*", name="*")
        for item in named_by:
            for value in item.values:
                match = _SUBJECT.match(value)
                if match:
                    yield Subject(namespace=match[1], name=match[2])
                elif "${" in value or value == "*":
                    yield Subject(namespace=value, name=value)


def associations_of(modules: Iterable[Module]) -> dict[str, list[Subject]]:
    """Service accounts of EKS pod identity, by the role's name, address or ARN."""
    found: dict[str, list[Subject]] = {}
    for block, key in _association_blocks(modules):
        if key:
            found.setdefault(key, []).append(_subject(block))
    return found


def read_associations(modules: Iterable[Module]) -> Iterator[AssociationFact]:
    """Every association, and whether its role is made here."""
    modules = tuple(modules)
    known = {
        key
        for module in modules
        for block in (*module.of("resource", "aws_iam_role"), *module.of("module"))
        for key in keys_of(block, text_fact(block.first("name", "role_name")))
    }
    for block, key in _association_blocks(modules):
        yield AssociationFact(
            address=block.address,
            file=block.file,
            subject=_subject(block),
            role=text_of(block.get("role_arn")),
            is_here=bool(key) and key in known,
        )


def _association_blocks(modules: Iterable[Module]) -> Iterator[tuple[Block, str]]:
    """Associations, each with the name or the address of its role; empty: neither is known."""
    for module in modules:
        for block in module.of("resource", *ASSOCIATIONS):
            value = block.get("role_arn")
            key = value.address.partition("[")[0] if isinstance(value, Unresolved) else ""
            last = text_of(value).rsplit("/", 1)[-1]
            yield block, key or ("" if unknown_in(last) else last)


def _subject(block: Block) -> Subject:
    return Subject(
        namespace=text_of(block.get("namespace")),
        name=text_of(block.get("service_account")),
        association=True,
        doubt=block.doubt or handed_on(block.get("target_role_arn")),
    )


def handed_on(target: Any) -> str:
    """Why it is not the associated role that the pods work under: EKS takes another one through it."""
    return f"the pods get the role target_role_arn = {text_of(target)}" if target else ""


def associated(keys: Iterable[str], associations: dict[str, list[Subject]]) -> tuple[Subject, ...]:
    """Service accounts whose associations name a role by one of its keys."""
    return tuple(one for key in keys for one in associations.get(key, ()))

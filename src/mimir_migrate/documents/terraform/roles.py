"""Roles of service accounts in Terraform files: whom they trust and what they may do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mimir_migrate.documents.policies import Condition, Principals, Statement
from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.facts import RoleFact, Subject, Text
from mimir_migrate.documents.terraform.language.evaluate import truth
from mimir_migrate.documents.terraform.language.expressions import (
    Unresolved,
    reason_of,
    text_of,
)
from mimir_migrate.documents.terraform.modules import Module
from mimir_migrate.documents.terraform.policy_sources import (
    Attachments,
    Policies,
    Read,
    doubted,
    listed,
    of_document,
    statement_of,
    together,
)
from mimir_migrate.documents.terraform.sources import is_local, literal

_SUBJECT = re.compile(r"^system:serviceaccount:([^:]+):(.+)$", re.IGNORECASE)
_ROLE_MODULE_POLICIES = ("policies", "role_policy_arns", "additional_policy_arns")
_STATEMENTS = ("policy_statements", "permissions", "inline_policy_permissions", "statements")
_DOCUMENTS = (
    "source_policy_documents",
    "override_policy_documents",
    "source_inline_policy_documents",
    "override_inline_policy_documents",
)
_BOUNDARIES = (
    "permissions_boundary",
    "permissions_boundary_arn",
    "role_permissions_boundary_arn",
)
_POD_IDENTITY = "pods.eks.amazonaws.com"


def read_roles(modules: Iterable[Module]) -> Iterator[RoleFact]:
    """Roles that service accounts may take, with all that is attached to them wherever."""
    modules = tuple(modules)
    policies = Policies(modules)
    attachments = Attachments(modules, policies)
    associations = _associations(modules)
    for module in modules:
        for block in module.of("resource", "aws_iam_role"):
            role = _role(block, policies, attachments, associations)
            if role.subjects or role.trust_reason or _takes_tokens(role):
                yield role
        for block in module.of("module"):
            if not is_local(literal(block.body, "source")):
                yield from _module_role(block, policies, attachments, associations)


def _text(value: Any) -> Text:
    return Text(text_of(value), reason_of(value))


def _role(
    block: Block,
    policies: Policies,
    attachments: Attachments,
    associations: dict[str, list[Subject]],
) -> RoleFact:
    trust, trust_unread = policies.read(block.get("assume_role_policy"), block.address)
    name = _text(block.first("name", "name_prefix"))
    keys = _keys(block, name)
    statements, unread = together(
        (
            *(
                policies.read(one.get("policy"), f"{block.address} inline")
                for one in block.blocks("inline_policy")
                if one.get("policy") is not None
            ),
            *_open(block, "inline_policy"),
            *_arns(block, "managed_policy_arns", policies),
            attachments.of(block, name.value),
        )
    )
    boundary, boundary_unread = _boundary(block, policies)
    subjects = (*subjects_of(trust), *_associated(keys, associations))
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


def _keys(block: Block, name: Text) -> tuple[str, ...]:
    return name.value, f"{block.module.root}:{block.module.prefix}{block.reference}"


def _open(block: Block, key: str) -> Iterator[Read]:
    for one in block.open_blocks(key):
        yield (), (f"{one.text}: {one.reason}",)


def _arns(block: Block, key: str, policies: Policies) -> Iterator[Read]:
    """Policies that an argument names by their ARNs: a list, a map, or one."""
    value = block.get(key)
    for one in value.values() if isinstance(value, dict) else listed(value):
        yield policies.read(one, block.address)


def _boundary(
    block: Block, policies: Policies
) -> tuple[tuple[Statement, ...] | None, tuple[str, ...]]:
    value = block.first(*_BOUNDARIES)
    if value is None or value == "":
        return None, ()
    return policies.read(value, block.address)


# --- whom they trust ------------------------------------------------------------------------------


def _takes_tokens(role: RoleFact) -> bool:
    """Whether the trust policy speaks of an OIDC provider, whomever it names."""
    return any(
        ":oidc-provider/" in name
        for one in role.trust
        for named in one.principals
        for name in named.names
    )


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


def _associations(modules: Iterable[Module]) -> dict[str, list[Subject]]:
    """Service accounts of EKS pod identity, by the role's name, address or ARN."""
    found: dict[str, list[Subject]] = {}
    for module in modules:
        for block in module.of("resource", "aws_eks_pod_identity_association"):
            subject = Subject(
                namespace=text_of(block.get("namespace")),
                name=text_of(block.get("service_account")),
                association=True,
                doubt=block.doubt,
            )
            value = block.get("role_arn")
            if isinstance(value, Unresolved):
                keys = [value.address.partition("[")[0]] if value.address else []
            else:
                keys = [text_of(value).rsplit("/", 1)[-1]]
            for key in keys:
                found.setdefault(key, []).append(subject)
    return found


def _associated(
    keys: Iterable[str], associations: dict[str, list[Subject]]
) -> tuple[Subject, ...]:
    return tuple(one for key in keys for one in associations.get(key, ()))


# --- roles of modules -----------------------------------------------------------------------------


def _module_role(
    block: Block,
    policies: Policies,
    attachments: Attachments,
    associations: dict[str, list[Subject]],
) -> Iterator[RoleFact]:
    """The role that one of the well-known modules makes."""
    doubt = block.doubt
    for key in ("create", "create_role"):
        wanted = block.get(key)
        if wanted is not None and truth(wanted) is False:
            return
        if wanted is not None and truth(wanted) is None:
            doubt = doubt or f"{key} = {text_of(wanted)}: {reason_of(wanted)}"
    name = _text(block.first("name", "role_name"))
    keys = _keys(block, name)
    trust, trust_unread = _module_trust(block, policies)
    subjects = (
        *subjects_of(trust),
        *_module_associations(block),
        *_associated(keys, associations),
    )
    if not subjects and not trust_unread:
        return
    statements, unread = together(
        (_module_policies(block, policies), attachments.of(block, name.value))
    )
    boundary, boundary_unread = _boundary(block, policies)
    yield RoleFact(
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
        doubt=doubt,
    )


def _module_trust(block: Block, policies: Policies) -> Read:
    """The trust policy that the module makes of its arguments."""
    found: list[Statement] = []
    unread: list[str] = []
    test = block.first("trust_condition_test", "assume_role_condition_test")
    operator = "StringEquals" if test is None else text_of(test)
    providers = block.get("oidc_providers")
    if isinstance(providers, Unresolved):
        unread.append(f"{providers.text}: {providers.reason}")
    for provider in providers.values() if isinstance(providers, dict) else ():
        if isinstance(provider, dict):
            names = _flat(provider.get("namespace_service_accounts"))
            values = tuple(f"system:serviceaccount:{name}" for name in names)
            arn = text_of(provider.get("provider_arn")) or "${provider_arn}"
            found.append(_token_trust(arn, operator, values))
    arn = text_of(next(iter(listed(block.first("provider_url", "provider_urls"))), ""))
    arn = f"${{provider}}:oidc-provider/{arn}" if arn else "${provider}"
    for key, compare in (
        ("oidc_fully_qualified_subjects", "StringEquals"),
        ("oidc_subjects_with_wildcards", "StringLike"),
    ):
        value = block.get(key)
        if value is not None and _flat(value):
            found.append(_token_trust(arn, compare, tuple(_flat(value))))
    if "pod-identity" in literal(block.body, "source").lower() or block.has("associations"):
        found.append(
            Statement(
                actions=("sts:AssumeRole", "sts:TagSession"),
                principals=(Principals("Service", (_POD_IDENTITY,)),),
            )
        )
    for key in ("source_trust_policy_documents", "override_trust_policy_documents"):
        for one in listed(block.get(key)):
            statements, missing = policies.read(one, block.address)
            found.extend(statements)
            unread.extend(missing)
    return tuple(found), tuple(unread)


def _token_trust(provider: str, operator: str, values: tuple[str, ...]) -> Statement:
    return Statement(
        actions=("sts:AssumeRoleWithWebIdentity",),
        principals=(Principals("Federated", (provider,)),),
        conditions=(Condition(operator, ":sub", values),),
    )


def _module_associations(block: Block) -> Iterator[Subject]:
    associations = block.get("associations")
    defaults = block.get("association_defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    for one in associations.values() if isinstance(associations, dict) else ():
        if isinstance(one, dict):
            given = {**defaults, **one}
            yield Subject(
                namespace=text_of(given.get("namespace")),
                name=text_of(given.get("service_account")),
                association=True,
                doubt=block.doubt,
            )
    if isinstance(associations, Unresolved):
        yield Subject(namespace=associations.text, name=associations.text, association=True)


def _flat(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _flat(one)]
    return [] if value is None else [text_of(value)]


def _module_policies(block: Block, policies: Policies) -> Read:
    """Policies that the module attaches: by ARN, and those that it makes of statements."""
    found: list[Read] = []
    for key in _ROLE_MODULE_POLICIES:
        found.extend(_arns(block, key, policies))
    made: list[Read] = []
    for key in _STATEMENTS:
        value = block.get(key)
        items = list(value.values()) if isinstance(value, dict) else listed(value)
        if isinstance(value, dict) and "actions" in value:
            items = [value]
        for one in items:
            if isinstance(one, dict):
                made.append(of_document({"Statement": [statement_of(one)]}, block.address))
            else:
                made.append(((), (f"{text_of(one)}: {reason_of(one) or 'no statement'}",)))
    for key in _DOCUMENTS:
        made.extend(policies.read(one, block.address) for one in listed(block.get(key)))
    return together((*found, *_if_attached(block, made)))


def _if_attached(block: Block, made: list[Read]) -> Iterator[Read]:
    """What the module makes of statements, where it attaches that at all."""
    for key in ("attach_custom_policy", "create_policy", "create_inline_policy"):
        value = block.get(key)
        if key == "attach_custom_policy" and value is None:
            # Only the pod identity module has it, and there it is off unless it is set.
            if made and "pod-identity" in literal(block.body, "source").lower():
                return
            continue
        found = True if value is None else truth(value)
        if found is False:
            return
        if found is None:
            doubt = f"{key} = {text_of(value)}: {reason_of(value)}"
            made = [doubted(one, doubt) for one in made]
    yield from made

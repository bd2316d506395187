"""Roles that the well-known modules make, from the arguments of their calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from mimir_migrate.documents.policies import Condition, Principals, Statement
from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.facts import RoleFact, Subject, Text
from mimir_migrate.documents.terraform.language.evaluate import truth
from mimir_migrate.documents.terraform.language.expressions import (
    Unresolved,
    reason_of,
    text_of,
)
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
from mimir_migrate.documents.terraform.role_parts import (
    associated,
    boundary_of,
    by_arns,
    handed_on,
    keys_of,
    subjects_of,
    text_fact,
)
from mimir_migrate.documents.terraform.sources import literal

_ROLE_MODULE_POLICIES = (
    "policies",
    "role_policy_arns",
    "additional_policy_arns",
    "custom_role_policy_arns",
)
_MADE = (
    (
        "create_policy",
        True,
        ("policy_statements", "permissions", "statements"),
        ("source_policy_documents", "override_policy_documents"),
    ),
    (
        "create_inline_policy",
        False,
        ("inline_policy_permissions",),
        ("source_inline_policy_documents", "override_inline_policy_documents"),
    ),
    ("create_role", True, ("inline_policy_statements",), ("inline_policy_json_document",)),
)
"""Policies that the modules make: whether, what that is where nobody says, of which statements and documents."""
_OIDC_CONDITIONS = (
    (("oidc_fully_qualified_subjects", "oidc_subjects"), "StringEquals", ":sub"),
    (("oidc_subjects_with_wildcards", "oidc_wildcard_subjects"), "StringLike", ":sub"),
    (("oidc_fully_qualified_audiences",), "StringLike", ":aud"),
    (("oidc_audiences",), "StringEquals", ":aud"),
)
"""Arguments of the modules for any OIDC provider, and the conditions that they make of them."""
_ANY_ROLE = re.compile(r"/iam-role(\?|$)")
_WELL_KNOWN = re.compile(r"(^|[/:])terraform-aws-modules/")
_OFF_UNLESS_ASKED = re.compile(r"/iam-assumable-role-with-oidc\b")
"""The module whose `create_role` is false unless it is set."""
_POD_IDENTITY = "pods.eks.amazonaws.com"


def module_role(
    block: Block,
    policies: Policies,
    attachments: Attachments,
    associations: dict[str, list[Subject]],
) -> Iterator[RoleFact]:
    """The role that one of the well-known modules makes."""
    doubt = block.doubt
    source = literal(block.body, "source").lower()
    for key in ("create", "create_role"):
        wanted = block.get(key)
        if wanted is None and key == "create_role" and _OFF_UNLESS_ASKED.search(source):
            return
        if wanted is not None and truth(wanted) is False:
            return
        if wanted is not None and truth(wanted) is None:
            doubt = doubt or f"{key} = {text_of(wanted)}: {reason_of(wanted)}"
    elsewhere = f"computed in module {block.name} ({literal(block.body, 'source')})"
    given = block.first("name", "role_name", "role_name_prefix")
    name = text_fact(given)
    if given is None:
        name = Text(f"${{{block.reference}.name}}", elsewhere)
    keys = keys_of(block, name)
    trust, trust_unread = _module_trust(block, policies)
    subjects = (
        *subjects_of(trust),
        *_module_associations(block),
        *associated(keys, associations),
    )
    if not subjects and not trust_unread:
        return
    if not trust and not trust_unread:
        trust_unread = (f"{block.address}: {elsewhere}",)
    statements, unread = together(
        (_module_policies(block, policies), attachments.of(block, name.value))
    )
    if not _WELL_KNOWN.search(source):
        unread = (*unread, f"{block.address}: {elsewhere}")
    boundary, boundary_unread = boundary_of(block, policies)
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
        goes_on=block.get("role_name") is None
        and truth(block.get("use_name_prefix")) is not False,
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
        if isinstance(provider, Unresolved):
            unread.append(f"{provider.text}: {provider.reason}")
        if isinstance(provider, dict):
            names = _flat(provider.get("namespace_service_accounts"))
            values = tuple(f"system:serviceaccount:{name}" for name in names)
            arn = text_of(provider.get("provider_arn")) or "${provider_arn}"
            found.append(_token_trust(arn, Condition(operator, ":sub", values)))
    clusters = block.get("cluster_service_accounts")
    if isinstance(clusters, Unresolved):
        unread.append(f"{clusters.text}: {clusters.reason}")
    for cluster, accounts in clusters.items() if isinstance(clusters, dict) else ():
        values = tuple(f"system:serviceaccount:{name}" for name in _flat(accounts))
        provider_of = f"${{provider of {cluster}}}"
        found.append(_token_trust(provider_of, Condition(operator, ":sub", values)))
    found.extend(_oidc_trust(block))
    if "pod-identity" in literal(block.body, "source").lower() or block.has("associations"):
        found.append(
            Statement(
                actions=("sts:AssumeRole", "sts:TagSession"),
                principals=(Principals("Service", (_POD_IDENTITY,)),),
            )
        )
    made: list[Read] = [(tuple(found), tuple(unread))]
    for key in ("source_trust_policy_documents", "override_trust_policy_documents"):
        made.extend(policies.read(one, block.address) for one in listed(block.get(key)))
    for key in ("trust_policy_statements", "trust_policy_permissions"):
        made.extend(_statements(block, key))
    return together(made)


def _oidc_trust(block: Block) -> Iterator[Statement]:
    """What the modules for any OIDC provider make: one statement, whose conditions all have to hold."""
    enabled = block.get("enable_oidc")
    if _ANY_ROLE.search(literal(block.body, "source")) and (
        enabled is None or truth(enabled) is False
    ):
        return
    given = next(
        iter(listed(block.first("provider_url", "provider_urls", "oidc_provider_urls"))), ""
    )
    arn = f"${{provider}}:oidc-provider/{text_of(given)}" if text_of(given) else "${provider}"
    conditions = [
        Condition(operator, claim, tuple(_flat(block.get(key))))
        for keys, operator, claim in _OIDC_CONDITIONS
        for key in keys
        if _flat(block.get(key))
    ]
    if any(one.key == ":sub" for one in conditions):
        doubt = f"enable_oidc = {text_of(enabled)}" if isinstance(enabled, Unresolved) else ""
        yield msgspec.structs.replace(_token_trust(arn, *conditions), doubt=doubt)


def _statements(block: Block, key: str) -> Iterator[Read]:
    """Statements that a module takes as maps: one, a list, or a map of them."""
    value = block.get(key)
    items = list(value.values()) if isinstance(value, dict) else listed(value)
    if isinstance(value, dict) and "actions" in value:
        items = [value]
    for one in items:
        if isinstance(one, dict):
            yield of_document({"Statement": [statement_of(one)]}, block.address)
        else:
            yield (), (f"{text_of(one)}: {reason_of(one) or 'no statement'}",)


def _token_trust(provider: str, *conditions: Condition) -> Statement:
    return Statement(
        actions=("sts:AssumeRoleWithWebIdentity",),
        principals=(Principals("Federated", (provider,)),),
        conditions=conditions,
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
                doubt=block.doubt or handed_on(given.get("target_role_arn")),
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
        found.extend(by_arns(block, key, policies))
    for flag, default, statements, documents in _MADE:
        made: list[Read] = []
        for key in statements:
            made.extend(_statements(block, key))
        for key in documents:
            made.extend(policies.read(one, block.address) for one in listed(block.get(key)))
        found.extend(_if_attached(block, flag, default, made))
    return together(found)


def _if_attached(block: Block, flag: str, default: bool, made: list[Read]) -> Iterator[Read]:
    """What the module makes of statements, where it makes and attaches that at all."""
    value = block.get(flag)
    source = literal(block.body, "source").lower()
    if flag == "create_policy" and "pod-identity" in source:
        flag, default = "attach_custom_policy", False
        value = block.get(flag)
    wanted = (default or not _WELL_KNOWN.search(source)) if value is None else truth(value)
    if wanted is False:
        return
    if wanted is None:
        doubt = f"{flag} = {text_of(value)}: {reason_of(value)}"
        made = [doubted(one, doubt) for one in made]
    yield from made

"""Policies of a Terraform folder: documents, where they stand, and what attaches them to roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.policies import Statement, read_policy
from mimir_migrate.documents.terraform.blocks import Block, Home
from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Unresolved,
    plain,
    policy_document,
    reason_of,
    text_of,
)
from mimir_migrate.documents.terraform.modules import Module
from mimir_migrate.documents.terraform.sources import literal

_ALL = Statement(actions=("dynamodb:*",), resources=("*",))
_READS = Statement(
    actions=(
        "dynamodb:BatchGetItem",
        "dynamodb:Describe*",
        "dynamodb:GetItem",
        "dynamodb:List*",
        "dynamodb:Query",
        "dynamodb:Scan",
    ),
    resources=("*",),
)
_MANAGED: Mapping[str, tuple[Statement, ...]] = {
    "AmazonDynamoDBFullAccess": (_ALL,),
    "AmazonDynamoDBFullAccess_v2": (_ALL,),
    "AdministratorAccess": (Statement(actions=("*",), resources=("*",)),),
    "PowerUserAccess": (
        Statement(not_actions=("iam:*", "organizations:*", "account:*"), resources=("*",)),
    ),
    "AmazonDynamoDBReadOnlyAccess": (_READS,),
    "ReadOnlyAccess": (_READS,),
    "AWSDenyAll": (Statement(allows=False, actions=("*",), resources=("*",)),),
}
"""Policies kept by AWS, as far as DynamoDB goes (AWS managed policy reference)."""
_ELSEWHERE = re.compile(
    r"^(Amazon(EKS|S3|SSM|EC2|EBS|EFS|Prometheus|Route53|SQS|SNS|Elasticache|RDS|VPC|Athena|Grafana)"
    r"|CloudWatch|AWSXRay|AWSXray|AWSCloudTrail|AWSBackup|SecretsManager|AWSCertificateManager"
    r"|ElasticLoadBalancing|IAMReadOnlyAccess|SecurityAudit)"
)
"""Those of services that have nothing to do with DynamoDB: they allow and deny nothing of it."""

Read = tuple[tuple[Statement, ...], tuple[str, ...]]
"""Statements, and what could not be read, with the reason."""


class Policies:
    """All policies of a folder, by how expressions refer to them; each is read once."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self._blocks: dict[str, Block] = {}
        self._by_name: dict[str, Block] = {}
        self._known: dict[str, Read] = {}
        self._running: set[str] = set()
        for module in modules:
            for block in module.blocks:
                if block.type in {"aws_iam_policy_document", "aws_iam_policy"} or (
                    block.kind == "module" and module.child(block) is None
                ):
                    self._blocks[block.uid] = block
                    if block.kind == "resource" and isinstance(block.get("name"), str):
                        self._by_name[block.get("name")] = block

    def read(self, value: Any, name: str = "") -> Read:
        """A policy: its text, its document, or its ARN.

        Args:
            value: Evaluated.
            name: Where it stands, for what cannot be read.
        """
        if isinstance(value, Unresolved) and value.address in self._blocks:
            return self._of_block(self._blocks[value.address])
        if isinstance(value, (str, Unresolved)) and ":policy/" in text_of(value):
            return self._of_arn(text_of(value))
        document = policy_document(value)
        if isinstance(document, Unresolved):
            said = document.text if document.text.startswith("${") else name
            return (), (f"{said or name}: {document.reason}",)
        return of_document(document, name)

    def _of_block(self, block: Block) -> Read:
        if block.uid in self._running:
            return (), (f"{block.address}: it refers to itself",)
        if block.uid not in self._known:
            self._running.add(block.uid)
            try:
                found = self._made(block)
            finally:
                self._running.discard(block.uid)
            self._known[block.uid] = doubted(found, block.doubt)
        return self._known[block.uid]

    def _made(self, block: Block) -> Read:
        if block.type == "aws_iam_policy_document":
            return of_document(self.document(block), block.address)
        if block.kind == "data":
            return self._looked_up(block)
        if block.has("policy"):
            return self.read(block.get("policy"), block.address)
        source = literal(block.body, "source")
        return (), (f"{block.address}: computed in module {block.name} ({source})",)

    def _looked_up(self, block: Block) -> Read:
        """`data "aws_iam_policy"`: by its ARN, or by a name, which AWS may keep itself."""
        arn, name = block.get("arn"), block.get("name")
        if isinstance(arn, (str, Unresolved)):
            return self.read(arn, block.address)
        if isinstance(name, str) and (name in _MANAGED or _ELSEWHERE.search(name)):
            return self._of_arn(f"arn:aws:iam::aws:policy/{name}")
        if isinstance(name, str) and name in self._by_name:
            return self._of_block(self._by_name[name])
        return (), (f"{block.address}: looked up by Terraform",)

    def _of_arn(self, arn: str) -> Read:
        name = arn.rsplit("/", 1)[-1]
        if ":aws:policy/" in arn:
            return managed(arn)
        if name in self._by_name:
            return self._of_block(self._by_name[name])
        return (), (f"{arn}: not in these files",)

    def document(self, block: Block) -> dict[str, Any]:
        """A `data "aws_iam_policy_document"` as the JSON that it makes.

        Statements of source documents come first, and one of the block replaces one with the same
        `sid`; those of override documents replace by `sid` as well (AWS provider).
        """
        made: list[Any] = []
        for source in ("source_json", "source_policy_documents"):
            _put(made, self._documents(block.get(source)))
        _put(
            made, [*map(statement_of, block.blocks("statement")), *block.open_blocks("statement")]
        )
        for override in ("override_json", "override_policy_documents"):
            _put(made, self._documents(block.get(override)), overrides=True)
        return {"Statement": made}

    def _documents(self, value: Any) -> Iterator[Any]:
        """Statements of documents; `Unresolved` for one that is not known."""
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            if isinstance(one, Unresolved) and one.address in self._blocks:
                block = self._blocks[one.address]
                if block.uid in self._running:
                    continue
                if block.type == "aws_iam_policy_document":
                    self._running.add(block.uid)
                    yield from self.document(block)["Statement"]
                    self._running.discard(block.uid)
                    continue
                one = block.get("policy")  # noqa: PLW2901 - the policy within the block
            document = policy_document(one)
            if isinstance(document, Unresolved):
                yield document
            else:
                listed = document.get("Statement")
                yield from listed if isinstance(listed, list) else [listed]


def _put(made: list[Any], statements: Iterable[Any], *, overrides: bool = False) -> None:
    """Add statements; one with a `sid` that is there takes the other's place."""
    for one in statements:
        sid = one.get("Sid") if isinstance(one, dict) else None
        if overrides and isinstance(one, Unresolved):
            # It may replace any statement that has a `sid`.
            for at, other in enumerate(made):
                if isinstance(other, dict) and other.get("Sid"):
                    made[at] = {**other, DOUBT: f"{one.text} may replace it: {one.reason}"}
        same = [
            at
            for at, other in enumerate(made)
            if sid and isinstance(other, dict) and other.get("Sid") == sid
        ]
        if same:
            made[same[0]] = one
        else:
            made.append(one)


def managed(arn: str) -> Read:
    """A policy that AWS keeps itself, as far as DynamoDB goes."""
    name = arn.rsplit("/", 1)[-1]
    if name in _MANAGED:
        return _MANAGED[name], ()
    if _ELSEWHERE.search(name):
        return (), ()
    return (), (f"{arn}: kept by AWS, and not known here",)


DOUBT = "\ue000doubt"
"""A key that no policy has: why a statement may not be there."""


def statement_of(block: Mapping[str, Any]) -> dict[str, Any]:
    """A `statement` block, or a statement as modules take it, as the JSON that it makes."""
    made: dict[str, Any] = {"Effect": _first(block.get("effect"), "Allow")}
    if block.get("sid"):
        made["Sid"] = text_of(block["sid"])
    for key, name in (
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ):
        if block.get(key) is not None:
            made[name] = [_variables(one) for one in listed(block[key])]
    for key, name in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        named: dict[str, list[str]] = {}
        for one in listed(block.get(key)):
            if isinstance(one, Unresolved):
                named.setdefault(one.text, []).append(one.text)
                continue
            kind = text_of(one.get("type"))
            named.setdefault(kind, []).extend(map(text_of, listed(one.get("identifiers"))))
        if named:
            made[name] = "*" if named == {"*": ["*"]} else named
    conditions: dict[str, dict[str, Any]] = {}
    for key in ("condition", "conditions"):
        for one in listed(block.get(key)):
            if isinstance(one, Unresolved):
                conditions.setdefault(one.text, {})[one.text] = []
                continue
            test = conditions.setdefault(text_of(one.get("test")), {})
            values = test.setdefault(_variables(one.get("variable")), [])
            values.extend(_variables(value) for value in listed(one.get("values")))
    if conditions:
        made["Condition"] = conditions
    return made


def _first(value: Any, default: str) -> str:
    return default if value is None else text_of(value)


def _variables(value: Any) -> str:
    """IAM's variables, which this data source writes with `&`."""
    return text_of(value).replace("&{", "${")


def listed(value: Any) -> list[Any]:
    """A value that may be one or several."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def of_document(document: Any, name: str) -> Read:
    """Statements of an evaluated document, in which parts may be unknown."""
    statements: list[Statement] = []
    unread: list[str] = []
    for one in listed(document.get("Statement")):
        if isinstance(one, Unresolved):
            unread.append(f"{one.text if one.text.startswith('${') else name}: {one.reason}")
            continue
        if not isinstance(one, dict):
            continue
        found = read_policy({"Statement": [plain({k: v for k, v in one.items() if k != DOUBT})]})
        statements.extend(doubted((found, ()), text_of(one.get(DOUBT)))[0])
    return tuple(statements), tuple(unread)


def doubted(found: Read, doubt: str) -> Read:
    """Statements of which it is not known whether they are there."""
    if not doubt:
        return found
    statements, unread = found
    return tuple(
        msgspec.structs.replace(one, doubt=one.doubt or doubt) for one in statements
    ), tuple(f"{one} ({doubt})" for one in unread)


# --- what attaches policies to roles --------------------------------------------------------------

_INLINE = ("aws_iam_role_policy", "aws_iam_role_policies_exclusive")
_ATTACHMENTS = (
    "aws_iam_role_policy_attachment",
    "aws_iam_policy_attachment",
    "aws_iam_role_policy_attachments_exclusive",
)
_REFERENCE = re.compile(r"\b((?:aws_iam_role|module)\.[\w-]+)")


class Attachments:
    """What the resources of a folder attach to roles, found by the role in one look."""

    def __init__(self, modules: Iterable[Module], policies: Policies) -> None:
        self._policies = policies
        self._by_role: dict[str, list[Block]] = {}
        self._roles: set[tuple[str, str]] = set()
        for module in modules:
            for role in module.of("resource", "aws_iam_role"):
                self._roles.add((module.root, text_of(role.get("name"))))
            for block in module.of("resource", *_INLINE, *_ATTACHMENTS):
                for key in dict.fromkeys(_role_keys(block)):
                    self._by_role.setdefault(key, []).append(block)

    def of(self, role: Block, name: str, exclusive: Mapping[str, str] | None = None) -> Read:
        """Statements of all that is attached to a role.

        Args:
            role: The resource, or the module that makes it.
            name: Of the role; it is found by it also from another root module that makes none of
                that name itself.
            exclusive: Why what resources of a type attach may be taken away again, by their type.
        """
        blocks = {
            id(block): block
            for key in (name, _uid(role.module, role.reference))
            for block in self._by_role.get(key, ())
            if key
            and (
                block.module.root == role.module.root
                or (block.module.root, name) not in self._roles
            )
        }
        return together(
            doubted(self._of_block(block), (exclusive or {}).get(block.type, ""))
            for block in blocks.values()
        )

    def _of_block(self, block: Block) -> Read:
        if block.type == "aws_iam_role_policy":
            found = self._policies.read(block.get("policy"), block.address)
        else:
            value = block.first("policy_arn", "policy_arns")
            found = together(self._policies.read(one, block.address) for one in listed(value))
        return doubted(found, block.doubt)


def organization_denies(modules: Iterable[Module], policies: Policies) -> Read:
    """What service control policies deny that the folder attaches; to the pods' account, perhaps.

    What they allow is not looked at: beside one that only denies stands AWS' own, which allows all.
    """
    modules = tuple(modules)
    attached = {
        text
        for module in modules
        for block in module.of("resource", "aws_organizations_policy_attachment")
        for text in (
            text_of(block.get("policy_id")),
            getattr(block.get("policy_id"), "address", ""),
        )
    }
    found: list[Read] = []
    for module in modules:
        for block in module.of("resource", "aws_organizations_policy"):
            if block.uid not in attached and f"${{{block.reference}.id}}" not in attached:
                continue
            statements, unread = policies.read(block.get("content"), block.address)
            denies = tuple(one for one in statements if not one.allows)
            why = f"{block.address} may be attached above the pods' account"
            found.append(doubted((denies, unread), why))
    return together(found)


def _role_keys(block: Block) -> Iterator[str]:
    for argument in ("role", "roles", "role_name"):
        if not block.has(argument):
            continue
        for one in listed(block.get(argument)):
            text = text_of(one)
            if text and not isinstance(one, (dict, Json)):
                yield text.rpartition("/")[2] if text.startswith("arn:") else text
            if reason_of(one):
                written = block.body.attributes[argument].text
                for reference in _REFERENCE.findall(f"{written} {text}"):
                    yield _uid(block.module, reference)


def _uid(module: Home, reference: str) -> str:
    return f"{module.root}:{module.prefix}{reference}"


def together(found: Iterable[Read]) -> Read:
    """Several policies as one."""
    statements: list[Statement] = []
    unread: list[str] = []
    for some, missing in found:
        statements.extend(some)
        unread.extend(missing)
    return tuple(statements), tuple(dict.fromkeys(unread))

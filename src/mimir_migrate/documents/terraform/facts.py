"""What a Terraform folder says of ring tables and of the roles that pods work under."""

from __future__ import annotations

import msgspec

from mimir_migrate.documents.policies import Statement
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY


class Text(msgspec.Struct, frozen=True):
    """A text that may not be known without running Terraform."""

    value: str
    """What is not known stays as `${…}`."""
    reason: str = ""
    """Why it is not known; empty: it is."""

    @property
    def known(self) -> bool:
        """Whether the whole text is known."""
        return not self.reason


class TableFact(msgspec.Struct, frozen=True, kw_only=True):
    """A DynamoDB table that Terraform makes."""

    address: str
    """As Terraform names it, e.g. `module.rings.aws_dynamodb_table.this`."""
    file: str
    name: Text
    hash_key: Text
    range_key: Text
    key_types: dict[str, str] = {}
    billing: Text = Text("PROVISIONED")
    deletion_protection: bool | None = None
    """None: not told."""
    ttl_attribute: str = ""
    kms_key: str = ""
    """The customer key, `${…}` where only Terraform knows it; empty: none is named."""
    source: str = ""
    """Of the module that makes it; empty: a resource."""
    region: Text = Text("")
    """Where it is made; empty: the folder does not say."""
    replicas: tuple[Text, ...] = ()
    """Further regions that it is replicated to, as a global table."""
    doubt: str = ""
    """Why it is not known whether Terraform makes it, e.g. its count; empty: it does."""

    @property
    def is_ring_table(self) -> bool | None:
        """Whether the keys are a ring table's; None: not known."""
        wanted = ((HASH_KEY, self.hash_key), (RANGE_KEY, self.range_key))
        if any(key.known and key.value != name for name, key in wanted):
            return False
        if any(self.key_types.get(name, "S") != "S" for name, _ in wanted):
            return False
        return True if all(key.known for _, key in wanted) else None


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A service account that may take a role; both parts may hold `*` and `${…}`."""

    namespace: str
    name: str
    association: bool = False
    """By EKS pod identity, which needs no annotation."""
    doubt: str = ""
    """Why it is not known whether the association is made; empty: it is."""

    @property
    def known(self) -> bool:
        """Whether Terraform is not needed to tell it."""
        return "${" not in self.namespace + self.name


class RoleFact(msgspec.Struct, frozen=True, kw_only=True):
    """An IAM role that service accounts may take."""

    address: str
    file: str
    name: Text
    subjects: tuple[Subject, ...] = ()
    """Whom the trust policy and pod identity name; `trust` says whether they get in."""
    trust: tuple[Statement, ...] = ()
    """Of the trust policy."""
    trust_reason: str = ""
    """Why it is not known whom the role trusts; empty: it is."""
    boundary: tuple[Statement, ...] | None = None
    """Of the permissions boundary, which has to allow everything as well; None: there is none."""
    boundary_unread: tuple[str, ...] = ()
    """The boundary where it could not be read, with the reason."""
    doubt: str = ""
    """Why it is not known whether Terraform makes it; empty: it does."""
    goes_on: bool = False
    """Whether a module may put more behind the name."""
    statements: tuple[Statement, ...] = ()
    """Of all policies that could be read."""
    unread: tuple[str, ...] = ()
    """Policies that it also has and that could not be read, with the reason."""


class AssociationFact(msgspec.Struct, frozen=True, kw_only=True):
    """An EKS pod identity association."""

    address: str
    file: str
    subject: Subject
    role: str
    """Its role, as an ARN; what is not known stays as `${…}`."""
    is_here: bool
    """Whether the role is made here too; then the role knows its subject."""


class ResourcePolicyFact(msgspec.Struct, frozen=True, kw_only=True):
    """A policy that a table has itself."""

    address: str
    table: Text
    """The table's ARN."""
    statements: tuple[Statement, ...] = ()
    unread: tuple[str, ...] = ()
    """Why it is not known, or not known as a whole; empty: it is."""


class HelmReleaseFact(msgspec.Struct, frozen=True, kw_only=True):
    """A helm release that Terraform deploys."""

    address: str
    file: str
    name: Text
    namespace: Text
    chart: Text
    templates: tuple[str, ...] = ()
    """Values files that are rendered by `templatefile`, as written."""


class RemoteModule(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a module that is not in the folder, or a template that somebody else makes."""

    address: str
    file: str
    source: str
    texts: tuple[str, ...] = ()
    """All texts among its arguments; what is not known in them is `${…}`."""


class TerraformFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read."""

    tables: tuple[TableFact, ...] = ()
    roles: tuple[RoleFact, ...] = ()
    releases: tuple[HelmReleaseFact, ...] = ()
    unread: tuple[str, ...] = ()
    """Files that could not be read, with the reason."""
    associations: tuple[AssociationFact, ...] = ()
    resource_policies: tuple[ResourcePolicyFact, ...] = ()
    remote: tuple[RemoteModule, ...] = ()
    """Modules that are not in the folder, and that nobody here knows."""
    shown: bool = False
    """Whether `terraform show` said what there is: what could not be read is in it then."""

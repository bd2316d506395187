"""Whether a role lets the pods of a service account in: by their token, or by EKS pod identity."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.documents.policies import Call, Statement, Verdict, applies, both, judge
from mimir_migrate.documents.policy_conditions import Context
from mimir_migrate.documents.policy_text import OWN_ACCOUNT, like
from mimir_migrate.documents.terraform.facts import RoleFact, Subject

_WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
_AUDIENCES = ("sts.amazonaws.com",)
"""What EKS' webhook puts into a token unless the service account says otherwise."""
_PODS = ("Service", "pods.eks.amazonaws.com")
POD_IDENTITY_ACTIONS = ("sts:AssumeRole", "sts:TagSession")
"""What EKS calls for pod identity (EKS user guide, "EKS Pod Identity role trust policy")."""


def trusts_token(role: RoleFact, namespace: str, name: str) -> Verdict:
    """Whether the token of a service account gets the role.

    Which OIDC provider is the cluster's own is not judged; a condition on another provider's token
    than the one that the statement trusts does not hold.
    """
    verdicts = {
        judge(role.trust, _token_call(provider, namespace, name))
        for provider in _providers(role.trust)
    }
    found = next(
        (one for one in (Verdict.ALLOWED, Verdict.UNKNOWN, Verdict.DENIED) if one in verdicts),
        Verdict.MISSING,
    )
    return _doubted(role, found)


def trusts_pods(role: RoleFact, action: str, namespace: str, name: str) -> Verdict:
    """Whether EKS pod identity may do what it has to do with the role."""
    context = {
        "aws:requesttag/kubernetes-namespace": (namespace,),
        "aws:requesttag/kubernetes-service-account": (name,),
        # An association and its role are of one account.
        "aws:sourceaccount": (OWN_ACCOUNT,),
    }
    call = Call(action=action, principal=_PODS, context=context)
    return _doubted(role, judge(role.trust, call))


def pod_identity(role: RoleFact, namespace: str, name: str) -> Verdict | None:
    """Whether the pods get the role by an association; None: there is none for them."""
    there = [association(one, namespace, name) for one in role.subjects if one.association]
    if True not in there and None not in there:
        return None
    found = Verdict.ALLOWED if True in there else Verdict.UNKNOWN
    for action in POD_IDENTITY_ACTIONS:
        found = both(found, trusts_pods(role, action, namespace, name))
    return found


def association(subject: Subject, namespace: str, name: str) -> bool | None:
    """Whether an association is for a service account; it knows no wildcards."""
    fits = like(subject.namespace, namespace, wild=False), like(subject.name, name, wild=False)
    if False in fits:
        return False
    return None if None in fits or subject.doubt else True


def why_not(role: RoleFact, namespace: str, name: str) -> str:
    """Why a role whose trust policy names a service account does not let it in."""
    for provider in _providers(role.trust):
        call = _token_call(provider, namespace, name)
        if any(not one.allows and applies(one, call) for one in role.trust):
            return "a statement of its trust policy denies it"
    for one in role.trust:
        for item in one.conditions:
            operator = item.operator.lower()
            starred = [value for value in item.values if "*" in value or "?" in value]
            if item.key.lower().endswith(":sub") and "equals" in operator and starred:
                return f"{item.operator} compares {starred[0]} as it stands: wildcards take StringLike"
            if item.key.lower().endswith(":aud") and not set(item.values) & set(_AUDIENCES):
                return f"it asks for the audience {', '.join(item.values)}, not {_AUDIENCES[0]}"
    return "its trust policy does not allow it"


def open_conditions(role: RoleFact) -> str:
    """What of a trust policy is not known, in words."""
    found = [role.doubt, role.trust_reason, *(one.doubt for one in role.trust)]
    for one in role.trust:
        for item in one.conditions:
            texts = [text for text in (item.key, *item.values) if "${" in text]
            shown = ", ".join(texts) or ", ".join(item.values)
            found.append(f"{item.operator} {item.key}: {shown}")
    return "; ".join(dict.fromkeys(text for text in found if text))


def _doubted(role: RoleFact, found: Verdict) -> Verdict:
    if role.doubt and found is Verdict.ALLOWED:
        return Verdict.UNKNOWN
    if role.trust_reason and found in {Verdict.ALLOWED, Verdict.MISSING}:
        # A part that could not be read may allow it, or deny it.
        return Verdict.UNKNOWN
    return found


def _providers(trust: tuple[Statement, ...]) -> tuple[str, ...]:
    """OIDC providers that statements allow; one that is not known may be any."""
    return tuple(dict.fromkeys(name for one in trust if one.allows for name in _named(one)))


def _named(one: Statement) -> Iterator[str]:
    if one.not_principals:
        yield "${provider}"
    for named in one.principals:
        if named.type == "Federated":
            yield from (name for name in named.names if ":oidc-provider/" in name or "${" in name)
        elif named.type == "*" or "${" in named.type:
            yield "${provider}"


def _token_call(provider: str, namespace: str, name: str) -> Call:
    context: Context = {
        ":sub": (f"system:serviceaccount:{namespace}:{name}",),
        ":aud": _AUDIENCES,
        ":provider": (provider,),
    }
    return Call(action=_WEB_IDENTITY, principal=("Federated", provider), context=context)

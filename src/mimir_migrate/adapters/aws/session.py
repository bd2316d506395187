"""AWS clients with sane timeouts, and botocore's exceptions as this package's own errors."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError, UsageError
from mimir_migrate.model.target import AwsTarget

_CONNECT_TIMEOUT = 5.0
_READ_TIMEOUT = 20.0
_ATTEMPTS = 4
"""In botocore's `standard` mode, which backs off and also repeats throttled calls."""

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KMSAccessDeniedException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"})
"""Of these: a new login helps, and the credentials have to be read again."""

_CREDENTIAL_ERRORS = frozenset(
    {
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_SECRETS = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|Credential=\S+|Signature=\S+")


_NO_WAY = (
    "check that this machine reaches it: VPN, proxy ($HTTPS_PROXY, $NO_PROXY), [aws] region and "
    "endpoint_url"
)
_UNREACHED = {
    "EndpointConnectionError": ("no connection to the endpoint", _NO_WAY),
    "ConnectTimeoutError": ("no connection to the endpoint in time", _NO_WAY),
    "ConnectionError": ("no connection to the endpoint", _NO_WAY),
    "HTTPClientError": ("the connection to the endpoint failed", _NO_WAY),
    "ReadTimeoutError": (
        "the endpoint took the request and did not answer in time",
        "try again; see AWS' health page where it lasts",
    ),
    "ConnectionClosedError": (
        "the endpoint closed the connection without an answer",
        "try again; a proxy between may have ended it",
    ),
    "ProxyConnectionError": (
        "the proxy does not let this through",
        "check $HTTPS_PROXY and $NO_PROXY",
    ),
    "SSLError": ("TLS with the endpoint failed", "check [aws] endpoint_url, and this clock"),
}
"""What botocore's errors of the network mean, and what to try."""
_UNTRUSTED = (
    "the endpoint's certificate is not trusted",
    "a proxy that opens TLS needs its own authority in $AWS_CA_BUNDLE",
)


class AwsClients:
    """Makes low-level clients for one target; they may be used from several threads at once."""

    def __init__(self, target: AwsTarget, *, attempts: int = _ATTEMPTS) -> None:
        self._target = target
        self._attempts = attempts
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def region(self) -> str:
        """The region that is asked: the target's, else the profile's; empty where neither says."""
        if self._target.region:
            return self._target.region
        with self._lock:
            return str(self._opened().region_name or "")

    def client(self, service: str, *, region: str = "") -> Any:
        """A client of one service.

        Args:
            service: As boto3 names it.
            region: Another region than the target's.

        Raises:
            UsageError: There is no such profile, or no region is known.
        """
        from botocore.config import Config

        key = (service, region)
        with self._lock:
            if key not in self._clients:
                with translated(f"preparing calls to {service}"):
                    client = self._opened().client(
                        service,
                        region_name=region or None,
                        endpoint_url=self._target.endpoint_url or None,
                        config=Config(
                            connect_timeout=_CONNECT_TIMEOUT,
                            read_timeout=_READ_TIMEOUT,
                            retries={"mode": "standard", "total_max_attempts": self._attempts},
                        ),
                        **self._placeholders(),
                    )
                client.meta.events.register("after-call", self._forget_expired)
                self._clients[key] = client
            return self._clients[key]

    def _forget_expired(self, parsed: Any = None, **_: Any) -> None:
        """Read the credentials again for the next call: somebody may have logged in again by then."""
        code = parsed.get("Error", {}).get("Code") if isinstance(parsed, dict) else ""
        if code in _EXPIRED:
            with self._lock:
                self._session = None
                self._clients.clear()

    def _opened(self) -> Any:
        if self._session is None:
            import boto3

            with translated("reading the AWS profile"):
                self._session = boto3.Session(
                    profile_name=self._target.profile or None,
                    region_name=self._target.region or None,
                )
        return self._session

    def _placeholders(self) -> dict[str, str]:
        """Credentials for a local DynamoDB, which wants some and takes any.

        Only where the endpoint is on this machine and the operator has set none: otherwise the SDK
        would look for an instance role on the network before it gave up.
        """
        if urlsplit(self._target.endpoint_url).hostname not in _LOOPBACK:
            return {}
        configured = (
            self._target.profile
            or os.environ.get("AWS_ACCESS_KEY_ID")
            or os.environ.get("AWS_PROFILE")
            or "default" in self._opened().available_profiles
        )
        if configured:
            return {}
        return {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn botocore's exceptions into this package's.

    Args:
        doing: What is being done, to which table in which region; opens the message.

    Raises:
        DeniedError: The credentials are missing, expired or not allowed the call.
        UsageError: The profile or the region is missing.
        UnreachableError: Anything else; asking again may help.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise as_own_error(error, doing) from error


def as_own_error(error: Exception, doing: str) -> MigrateError:
    """Say as one of this package's errors what botocore said."""
    kind = type(error).__name__
    code = code_of(error)
    said = _SECRETS.sub("…", str(error))
    if code in _DENIED:
        # A signature that does not match is answered with the request that was signed.
        told = "" if "Signature" in code else f": {said}"
        return DeniedError(
            f"{doing}: {code}{told}",
            hint="log in again (`aws sso login`), or renew the profile's credentials"
            if code in _EXPIRED
            else "`mimir-migrate rbac` prints the permissions that are needed",
        )
    if kind in _CREDENTIAL_ERRORS:
        return DeniedError(
            f"{doing}: no usable AWS credentials ({kind})",
            hint="log in (`aws sso login`), or name a profile: [aws] profile, --aws-profile",
        )
    if kind == "ProfileNotFound":
        return UsageError(f"{doing}: {said}", hint="`aws configure list-profiles` lists them")
    if kind == "NoRegionError":
        return UsageError(
            f"{doing}: no region is known", hint="Name it in [aws] region, or with --aws-region."
        )
    if kind in _UNREACHED:
        facts = getattr(error, "kwargs", {})
        # botocore has masked a proxy's credentials.
        where = str(facts.get("endpoint_url") or facts.get("proxy_url") or "AWS")
        found, hint = _UNREACHED[kind]
        if "CERTIFICATE" in said.upper():
            found, hint = _UNTRUSTED
        return UnreachableError(f"{doing}: {found} ({where})", hint=hint)
    return UnreachableError(f"{doing}: {code or kind}: {said}")


def code_of(error: Exception) -> str:
    """The service's error code; empty where no service answered."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))

"""Connections to one API server as one context of a kubeconfig says, and why they fail, in words."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import ssl
import threading
from typing import Any
from urllib.parse import urlsplit

from mimir_migrate.adapters.kubernetes.credentials import Credentials
from mimir_migrate.adapters.kubernetes.kubeconfig import Context
from mimir_migrate.adapters.kubernetes.trust import ca_text, openssl_words, tls_context
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError, UsageError

_MOST_CAUSES = 20
_log = logging.getLogger(__name__)
_said: set[str] = set()


class SilentError(UnreachableError):
    """The server took a request and did not answer in time; behind it may be somebody who is silent."""


class Connection:
    """The pooled connections of one context, and its credentials."""

    def __init__(self, context: Context, *, connections: int = 32) -> None:
        """Nothing is asked yet, and no credential plugin is run.

        Raises:
            UsageError: A certificate or a key cannot be used, or the proxy needs what is not installed.
        """
        self.context = context
        self.server = context.cluster.server
        self.credentials = Credentials(context)
        self._connections = connections
        self._lock = threading.Lock()
        self._pool: Any = None
        self._path = urlsplit(self.server).path.rstrip("/")
        self._direct: tuple[Any, Any] = (None, None)
        """The manager of pools, and its pool of the server where that can be asked directly."""
        self._certificate: tuple[bytes, bytes] | None = None
        """The credential plugin's, with which the pools were made."""
        self.configuration = self._configured()
        if context.user.plugin is None:
            self._pool = self._made()

    def pool(self) -> Any:
        """The pool of connections; a plugin's client certificate that was renewed makes another.

        Raises:
            DeniedError: The credential plugin gives nothing usable.
        """
        if self.context.user.plugin is None:
            return self._pool
        certificate = self.credentials.certificate()
        with self._lock:
            if self._pool is None or certificate != self._certificate:
                try:
                    self._pool = self._made(certificate)
                except UsageError as error:
                    raise DeniedError(error.message, hint=error.hint) from error
                self._certificate = certificate
            return self._pool

    def send(self, method: str, target: str, **options: Any) -> Any:
        """Make one request; `options` are those of urllib3's `urlopen`. A redirect is an answer.

        Without a proxy there is one host, so its pool is asked directly: finding it again for each of
        thousands of pages costs as much as asking.

        Raises:
            DeniedError: The credential plugin gives nothing usable.
        """
        manager = self.pool()
        known, pool = self._direct
        if known is not manager:
            from urllib3 import PoolManager

            pool = (
                manager.connection_from_url(self.server) if type(manager) is PoolManager else None
            )
            self._direct = manager, pool
        if pool is None:
            return manager.request(method, self.server + target, redirect=False, **options)
        return pool.urlopen(
            method, self._path + target, redirect=False, assert_same_host=False, **options
        )

    def tls(self) -> ssl.SSLContext:
        """A context for a connection beside the pools: the same trust, and the same client certificate.

        Raises:
            DeniedError: The credential plugin gives nothing usable.
        """
        self.pool()
        return tls_context(self.context, self._certificate)

    def close(self) -> None:
        """Close the pooled connections."""
        if self._pool is not None:
            self._pool.clear()

    def _configured(self) -> Any:
        from kubernetes import client

        cluster, user = self.context.cluster, self.context.user
        configuration = client.Configuration(host=self.server)
        configuration.connection_pool_maxsize = self._connections
        configuration.verify_ssl = cluster.verify
        configuration.ssl_ca_cert = cluster.ca_file or None
        configuration.cert_file = user.cert_file or None
        configuration.key_file = user.key_file or None
        if cluster.server_name:
            configuration.tls_server_name = cluster.server_name
        if cluster.proxy:
            configuration.proxy = cluster.proxy
        if not cluster.verify and self.server.startswith("https"):
            _say_unverified(self.context.name, self.server)
        return configuration

    def _made(self, certificate: tuple[bytes, bytes] | None = None) -> Any:
        """Pools, once all that the kubeconfig brings along could be read."""
        from kubernetes.client.rest import RESTClientObject

        trust = self._trust(certificate)
        proxy = str(self.configuration.proxy or "")
        if proxy.startswith("socks") and importlib.util.find_spec("socks") is None:
            raise UsageError(
                f"connecting to {self.server} through a SOCKS proxy: that needs PySocks",
                hint="install it beside mimir-migrate: pip install pysocks",
            )
        try:
            manager = RESTClientObject(self.configuration).pool_manager
        except (OSError, ValueError) as error:
            raise UsageError(
                f"connecting to {self.server} with the context {self.context.name}: "
                f"{type(error).__name__}",
                hint="check the cluster's entry with `kubectl config view`",
            ) from error
        manager.connection_pool_kw.update(trust)
        return manager

    def _trust(self, certificate: tuple[bytes, bytes] | None) -> dict[str, Any]:
        """What the pools need besides files that are named: those are read again at each connection."""
        if not self.server.startswith("https"):
            return {}
        user, context = self.context.user, tls_context(self.context, certificate)
        trust: dict[str, Any] = {}
        if ca := ca_text(self.context):
            trust["ca_cert_data"] = ca
        if certificate or user.cert_data or user.key_data:
            trust |= {"ssl_context": context, "cert_file": None, "key_file": None}
        return trust


def _say_unverified(context: str, server: str) -> None:
    """Say once that a server is not verified; the library would say it at each request."""
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if server not in _said:
        _said.add(server)
        _log.warning(
            "the kubeconfig's context %s says insecure-skip-tls-verify: nobody checks that %s is the "
            "API server that it should be, and whoever stands between can read the token",
            context,
            server,
        )


def was_dropped(error: BaseException) -> bool:
    """Whether the connection was closed without an answer, as behind a load balancer; no timeout."""
    from urllib3.exceptions import ProtocolError

    inner = getattr(error, "reason", None)
    return isinstance(error, ProtocolError) or isinstance(inner, ProtocolError)


def refused_connection(request: str, error: Exception, connection: Connection) -> MigrateError:
    """What a failed connection means, and what to try."""
    from urllib3.exceptions import ReadTimeoutError

    found, hint = explained(error, connection.server, connection.configuration.proxy)
    server = urlsplit(connection.server).netloc
    silent = any(isinstance(one, ReadTimeoutError) for one in _causes(error))
    kind = SilentError if silent else UnreachableError
    return kind(
        f"asking the API server {server} of the context {connection.context.name} ({request}): {found}",
        hint=hint,
    )


def explained(error: BaseException, server: str, proxy: str | None = None) -> tuple[str, str]:
    """What went wrong with a connection and what to do about it, in words.

    Args:
        error: What the library raised.
        server: The address that was asked.
        proxy: The proxy between, if any.
    """
    from urllib3 import exceptions

    causes = _causes(error)
    host = urlsplit(server).hostname or server
    texts = " ".join(str(one) for one in causes)
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return _untrusted(one, host)
    if any(isinstance(one, exceptions.ProxyError) for one in causes):
        shown = Redactor(os.environ).text(proxy or "the proxy")
        return (
            f"the proxy {shown} does not let this through",
            "check proxy-url in the kubeconfig, and $HTTPS_PROXY and $NO_PROXY",
        )
    if any(isinstance(one, exceptions.NameResolutionError) for one in causes) or (
        "Name or service not known" in texts or "nodename nor servname" in texts
    ):
        return (
            f"the name {host} is not known here",
            "check the server in the kubeconfig, and whether the VPN is on",
        )
    if any(isinstance(one, ConnectionRefusedError) for one in causes):
        return (
            "the connection was refused: nothing listens there",
            "check the server's address and port in the kubeconfig, and that the cluster runs",
        )
    if any(isinstance(one, exceptions.ReadTimeoutError) for one in causes):
        return (
            "it took the request and did not answer in time",
            "try again; the API server or the pod behind it is busy or hangs",
        )
    if any(isinstance(one, exceptions.ConnectTimeoutError | TimeoutError) for one in causes):
        return (
            "no connection in time",
            "check that this machine may reach it: VPN, firewall, the cluster's allowed addresses",
        )
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return (
            f"TLS failed ({openssl_words(next(o for o in causes if isinstance(o, ssl.SSLError)))})",
            "check that the address speaks HTTPS, and the client certificate in the kubeconfig",
        )
    if any(isinstance(one, exceptions.ProtocolError | ConnectionError) for one in causes):
        return (
            "it closed the connection without an answer",
            "try again; a load balancer or proxy between may have ended it",
        )
    return (
        f"the connection failed ({type(causes[-1]).__name__})",
        "check that this machine may reach it, and that the API server runs",
    )


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> tuple[str, str]:
    why = str(getattr(error, "verify_message", "") or "it cannot be verified").rstrip(".")
    if "expired" in why:
        hint = "the server's certificate has run out: its operator has to renew it; check this clock too"
    elif "not yet valid" in why:
        hint = "check this machine's clock"
    elif "match" in why or "mismatch" in why:
        hint = "name the certificate's own name in tls-server-name, or the server by that name"
    else:
        hint = (
            "name the authority that signed it in certificate-authority(-data), or log in again to "
            "get it; a proxy that opens TLS needs its own authority there"
        )
    return f"the certificate of {host} is not trusted: {why}", hint


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what is behind it, outermost first."""
    found: list[BaseException] = []
    todo: list[Any] = [error]
    while todo and len(found) < _MOST_CAUSES:
        one = todo.pop(0)
        if isinstance(one, BaseException) and all(one is not known for known in found):
            found.append(one)
            todo += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
            with contextlib.suppress(AttributeError):
                todo.append(one.original_error)  # type: ignore[attr-defined]  # of urllib3's errors that have one
    return found

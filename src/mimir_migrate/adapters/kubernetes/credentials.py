"""Who a request is made as: tokens that are kept fresh, credential plugins, and second identities.

As kubectl sends them: `Authorization` by token, token file (read again every minute), password or plugin;
`Impersonate-User`, `-Uid`, `-Group` and `-Extra-KEY` beside it (client-go `transport/round_trippers.go`).
"""

from __future__ import annotations

import base64
import calendar
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mimir_migrate import decoding
from mimir_migrate.adapters.kubernetes.kubeconfig import Context
from mimir_migrate.adapters.kubernetes.kubeconfig_entries import Plugin, header_value
from mimir_migrate.adapters.process import Programs
from mimir_migrate.adapters.redaction import Redactor, learn
from mimir_migrate.errors import CommandError, DeniedError, UsageError

PLUGIN_TIMEOUT = 30.0
"""Seconds that a credential plugin may take; `aws eks get-token` takes one to three."""
_FILE_AGE = 60.0
"""Seconds after which a token file is read again (client-go `transport/token_source.go`)."""
_EARLY = 10.0
"""Seconds before its end from which a credential is not used any more."""
_LEGAL = frozenset(b"!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""Bytes of a header's name (RFC 9110); the others are written as %XX, and so is the percent sign."""


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: str = ""


class _PrintedStatus(msgspec.Struct, rename="camel"):
    """The same as it is printed, where null is nothing."""

    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: str | None = None


class _Credential(msgspec.Struct, rename="camel"):
    """What a plugin prints (client.authentication.k8s.io)."""

    kind: str
    api_version: str
    status: _PrintedStatus


class Credentials:
    """The credentials of one context. Safe to use from several threads."""

    def __init__(self, context: Context, *, plugin_timeout: float = PLUGIN_TIMEOUT) -> None:
        self._context = context
        self._user = context.user
        self._timeout = plugin_timeout
        self._lock = threading.Lock()
        self._printed: tuple[_Status, float] | None = None
        self._file: tuple[str, float] | None = None

    def headers(self) -> list[tuple[str, str]]:
        """The headers of every request, in order; a name may come several times.

        Raises:
            DeniedError: The token file or the credential plugin gives none.
        """
        token = self._token()
        found: list[tuple[str, str]] = []
        if token:
            found.append(("Authorization", f"Bearer {token}"))
        elif self._user.username or self._user.password:
            pair = f"{self._user.username}:{self._user.password}".encode()
            encoded = base64.b64encode(pair).decode()
            learn(encoded)
            found.append(("Authorization", f"Basic {encoded}"))
        who = self._user.impersonation
        if who is not None:
            found.append(("Impersonate-User", who.user))
            found += [("Impersonate-Uid", who.uid)] if who.uid else []
            found += [("Impersonate-Group", group) for group in who.groups]
            found += [(f"Impersonate-Extra-{_escaped(key)}", value) for key, value in who.extra]
        return found

    def certificate(self) -> tuple[bytes, bytes] | None:
        """A plugin's client certificate and its key, PEM; None: it prints none, or there is no plugin.

        Raises:
            DeniedError: The plugin gives nothing usable.
        """
        if self._user.plugin is None:
            return None
        status = self._from_plugin(self._user.plugin)
        if not status.client_certificate_data:
            return None
        return status.client_certificate_data.encode(), status.client_key_data.encode()

    def _token(self) -> str:
        user = self._user
        if user.token_file:
            return self._from_file(user.token_file)
        if user.token:
            return user.token
        return self._from_plugin(user.plugin).token if user.plugin else ""

    def _from_file(self, path: str) -> str:
        with self._lock:
            now = time.monotonic()
            if self._file is not None and now < self._file[1] + _FILE_AGE:
                return self._file[0]
            what = f"reading the token file {path} of the kubeconfig"
            try:
                text = Path(path).read_bytes().decode("utf-8", "replace")
                token = header_value(text, f"{what}: it")
            except OSError as error:
                raise DeniedError(f"{what}: {error.strerror}", hint="log in again") from error
            except UsageError as error:
                raise DeniedError(error.message, hint=error.hint) from error
            if not token:
                raise DeniedError(f"{what}: it is empty", hint="log in again")
            self._file = (token, now)
            return token

    def _from_plugin(self, plugin: Plugin) -> _Status:
        with self._lock:
            if self._printed is not None and time.time() < self._printed[1] - _EARLY:
                return self._printed[0]
            status = self._run(plugin)
            self._printed = (status, _end_of(status.expiration_timestamp))
            return status

    def _run(self, plugin: Plugin) -> _Status:
        name = plugin.command[0]
        what = f"asking the credential plugin {name} of the kubeconfig's user {self._user.name}"
        hint = "log in again as it asks for it; `kubectl get namespaces` with this context shows the same"
        try:
            done = Programs(Redactor(os.environ), grace=1.0).run(
                plugin.command,
                env={**plugin.variables, "KUBERNETES_EXEC_INFO": self._about(plugin)},
                timeout=self._timeout,
            )
        except UsageError as error:
            raise DeniedError(
                f"{what}: there is no such program, or it cannot be started",
                hint=" ".join(plugin.install_hint.split())
                or f"install {name}, or put its folder on PATH",
            ) from error
        except CommandError as error:
            if error.returncode < 0 or not error.stderr:
                end = error.message.partition("` ")[2].partition(":")[0]
                raise DeniedError(f"{what}: it {end}", hint=hint) from error
            said = " / ".join(error.stderr.splitlines()[-2:])
            code = error.returncode
            raise DeniedError(f"{what}: it ended with exit code {code}: {said}", hint=hint) from (
                error
            )
        status = _read(done.stdout, plugin, what)
        learn(status.token, status.client_key_data)
        return status

    def _about(self, plugin: Plugin) -> str:
        """What the plugin is told in `KUBERNETES_EXEC_INFO`."""
        spec: dict[str, object] = {"interactive": False}
        if plugin.wants_cluster:
            raw = self._context.cluster.raw
            spec["cluster"] = {
                **{
                    key: raw[key]
                    for key in (
                        "server",
                        "tls-server-name",
                        "insecure-skip-tls-verify",
                        "certificate-authority-data",
                        "proxy-url",
                    )
                    if key in raw
                },
                **_extension(raw.get("extensions")),
            }
        return json.dumps(
            {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}, default=str
        )


def _extension(extensions: object) -> dict[str, object]:
    """The configuration that a cluster keeps for credential plugins."""
    for one in extensions if isinstance(extensions, Sequence) else ():
        if isinstance(one, dict) and one.get("name") == "client.authentication.k8s.io/exec":
            return {"config": one.get("extension")}
    return {}


def _read(printed: str, plugin: Plugin, what: str) -> _Status:
    """The credential in what a plugin printed; what is wrong with it is said and not quoted."""
    hint = "run it by hand; it has to print one ExecCredential as JSON"
    try:
        found = decoding.decode(printed.encode(), _Credential)
    except (msgspec.DecodeError, ValueError, RecursionError):
        learn(printed)
        raise DeniedError(f"{what}: what it printed is not an ExecCredential", hint=hint) from None
    printed_status = found.status
    status = _Status(
        token=printed_status.token or "",
        client_certificate_data=printed_status.client_certificate_data or "",
        client_key_data=printed_status.client_key_data or "",
        expiration_timestamp=printed_status.expiration_timestamp or "",
    )
    learn(status.token, status.client_key_data)
    if found.kind != "ExecCredential" or found.api_version != plugin.api_version:
        raise DeniedError(
            f"{what}: it printed another kind or version than {plugin.api_version}", hint=hint
        )
    if not status.token and not (status.client_certificate_data and status.client_key_data):
        raise DeniedError(
            f"{what}: it printed neither a token nor a certificate with its key", hint=hint
        )
    try:
        token = header_value(status.token, f"{what}: its token")
    except UsageError as error:
        raise DeniedError(error.message, hint=hint) from error
    return msgspec.structs.replace(status, token=token)


def _end_of(timestamp: str) -> float:
    """Seconds since the epoch at which a credential ends; one without an end is kept."""
    if not timestamp:
        return float("inf")
    try:
        return float(calendar.timegm(time.strptime(timestamp[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return 0.0


def _escaped(key: str) -> str:
    return "".join(chr(one) if one in _LEGAL else f"%{one:02X}" for one in key.encode())

"""The entries of a kubeconfig: a cluster and a user, with everything wrong about them said plainly."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mimir_migrate.adapters.redaction import is_telling, learn
from mimir_migrate.errors import UsageError

CHECK = "check it with `kubectl config view`"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HEADER_UNSAFE = re.compile(r"[^\x21-\x7e]")
_PROXIES = frozenset({"http", "https", "socks5"})
"""Schemes that kubectl takes for a `proxy-url`."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """An API server and how it is known to be the right one."""

    server: str
    ca_file: str = ""
    ca_data: bytes = b""
    verify: bool = True
    server_name: str = ""
    """The name that its certificate must have; empty: that of the address."""
    proxy: str = ""
    raw: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """As it stands there, for credential plugins that want to know."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints credentials."""

    command: tuple[str, ...]
    api_version: str
    variables: Mapping[str, str] = msgspec.field(default_factory=dict)
    wants_cluster: bool = False
    install_hint: str = ""


class Impersonation(msgspec.Struct, frozen=True, kw_only=True):
    """As whom requests are made besides whom the credentials belong to."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Everything empty: nobody in particular."""

    name: str = ""
    token: str = ""
    token_file: str = ""
    username: str = ""
    password: str = ""
    cert_file: str = ""
    cert_data: bytes = b""
    key_file: str = ""
    key_data: bytes = b""
    plugin: Plugin | None = None
    impersonation: Impersonation | None = None


class Section:
    """One mapping of a kubeconfig, read entry by entry; a wrong type is named and never quoted."""

    def __init__(self, raw: object, what: str, path: Path) -> None:
        """`what` begins every message; `path` is the file that relative paths count from."""
        if not isinstance(raw, Mapping):
            raise UsageError(f"{what} is not a mapping", hint=CHECK)
        self.raw: Mapping[Any, Any] = raw
        self.what = what
        self.path = path

    def get(self, key: str) -> Any:
        """Whatever stands there; None where nothing does."""
        return self.raw.get(key)

    def text(self, key: str) -> str:
        """A text; empty where nothing stands there."""
        value = self.raw.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, "must be text; put it into quotes")
        return value

    def list(self, key: str) -> list[Any]:
        """A list; empty where nothing stands there."""
        value = self.raw.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(key, "must be a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.list(key)
        if not all(isinstance(one, str) for one in found):
            raise self.wrong(key, "must be a list of texts; put each into quotes")
        return tuple(found)

    def switch(self, key: str) -> bool:
        """True or false; false where nothing stands there."""
        value = self.raw.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def section(self, key: str) -> Section | None:
        """A mapping inside this one."""
        value = self.raw.get(key)
        return None if value is None else Section(value, f"{self.what}: {key}", self.path)

    def data(self, key: str) -> bytes:
        """Bytes in base64."""
        text = self.text(key)
        learn(text)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise self.wrong(key, "is not base64") from None

    def file(self, key: str) -> str:
        """The path of a file that is there."""
        text = self.text(key)
        if not text:
            return ""
        path = self.path.parent / Path(text).expanduser()
        if not path.is_file():
            raise UsageError(
                f"{self.what}: {key}: there is no file {path}",
                hint="a relative path counts from the kubeconfig's folder; write the certificate "
                "or token again by logging in again",
            )
        return str(path)

    def wrong(self, key: str, how: str) -> UsageError:
        """What is wrong with an entry."""
        return UsageError(f"{self.what}: {key} {how}", hint=CHECK)


def cluster_from(section: Section) -> Cluster:
    """Read a cluster.

    Raises:
        UsageError: Something in it is wrong, or it names no server.
    """
    server = section.text("server").rstrip("/")
    if "://" not in server:
        server = f"http://{server}" if server else ""
    if not _is_address(server, frozenset({"http", "https"})) or "@" in server:
        raise section.wrong("server", "must be the address of an API server, as https://HOST:PORT")
    proxy = section.text("proxy-url")
    if proxy and not _is_address(proxy, _PROXIES):
        raise section.wrong("proxy-url", "must be an address with http://, https:// or socks5://")
    verify = not section.switch("insecure-skip-tls-verify")
    ca_data = section.data("certificate-authority-data")
    ca_file = section.file("certificate-authority") if not ca_data else ""
    if not verify and (ca_data or ca_file):
        raise section.wrong(
            "insecure-skip-tls-verify",
            "stands beside a certificate-authority, and kubectl takes only one of them",
        )
    return Cluster(
        server=server,
        ca_file=ca_file,
        ca_data=ca_data,
        verify=verify,
        server_name=section.text("tls-server-name"),
        proxy=proxy,
        raw=dict(section.raw),
    )


def _is_address(text: str, schemes: frozenset[str]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def user_from(section: Section, name: str) -> User:
    """Read a user; its secrets are learnt by the redactor.

    Raises:
        UsageError: Something in it is wrong, two ways to authenticate stand there, or one that kubectl
            does not know any more.
    """
    section = Section(section.raw, f"{section.what} {name}".rstrip(), section.path)
    learn(section.text("token"), section.text("password"))
    cert_data, key_data = section.data("client-certificate-data"), section.data("client-key-data")
    learn(key_data.decode("utf-8", "replace"))
    user = User(
        name=name,
        token=header_value(section.text("token"), f"{section.what}: token"),
        token_file=section.file("tokenFile"),
        username=section.text("username"),
        password=section.text("password"),
        cert_data=cert_data,
        cert_file="" if cert_data else section.file("client-certificate"),
        key_data=key_data,
        key_file="" if key_data else section.file("client-key"),
        plugin=_plugin(section),
        impersonation=_impersonation(section),
    )
    provider = section.section("auth-provider")
    if provider is not None:
        user = _of_provider(section, provider, user)
    _refuse_two(section, user)
    return user


def header_value(text: str, what: str) -> str:
    """A secret as it may stand in a header: without white space around it, and none inside.

    Raises:
        UsageError: It has white space or other signs inside; it is not quoted.
    """
    value = text.strip()
    learn(value, *value.splitlines())
    if _HEADER_UNSAFE.search(value):
        lines = len(value.splitlines())
        raise UsageError(
            f"{what} holds {f'{lines} lines' if lines > 1 else 'white space or other signs'} "
            "where one token is expected",
            hint="write only the token into it, or log in again",
        )
    return value


def in_cluster(environment: Mapping[str, str]) -> tuple[Cluster, User] | None:
    """What a pod is given to talk to its own cluster; None: this is not a pod."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    token, ca = _ACCOUNT / "token", _ACCOUNT / "ca.crt"
    if not (host and port and token.is_file()):
        return None
    address = f"[{host}]" if ":" in host else host
    return (
        Cluster(server=f"https://{address}:{port}", ca_file=str(ca) if ca.is_file() else ""),
        User(name="this pod's service account", token_file=str(token)),
    )


def _refuse_two(section: Section, user: User) -> None:
    ways = [
        way
        for way, there in (
            ("a token", bool(user.token or user.token_file)),
            ("a password", bool(user.username or user.password)),
        )
        if there
    ]
    if len(ways) > 1:
        raise UsageError(
            f"{section.what}: it has {' and '.join(ways)}, and kubectl takes only one of them",
            hint="leave one of them out",
        )
    if (user.cert_file or user.cert_data) and not (user.key_file or user.key_data):
        raise section.wrong("client-certificate", "needs a client-key beside it")


def _plugin(section: Section) -> Plugin | None:
    found = section.section("exec")
    if found is None:
        return None
    command, version = found.text("command"), found.text("apiVersion")
    if not command or not version:
        raise found.wrong("command" if not command else "apiVersion", "is missing")
    if section.get("auth-provider") is not None:
        raise section.wrong("exec", "stands beside an auth-provider, and kubectl takes only one")
    if found.text("interactiveMode") == "Always":
        raise UsageError(
            f"{found.what}: its interactiveMode is Always, and it would be asked where nobody can answer",
            hint="use a plugin that can renew its login by itself, or a token",
        )
    variables = {}
    for number, one in enumerate(found.list("env")):
        item = Section(one, f"{found.what}: env[{number}]", found.path)
        variables[item.text("name")] = item.text("value")
        if is_telling(item.text("name")):
            learn(item.text("value"))
    _learn_options(found.texts("args"))
    # A command with a folder in its name counts from the kubeconfig's folder, as in client-go.
    if "/" in command and not command.startswith("/"):
        command = str((found.path.parent / command).absolute())
    return Plugin(
        command=(command, *found.texts("args")),
        api_version=version,
        variables=variables,
        wants_cluster=found.switch("provideClusterInfo"),
        install_hint=found.text("installHint"),
    )


def _learn_options(arguments: tuple[str, ...]) -> None:
    """Learn what options with a telling name are given: `--token VALUE`, `--client-secret=VALUE`."""
    for number, option in enumerate(arguments):
        name, equals, value = option.partition("=")
        if name.startswith("-") and is_telling(name):
            learn(*([value] if equals else arguments[number + 1 : number + 2]))


def _impersonation(section: Section) -> Impersonation | None:
    user, uid = section.text("as"), section.text("as-uid")
    groups = section.texts("as-groups")
    extra = section.section("as-user-extra")
    pairs = [
        (str(key), value)
        for key in (extra.raw if extra else {})
        for value in (extra.texts(key) if extra else ())
    ]
    if not user:
        if uid or groups or pairs:
            raise UsageError(
                f"{section.what}: it asks for a uid, groups or extras of another user and names none",
                hint="name the user in `as`",
            )
        return None
    for key, value in (("as", user), ("as-uid", uid), *(("as-groups", one) for one in groups)):
        if re.search(r"[\r\n\0]", value):
            raise section.wrong(key, "must be one line")
    if any(re.search(r"[\r\n\0]", value) for _, value in pairs):
        raise section.wrong("as-user-extra", "must hold one line in each value")
    return Impersonation(user=user, uid=uid, groups=groups, extra=tuple(pairs))


def _of_provider(section: Section, provider: Section, user: User) -> User:
    """A user of the one provider that kubectl still has, `oidc`: by the id token that it keeps.

    Raises:
        UsageError: It is another provider, or there is no token.
    """
    name = provider.text("name")
    if name != "oidc":
        instead = {"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin"}.get(name)
        raise UsageError(
            f"{section.what}: its auth-provider {name!r} is one that kubectl does not have any more",
            hint=f"use {instead} as an exec plugin"
            if instead
            else "use an exec plugin, a certificate or a token",
        )
    config = provider.section("config")
    if config is None or not config.text("id-token"):
        raise UsageError(
            f"{section.what}: its auth-provider oidc keeps no id-token", hint="log in again"
        )
    for key, value in config.raw.items():
        if isinstance(value, str) and (is_telling(str(key)) or "token" in str(key)):
            learn(value)
    token = header_value(config.text("id-token"), f"{config.what}: id-token")
    return msgspec.structs.replace(user, token=user.token or token)

"""Whoever the kubeconfig says is who asks, as with kubectl; and what is wrong in it is said, not quoted."""

from __future__ import annotations

import base64
import json
import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import Server, status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.adapters.kubernetes import credentials as credentials_module
from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.connection import Connection, explained
from mimir_migrate.adapters.kubernetes.kubeconfig import context_names, read_context
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import DeniedError, MigrateError, UsageError
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget

SECRET = "planted-secret-in-kubeconfig"


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server that has one object."""
    running = Server()
    running.answers["/api/v1/namespaces/kube-system"] = {"metadata": {"uid": "u"}}
    yield running
    running.close()


def written(
    folder: Path,
    user: Mapping[str, Any] | None,
    *,
    cluster: Mapping[str, Any] | None = None,
    name: str = "kubeconfig",
    context: Mapping[str, Any] | None = None,
) -> KubernetesTarget:
    """A kubeconfig with one context, `lab`."""
    path = folder / name
    document = {
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster or {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": user}] if user is not None else None,
        "contexts": [{"name": "lab", "context": context or {"cluster": "lab", "user": "me"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return KubernetesTarget(kubeconfig=str(path), namespace="observability", release="metrics")


def sent(
    server: Server, folder: Path, user: Mapping[str, Any] | None, **entries: Any
) -> list[tuple[str, str]]:
    """The headers with which the user of a kubeconfig asks."""
    target = written(folder, user, cluster={"server": server.url}, **entries)
    api = KubernetesApi.connect(target)
    try:
        api.get("/api/v1/namespaces/kube-system")
    finally:
        api.close()
    return [
        pair for pair in server.headers[-1] if pair[0].startswith(("Authorization", "Impersonate"))
    ]


def plugin(folder: Path, body: str) -> dict[str, Any]:
    """A credential plugin that is a shell script."""
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"command": str(path), "apiVersion": "client.authentication.k8s.io/v1"}}


def credential(**status_entries: str) -> str:
    """A shell command that prints a credential."""
    body = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "status": status_entries,
    }
    return f"echo '{json.dumps(body)}'"


def failure(target: KubernetesTarget) -> MigrateError:
    """How asking with a kubeconfig fails; no secret is in it."""
    with pytest.raises(MigrateError) as caught:
        KubernetesApi.connect(target).get("/api/v1/namespaces/kube-system")
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    return caught.value


# --- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["abc-def\n", "abc-def\r\n", "  abc-def\n\n", "abc-def"])
def test_white_space_around_a_token_is_not_part_of_it(
    server: Server, tmp_path: Path, content: str
) -> None:
    """In a file as inline: editors and `echo` end a file with a new line."""
    (tmp_path / "token").write_bytes(content.encode())

    assert sent(server, tmp_path, {"tokenFile": "token"}) == [("Authorization", "Bearer abc-def")]
    assert sent(server, tmp_path, {"token": content}) == [("Authorization", "Bearer abc-def")]


@pytest.mark.parametrize("content", [f"one\n{SECRET}\n", f"{SECRET} two", f"{SECRET}\0x", "", " "])
def test_a_token_file_that_holds_no_token_is_said_without_it(tmp_path: Path, content: str) -> None:
    """Several lines cannot stand in a header; nothing of them is shown."""
    (tmp_path / "token").write_text(content)

    error = failure(written(tmp_path, {"tokenFile": "token"}))

    assert "token file" in error.message
    assert isinstance(error, DeniedError)


def test_an_inline_token_of_several_lines_is_refused(tmp_path: Path) -> None:
    """It is a mistake in the file, said before anything is asked."""
    error = failure(written(tmp_path, {"token": f"{SECRET}\nmore"}))

    assert "2 lines" in error.message
    assert isinstance(error, UsageError)


def test_a_token_file_goes_before_a_token_and_is_read_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As client-go does it: something else renews the file while the tool runs."""
    (tmp_path / "token").write_text("first-token")
    target = written(
        tmp_path, {"tokenFile": "token", "token": "other"}, cluster={"server": server.url}
    )
    api = KubernetesApi.connect(target)
    monkeypatch.setattr(credentials_module, "_FILE_AGE", 0.0)

    api.get("/api/v1/namespaces/kube-system")
    (tmp_path / "token").write_text("second-token")
    api.get("/api/v1/namespaces/kube-system")

    assert [dict(one)["Authorization"] for one in server.headers] == [
        "Bearer first-token",
        "Bearer second-token",
    ]
    api.close()


def test_a_password_is_sent_as_basic_authorization(server: Server, tmp_path: Path) -> None:
    """Old clusters have it."""
    encoded = base64.b64encode(b"ada:lovelace").decode()

    assert sent(server, tmp_path, {"username": "ada", "password": "lovelace"}) == [
        ("Authorization", f"Basic {encoded}")
    ]


def test_a_context_that_names_no_user_asks_as_nobody(server: Server, tmp_path: Path) -> None:
    """It is not a mistake: a local proxy needs none."""
    assert sent(server, tmp_path, None, context={"cluster": "lab"}) == []
    assert sent(server, tmp_path, {}) == []


# --- second identities -------------------------------------------------------------------------


def test_a_second_identity_goes_along_on_every_request(server: Server, tmp_path: Path) -> None:
    """User, uid, each group and each extra, as kubectl sends them; also to a pod's page."""
    user = {
        "token": "base-token",
        "as": "oncall-bot",
        "as-uid": "42",
        "as-groups": ["sre", "on call"],
        "as-user-extra": {"example.com/Reason": ["inc-1", "inc-2"]},
    }
    expected = [
        ("Authorization", "Bearer base-token"),
        ("Impersonate-User", "oncall-bot"),
        ("Impersonate-Uid", "42"),
        ("Impersonate-Group", "sre"),
        ("Impersonate-Group", "on call"),
        ("Impersonate-Extra-example.com%2FReason", "inc-1"),
        ("Impersonate-Extra-example.com%2FReason", "inc-2"),
    ]
    target = written(tmp_path, user, cluster={"server": server.url})
    api = KubernetesApi.connect(target)
    pod = Pod(name="metrics-ruler-0", ip="10.0.0.1")
    page = "/api/v1/namespaces/observability/pods/metrics-ruler-0:8080/proxy/metrics"
    server.answers[page] = (200, "text/plain", b"up 1\n")

    api.get("/api/v1/namespaces/kube-system")
    api.send("PUT", "/api/v1/namespaces/kube-system", {})
    ProxyPages(api, "observability").get(pod, "/metrics")
    api.close()

    assert len(server.headers) == 3
    for headers in server.headers:
        found = [p for p in headers if p[0].startswith(("Authorization", "Impersonate"))]
        assert found == expected


@pytest.mark.parametrize(
    "entries", [{"as-groups": ["sre"]}, {"as-uid": "1"}, {"as-user-extra": {"a": ["b"]}}]
)
def test_groups_of_nobody_are_refused(tmp_path: Path, entries: dict[str, Any]) -> None:
    """As kubectl refuses them: left out, the requests would be made as the base user."""
    assert "names none" in failure(written(tmp_path, {"token": SECRET, **entries})).message


@pytest.mark.parametrize(
    "entries",
    [
        {"as": 7},
        {"as": "a", "as-groups": "sre"},
        {"as": "a", "as-groups": [1]},
        {"as": "a", "as-user-extra": {"x": "y"}},
        {"as": "a\nX-Other: b"},
        {"as": "a", "as-groups": ["b\r\nX-Other: c"]},
    ],
)
def test_a_second_identity_of_the_wrong_shape_is_refused(
    tmp_path: Path, entries: dict[str, Any]
) -> None:
    """Nothing is guessed, and no header is smuggled in."""
    error = failure(written(tmp_path, {"token": SECRET, **entries}))

    assert isinstance(error, UsageError)
    assert "as" in error.message


# --- credential plugins ------------------------------------------------------------------------


def test_a_plugin_is_asked_once_until_its_token_ends(server: Server, tmp_path: Path) -> None:
    """It is told of the cluster where it wants to be."""
    body = f'echo "$KUBERNETES_EXEC_INFO" >> {tmp_path}/asked; ' + credential(
        token="from-plugin", expirationTimestamp="2999-01-01T00:00:00Z"
    )
    user = plugin(tmp_path, body)
    user["exec"]["provideClusterInfo"] = True
    target = written(tmp_path, user, cluster={"server": server.url})
    api = KubernetesApi.connect(target)

    api.get("/api/v1/namespaces/kube-system")
    api.get("/api/v1/namespaces/kube-system")
    api.close()

    told = (tmp_path / "asked").read_text().splitlines()
    assert len(told) == 1
    assert json.loads(told[0])["spec"] == {
        "interactive": False,
        "cluster": {"server": server.url},
    }
    assert dict(server.headers[0])["Authorization"] == "Bearer from-plugin"


def test_a_token_that_has_ended_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    """The plugin's own end counts."""
    body = f"echo x >> {tmp_path}/asked; " + credential(
        token="from-plugin", expirationTimestamp="2001-01-01T00:00:00Z"
    )
    target = written(tmp_path, plugin(tmp_path, body), cluster={"server": server.url})
    api = KubernetesApi.connect(target)

    api.get("/api/v1/namespaces/kube-system")
    api.get("/api/v1/namespaces/kube-system")
    api.close()

    assert len((tmp_path / "asked").read_text().splitlines()) >= 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"echo 'token expired {SECRET[:4]}' >&2; exit 3", "exit code 3: token expired"),
        ("exit 1", "exit code 1"),
        (f"echo {SECRET}", "not an ExecCredential"),
        ("echo '[]'", "not an ExecCredential"),
        ("printf '\\377\\376\\000'", "not an ExecCredential"),
        (credential(), "neither a token"),
        (credential(clientCertificateData="x"), "neither a token"),
        (credential(token=f"{SECRET} x"), "white space"),
        ('echo \'{"kind":"x","apiVersion":"y","status":{}}\'', "another kind"),
        (
            credential(clientCertificateData="x", clientKeyData=SECRET),
            "certificate",
        ),
        ("sleep 30", "did not end within"),
        ("kill -9 $$", "SIGKILL"),
    ],
)
def test_a_plugin_that_gives_nothing_is_named_with_what_it_did(
    tmp_path: Path, body: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not "Unauthorized": nobody was asked yet."""
    # Only the plugin that never ends is given little time: others are as slow as the machine is busy.
    patience = 0.5 if "sleep" in body else 60.0
    monkeypatch.setattr(credentials_module, "PLUGIN_TIMEOUT", patience)
    target = written(tmp_path, plugin(tmp_path, body), cluster={"server": "https://127.0.0.1:1"})
    connection = Connection(read_context(target))
    connection.credentials = credentials_module.Credentials(
        connection.context, plugin_timeout=patience
    )

    with pytest.raises(DeniedError) as caught:
        KubernetesApi(connection).get("/api/v1/namespaces/kube-system")

    assert said in caught.value.message
    assert SECRET not in caught.value.message + caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    "arguments",
    [
        ["get-token", "--token", SECRET],
        [f"--client-secret={SECRET}"],
        ["--password", SECRET, "--login", "spn"],
        ["-api-key", SECRET],
    ],
)
def test_secrets_among_a_plugin_s_arguments_are_not_repeated(
    tmp_path: Path, arguments: list[str]
) -> None:
    """A plugin that fails often says how it was called."""
    user = plugin(tmp_path, 'echo "cannot log in with $(echo "$*" | tr " =" "//")" >&2; exit 3')
    user["exec"]["args"] = arguments

    error = failure(written(tmp_path, user, cluster={"server": "https://127.0.0.1:1"}))

    assert "cannot log in with" in error.message


def test_null_in_a_credential_is_nothing(server: Server, tmp_path: Path) -> None:
    """A token without an end, as Go programs print it."""
    printed = credential(token="from-plugin").replace(
        '"from-plugin"', '"from-plugin", "expirationTimestamp": null, "clientKeyData": null'
    )

    assert sent(server, tmp_path, plugin(tmp_path, printed)) == [
        ("Authorization", "Bearer from-plugin")
    ]


def test_a_plugin_that_is_missing_says_how_to_install_it(tmp_path: Path) -> None:
    """By the kubeconfig's own words where it has some."""
    user = plugin(tmp_path, "")
    user["exec"]["command"] = "no-such-plugin"
    assert "install no-such-plugin" in failure(written(tmp_path, user)).hint

    user["exec"]["installHint"] = "brew install\nno-such-plugin"
    error = failure(written(tmp_path, user))

    assert "no-such-plugin" in error.message
    assert "there is no such program" in error.message
    assert error.hint == "brew install no-such-plugin"


# --- what is wrong in the file -----------------------------------------------------------------

WRONG: list[tuple[Any, Any, str]] = [
    ({"token": 12345678}, None, "token must be text"),
    ({"token": SECRET, "username": "x", "password": "y"}, None, "only one of them"),
    ({"tokenFile": "not-there"}, None, "there is no file"),
    ({"client-certificate-data": "%%%" + SECRET}, None, "is not base64"),
    ({"client-certificate-data": base64.b64encode(b"x").decode()}, None, "needs a client-key"),
    ({"client-certificate": "nowhere.crt"}, None, "there is no file"),
    ({"exec": {"command": "x"}}, None, "apiVersion is missing"),
    ({"exec": []}, None, "is not a mapping"),
    ({"exec": {"command": "x", "apiVersion": "y", "interactiveMode": "Always"}}, None, "Always"),
    ({"auth-provider": {"name": "gcp"}}, None, "does not have any more"),
    ({"auth-provider": {"name": "oidc", "config": {}}}, None, "keeps no id-token"),
    ([SECRET], None, "is not a mapping"),
    ({"token": SECRET}, {"server": ""}, "server must be the address"),
    ({"token": SECRET}, {"server": f"https://x:{SECRET}@h"}, "server must be the address"),
    ({"token": SECRET}, {"server": "http://["}, "server must be the address"),
    (
        {"token": SECRET},
        {"server": "https://h", "certificate-authority": "nope"},
        "there is no file",
    ),
    ({"token": SECRET}, {"server": "https://h", "proxy-url": "ftp://h"}, "proxy-url must"),
    (
        {"token": SECRET},
        {"server": "https://h", "insecure-skip-tls-verify": "true"},
        "must be true or false",
    ),
    (
        {"token": SECRET},
        {
            "server": "https://h",
            "insecure-skip-tls-verify": True,
            "certificate-authority-data": "eA==",
        },
        "only one of them",
    ),
    (
        {"token": SECRET},
        {"server": "https://h", "certificate-authority-data": "eA=="},
        "holds no certificate",
    ),
    (
        {"client-certificate-data": "eA==", "client-key-data": "eA=="},
        {"server": "https://h"},
        "cannot be used together",
    ),
    ({"token": SECRET}, {"server": "https://h", "proxy-url": "socks5://h:1"}, "PySocks"),
]


@pytest.mark.parametrize(("user", "cluster", "said"), WRONG)
def test_what_is_wrong_is_said_and_not_quoted(
    tmp_path: Path, user: Any, cluster: Any, said: str
) -> None:
    """Before anything is asked, as wrong use, and with something to do about it."""
    error = failure(written(tmp_path, user, cluster=cluster))

    assert isinstance(error, UsageError)
    assert said in error.message
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [f"users:\n  - token: {SECRET}\n - x: [", f"{{{SECRET}", f"{SECRET}: *nowhere", "\0", "- a\n"],
)
def test_a_file_that_is_no_yaml_is_not_quoted(tmp_path: Path, text: str) -> None:
    """The line that the parser stumbled over may hold a token."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    assert str(path) in failure(KubernetesTarget(kubeconfig=str(path))).message


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    """Context, cluster and user alike."""
    target = written(tmp_path, {"token": SECRET}, context={"cluster": "lab", "user": "you"})
    assert failure(target).hint == "its users: me"

    target = written(tmp_path, {"token": SECRET}, context={"cluster": "prod", "user": "me"})
    assert failure(target).hint == "its clusters: lab"

    wrong = KubernetesTarget(kubeconfig=target.kubeconfig, context="prod")
    assert failure(wrong).hint == "its contexts: lab"


# --- several files, no file --------------------------------------------------------------------


def test_of_several_files_the_first_that_has_a_name_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current context as well; paths count from the file they stand in; missing files are passed."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "token").write_text("of-two")
    first = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://first:1"}}],
    }
    second = {
        "current-context": "b",
        "contexts": [{"name": "b", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://second:1"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
    }
    (tmp_path / "one" / "config").write_text(yaml.safe_dump(first))
    (tmp_path / "two" / "config").write_text(yaml.safe_dump(second))
    listed = [tmp_path / "missing", tmp_path / "one" / "config", tmp_path / "two" / "config"]
    monkeypatch.setenv("KUBECONFIG", ":".join(str(one) for one in listed))

    found = read_context(KubernetesTarget())

    assert (found.name, found.cluster.server) == ("a", "http://first:1")
    assert found.user.token_file == str(tmp_path / "two" / "token")
    assert context_names("") == (("a", "b"), "a")


def test_inside_a_pod_its_own_service_account_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no kubeconfig and no context was named."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="there is no kubeconfig at"):
        read_context(KubernetesTarget())

    from mimir_migrate.adapters.kubernetes import kubeconfig_entries

    (tmp_path / "token").write_text("of-the-pod\n")
    monkeypatch.setattr(kubeconfig_entries, "_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = read_context(KubernetesTarget())

    assert found.cluster.server == "https://[fd00::1]:443"
    assert Connection(found).credentials.headers() == [("Authorization", "Bearer of-the-pod")]


# --- TLS and the network -----------------------------------------------------------------------


def test_a_server_that_is_not_verified_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """In words; the library's own warning at each request is silent."""
    import warnings

    import urllib3

    target = written(
        tmp_path,
        {"token": SECRET},
        cluster={"server": "https://lab.example:6443", "insecure-skip-tls-verify": True},
    )
    for _ in range(3):
        KubernetesApi.connect(target).close()
    warnings.warn("x", urllib3.exceptions.InsecureRequestWarning, stacklevel=1)

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "lab.example:6443" in said[0]
    assert not recwarn.list


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens there", "address and port"),
        (TimeoutError("timed out"), "no connection in time", "VPN"),
        (ConnectionResetError(104, "reset"), "closed the connection", "try again"),
        (OSError("what"), "the connection failed", "may reach it"),
        (ssl.SSLError(1, "wrong version number"), "TLS failed", "HTTPS"),
    ],
)
def test_a_failed_connection_is_told_in_words(error: Exception, said: str, hint: str) -> None:
    """What was found and what to try, not the library's text."""
    found, advice = explained(error, "https://lab.example:6443")

    assert said in found
    assert hint in advice


@pytest.mark.parametrize(
    ("why", "hint"),
    [
        ("certificate has expired", "run out"),
        ("certificate is not yet valid", "clock"),
        ("Hostname mismatch, certificate is not valid for 'lab.example'.", "tls-server-name"),
        ("self-signed certificate in certificate chain", "certificate-authority"),
    ],
)
def test_a_certificate_is_not_the_network(why: str, hint: str) -> None:
    """Each way in which it is not trusted has something of its own to do."""
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = why

    found, advice = explained(error, "https://lab.example:6443")

    assert "the certificate of lab.example is not trusted" in found
    assert hint in advice
    assert "network" not in advice


# --- nothing leaks, whatever it is -------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.sampled_from([SECRET, f"{SECRET}\n", "", "lab", "me", "oidc", "https://h", "%%%"]),
    st.text(max_size=8),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
)
KEYS = st.sampled_from(
    [
        "token", "tokenFile", "username", "password", "client-certificate-data", "client-key-data",
        "client-certificate", "client-key", "as", "as-uid", "as-groups", "as-user-extra", "exec",
        "auth-provider", "command", "apiVersion", "args", "env", "name", "config", "id-token",
    ]
)  # fmt: skip
USERS = st.dictionaries(KEYS, st.dictionaries(KEYS, TREES, max_size=4) | TREES, max_size=6) | TREES
CLUSTERS = (
    st.dictionaries(
        st.sampled_from(
            ["server", "proxy-url", "certificate-authority-data", "tls-server-name", "extensions"]
        ),
        TREES | st.text(max_size=20),
        max_size=4,
    )
    | TREES
)


def said_of(path: Path) -> str:
    """What is said of a kubeconfig that may be anything."""
    try:
        Connection(read_context(KubernetesTarget(kubeconfig=str(path))))
    except MigrateError as error:
        return f"{error.message} {error.hint}"
    return ""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=USERS, cluster=CLUSTERS, rest=st.none() | TREES)
def test_no_kubeconfig_ends_in_anything_but_an_error_without_its_secrets(
    tmp_path: Path, user: Any, cluster: Any, rest: Any
) -> None:
    """Garbage of every type in every place."""
    document: dict[str, Any] = {
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }
    if rest is not None:
        document[["clusters", "users", "contexts", "current-context"][len(str(rest)) % 4]] = rest
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))

    assert SECRET not in said_of(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), flip=st.integers(0, 255), at=st.integers(0, 400))
def test_a_damaged_kubeconfig_is_refused_without_its_secrets(
    tmp_path: Path, cut: int, flip: int, at: int
) -> None:
    """Cut anywhere, a byte changed anywhere."""
    whole = bytearray(Path(written(tmp_path, {"token": SECRET}).kubeconfig).read_bytes())
    whole[at % len(whole)] = flip
    path = tmp_path / "kubeconfig"
    path.write_bytes(bytes(whole[: len(whole) - cut % len(whole)]))

    assert SECRET not in said_of(path)


def test_what_a_kubeconfig_holds_is_taken_out_everywhere(tmp_path: Path) -> None:
    """Any redactor of the process knows it from then on."""
    read_context(written(tmp_path, {"token": "a-token-of-no-shape"}))

    assert Redactor().text("it sent a-token-of-no-shape on") == "it sent [redacted] on"


def test_credentials_that_were_renewed_are_read_after_a_refusal(
    server: Server, tmp_path: Path
) -> None:
    """Somebody logged in again: the kubeconfig is read again, identities included."""
    target = written(tmp_path, {"token": "old-token"}, cluster={"server": server.url})
    api = KubernetesApi.connect(target)
    path = "/api/v1/namespaces/kube-system"
    answers = iter([status(401, "Unauthorized", "Unauthorized"), server.answers[path]])
    server.answers[path] = lambda: next(answers) if server.headers else None
    written(tmp_path, {"token": "new-token", "as": "bot"}, cluster={"server": server.url})

    def answer() -> Any:
        found = dict(server.headers[-1])["Authorization"]
        good = (200, "application/json", b"{}")
        return good if found == "Bearer new-token" else status(401, "Unauthorized", "no")

    server.answers[path] = answer
    api.get(path)
    api.close()

    assert dict(server.headers[-1])["Impersonate-User"] == "bot"

"""Certificates and keys of a kubeconfig are used, and none of them is left where a killed process leaves files."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import Server, status

from mimir_migrate.adapters.kubernetes.connection import Connection
from mimir_migrate.adapters.kubernetes.forwarding import forwarded_page
from mimir_migrate.adapters.kubernetes.kubeconfig import read_context
from mimir_migrate.errors import DeniedError, MigrateError
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget
from mimir_migrate.sandbox.kubernetes.certificate import CERTIFICATE, tls_context

VERSION = "/version"


@pytest.fixture
def client(tmp_path: Path) -> tuple[Path, Path]:
    """A client's certificate and its key."""
    return _written_certificate(tmp_path)


@pytest.fixture
def server(tmp_path: Path, client: tuple[Path, Path]) -> Iterator[Server]:
    """An API server that speaks to nobody without that client's certificate."""
    own = tmp_path / "server"
    own.mkdir()
    context = tls_context(own)
    context.load_verify_locations(cafile=client[0])
    context.verify_mode = ssl.CERT_REQUIRED
    running = Server(context)
    running.answers[VERSION] = {"major": "1"}
    yield running
    running.close()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this machine."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def data(path: Path) -> str:
    """A file's content as a kubeconfig holds it."""
    return base64.b64encode(path.read_bytes()).decode()


def connected(folder: Path, server: Server, user: dict[str, Any], **cluster: str) -> Connection:
    """A connection to a server that shows the certificate of the folder."""
    authority = cluster or {"certificate-authority-data": data(folder / "server" / CERTIFICATE)}
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": server.url, **authority}}],
                "users": [{"name": "me", "user": user}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            }
        )
    )
    return Connection(read_context(KubernetesTarget(kubeconfig=str(path))))


@pytest.mark.parametrize("in_memory", [True, False])
def test_certificates_that_came_as_data_are_used_and_no_file_is_left_of_them(
    tmp_path: Path,
    server: Server,
    client: tuple[Path, Path],
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_memory: bool,
) -> None:
    """While the connection is open as well: a process that is killed then can remove nothing."""
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    user = {"client-certificate-data": data(client[0]), "client-key-data": data(client[1])}

    connection = connected(tmp_path, server, user)

    assert connection.send("GET", VERSION).status == 200
    assert list(temporary.iterdir()) == []
    connection.close()


def test_of_a_plugin_s_certificate_no_file_is_left_either(
    tmp_path: Path, server: Server, client: tuple[Path, Path], temporary: Path
) -> None:
    """It is asked for when the first request is made."""
    credential = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "status": {
            "clientCertificateData": client[0].read_text(),
            "clientKeyData": client[1].read_text(),
        },
    }
    (tmp_path / "credential").write_text(json.dumps(credential))
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\ncat {tmp_path / 'credential'}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    user = {"exec": {"command": str(script), "apiVersion": credential["apiVersion"]}}

    connection = connected(tmp_path, server, user)

    assert connection.send("GET", VERSION).status == 200
    assert list(temporary.iterdir()) == []
    connection.close()


@pytest.mark.parametrize("named", ["authority", "client", "both"])
def test_files_that_the_kubeconfig_names_are_used_with_what_it_holds(
    tmp_path: Path, server: Server, client: tuple[Path, Path], named: str
) -> None:
    """Either may be a file while the other is data."""
    files = {"client-certificate": str(client[0]), "client-key": str(client[1])}
    held = {"client-certificate-data": data(client[0]), "client-key-data": data(client[1])}
    authority = (
        {}
        if named == "client"
        else {"certificate-authority": str(tmp_path / "server" / CERTIFICATE)}
    )

    connection = connected(tmp_path, server, held if named == "authority" else files, **authority)

    assert connection.send("GET", VERSION).status == 200
    connection.close()


def test_a_bundle_with_words_in_any_signs_is_read(
    tmp_path: Path, server: Server, client: tuple[Path, Path]
) -> None:
    """Whoever made it wrote a name above each certificate."""
    words = "# Zertifizierungsstelle der Abteilung für Übertragung\n".encode()
    bundle = words + (tmp_path / "server" / CERTIFICATE).read_bytes()
    user = {"client-certificate": str(client[0]), "client-key": str(client[1])}

    connection = connected(
        tmp_path,
        server,
        user,
        **{"certificate-authority-data": base64.b64encode(bundle).decode()},
    )

    assert connection.send("GET", VERSION).status == 200
    connection.close()


def test_a_server_of_another_authority_is_refused(
    tmp_path: Path, server: Server, client: tuple[Path, Path]
) -> None:
    """Data in memory is trust in it and in nothing else."""
    user = {"client-certificate-data": data(client[0]), "client-key-data": data(client[1])}
    connection = connected(
        tmp_path, server, user, **{"certificate-authority-data": data(client[0])}
    )

    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        connection.send("GET", VERSION, retries=False)


def test_connections_beside_the_pools_have_the_same_trust(
    tmp_path: Path, server: Server, client: tuple[Path, Path], temporary: Path
) -> None:
    """A port-forward's websocket: this server refuses it by its status, so the two have met."""
    server.answers["/api/v1/namespaces/lab/pods/one/portforward"] = status(403, "Forbidden", "no")
    user = {"client-certificate-data": data(client[0]), "client-key-data": data(client[1])}
    connection = connected(tmp_path, server, user)
    port = int(server.url.rsplit(":", 1)[1])

    beside = http.client.HTTPSConnection("127.0.0.1", port, context=connection.tls())
    beside.request("GET", VERSION)

    assert beside.getresponse().status == 200
    with pytest.raises(MigrateError) as caught:
        forwarded_page(
            connection,
            "lab",
            Pod(name="one", component="ingester", http_port=8080),
            "/ready",
            accept="text/plain",
            limit=1000,
            read_timeout=5.0,
        )
    assert isinstance(caught.value, DeniedError)
    assert list(temporary.iterdir()) == []
    beside.close()
    connection.close()


def _written_certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(made, hashes.SHA256())
    )
    certificate, key = folder / "client.crt", folder / "client.key"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key

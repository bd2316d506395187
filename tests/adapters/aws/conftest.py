"""A local AWS for the adapters' tests: moto's server on loopback, one for the whole session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.model.target import AwsTarget


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def clients(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> AwsClients:
    """Clients that know nothing of the developer's own AWS configuration."""
    empty = tmp_path_factory.mktemp("aws") / "none"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(empty))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return AwsClients(AwsTarget(region="eu-west-1", endpoint_url=aws_endpoint))


@pytest.fixture
def table_name() -> str:
    """A name that no other test uses; the server's tables are shared."""
    return f"rings-{uuid.uuid4().hex}"

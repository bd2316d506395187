"""How the sandbox itself speaks to its DynamoDB and IAM."""

from __future__ import annotations

from typing import Any, Final

from mimir_migrate.sandbox.aws.tables import POD_AGENT

REGION: Final = "eu-west-1"


def aws_client(service: str, port: int) -> Any:
    """A boto3 client with which the sandbox itself speaks to its moto."""
    import boto3
    from botocore.config import Config

    session: Any = boto3.session.Session()
    return session.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - moto asks for some
        config=Config(
            user_agent_extra=POD_AGENT,
            connect_timeout=5,
            read_timeout=10,
            retries={"total_max_attempts": 1, "mode": "standard"},
            parameter_validation=False,
        ),
    )

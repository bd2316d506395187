"""What an API server answers may be anything: another shape than Kubernetes' is an answer of no use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mimir_migrate.errors import UnreachableError


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Read answers in here; also usable as a decorator.

    Args:
        what: What is being asked, as the beginning of the message.

    Raises:
        UnreachableError: An answer had another shape than it has in Kubernetes.
    """
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise UnreachableError(
            f"{what}: the answer does not have the shape that Kubernetes gives it ({type(error).__name__})",
            hint="check that the kubeconfig's server is a Kubernetes API server and nothing between "
            "changes its answers",
        ) from error

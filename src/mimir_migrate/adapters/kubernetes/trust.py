"""TLS contexts of what a kubeconfig and a credential plugin hold: no certificate and no key is left in a file.

A runner may be killed at any moment, and nobody tidies up after it then. So what came as data stays in
memory, or is a file for the moment in which OpenSSL reads it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mimir_migrate.adapters.kubernetes.kubeconfig import Context
from mimir_migrate.errors import UsageError

_DESCRIPTORS = Path("/proc/self/fd")


def ca_text(context: Context) -> str:
    """The authority's certificates as the kubeconfig holds them, as PEM; empty: it holds none.

    What a bundle says besides, in whatever signs, is left out: OpenSSL takes ASCII only.
    """
    return context.cluster.ca_data.decode("ascii", "ignore")


def tls_context(
    context: Context, certificate: tuple[bytes, bytes] | None = None
) -> ssl.SSLContext:
    """How the API server is known to be the right one, and who asks it.

    Args:
        context: A kubeconfig's, whose server is asked through https.
        certificate: A credential plugin's client certificate and key, as PEM; None: it gave none.

    Raises:
        UsageError: A certificate or a key cannot be used.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    cluster, user = context.cluster, context.user
    found = create_urllib3_context(
        cert_reqs=ssl.CERT_REQUIRED if cluster.verify else ssl.CERT_NONE
    )
    try:
        if cluster.ca_data:
            found.load_verify_locations(cadata=ca_text(context))
        elif cluster.ca_file:
            found.load_verify_locations(cafile=cluster.ca_file)
        else:
            found.load_default_certs()
    except (OSError, ValueError) as error:
        raise _unusable(context, "its certificate-authority holds no certificate") from error
    shown, key = certificate or (user.cert_data, user.key_data)
    if not shown and not user.cert_file:
        return found
    try:
        with _readable(shown, user.cert_file) as first, _readable(key, user.key_file) as second:
            found.load_cert_chain(first, second or None, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable(
            context,
            f"its client certificate and key cannot be used together ({openssl_words(error)})",
        ) from error
    return found


def openssl_words(error: Exception) -> str:
    """What OpenSSL found wrong, in small letters."""
    reason = getattr(error, "reason", "") or type(error).__name__
    return str(reason).lower().replace("_", " ")


@contextlib.contextmanager
def _readable(content: bytes, path: str) -> Iterator[str]:
    """A path where OpenSSL can read the content now; where there is none, the file that is named."""
    if not content:
        yield path
        return
    with _in_memory() or _on_disk() as file:
        file.write(content)
        file.flush()
        yield file.name if isinstance(file.name, str) else str(_DESCRIPTORS / str(file.name))


def _in_memory() -> IO[bytes] | None:
    """A file that is on no disk and ends with this process; None: this system has none."""
    if not hasattr(os, "memfd_create") or not _DESCRIPTORS.is_dir():
        return None
    try:
        return os.fdopen(os.memfd_create("mimir-migrate"), "wb")
    except OSError:
        return None


def _on_disk() -> IO[bytes]:
    """A file that nobody else may read, and that is removed when it is closed."""
    return tempfile.NamedTemporaryFile(prefix="mimir-migrate-")


def _unusable(context: Context, why: str) -> UsageError:
    return UsageError(
        f"reading the kubeconfig with the context {context.name}: {why}",
        hint="log in again, or compare it with `kubectl config view --raw`",
    )


def _no_password() -> str:
    """Asked for where a key is locked; without it OpenSSL would ask at the terminal."""
    return ""

"""Who works, on which machine, as the journal and the Lease name it."""

from __future__ import annotations

import os
import pwd
import re
import socket

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def user() -> str:
    """The login name of this process's user; `uid-N` where the system knows no name for it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = ""
    return _plain(name) or f"uid-{os.getuid()}"


def host() -> str:
    """The name of this machine, without its domain."""
    return _plain(socket.gethostname().split(".")[0]) or "unnamed-host"


def user_at_host() -> str:
    """`user@host`."""
    return f"{user()}@{host()}"


def holder(run: str, pid: int | None = None) -> str:
    """What a Lease names as its holder: `user@host run-id pid`."""
    return f"{user_at_host()} {run} {os.getpid() if pid is None else pid}"


def _plain(name: str) -> str:
    """`name` without what could break the words of a holder apart."""
    return _NOT_PLAIN.sub("-", name).strip("-")

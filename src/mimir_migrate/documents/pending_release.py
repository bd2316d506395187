"""What to do about a helm release that is pending, the same words wherever it is met."""

from __future__ import annotations


def release_repair(release: str, namespace: str, over: int) -> str:
    """What ends a revision that is pending, in words.

    Args:
        release: The release's name.
        namespace: Where it is.
        over: The newest revision that was deployed; 0: none is known.
    """
    if over:
        return f"run `helm rollback {release} {over} -n {namespace}` once no helm is at work on it"
    return f"no revision of it is known to have been deployed: see `helm history {release} -n {namespace}`"

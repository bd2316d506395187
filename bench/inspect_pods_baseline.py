"""The baseline of `inspect_pods.py`: fetch the same pages bare, with the same concurrency."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import urllib3


def fetch(url: str, questions: Sequence[tuple[str, str]], at_once: int) -> int:
    """Fetch every (path, Accept) and return how many bytes came."""
    pool = urllib3.PoolManager(maxsize=at_once, retries=False)

    def get(question: tuple[str, str]) -> int:
        path, accept = question
        return len(pool.request("GET", url + path, headers={"Accept": accept}).data)

    with ThreadPoolExecutor(max_workers=at_once) as threads:
        return sum(threads.map(get, questions))

"""How the app is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.bootstrap import operations
from mimir_migrate.cli.opening import OnDemand
from mimir_migrate.cli.options import needs_ascii


@pytest.mark.parametrize(
    ("environment", "ascii_only"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "en_US.utf8"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
    ],
)
def test_a_locale_without_unicode_gets_the_ascii_set(
    environment: dict[str, str], ascii_only: bool
) -> None:
    """Nobody has to know of the flag on a terminal that cannot draw the signs."""
    assert needs_ascii(environment) is ascii_only


def test_a_service_is_put_together_by_its_first_call(tmp_path: Path) -> None:
    """The first screen hands methods on; only calling one reads the core from the disk."""
    made: list[object] = []

    def make() -> object:
        made.append(operations(tmp_path))
        return made[0]

    service = OnDemand(make)
    runs = service.runs
    before = len(made)

    assert (runs(), service.runs()) == ((), ())
    assert (before, len(made)) == (0, 1)

"""docs/faults.md says what the fault tests show: each row names its tests, and each test has a row."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
MODULES = (
    *sorted((ROOT / "tests" / "engine").glob("test_faults_of_*.py")),
    ROOT / "tests" / "adapters" / "test_bad_days.py",
)


def fault_tests() -> set[str]:
    """Names of the fault tests."""
    return {
        name
        for module in MODULES
        for name in re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE)
    }


def test_every_row_names_fault_tests() -> None:
    """At least one each, and none that is not there."""
    rows = [
        line for line in PAGE.read_text().splitlines() if re.match(r"\| (?!fault \|)[^-|]", line)
    ]
    assert len(rows) > 30
    for row in rows:
        assert row.count("|") == 6, row
        named = re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1])
        assert named, row
        assert set(named) <= fault_tests(), row


def test_every_fault_test_has_a_row() -> None:
    """A fault that is tested is also told."""
    assert len(MODULES) == 4
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert fault_tests() == named

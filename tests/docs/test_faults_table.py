"""docs/faults.md says what the fault tests show: each row names its tests, and each test has a row."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
MODULES = (
    *sorted((ROOT / "tests" / "engine" / "faults").glob("test_faults_of_*.py")),
    ROOT / "tests" / "adapters" / "test_bad_days.py",
)
ALSO = {
    "test_a_plugin_that_gives_nothing_is_named_with_what_it_did",
    "test_a_plugin_that_is_missing_says_how_to_install_it",
    "test_answers_of_any_shape_are_answers_of_no_use",
    "test_an_error_in_a_change_is_journalled_and_the_run_goes_on",
    "test_while_a_deploy_still_runs_the_lease_is_kept",
    "test_an_error_that_nobody_foresaw_is_two_lines",
    "test_a_replica_that_writes_to_another_table_is_seen",
    "test_a_replica_that_stays_on_an_old_copy_of_the_table_is_seen",
    "test_a_replica_that_may_read_and_not_write_is_seen",
}
"""Tests of faults in modules that are about more than faults."""


def fault_tests() -> set[str]:
    """Names of the fault tests."""
    found = {
        name
        for module in MODULES
        for name in re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE)
    }
    everywhere = {
        name
        for module in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", module.read_text(), re.MULTILINE)
    }
    return found | (ALSO & everywhere)


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
    assert len(MODULES) == 6
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert fault_tests() == named

"""Go durations are read and written as Go does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimir_migrate.durations import format_duration, parse_duration, read_duration, spoken
from mimir_migrate.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("1m0s", 60),
        ("1m30s", 90),
        ("2h45m", 9900),
        ("1.5h", 5400),
        ("300ms", 0.3),
        (".5s", 0.5),
        ("0", 0),
        ("0s", 0),
        ("-10s", -10),
        ("+10s", 10),
        ("250µs", 0.00025),
        ("2562047h47m16.854775807s", 9223372036.854775807),
    ],
)
def test_reads_what_go_reads(text: str, seconds: float) -> None:
    """Each form of Go's grammar gives its seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 s", "1d", "ten", "1m-30s", "1..5s", "-", "10s!"]
)
def test_refuses_what_go_refuses(text: str) -> None:
    """Anything else is an error that names the text, and unknown where a page says it."""
    with pytest.raises(UsageError, match="duration") as caught:
        parse_duration(text)

    assert repr(text) in caught.value.message
    assert read_duration(text) is None


def test_zero_may_be_a_number() -> None:
    """YAML pages write a zero without a unit as a number; a truth value is not a duration."""
    assert read_duration(0) == 0.0
    assert read_duration(False) is None
    assert read_duration(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (10, "10s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (0.25, "250ms"),
        (-5, "-5s"),
    ],
)
def test_writes_without_empty_parts(seconds: float, text: str) -> None:
    """What is written is short."""
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    """Writing and reading lose nothing down to a millisecond."""
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.833333333, "0.8 s"),
        (0.04, "0 s"),
        (2, "2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (137, "2 min 17 s"),
        (3599.7, "1 h"),
        (3900, "1 h 5 min"),
        (-5, "-5 s"),
    ],
)
def test_a_person_reads_durations_in_words(seconds: float, words: str) -> None:
    """Rounded to what matters, with a space before the unit."""
    assert spoken(seconds) == words

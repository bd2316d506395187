"""Edits as hunks: exact where the file is the same, found again where it is not, kept as a record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimir_migrate.documents import edits
from mimir_migrate.errors import DocumentError, EditRefusedError, FileChangedError
from mimir_migrate.model.edits import FileEdit, Hunk

BEFORE = b"".join(b"line %d: %s\n" % (n, b"x" * (n % 7)) for n in range(60))
AFTER = (
    BEFORE.replace(b"line 20:", b"line twenty:")
    .replace(b"line 40: xxxxx\n", b"")
    .replace(b"line 50:", "# Größe\nline 50:".encode())
)

texts = st.lists(st.sampled_from([b"a\n", b"b\n", b"\xff\n", "é\r\n".encode(), b"", b"c"])).map(
    b"".join
)


@given(texts, texts)
def test_an_edit_leads_from_one_content_to_the_other_and_back(before, after):
    """Whatever the contents are, the edit and its inverse are exact."""
    edit = edits.from_texts("f", before, after)
    back = edits.inverse(edit)

    assert edits.apply(edit, before) == after
    assert edits.apply(back, after) == before
    assert edits.apply(edits.inverse(edit, before), after) == before
    assert edit.changes == (before != after)


@given(texts, texts)
def test_a_record_is_read_as_it_was_written(before, after):
    """Bytes that are no text survive as well; the size has its limit."""
    back = edits.inverse(edits.from_texts("f", before, after), before)

    record = edits.write_record([back])
    (read,) = edits.read_record(record, path="f.undo")

    assert edits.apply(read, after) == before
    assert len(record) <= max(4096, 2 * sum(len(h.before) + len(h.after) for h in back.hunks))


def test_hunks_are_small():
    """Only what differs is in the hunks, not its neighbourhood."""
    edit = edits.from_texts("f", BEFORE, AFTER)

    assert [(hunk.before, hunk.after) for hunk in edit.hunks] == [
        (b"20", b"twenty"),
        (b"line 40: xxxxx\n", b""),
        (b"", "# Größe\n".encode()),
    ]


def test_an_edit_finds_its_places_again():
    """Lines added, removed and changed elsewhere do not matter."""
    edit = edits.from_texts("f", BEFORE, AFTER)
    drifted = b"new\n" + BEFORE.replace(b"line 5: xxxxx\n", b"").replace(b"line 30:", b"LINE 30:")

    assert edits.apply(edit, drifted) == b"new\n" + AFTER.replace(b"line 5: xxxxx\n", b"").replace(
        b"line 30:", b"LINE 30:"
    )


def test_an_edit_that_is_in_the_file_already_changes_nothing():
    """Applying twice is applying once."""
    edit = edits.from_texts("f", BEFORE, AFTER)

    assert edits.apply(edit, AFTER) == AFTER


def test_a_place_that_is_gone_is_not_guessed():
    """The lines to be changed were changed by somebody else."""
    edit = edits.from_texts("f", BEFORE, AFTER)

    with pytest.raises(FileChangedError, match="no longer there"):
        edits.apply(edit, BEFORE.replace(b"line 40: xxxxx\n", b"line 40: y\n"))


def test_a_place_that_is_there_twice_is_not_guessed():
    """A copy of the lines was made since; neither of the two is taken."""
    edit = edits.from_texts("f", BEFORE, AFTER)
    copied = BEFORE + b"".join(BEFORE.splitlines(keepends=True)[15:25])

    with pytest.raises(EditRefusedError, match="more than once") as refused:
        edits.apply(edit, copied)

    assert refused.value.line == 21


def test_an_edit_that_does_not_fit_its_own_hashes_is_refused():
    """Hunks that were changed by hand do not reach the file."""
    edit = FileEdit(
        path="f",
        before_sha256=edits.sha256(b"abc"),
        after_sha256=edits.sha256(b"xbc"),
        hunks=(Hunk(start=0, before=b"a", after=b"y"),),
    )

    with pytest.raises(FileChangedError, match="another content"):
        edits.apply(edit, b"abc")


def test_the_unified_diff_shows_lines_and_a_missing_last_line_break():
    """The text view of an edit is what diff(1) would print."""
    edit = edits.from_texts("values.yaml", b"a\nb\x0b1\nc", b"a\nb\x0b2\nc\nd")

    assert edits.unified(edit, b"a\nb\x0b1\nc", context=0) == (
        "--- values.yaml\n+++ values.yaml\n@@ -2,2 +2,3 @@\n-b\x0b1\n-c\n"
        "\\ No newline at end of file\n+b\x0b2\n+c\n+d\n\\ No newline at end of file\n"
    )


def test_a_big_record_gives_up_anchors_and_not_exactness():
    """Hundreds of small hunks leave little room; the file still comes back."""
    before = b"".join(b"key-%04d: %s\n" % (n, b"v" * 20) for n in range(2000))
    after = b"".join(
        line.replace(b"v" * 20, b"w" * 20) if n % 4 == 0 else line
        for n, line in enumerate(before.splitlines(keepends=True))
    )
    back = edits.inverse(edits.from_texts("f", before, after), before)

    record = edits.write_record([back])

    assert len(record) < 4 * sum(len(h.before) + len(h.after) for h in back.hunks)
    assert edits.apply(edits.read_record(record, path="r")[0], after) == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record[: len(record) // 2],
        lambda record: record.replace(b"twenty", b"thirty"),
        lambda record: record.replace(b"mimir-migrate/1", b"mimir-migrate/9"),
        lambda record: b"[]",
        lambda record: b"\xff\xfe",
        lambda record: json.dumps({"schema": "mimir-migrate/1", "checksum": "x"}).encode(),
    ],
)
def test_a_spoilt_record_is_refused(spoil):
    """A record cut short, changed, or of something else is named and not used."""
    record = edits.write_record([edits.inverse(edits.from_texts("f", BEFORE, AFTER), BEFORE)])

    with pytest.raises(DocumentError, match=r"f\.undo"):
        edits.read_record(spoil(record), path="f.undo")

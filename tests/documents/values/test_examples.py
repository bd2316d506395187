"""The project's own example files on the whole way, there and back."""

from __future__ import annotations

import pytest
from wishes import edit, read

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, StoreState

EXAMPLES = {
    "values.yaml": (Product.MIMIR, 400, 6),
    "values-cortex.yaml": (Product.CORTEX, 200, 5),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_way_forward_and_back_ends_in_the_same_bytes(name, examples, wanted):
    """Every state is reached from the one before, and the records lead back step by step."""
    product, lines, ring_count = EXAMPLES[name]
    content = (examples / name).read_bytes()
    view = read([SourceFile(path=name, content=content)])
    records = []

    for state in list(StoreState)[1:]:
        block = RuntimeBlock(primary=state.primary.value, mirror_enabled=True)
        wish = wanted(state, *view.all_rings, runtime=block if state.is_multi else None)
        (made,) = edit([SourceFile(path=name, content=content)], wish)
        records.append(edits.inverse(made, content))
        content = edits.apply(made, content)
    now = SourceFile(path=name, content=content)
    (back,) = edit([now], wanted("memberlist", *view.all_rings), original=list(reversed(records)))

    assert edits.apply(back, content) == (examples / name).read_bytes()
    assert view.product is product
    assert len(view.all_rings) == ring_count
    assert (examples / name).read_bytes().count(b"\n") >= lines


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_canonical_form_of_the_examples_is_what_they_say(name, examples, wanted):
    """The examples say memberlist canonically, so even without a record the bytes come back."""
    content = (examples / name).read_bytes()
    rings = read([SourceFile(path=name, content=content)]).all_rings
    (made,) = edit([SourceFile(path=name, content=content)], wanted("dynamodb", *rings))
    moved = SourceFile(path=name, content=edits.apply(made, content))

    (back,) = edit([moved], wanted("memberlist", *rings))

    assert edits.apply(back, moved.content) == content

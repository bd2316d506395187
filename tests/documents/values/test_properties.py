"""Generated files and edits: only addressed lines change, and undo gives the bytes back."""

from __future__ import annotations

import copy
import json
import re
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from wishes import edit, read

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile, Wanted, undo
from mimir_migrate.model.edits import Hunk
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import DynamoDBSettings, RuntimeBlock, StoreState

RINGS = ("ingester", "ruler", "store-gateway", "compactor")
COMMENTS = (
    "# plain", "#", "#\ttabs\tin it", "# kvstore:", "# größer 保存", "# {{ if }} %{ x", "# - a: b",
)  # fmt: skip
TOUCHED = re.compile(
    r"store|multi|primary|secondary|mirror_|dynamodb|region|table_name|puller_sync_time"
    r"|ring|ruler|ingester|compactor|structuredConfig|mimir|runtimeConfig"
)


class Writer:
    """Writes settings as YAML the way people do: never twice the same."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def aside(self, column: int) -> None:
        while self.maybe(0.15):
            margin = " " * self.random.randint(0, column + 2)
            self.lines.append(self.random.choice(["", margin, margin + self.comment()]))

    def comment(self) -> str:
        return self.random.choice(COMMENTS)

    def scalar(self, value: Any) -> str:
        if value is None:
            return self.random.choice(["null", "~"])
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str):
            return str(value)
        if "\n" in value:
            return json.dumps(value)
        return self.random.choice(["{}", '"{}"', "'{}'"]).format(value)

    def flow(self, value: Any) -> str:
        if not isinstance(value, dict):
            return self.scalar(value)
        pad = self.random.choice(["", " "]) if value else ""
        inside = ", ".join(f"{key}: {self.flow(item)}" for key, item in value.items())
        return "{" + pad + inside + pad + "}"

    def mapping(self, value: dict[str, Any], column: int) -> None:
        step = self.random.choice([1, 2, 2, 2, 4])
        for key, item in value.items():
            self.aside(column)
            tail = "  " + self.comment() if self.maybe(0.2) else ""
            margin = " " * column
            if key == "text":
                self.lines += [f"{margin}{key}: |{tail}", f"{margin}   # no comment"]
                self.lines += ["", f"{margin}   end"]
            elif isinstance(item, dict) and item and not self.maybe(0.15):
                self.lines.append(f"{margin}{key}:{tail}")
                self.mapping(item, column + step)
            else:
                gap = self.random.choice([" ", " ", "  "])
                self.lines.append(f"{margin}{key}:{gap}{self.flow(item)}{tail}")

    def file(self, value: dict[str, Any], above: str) -> bytes:
        self.mapping(value, 0)
        self.aside(0)
        margin = " " * (len(above) - len(above.rstrip(" ")))
        wrapped = [margin + line if line.strip() else line for line in self.lines]
        self.lines = [*above.rstrip(" ").splitlines(), *wrapped]
        line_break = self.random.choice(["\n", "\n", "\r\n"])
        text = line_break.join(self.lines) + (line_break if self.maybe(0.8) else "")
        return (b"\xef\xbb\xbf" if self.maybe(0.1) else b"") + text.encode()


# What stands above the values, ending in as many spaces as they are indented by.
SHAPES = (
    "",
    "",
    "mimir-distributed:\n   ",
    "apiVersion: v2\nkind: HelmRelease\nspec:\n  values:\n    ",
    (
        "apiVersion: v1\nkind: Application\nspec:\n  source: {}\n  sources:\n"
        "  - helm:\n      values: |2\n        "
    ),
)


kvstores = st.sampled_from(
    [
        None,
        {},
        {"prefix": "collectors/"},
        {"store": "memberlist"},
        {"prefix": "x/", "store": "consul", "consul": {"host": "c:8500"}},
        {"store": "dynamodb", "dynamodb": {"region": "us-east-1", "table_name": "t"}},
        {"store": "multi", "multi": {"primary": "consul", "secondary": "memberlist"}},
        {"multi": {"mirror_enabled": True, "mirror_timeout": "2s"}, "store": "multi"},
    ]
)
absent = object()


@st.composite
def values(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    config: dict[str, Any] = {"text": "# no comment\n\nend\n"} if draw(st.booleans()) else {}
    for name in draw(st.permutations(RINGS)):
        ring = ring_named(Product.MIMIR, name)
        block: Any = {}
        kvstore = draw(st.one_of(st.just(absent), kvstores))
        if draw(st.booleans()):
            block["heartbeat_period"] = "15s"
        if kvstore is not absent:
            block["kvstore"] = copy.deepcopy(kvstore)
        if draw(st.booleans()):
            block["num_tokens"] = 512
        shape = draw(st.integers(0, 4))
        if shape == 0:
            continue
        config[ring.path[0]] = {ring.path[1]: block or draw(st.sampled_from([None, {}]))}
        if shape == 1:
            config[ring.path[0]]["enabled"] = True
    data: dict[str, Any] = {"mimir": {"structuredConfig": config or None}}
    if draw(st.booleans()):
        data["ruler"] = {"replicas": 2, "resources": {}}
    if draw(st.booleans()):
        data["runtimeConfig"] = draw(
            st.sampled_from([{}, {"overrides": {}}, {"multi_kv_config": {"primary": "consul"}}])
        )
    data["querier"] = {"replicas": 1}
    writer = Writer(Random(draw(st.integers(0, 2**32))))
    return data, writer.file(data, draw(st.sampled_from(SHAPES)))


@st.composite
def wishes(draw: st.DrawFn) -> Wanted:
    rings = draw(st.lists(st.sampled_from(RINGS), min_size=1, unique=True))
    blocks = st.builds(
        RuntimeBlock,
        primary=st.sampled_from(["memberlist", "dynamodb"]),
        mirror_enabled=st.booleans(),
    )
    return Wanted(
        states={ring: draw(st.sampled_from(StoreState)) for ring in rings},
        mirror=draw(st.booleans()),
        dynamodb={
            ring: DynamoDBSettings(region="eu-west-1", table_name="rings", puller_sync_time="10s")
            for ring in rings
        },
        runtime=draw(st.one_of(st.none(), blocks)),
    )


def load(content: bytes) -> Any:
    """The chart's values of a file, by a reader of its own."""
    yaml = YAML(typ="safe", pure=True)
    data = yaml.load(content.decode("utf-8-sig"))
    if "kind" not in data:
        return data.get("mimir-distributed", data)
    if "values" in data["spec"]:
        return data["spec"]["values"]
    return yaml.load(data["spec"]["sources"][0]["helm"]["values"])


def outside(data: Any, wish: Wanted) -> Any:
    """The data without what the wish addresses, and without mappings that hold nothing else."""
    config = data["mimir"].get("structuredConfig") if data.get("mimir") else None
    for name in wish.states:
        ring = ring_named(Product.MIMIR, name)
        kvstore: Any = config
        for key in ring.path:
            kvstore = kvstore.get(key) if isinstance(kvstore, dict) else None
        for key in ("store", "multi", "dynamodb"):
            if isinstance(kvstore, dict):
                kvstore.pop(key, None)
    if isinstance(data.get("runtimeConfig"), dict):
        data["runtimeConfig"].pop("multi_kv_config", None)
    return without_empty(data)


def without_empty(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    cleaned = {key: without_empty(value) for key, value in data.items()}
    return {key: value for key, value in cleaned.items() if value not in ({}, None)}


def only(edits_made: tuple[Any, ...], content: bytes) -> bytes:
    return edits.apply(edits_made[0], content) if edits_made else content


@settings(max_examples=60, deadline=None)
@given(values(), wishes())
def test_an_edit_reaches_exactly_what_is_wanted(written, wish):
    """Every chosen ring is in its state, the runtime block is as wanted, all else is the same."""
    data, content = written

    assert load(content) == data
    after = only(edit([SourceFile(path="v.yaml", content=content)], wish), content)

    view = read([SourceFile(path="v.yaml", content=after)], product=Product.MIMIR)
    for name, state in wish.states.items():
        config = view.rings[name]
        found = config.state if config and config.store else StoreState.MEMBERLIST
        assert found is state
        if state.is_multi:
            assert config.mirror_enabled is wish.mirror
        if state is not StoreState.MEMBERLIST:
            assert config.dynamodb == wish.dynamodb[name]
    assert view.runtime == wish.runtime
    assert outside(load(after), wish) == outside(data, wish)


@settings(max_examples=40, deadline=None)
@given(values(), wishes())
def test_an_edit_changes_addressed_lines_only(written, wish):
    """Every line that goes or changes names something that was addressed."""
    _, content = written

    for made in edit([SourceFile(path="v.yaml", content=content)], wish):
        gone = [line for hunk in made.hunks for line in lines_of(hunk, content)]
        if b"text:" in content:
            # A comment of a removed block must not become part of a text above it.
            gone = [line for line in gone if line.strip() and not line.lstrip().startswith("#")]
        assert all(map(TOUCHED.search, gone))


def lines_of(hunk: Hunk, content: bytes) -> list[str]:
    """The lines of a file that a hunk takes out or changes."""
    if not hunk.before and hunk.after.startswith((b"\n", b"\r\n")):
        return []
    start = content.rfind(b"\n", 0, hunk.start) + 1
    if not hunk.before and hunk.start == start:
        return []
    return content[start : hunk.start + len(hunk.before)].decode("utf-8-sig").splitlines()


@settings(max_examples=40, deadline=None)
@given(values(), wishes())
def test_edit_then_undo_gives_the_same_bytes(written, wish):
    """The record alone puts the file back, whatever it looked like."""
    _, content = written
    made = edit([SourceFile(path="v.yaml", content=content)], wish)
    after = only(made, content)

    record = edits.write_record([edits.inverse(each, content) for each in made])
    back = undo(
        edits.read_record(record, path="v.yaml.undo"),
        [SourceFile(path="v.yaml", content=after)],
    )

    assert edits.sha256(only(back, after)) == edits.sha256(content)


@settings(max_examples=40, deadline=None)
@given(values(), wishes())
def test_undo_keeps_an_unrelated_edit(written, wish):
    """A line changed and lines added elsewhere since the edit are still there after the undo."""
    _, content = written
    made = edit([SourceFile(path="v.yaml", content=content)], wish)
    after = only(made, content)
    bom = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""

    def unrelated(text: bytes) -> bytes:
        text = bom + b"# by somebody else\n# on the same day\n" + text[len(bom) :]
        return re.sub(rb"(querier:[^\n]*\n?[^\n]*replicas: *)1", rb"\g<1>9", text)

    drifted = unrelated(after)
    back = undo(
        [edits.inverse(each, content) for each in made],
        [SourceFile(path="v.yaml", content=drifted)],
    )

    assert only(back, drifted) == unrelated(content)

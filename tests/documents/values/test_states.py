"""The four states of a ring, the runtime block, and what an edit leaves alone."""

from __future__ import annotations

from textwrap import dedent

import pytest
from wishes import edit, read

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, undo
from mimir_migrate.errors import EditRefusedError, FileChangedError, UsageError
from mimir_migrate.model.edits import PathChange
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import DynamoDBSettings, RuntimeBlock, StoreState

MIMIR = """\
mimir:
  structuredConfig:
    ruler:
      ring:
        kvstore:
          prefix: rules/   # ours
          store: consul    # to be moved
          consul: {host: "consul:8500"}
        heartbeat_period: 15s
ruler:
  replicas: 2
"""
CORTEX = """\
config:
  auth_enabled: true
  ruler:
    enable_sharding: true
    ring:
      kvstore:
        store: 'memberlist'
runtimeconfigmap:
  create: true
"""


def files(*texts: str) -> list[SourceFile]:
    return [
        SourceFile(path=f"values-{number}.yaml", content=text.encode())
        for number, text in enumerate(texts)
    ]


def test_both_stores_keep_everything_else_of_the_block(changed, wanted):
    """Prefix, the other store's block and comments stay; the store's own line keeps its comment."""
    after = changed(MIMIR, wanted("memberlist+dynamodb", mirror=False))

    assert after == MIMIR.replace(
        "          store: consul    # to be moved\n",
        "          store: multi    # to be moved\n"
        "          multi:\n"
        "            primary: memberlist\n"
        "            secondary: dynamodb\n"
        "            mirror_enabled: false\n"
        "          dynamodb:\n"
        "            region: eu-west-1\n"
        "            table_name: rings\n"
        "            puller_sync_time: 10s\n",
    )


def test_dynamodb_has_no_multi_block(changed, wanted):
    """The state of one store takes the block of two out, and nothing else."""
    both = changed(MIMIR, wanted("dynamodb+memberlist"))

    after = changed(both, wanted("dynamodb"))

    assert "multi" not in after
    assert after.count("\n") == MIMIR.count("\n") + 4


def test_ttl_is_written_only_when_asked_for(changed, wanted):
    """The state's block has a ttl where the settings have one."""
    settings = DynamoDBSettings(
        region="eu-west-1", table_name="rings", puller_sync_time="5s", ttl="24h"
    )

    after = changed(MIMIR, wanted("dynamodb", settings=settings))

    assert "            ttl: 24h\n" in after
    assert "ttl" not in changed(MIMIR, wanted("dynamodb"))


def test_memberlist_of_mimir_is_no_key_at_all(wanted):
    """Mimir's own default needs no store; emptied mappings go with it, and a note says so."""
    text = dedent("""\
        mimir:
          structuredConfig:
            limits: {max_label_names_per_series: 40}
            ruler:
              ring:
                kvstore:
                  store: dynamodb
                  dynamodb:
                    region: eu-west-1
        """)

    (made,) = edit(files(text), wanted("memberlist"))

    assert edits.apply(made, text.encode()).decode() == "".join(text.splitlines(keepends=True)[:3])
    assert "canonical" in made.notes[0]


def test_a_comment_of_a_removed_block_stays_unless_it_would_change_a_text(changed, wanted):
    """Somebody's words outlive the block, but never become part of a text above it."""
    ring = (
        "    ruler:\n      ring:\n        kvstore:\n          # of the team\n"
        "          store: dynamodb\n"
    )
    plain = "mimir:\n  structuredConfig:\n    limits: {a: 1}\n"
    text = "mimir:\n  structuredConfig:\n    note: |\n     a text\n"

    assert changed(plain + ring, wanted("memberlist")) == plain + "          # of the team\n"
    assert changed(text + ring, wanted("memberlist")) == text


def test_memberlist_of_cortex_is_said_in_so_many_words(changed, wanted):
    """Cortex takes consul by itself, so memberlist is written, with the quotes that were there."""
    both = changed(CORTEX, wanted("memberlist+dynamodb"))

    assert "        store: 'multi'\n" in both
    assert "          primary: 'memberlist'\n" in both
    assert changed(both, wanted("memberlist")) == CORTEX


def test_memberlist_said_explicitly_is_left_as_it_is(wanted):
    """A ring that is in the wanted state already is not edited."""
    text = MIMIR.replace("consul    #", "memberlist #")

    assert edit(files(text), wanted("memberlist")) == ()


def test_a_lower_store_is_covered_by_memberlist(wanted):
    """Where a replaced template names another store, leaving the key out would not do."""
    text = dedent("""\
        mimir:
          config: |
            ruler:
              ring:
                kvstore:
                  store: consul
          structuredConfig:
            ruler:
              ring:
                kvstore:
                  store: dynamodb
        """)

    (made,) = edit(files(text), wanted("memberlist"))

    assert "store: memberlist" in edits.apply(made, text.encode()).decode()


def test_the_runtime_block_of_mimir(changed, wanted):
    """Both keys of the block are written below the runtime configuration that is there."""
    text = MIMIR + "runtimeConfig:\n  overrides: {}\n"
    block = RuntimeBlock(primary="memberlist", mirror_enabled=False)

    after = changed(text, wanted("memberlist+dynamodb", runtime=block))

    assert after.endswith(
        "  overrides: {}\n  multi_kv_config:\n    primary: memberlist\n    mirror_enabled: false\n"
    )
    assert changed(after, wanted("memberlist+dynamodb")).endswith("  overrides: {}\n")


def test_the_runtime_block_of_cortex(changed, wanted):
    """The Cortex chart has the runtime configuration inside its ConfigMap's settings."""
    block = RuntimeBlock(primary="dynamodb", mirror_enabled=True)

    after = changed(CORTEX, wanted("memberlist+dynamodb", runtime=block))

    assert after.endswith(
        "  create: true\n  runtime_config:\n    multi_kv_config:\n"
        "      primary: dynamodb\n      mirror_enabled: true\n"
    )


def test_a_runtime_block_can_be_left_alone(changed, wanted):
    """What is not to be touched is not touched, although it is not what is wanted."""
    text = MIMIR + "runtimeConfig: {multi_kv_config: {primary: consul}}\n"

    after = changed(text, wanted("dynamodb", keep_runtime=True))

    assert "runtimeConfig: {multi_kv_config: {primary: consul}}\n" in after


def test_the_edit_goes_where_the_setting_lives(wanted):
    """With several files the one of highest precedence that has the setting changes."""
    other = (
        "mimir:\n  structuredConfig:\n    ingester:\n      ring:\n        replication_factor: 3\n"
    )

    made = edit(files(MIMIR, other), wanted("dynamodb", "ruler", "ingester"))

    assert [each.path for each in made] == ["values-0.yaml", "values-1.yaml"]
    assert b"ruler" not in b"".join(hunk.after for hunk in made[1].hunks)


def test_a_setting_that_a_later_file_wins_is_changed_there(wanted):
    """Every leaf is changed in the file whose word counts, and taken out of every file."""
    upper = (
        "mimir:\n  structuredConfig:\n    ruler:\n      ring:\n        kvstore:\n"
        "          multi:\n            primary: consul\n"
    )
    lower = MIMIR.replace("consul    #", "multi     #")

    (made,) = edit(files(lower, upper), wanted("memberlist+dynamodb"))
    after = [
        files(lower)[0],
        SourceFile(path=made.path, content=edits.apply(made, upper.encode())),
    ]

    view = read(after)
    assert view.rings["ruler"].state is StoreState.MEMBERLIST_DYNAMODB
    assert edit(after, wanted("memberlist+dynamodb")) == ()
    single = edit(after, wanted("dynamodb"))
    assert {each.path for each in single} == {"values-0.yaml", "values-1.yaml"}


def test_what_no_file_has_goes_into_the_last_one(wanted):
    """A new setting stands in the file of highest precedence."""
    made = edit(
        files("mimir:\n  structuredConfig: {}\n", "ruler:\n  replicas: 1\n"), wanted("dynamodb")
    )

    assert [each.path for each in made] == ["values-1.yaml"]


def test_reading_shows_state_place_and_root():
    """The view has each ring's literal settings and where they stand."""
    view = read(files(MIMIR))

    assert view.product is Product.MIMIR
    assert view.rings["ruler"].store == "consul"
    assert view.rings["ruler"].prefix == "rules/"
    assert view.rings["ingester"] is None
    assert view.places["ruler"] == ("values-0.yaml", 7)
    assert view.shape == "values"
    assert view.root == ()


def test_all_rings_are_those_that_the_binary_is_sure_to_know():
    """Rings that are off and not set are left out of `all`, as are those that cannot be moved."""
    mimir = read(files(MIMIR)).all_rings
    cortex = read(files(CORTEX)).all_rings

    assert mimir == (
        "ingester", "distributor", "store-gateway", "compactor", "ruler", "alertmanager",
    )  # fmt: skip
    assert cortex == ("ingester", "ruler")


def test_path_changes_name_settings():
    """The second view of an edit: paths, before and after."""
    after = MIMIR.replace("store: consul", "store: multi").replace(
        "        heartbeat_period: 15s\n", ""
    )

    assert ValuesFiles(files(MIMIR)).changes_to(ValuesFiles(files(after))) == (
        PathChange(
            path="mimir.structuredConfig.ruler.ring.kvstore.store",
            before="consul",
            after="multi",
        ),
        PathChange(
            path="mimir.structuredConfig.ruler.ring.heartbeat_period", before="15s", after=None
        ),
    )


def test_structured_configuration_is_merged_and_located():
    """The configuration check gets merged data, and the place of each key."""
    upper = "mimir:\n  structuredConfig:\n    ruler:\n      rule_path: /data\nrubbish: 1\n"

    config, runtime = ValuesFiles(files(MIMIR, upper)).structured

    assert config["ruler"]["rule_path"] == "/data"
    assert config["ruler"]["ring"]["heartbeat_period"] == "15s"
    assert runtime == {}
    assert ValuesFiles(files(MIMIR, upper)).place(("mimir", "structuredConfig", "ruler", "rule_path")) == (
        "values-1.yaml", 4, 7,
    )  # fmt: skip
    assert ValuesFiles(files(MIMIR)).place(("mimir", "nothing")) is None


def test_undo_brings_the_bytes_back_and_keeps_an_unrelated_edit(wanted):
    """The record finds its places again by what stands around them."""
    (made,) = edit(files(MIMIR), wanted("memberlist+dynamodb"))
    after = edits.apply(made, MIMIR.encode())
    record = edits.write_record([edits.inverse(made, MIMIR.encode())])
    moved = b"# a new first line\n" + after.replace(b"replicas: 2", b"replicas: 3")

    (back,) = undo(
        edits.read_record(record, path="values.yaml.undo"),
        [SourceFile(path="elsewhere.yaml", content=moved)],
    )

    expected = "# a new first line\n" + MIMIR.replace("replicas: 2", "replicas: 3")
    assert edits.apply(back, moved).decode() == expected


def test_the_rollback_uses_the_record_where_it_fits(wanted):
    """With the record the bytes return, although the canonical form would be another one."""
    text = MIMIR.replace("consul    #", '"memberlist" #')
    (made,) = edit(files(text), wanted("dynamodb"))
    now = SourceFile(path="values-0.yaml", content=edits.apply(made, text.encode()))

    (back,) = edit([now], wanted("memberlist"), original=[edits.inverse(made, text.encode())])

    assert edits.apply(back, now.content).decode() == text
    assert back.notes == ()


def test_a_record_that_fits_no_more_gives_the_canonical_form(wanted):
    """Somebody changed the lines of the edit itself; the state is reached all the same."""
    (made,) = edit(files(MIMIR), wanted("dynamodb"))
    drifted = edits.apply(made, MIMIR.encode()).replace(b"rings", b"other")
    now = SourceFile(path="values-0.yaml", content=drifted)
    record = [edits.inverse(made, MIMIR.encode())]

    with pytest.raises(FileChangedError):
        undo(record, [now])
    (back,) = edit([now], wanted("memberlist"), original=record)

    assert "canonical" in back.notes[0]
    assert b"dynamodb" not in edits.apply(back, drifted)


def test_part_of_the_rollback_keeps_how_memberlist_was_said(wanted):
    """One ring of two goes back; it had said memberlist in so many words and does so again."""
    text = MIMIR.replace("consul    #", "memberlist #")
    (made,) = edit(files(text), wanted("dynamodb", "ruler", "ingester"))
    now = SourceFile(path="values-0.yaml", content=edits.apply(made, text.encode()))

    (back,) = edit([now], wanted("memberlist"), original=[edits.inverse(made, text.encode())])

    view = read([SourceFile(path="v", content=edits.apply(back, now.content))])
    assert view.rings["ruler"].store == "memberlist"
    assert view.rings["ingester"].store == "dynamodb"


def test_placeholders_are_written_and_kept(changed, wanted):
    """A placeholder may be a value; one that fills in a DynamoDB setting is not overwritten."""
    settings = DynamoDBSettings(region="${aws_region}", table_name="${table}-x")

    after = changed(MIMIR, wanted("dynamodb", settings=settings))

    assert "            region: ${aws_region}\n" in after
    assert '            table_name: "${table}-x"\n' in after
    assert "region: ${aws_region}" in changed(after, wanted("memberlist+dynamodb"))


def test_unknown_rings_and_missing_tables_are_wrong_use(wanted):
    """The caller follows what is missing before any text is looked at closely."""
    with pytest.raises(UsageError, match="no ring named 'index-gateway'"):
        edit(files(MIMIR), wanted("memberlist", "index-gateway"))
    with pytest.raises(UsageError, match="no DynamoDB table"):
        edit(files(MIMIR), type(wanted("dynamodb"))(states={"ruler": StoreState.DYNAMODB}))


def test_external_configuration_is_pointed_out(wanted):
    """The chart does not render the configuration, so the edit would change nothing."""
    (made,) = edit(files("useExternalConfig: true\n" + MIMIR), wanted("dynamodb"))

    assert "useExternalConfig" in made.notes[0]


def test_a_foreign_runtime_configuration_is_not_made_up(wanted):
    """The Cortex chart does not make the ConfigMap, so a block in it would be read by nobody."""
    text = CORTEX.replace("create: true", "create: false")
    block = RuntimeBlock(primary="memberlist", mirror_enabled=True)

    with pytest.raises(EditRefusedError, match=r"runtimeconfigmap.create is false") as refused:
        edit(files(text), wanted("memberlist+dynamodb", runtime=block))

    assert refused.value.line == 9

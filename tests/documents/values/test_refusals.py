"""What cannot be edited safely is refused with its class, its place and what to do."""

from __future__ import annotations

import itertools
from textwrap import dedent

import pytest
from wishes import edit

from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.errors import EditRefusedError, ExitCode

RING = "mimir:\n  structuredConfig:\n    ruler:\n      ring:\n"

REFUSED = {
    "a key stands twice": (
        "duplicate-keys",
        (4, 1),
        """\
        mimir: {structuredConfig: {}}
        ruler:
          replicas: 2
        mimir:
          structuredConfig: {}
        """,
    ),
    "a quote is never closed": (
        "not-yaml",
        (4, 1),
        """\
        mimir:
          structuredConfig:
            limits: "40
        """,
    ),
    "tabs indent": ("not-yaml", (2, 1), "mimir:\n\tstructuredConfig: {}\n"),
    "a branch inside the ring's block": (
        "template-directive",
        (8, 11),
        RING
        + """\
        kvstore:
          store: multi
          %{ if big }
          multi: {primary: memberlist, secondary: consul}
          %{ endif }
""",
    ),
    "the ring is in one branch only": (
        "template-directive",
        (5, 5),
        """\
        mimir:
          structuredConfig:
            limits: {}
        {{- if .Values.sharding }}
            ruler:
              ring: {}
        {{- end }}
        """,
    ),
    "two branches set the ring": (
        "template-directive",
        (6, 9),
        RING
        + """\
{{- if .Values.dynamodb }}
        kvstore: {store: dynamodb}
{{- else }}
        kvstore: {store: memberlist}
{{- end }}
""",
    ),
    "the store is filled in": (
        "template-directive",
        (6, 18),
        RING + "        kvstore:\n          store: ${ring_store}\n",
    ),
    "the block is an alias": (
        "shared-alias",
        (7, 18),
        """\
        rings: &ring {store: memberlist}
        mimir:
          structuredConfig:
            distributor: {ring: {kvstore: *ring}}
            ruler:
              ring:
                kvstore: *ring
        """,
    ),
    "the block is what an alias stands for": (
        "shared-alias",
        (4, 13),
        """\
        mimir:
          structuredConfig:
            ruler:
              ring: &ring
                heartbeat_period: 15s
            distributor:
              ring: *ring
        """,
    ),
    "the block comes from a merge key": (
        "shared-alias",
        (1, 24),
        """\
        rings: &ring {kvstore: {store: consul}}
        mimir:
          structuredConfig:
            ruler:
              ring:
                <<: *ring
        """,
    ),
    "a flag wins": (
        "flag-override",
        (8, 5),
        RING
        + """\
        heartbeat_period: 15s
querier:
  extraArgs:
    ruler.ring.store: consul
""",
    ),
    "a flag in a list wins": (
        "flag-override",
        (7, 38),
        RING
        + """\
        heartbeat_period: 15s
querier: {extraArgs: []}
ruler: {extraArgs: [-log.level=warn, "-ruler.ring.multi.primary=consul"]}
""",
    ),
    "the template was replaced": (
        "config-string",
        (6, 11),
        """\
        mimir:
          config: |
            ruler:
              ring:
                kvstore:
                  store: consul
        """,
    ),
    "the template was replaced, in branches": (
        "config-string",
        (6, 11),
        """\
        mimir:
          config: |
            ruler:
              ring:
                kvstore:
                  store: consul
            {{- if .Values.zones }}
              zone:
            {{- end }}
             - odd
        """,
    ),
    "the ring is not a mapping": (
        "no-chart-values",
        (4, 13),
        "mimir:\n  structuredConfig:\n    ruler:\n      ring: [1]\n",
    ),
    "another chart": ("no-chart-values", (0, 0), "loki:\n  auth_enabled: false\n"),
    "the product's own configuration": (
        "no-chart-values",
        (0, 0),
        "target: all\nruler:\n  ring:\n    kvstore: {store: memberlist}\n",
    ),
    "a manifest without values": (
        "no-chart-values",
        (0, 0),
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {path: x}}\n",
    ),
    "two charts": (
        "no-chart-values",
        (0, 0),
        """\
        one: {mimir: {structuredConfig: {}}}
        two: {mimir: {structuredConfig: {}}}
        """,
    ),
    "nothing": ("no-chart-values", (0, 0), ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_has_class_and_place(case, wanted):
    """Each case is refused with its class, its line and column, and a hint."""
    refusal, place, text = REFUSED[case]
    file = SourceFile(path="values.yaml", content=dedent(text).encode())

    with pytest.raises(EditRefusedError) as refused:
        edit([file], wanted("memberlist+dynamodb"))

    error = refused.value
    assert (error.refusal, (error.line, error.column)) == (refusal, place)
    assert error.hint
    assert error.exit_code is ExitCode.BLOCKED
    assert str(error).startswith("values.yaml")


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (r'"mimir:\n  structuredConfig: {}\nruler:\n  replicas: 2\n"', "in quotes"),
        ("'mimir:\n\n          structuredConfig: {}\n\n        ruler: {}'", "in quotes"),
        (">\n        mimir:\n          structuredConfig: {}\n", "folded with `>`"),
    ],
)
def test_values_in_a_text_that_is_no_literal_block_are_named(written, named, wanted):
    """Argo CD's `values` and ConfigMaps: the message says where they are and how to write them."""
    text = (
        "kind: Application\nmetadata: {name: mimir}\nspec:\n  source:\n"
        f"    chart: mimir-distributed\n    helm:\n      values: {written}\n"
    )
    with pytest.raises(EditRefusedError) as refused:
        edit([SourceFile(path="values.yaml", content=text.encode())], wanted("dynamodb"))
    error = refused.value
    assert (error.refusal, error.line) == ("no-chart-values", 7)
    assert f"at spec.source.helm.values are a text {named}" in error.message
    assert "`values: |`" in error.hint


def test_bytes_that_are_no_text_are_refused_with_their_place(wanted):
    """A file in another encoding is not guessed at."""
    file = SourceFile(path="v.yaml", content="mimir:\n  a: é\n".encode("latin-1"))

    with pytest.raises(EditRefusedError) as refused:
        edit([file], wanted("dynamodb"))

    assert (refused.value.refusal, refused.value.line, refused.value.column) == ("not-yaml", 2, 6)


def test_a_merged_scalar_is_covered_and_not_changed(changed, wanted):
    """A shared mapping stays as it is; the ring's own key wins over it."""
    text = "kv: &kv {store: consul}\n" + RING + "        kvstore:\n          <<: *kv\n"

    after = changed(text, wanted("dynamodb"))

    assert after.startswith("kv: &kv {store: consul}\n")
    assert "          <<: *kv\n          store: dynamodb\n          dynamodb:\n" in after


def test_a_file_wrapped_in_one_directive_is_edited(changed, wanted):
    """A condition around everything is not a branch of the ring's."""
    text = "{{- if .Values.enabled }}\n" + RING + "        heartbeat_period: 15s\n{{- end }}\n"

    after = changed(text, wanted("dynamodb"))

    assert after.endswith("            puller_sync_time: 10s\n{{- end }}\n")


def test_new_lines_stay_out_of_a_branch(changed, wanted):
    """What stands at the end of a mapping in a branch does not take the new entry with it."""
    text = (
        RING
        + "        heartbeat_period: 15s\n"
        + "%{ if zones }\n        zone_awareness_enabled: true\n%{ endif }\n"
        + "    storage:\n%{ if s3 }\n      backend: s3\n%{ else }\n      backend: gcs\n%{ endif }\n"
    )

    after = changed(text, wanted("dynamodb", "ruler", "ingester"))

    assert "15s\n        kvstore:\n" in after
    assert "%{ endif }\n    ingester:\n      ring:\n" in after


def test_a_directive_quoted_in_a_comment_directs_nothing(changed, wanted):
    """Charts' comments talk about template directives."""
    text = "# {{ if }} opens a block\n" + RING + "        heartbeat_period: 15s # {{ range }}\n"

    assert "store: dynamodb" in changed(text, wanted("dynamodb"))


def test_deep_and_huge_documents_are_refused(wanted):
    """Hostile YAML ends in a refusal, not in a crash."""
    deep = "a: " + "[" * 5000 + "]" * 5000
    names = "abcdefghij"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in itertools.pairwise(names)
    )
    for text in (deep, bomb + "mimir: {structuredConfig: {x: *j}}\n"):
        with pytest.raises(EditRefusedError) as refused:
            edit([SourceFile(path="v.yaml", content=text.encode())], wanted("dynamodb"))

        assert refused.value.refusal == "not-yaml"

"""Real files: every one that holds a chart's values is edited, every other refused by its class."""

from __future__ import annotations

from pathlib import Path

import pytest
from wishes import edit, read

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.errors import EditRefusedError
from mimir_migrate.model.rings import rings_of
from mimir_migrate.model.stores import RuntimeBlock, StoreState

pytestmark = pytest.mark.corpus

FOLDERS = ("values", "chart", "tf", "reference-cluster")
EDITED = 96
"""How many files of the folder are edited; the README says so too."""

REFUSED = {
    "chart/ci-new/offline/classic-architecture-values.yaml": "no-chart-values",
    "chart/ci/offline/large-values.yaml": "no-chart-values",
    "chart/ci/offline/small-values.yaml": "no-chart-values",
    "chart/extra/mimir__development__mimir-microservices-mode__config__mimir.yaml": "no-chart-values",
    "chart/extra/mimir__development__mimir-monolithic-mode__config__mimir.yaml": "no-chart-values",
    "chart/extra/mimir__pkg__mimirtool__config__testdata__ingester-ring-new.yaml": "no-chart-values",
    "chart/extra/mimir__pkg__mimirtool__config__testdata__ingester-ring-old.yaml": "no-chart-values",
    "chart/extra/mimir__pkg__mimirtool__config__testdata__sharding-consul-new.yaml": "no-chart-values",
    "chart/extra/mimir__pkg__mimirtool__config__testdata__sharding-consul-old.yaml": "no-chart-values",
    "reference-cluster/gitops/applications/observability-dev.yaml": "no-chart-values",
    "reference-cluster/helmfile.yaml": "no-chart-values",
    "reference-cluster/k8s/base/policy/network-policies.yaml": "no-chart-values",
    "reference-cluster/k8s/base/policy/resource-policies.yaml": "no-chart-values",
    "reference-cluster/terraform/envs/dev/main.tf": "not-yaml",
    "reference-cluster/terraform/envs/dev/outputs.tf": "not-yaml",
    "reference-cluster/terraform/envs/dev/variables.tf": "not-yaml",
    "reference-cluster/terraform/envs/dev/versions.tf": "no-chart-values",
    "reference-cluster/terraform/modules/dynamodb/data.tf": "no-chart-values",
    "reference-cluster/terraform/modules/dynamodb/main.tf": "not-yaml",
    "reference-cluster/terraform/modules/dynamodb/outputs.tf": "not-yaml",
    "reference-cluster/terraform/modules/dynamodb/variables.tf": "not-yaml",
    "reference-cluster/terraform/modules/iam/data.tf": "not-yaml",
    "reference-cluster/terraform/modules/iam/main.tf": "not-yaml",
    "reference-cluster/terraform/modules/iam/outputs.tf": "not-yaml",
    "reference-cluster/terraform/modules/iam/variables.tf": "not-yaml",
    "tf/46ki75__internal__terraform__lambda.tf": "not-yaml",
    "tf/Acontoso__soar-api__terraform__modules__dynamodb__main.tf": "no-chart-values",
    "tf/DERHauck__aws-infrastructure__@kateops__@cluster__vault-installation__aws-dynamodb.tf": "no-chart-values",
    "tf/DeyoPP__int-tf-modules__dynamodb__main.tf": "no-chart-values",
    "tf/KristianMeier__cvr-clone-public__infrastructure__database__dynamodb__data-sources.tf": "no-chart-values",
    "tf/cloudposse__terraform-aws-dynamodb__examples__complete__main.tf": "no-chart-values",
    "tf/digitalis-io__terraform-k8s-monitoring__modules__mimir__variables.tf": "not-yaml",
    "tf/henrypham67__istio__observability__infra__main.tf": "not-yaml",
    "tf/matheusraz__observability-module__loki.tf": "not-yaml",
    "tf/mgnimbus__observability___5_mimir__main.tf": "no-chart-values",
    "tf/nlamirault__terraform-aws-observability__modules__loki__iam.tf": "not-yaml",
    "tf/nlamirault__terraform-aws-observability__modules__mimir__data.tf": "not-yaml",
    "tf/nlamirault__terraform-aws-observability__modules__mimir__iam.tf": "not-yaml",
    "tf/ockendenjo__tfmods__iam-dynamodb__main.tf": "not-yaml",
    "tf/pruissen__grafana-platform-microk8s__terraform__main.tf": "not-yaml",
    "tf/rafaelmarques7__terraform-aws-dynamodb__dynamodb.tf": "no-chart-values",
    "tf/rafaelmarques7__terraform-aws-dynamodb__examples__4.full__main.tf": "no-chart-values",
    "tf/squareops__terraform-kubernetes-grafana-stack__main.tf": "not-yaml",
    "tf/squareops__terraform-kubernetes-grafana-stack__mimir.tf": "not-yaml",
    "tf/terraform-aws-modules__terraform-aws-dynamodb-table__autoscaling.tf": "not-yaml",
    "tf/terraform-aws-modules__terraform-aws-dynamodb-table__examples__autoscaling__main.tf": "no-chart-values",
    "tf/terraform-aws-modules__terraform-aws-dynamodb-table__examples__basic__main.tf": "not-yaml",
    "values/D1g1talS0ul__kubernetes-apps__apps__mimir__values.yaml": "config-string",
    "values/GekoCloud__cortex-helm__cortex__values.yaml": "product-unsure",
    "values/cmoreira-dev__gitops.observability__argocd__mimir.yaml": "no-chart-values",
    "values/coolguy1771__home-ops__kubernetes__apps__monitoring__mimir__app__helmrelease.yaml": "no-chart-values",
    "values/drivebot-il__grafana-stack__mimir.yaml": "no-chart-values",
    "values/dungdm93__shipyard__helm__mimir__examples__ring-consul.yaml": "no-chart-values",
    "values/expressops-team__expressops__monitoring__mimir__values-minimal.yaml": "config-string",
    "values/expressops-team__expressops__monitoring__mimir__values.yaml": "config-string",
    "values/jh5391__Monitoring_K8S__mimir__values.yaml": "duplicate-keys",
}
"""Each refused file with the class of its refusal."""


def real_files(folder: Path) -> dict[str, Path]:
    corpus = folder / "corpus"
    return {
        path.relative_to(corpus).as_posix(): path
        for name in FOLDERS
        for path in sorted((corpus / name).rglob("*"))
        if path.is_file()
    }


def way(name: str, content: bytes, wanted: object) -> None:
    """Edit to all four states, for all rings and for ruler only, and undo each edit."""
    file = SourceFile(path=name, content=content)
    product = read([file]).product
    every = tuple(ring.name for ring in rings_of(product) if ring.movable)
    for rings in (every, ("ruler",)):
        for state in StoreState:
            block = RuntimeBlock(primary="memberlist", mirror_enabled=True)
            wish = wanted(state, *rings, runtime=block if state.is_multi else None)
            for made in edit([file], wish):
                after = edits.apply(made, content)
                back = edits.write_record([edits.inverse(made, content)])
                (record,) = edits.read_record(back, path=f"{name}.undo")
                view = read([SourceFile(path=name, content=after)])

                assert edits.sha256(edits.apply(record, after)) == edits.sha256(content)
                for ring in rings:
                    config = view.rings[ring]
                    found = config.state if config and config.store else StoreState.MEMBERLIST
                    assert found is state


def test_every_real_file_is_edited_or_refused_by_its_class(shared_files, wanted):
    """The table names each refusal; a new one, or one that went away, fails."""
    refused: dict[str, str] = {}
    edited = 0

    for name, path in real_files(shared_files).items():
        try:
            way(name, path.read_bytes(), wanted)
        except EditRefusedError as error:
            refused[name] = error.refusal
        else:
            edited += 1

    assert refused == REFUSED
    assert edited == EDITED

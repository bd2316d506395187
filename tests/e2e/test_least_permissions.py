"""A whole migration with nothing but what `rbac` prints, at an API server that enforces it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.stories import ReleaseStories
from mimir_migrate.errors import DeniedError
from mimir_migrate.model.facts import Pod
from mimir_migrate.sandbox.deploy import HttpApi
from mimir_migrate.sandbox.files import read_sandbox
from mimir_migrate.settings import load_target

USER, TOKEN = "somebody-with-little", "token-of-somebody-with-little"


class Least(NamedTuple):
    """Somebody who may do what roles allow, and the server that holds them to it."""

    target: str
    api: HttpApi

    def allow(self, manifests: list[Any]) -> None:
        """Let the roles be these."""
        body = {"user": USER, "token": TOKEN, "manifests": yaml.safe_dump_all(manifests)}
        code, answer = self.api.call("POST", "sandbox/users", body)
        assert code == 200, answer
        assert answer["grains"]

    def told(self) -> dict[str, Any]:
        """What was refused, and what nobody needed."""
        _, answer = self.api.call("GET", f"sandbox/users?user={USER}")
        return dict(answer)


def least_of(operator: Any) -> Least:
    """Another kubeconfig and another target file for the operator's sandbox."""
    place: Path = operator.sandbox
    kubeconfig = json.loads((place / "kubeconfig").read_text())
    kubeconfig["users"][0]["user"]["token"] = TOKEN
    (place / "least.kubeconfig").write_text(json.dumps(kubeconfig))
    target = re.sub(
        r'kubeconfig = "[^"]*"',
        'kubeconfig = "least.kubeconfig"',
        (place / "target.toml").read_text(),
    )
    (place / "least.toml").write_text(target)
    return Least(str(place / "least.toml"), HttpApi(read_sandbox(place)))


def printed(operator: Any, *options: str) -> list[Any]:
    """The manifests that `rbac` prints."""
    text = operator.call("rbac", "--target", operator.target, *options).out
    return [one for one in yaml.safe_load_all(text) if one]


@pytest.mark.parametrize(
    ("operator", "options"),
    [("mimir", ()), pytest.param("cortex", ("--list-secrets",), marks=pytest.mark.soak)],
    indirect=["operator"],
)
def test_a_migration_needs_what_rbac_prints_and_nothing_else(
    operator: Any, options: tuple[str, ...]
) -> None:
    """There and back: nothing is refused, and of every rule every verb on every resource was needed.

    Without the right to list Secrets the release's own is found by counting up, which asks for some that
    are not allowed or not there yet.
    """
    least = least_of(operator)
    least.allow(printed(operator, *options))
    plan = str(operator.sandbox / "least.json")

    operator.call("inspect", "--target", least.target)
    operator.call(
        *("plan", "--target", least.target, "--to", "dynamodb", "--rings", "ruler", "-o", plan)
    )
    operator.call("apply", plan, "--yes")
    operator.call("rollback", "--yes")

    told = least.told()
    assert [one for one in told["refused"] if not one.startswith("secrets")] == []
    if options:
        assert told["refused"] == []
    spare = {
        (one["resource"], one["verb"], one["name"])
        for one in told["not_needed"]
        if not one["name"].startswith("sh.helm.release")
    }
    assert spare <= OTHERWISE, spare - OTHERWISE


def stories_of(least: Least) -> tuple[ReleaseStories, Pod]:
    """What reads a pod's log and events as somebody with little, and a pod."""
    target = load_target(least.target, {})
    api = KubernetesApi.connect(target.kubernetes, connections=1)
    cluster = KubernetesCluster(api, target.kubernetes)
    pod = next(one for one in cluster.pods() if one.component == "ruler")
    return ReleaseStories(api, target.kubernetes.namespace), pod


def test_a_pod_s_log_and_events_need_the_optional_rights(cortex: Any) -> None:
    """Without them a refusal names what lacks; with those two comments taken away both are shown."""
    least = least_of(cortex)
    text = cortex.call("rbac", "--target", cortex.target).out
    least.allow([one for one in yaml.safe_load_all(text) if one])
    stories, pod = stories_of(least)
    with pytest.raises(DeniedError) as log:
        stories.log(pod, 5)
    with pytest.raises(DeniedError) as events:
        stories.events(pod)
    assert "rbac" in log.value.hint
    assert "rbac" in events.value.hint

    head, _, rest = text.partition("uncomment what you allow.\n")
    optional, separator, rest = rest.partition("---\n")
    uncommented = head + "\n" + optional.replace("  # ", "  ") + separator + rest
    least.allow([one for one in yaml.safe_load_all(uncommented) if one])
    assert len(stories.log(pod, 2).splitlines()) == 2
    assert any("Scheduled" in event for event in stories.events(pod))


OTHERWISE = {
    ("pods/portforward", "create", ""),
    ("networkpolicies", "list", ""),
    ("namespaces", "get", "observability"),
    ("leases", "create", ""),
}
"""What only other clusters need: where policies close the pods, where kube-system is hidden, or where no
run made the lease before (a sandbox of the pool may have had one)."""


def without(manifests: list[Any], kind: str, number: int) -> list[Any]:
    """Manifests without one rule."""
    return [
        {**one, "rules": one["rules"][:number] + one["rules"][number + 1 :]}
        if one["kind"] == kind
        else one
        for one in manifests
    ]


def test_each_rule_that_is_missing_is_told(cortex: Any) -> None:
    """Whoever was given less follows which verb on what is missing, and that `rbac` prints it."""
    operator = cortex
    least = least_of(operator)
    whole = printed(operator, "--list-secrets")
    heard: list[str] = []
    for kind in ("Role", "ClusterRole"):
        rules = next(one["rules"] for one in whole if one["kind"] == kind)
        for number, rule in enumerate(rules):
            if {"leases", "pods/portforward", "networkpolicies"} & set(rule["resources"]):
                continue  # a run writes the Lease; the others are for clusters with policies
            least.allow(without(whole, kind, number))
            answer = operator.call("inspect", "--target", least.target, "--json", code=None)
            refused = least.told()["refused"]
            assert refused, rule
            heard.append(refused[0])
            # Which cluster it is stays unknown without the namespaces, and nothing rests on it there.
            quiet = "namespaces" in rule["resources"]
            assert quiet or "is forbidden" in answer.out + answer.err, rule
    assert len(heard) > 3

"""How workloads roll: StatefulSets, OnDelete zones, Deployments."""

from __future__ import annotations

RUNTIME = "runtime_config: {file: /var/mimir/runtime.yaml}\n"


def names(world) -> list[str]:
    return [pod["metadata"]["name"] for pod in world.pods()]


def revisions(world) -> set[str]:
    label = "controller-revision-hash"
    return {pod["metadata"]["labels"][label] for pod in world.pods(labels=label)}


def watch_unavailable(world) -> list[tuple[float, str]]:
    """Every deletion mark of a pod, in order."""
    marked = []

    def hear(event) -> None:
        metadata = event.object["metadata"]
        key = metadata["name"]
        if (
            event.plural == "pods"
            and metadata.get("deletionTimestamp")
            and key not in [name for _, name in marked]
        ):
            marked.append((world.scheduler.now(), key))

    world.store.subscribe(hear)
    return marked


def ready(world) -> int:
    return sum(
        1
        for pod in world.pods(labels="app.kubernetes.io/part-of")
        if any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in pod["status"]["conditions"]
        )
    )


def test_a_statefulset_rolls_from_the_highest_ordinal_one_at_a_time(world):
    """Each pod is Ready again before the next one goes; names stay, addresses change."""
    world.config(RUNTIME)
    world.workload("statefulsets", "compactor", "one", replicas=3, podManagementPolicy="Parallel")
    world.settle()
    before = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in world.pods()}
    marked = watch_unavailable(world)

    world.workload("statefulsets", "compactor", "two", replicas=3, podManagementPolicy="Parallel")
    least = 3
    while True:
        world.run(1.0)
        least = min(least, ready(world))
        if world.cluster.is_settled():
            break

    assert [name for _, name in marked] == [f"mimir-compactor-{n}" for n in (2, 1, 0)]
    assert least == 2
    assert set(before) == set(names(world))
    assert not set(before.values()) & {pod["status"]["podIP"] for pod in world.pods()}
    assert len(revisions(world)) == 1


def test_a_statefulset_in_mid_rollout_reports_both_revisions(world):
    """`currentRevision` is the old one, `updateRevision` the new one, until the last pod is Ready."""
    world.config()
    world.workload("statefulsets", "compactor", "one", replicas=2, podManagementPolicy="Parallel")
    world.settle()
    world.workload("statefulsets", "compactor", "two", replicas=2, podManagementPolicy="Parallel")
    world.run(12.0)

    status = world.store.get("statefulsets", "observability", "mimir-compactor")["status"]

    assert status["currentRevision"] != status["updateRevision"]
    assert status["currentReplicas"] == 1
    world.settle()
    status = world.store.get("statefulsets", "observability", "mimir-compactor")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["updatedReplicas"] == 2


def test_a_partition_keeps_lower_ordinals_on_the_old_revision(world):
    """Only ordinals from the partition on are restarted."""
    world.config()
    world.workload("statefulsets", "compactor", "one", replicas=3, podManagementPolicy="Parallel")
    world.settle()
    marked = watch_unavailable(world)

    world.workload(
        "statefulsets",
        "compactor",
        "two",
        replicas=3,
        podManagementPolicy="Parallel",
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
    )
    world.run(300.0)

    assert [name for _, name in marked] == ["mimir-compactor-2"]
    assert len(revisions(world)) == 2


def test_ordered_pods_start_one_after_another(world):
    """Without Parallel, a pod is created when the one before it is Ready."""
    world.config()
    world.workload("statefulsets", "compactor", "one", replicas=3)
    world.run(3.0)
    assert names(world) == ["mimir-compactor-0"]
    world.settle()
    assert len(names(world)) == 3


def zones(world, checksum: str, most: str = "1") -> None:
    world.operator()
    for zone in "abc":
        world.workload(
            "statefulsets",
            "ingester",
            checksum,
            name=f"mimir-ingester-zone-{zone}",
            replicas=2,
            podManagementPolicy="Parallel",
            updateStrategy={"type": "OnDelete"},
            labels={"rollout-group": "ingester", "zone": f"zone-{zone}"},
            annotations={"rollout-max-unavailable": most},
        )


def test_on_delete_zones_go_one_zone_at_a_time(world):
    """The rollout-operator ends one zone before it begins the next, one pod at a time."""
    world.config()
    zones(world, "one")
    world.settle()
    marked = watch_unavailable(world)

    zones(world, "two")
    least = 6
    while True:
        world.run(1.0)
        least = min(least, ready(world))
        if world.cluster.is_settled():
            break

    assert [name.rpartition("-")[0] for _, name in marked] == [
        f"mimir-ingester-zone-{zone}" for zone in "aabbcc"
    ]
    assert least == 5
    assert len(revisions(world)) == 3
    status = world.store.get("statefulsets", "observability", "mimir-ingester-zone-a")["status"]
    assert status["updatedReplicas"] == 2
    assert status["currentRevision"] != status["updateRevision"]


def test_a_whole_zone_may_go_at_once_where_it_is_allowed(world):
    """`rollout-max-unavailable` is the number of pods that may be missing."""
    world.config()
    zones(world, "one")
    world.settle()
    marked = watch_unavailable(world)

    zones(world, "two", most="50")
    world.settle()

    moments = [moment for moment, _ in marked]
    assert len(set(moments)) == 3


def test_nothing_restarts_on_delete_pods_while_the_operator_is_out_of_order(world):
    """The StatefulSet controller leaves OnDelete pods alone."""
    world.config()
    zones(world, "one")
    world.settle()
    world.cluster.rollout_operator_works = False
    marked = watch_unavailable(world)

    zones(world, "two")
    world.run(600.0)

    assert marked == []
    status = world.store.get("statefulsets", "observability", "mimir-ingester-zone-a")["status"]
    assert "updatedReplicas" not in status
    assert status["currentRevision"] != status["updateRevision"]


def test_a_deployment_surges_and_gives_new_pods_new_names_and_addresses(world):
    """maxSurge 1, maxUnavailable 0: never fewer Ready pods than wanted, one more at most."""
    world.config()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.workload("deployments", "querier", "one", replicas=3, strategy=strategy)
    world.settle()
    before = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in world.pods()}

    world.workload("deployments", "querier", "two", replicas=3, strategy=strategy)
    least, most = 3, 3
    while True:
        world.run(0.5)
        alive = [p for p in world.pods() if not p["metadata"].get("deletionTimestamp")]
        least, most = min(least, ready(world)), max(most, len(alive))
        if world.cluster.is_settled():
            break

    after = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in world.pods()}
    assert (least, most) == (3, 4)
    assert not set(before) & set(after)
    assert not set(before.values()) & set(after.values())
    sets = world.store.select("replicasets", "observability")
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 3]
    assert sorted(
        one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for one in sets
    ) == ["1", "2"]


def test_a_deployment_may_be_without_some_pods_where_it_is_allowed(world):
    """maxSurge 0, maxUnavailable 1: an old pod goes before a new one comes."""
    world.config()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    world.workload("deployments", "ruler", "one", replicas=2, strategy=strategy)
    world.settle()
    world.workload("deployments", "ruler", "two", replicas=2, strategy=strategy)
    most = 2
    while not (world.run(0.5) or world.cluster.is_settled()):
        alive = [p for p in world.pods() if not p["metadata"].get("deletionTimestamp")]
        most = max(most, len(alive))

    assert most == 2


def test_an_old_template_brings_its_old_replicaset_back(world):
    """Rolling back is a rollout to a ReplicaSet that is already there, as its newest revision."""
    world.config()
    world.workload("deployments", "ruler", "one", replicas=1)
    world.settle()
    world.workload("deployments", "ruler", "two", replicas=1)
    world.settle()
    world.workload("deployments", "ruler", "one", replicas=1)
    world.settle()

    sets = world.store.select("replicasets", "observability")

    assert len(sets) == 2
    deployment = world.store.get("deployments", "observability", "mimir-ruler")
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_a_terminating_pod_lives_until_its_process_is_gone(world):
    """Its deletion stands at the end of its grace period, and its process is asked, not killed."""
    world.config()
    world.workload("deployments", "ruler", "one", replicas=1)
    world.settle()
    old = names(world)[0]
    world.store.delete("pods", "observability", old)
    world.run(1.0)

    pod = world.store.get("pods", "observability", old)
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 60
    assert world.cluster.process(old).phase.value == "terminating"
    world.run(10.0)
    assert old not in names(world)


def test_a_process_that_does_not_stop_is_killed_after_its_grace_period(world):
    """The grace period of the pod is the longest that it lives on."""
    world.config()
    world.workload("deployments", "ruler", "one", replicas=1)
    world.settle()
    old = names(world)[0]
    world.simulation.stop = lambda name, uid: None
    world.store.delete("pods", "observability", old)
    world.run(59.0)
    assert old in names(world)
    world.run(2.0)
    assert old not in names(world)


def test_a_crashing_process_is_started_again_with_growing_pauses(world):
    """restartCount grows, the container waits in CrashLoopBackOff, the pod is never Ready."""
    world.config("crash: true\n")
    world.workload("deployments", "ruler", "one", replicas=1)
    world.run(120.0)

    status = world.pods()[0]["status"]["containerStatuses"][0]

    assert 3 <= status["restartCount"] <= 5
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["message"] == "error parsing config"
    assert ready(world) == 0


def test_a_rollout_to_a_crashing_configuration_stops_at_the_first_pod(world):
    """A StatefulSet waits for the pod that does not get Ready; the others keep running."""
    world.config()
    world.workload("statefulsets", "compactor", "one", replicas=3, podManagementPolicy="Parallel")
    world.settle()
    world.config("crash: true\n")
    world.workload("statefulsets", "compactor", "two", replicas=3, podManagementPolicy="Parallel")
    world.run(600.0)

    assert ready(world) == 2


def test_the_configuration_is_read_when_the_process_starts_and_the_runtime_file_later(world):
    """A changed ConfigMap reaches a running pod within a minute, its process by a restart only."""
    world.config(RUNTIME, "overrides: {}\n")
    world.workload("deployments", "ruler", "one", replicas=1)
    world.settle()
    spec = world.simulation.started[-1]
    world.config(RUNTIME + "target: x\n", "multi_kv_config: {primary: dynamodb}\n")

    assert world.cluster.runtime_file(spec) == "overrides: {}\n"
    world.run(60.0)
    assert world.cluster.runtime_file(spec) == "multi_kv_config: {primary: dynamodb}\n"
    assert spec.config == RUNTIME
    world.workload("deployments", "ruler", "two", replicas=1)
    world.settle()
    assert world.simulation.started[-1].config == RUNTIME + "target: x\n"


def test_a_pod_without_its_config_map_waits_for_it(world):
    """A missing ConfigMap keeps the container from starting until it is there."""
    world.workload("deployments", "ruler", "one", replicas=1)
    world.run(30.0)
    assert world.simulation.started == []
    world.config()
    world.settle()
    assert ready(world) == 1


def test_deleting_a_workload_takes_its_pods_away(world):
    """ReplicaSets and pods go with what owns them."""
    world.config()
    world.workload("deployments", "ruler", "one", replicas=2)
    world.settle()
    world.store.delete("deployments", "observability", "mimir-ruler")
    world.run(60.0)

    assert world.pods() == []
    assert world.store.select("replicasets", "observability") == []


def test_scaling_down_a_statefulset_takes_the_highest_ordinals(world):
    """replicas 3 → 1 leaves ordinal 0."""
    world.config()
    world.workload("statefulsets", "compactor", "one", replicas=3, podManagementPolicy="Parallel")
    world.settle()
    world.workload("statefulsets", "compactor", "one", replicas=1, podManagementPolicy="Parallel")
    world.settle()

    assert names(world) == ["mimir-compactor-0"]


def test_a_service_is_its_ready_pods_and_a_headless_one_also_those_that_start(world):
    """A query-frontend is Ready only once a querier found it, so it has to be found before."""
    world.config()
    world.workload("deployments", "query-frontend", "one", replicas=1)
    world.run(3.0)  # the pod runs and is not Ready yet
    behind = world.cluster.pods_behind
    (pod,) = world.pods()
    assert behind("mimir-query-frontend") == []
    assert behind("mimir-query-frontend-headless") == [pod["status"]["podIP"]]
    assert behind("memcached") is None
    spec = {"selector": {"app.kubernetes.io/component": "query-frontend"}}
    world.cluster.apply({"metadata": {"name": "users"}, "spec": spec}, "services")
    assert behind("users") == []
    spec = {**spec, "publishNotReadyAddresses": True}
    world.cluster.apply({"metadata": {"name": "users"}, "spec": spec}, "services")
    assert behind("users") == [pod["status"]["podIP"]]
    world.settle()
    assert behind("mimir-query-frontend") == [pod["status"]["podIP"]]


def test_a_pod_that_is_gone_leaves_its_successor_s_files_alone(world):
    """Both have one name, and so one folder: a late refresh would put the earlier file back for good."""
    world.config(RUNTIME)
    world.workload("statefulsets", "compactor", "one", replicas=1)
    world.settle()
    late: list[tuple[str, set[str]]] = []

    def refreshed(spec, _files) -> None:
        late.append((spec.uid, {pod["metadata"]["uid"] for pod in world.pods()}))

    world.cluster.kubelet.on_refresh = refreshed
    world.cluster.kubelet.mount_refresh = 300.0
    for turn in range(8):
        world.config(f"{RUNTIME}# {turn}\n")
        world.workload("statefulsets", "compactor", f"turn-{turn}", replicas=1)
        world.settle()
    world.config(RUNTIME)
    world.run(600.0)
    assert late  # the pod that is there is told
    assert all(uid in there for uid, there in late)

"""How simulated pods reach the bridge's processes, and what of the cluster they stand on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from mimir_migrate.errors import UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.aws.bad_days import BadDays
from mimir_migrate.sandbox.bridging.setup import TOKEN_VARIABLE, with_token
from mimir_migrate.sandbox.bridging.wire import HttpWire
from mimir_migrate.sandbox.furnishing import example_path
from mimir_migrate.sandbox.inprocess import InProcessSandbox
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.pacing import PacedScheduler
from mimir_migrate.sandbox.simulation.host import Host, HostClock
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.stores.wire import NO_ANSWER, Answer, Request


class Place:
    """A wire, and servers behind the name `ring-bridge`."""

    def __init__(self, speed: float = 1.0) -> None:
        self.scheduler = PacedScheduler()
        self.clock = HostClock(self.scheduler, speed)
        self.behind: list[str] | None = []
        self.wire = HttpWire(self.scheduler, speed, self._pods)
        self.seen: list[tuple[str, str, str, bytes]] = []
        self.clients: list[str] = []
        """From which address each request came."""
        self.handed: list[float] = []
        """The pods' time whenever an answer was handed over."""
        self.port = 0
        self._runners: list[web.AppRunner] = []

    def _pods(self, name: str) -> list[str] | None:
        return self.behind if name == "ring-bridge" else None

    def host(self, name: str = "pod", ip: str = "10.0.0.1") -> Host:
        """A pod."""
        return Host(self.clock, random.Random(1), name, ip)

    async def serve(self, ip: str, pause: float = 0.0) -> None:
        """Listen on an address, as one more pod behind the name."""

        async def answer(request: web.Request) -> web.Response:
            await asyncio.sleep(pause)
            body = await request.read()
            token = request.headers.get("X-Consul-Token", "")
            self.seen.append((ip, str(request.rel_url), token, body))
            self.clients.append(request.remote or "")
            return web.Response(body=b"true", headers={"X-Consul-Index": "7"})

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, ip, self.port).start()
        self.port = runner.addresses[0][1]
        self._runners.append(runner)
        assert self.behind is not None
        self.behind.append(ip)

    async def ask(self, host: Host, name: str = "ring-bridge.ns.svc", **more: Any) -> Answer:
        """One request, and what is handed over."""
        found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        request = Request(
            method=more.pop("method", "GET"),
            host=f"{name}:{self.port}",
            key="collectors/ring",
            timeout=more.pop("timeout", 5.0),
            **more,
        )

        def handed(answer: Answer) -> None:
            self.handed.append(self.scheduler.now())
            found.set_result(answer)

        self.wire.send(host, request, handed)
        return await asyncio.wait_for(found, 10)

    async def close(self) -> None:
        """End."""
        await self.wire.close()
        for runner in self._runners:
            await runner.cleanup()


def in_place(work: Callable[[Place], Awaitable[None]], speed: float = 1.0) -> None:
    """Run with a place that is closed at the end."""

    async def whole() -> None:
        place = Place(speed)
        try:
            await work(place)
        finally:
            await place.close()

    asyncio.run(whole())


def test_a_request_arrives_as_the_client_wrote_it() -> None:
    """Method, key, parameters, token and body; status, index and body come back."""

    async def work(place: Place) -> None:
        await place.serve("127.0.0.1")
        answer = await place.ask(
            place.host(), method="PUT", query=(("cas", "5"),), token="word", body=b"value"
        )
        assert answer == Answer(status=200, index=7, body=b"true")
        assert place.seen == [("127.0.0.1", "/v1/kv/collectors/ring?cas=5", "word", b"value")]

    in_place(work)


def test_each_pod_keeps_its_connection_and_new_ones_are_spread() -> None:
    """As behind a Service: a pod's requests go to one replica, other pods' to others."""

    async def work(place: Place) -> None:
        for ip in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            await place.serve(ip)
        for number in range(24):
            host = place.host(f"pod-{number}")
            await place.ask(host)
            await place.ask(host)
        pairs = list(zip(place.seen[::2], place.seen[1::2], strict=True))
        assert all(first[0] == second[0] for first, second in pairs)
        assert len({first[0] for first, _ in pairs}) == 3

    in_place(work)


def test_a_pod_with_an_address_of_this_machine_asks_from_it() -> None:
    """The bridge counts its clients by address."""

    async def work(place: Place) -> None:
        await place.serve("127.0.0.1")
        await place.ask(place.host(ip="127.0.200.7"))
        assert place.clients == ["127.0.200.7"]

    in_place(work)


def test_nobody_there_is_no_answer() -> None:
    """An unknown name, a Service without Ready pods, a refused connection, a pod that does not answer."""

    async def work(place: Place) -> None:
        place.port = 1
        unknown = await place.ask(place.host(), name="other.ns.svc")
        nobody = await place.ask(place.host())
        place.behind = ["127.0.0.1"]
        refused = await place.ask(place.host())
        place.behind, place.port = [], 0
        await place.serve("127.0.0.1", pause=1.0)
        late = await place.ask(place.host(), timeout=0.05)
        statuses = {one.status for one in (unknown, nobody, refused, late)}
        assert statuses == {NO_ANSWER}
        assert "no such host" in unknown.problem
        assert "refused" in nobody.problem
        assert late.problem == "context deadline exceeded"

    in_place(work)


def test_pods_that_end_while_others_begin_cost_nobody_an_answer() -> None:
    """Sessions of ended pods are closed beside, while requests of new pods are under way."""

    async def work(place: Place) -> None:
        await place.serve("127.0.0.1")
        for turn in range(5):
            ended = [place.host(f"old-{turn}-{number}") for number in range(4)]
            await asyncio.gather(*(place.ask(host) for host in ended))
            for host in ended:
                host.alive = False
            begun = [place.host(f"new-{turn}-{number}") for number in range(4)]
            answers = await asyncio.gather(*(place.ask(host) for host in begun for _ in range(3)))
            assert {answer.status for answer in answers} == {200}

    in_place(work)


def test_the_pods_time_waits_for_an_answer_and_not_where_a_fault_delays_it() -> None:
    """At 30 times the speed an answer after half a second comes a second later to pods, not 15."""

    async def work(place: Place) -> None:
        await place.serve("127.0.0.1", pause=0.5)
        host = place.host()
        await place.ask(host)

        def tick() -> None:
            place.scheduler.after(0.01, tick)

        tick()
        for waits, least, most in ((True, 0.0, 1.5), (False, 12.0, 90.0)):
            place.wire.wait_for_answers(waits)
            before = place.scheduler.now()
            await place.ask(host)
            assert least <= (place.handed[-1] - before) * place.clock.speed <= most

    in_place(work, speed=30.0)


def test_the_examples_pods_get_the_token_from_its_secret() -> None:
    """One more variable for every component; what the pods are given is the Secret's text."""
    example = example_path(Product.MIMIR).read_bytes()
    values = with_token(example)
    assert values != example
    sandbox = InProcessSandbox(Product.MIMIR, values)
    secret = {
        "kind": "Secret",
        "metadata": {"name": "ring-bridge-token"},
        "data": {"token": "eA=="},
    }
    sandbox.objects.create("secrets", "observability", secret)
    sandbox.run_for(30)
    pods = sandbox.objects.select(
        "pods", "observability", labels="app.kubernetes.io/component=ruler"
    )
    process = sandbox.cluster.process(pods[0]["metadata"]["name"])
    assert process is not None
    assert process.spec.environment[TOKEN_VARIABLE] == "x"


def test_a_pod_of_the_bridge_is_run_by_others_and_gets_its_address_from_them() -> None:
    """The kubelet asks who runs a pod; one that a fault holds is not started until it is let go."""
    scheduler = VirtualScheduler()
    cluster = Cluster(scheduler, namespace="ns")
    programs = Recorded()
    cluster.kubelet.programs = programs
    container = {"name": "b", "image": "i", "command": ["mimir-migrate"], "args": ["bridge"]}
    pod = {"metadata": {"name": "b-0", "labels": {}}, "spec": {"containers": [container]}}
    programs.held = True
    cluster.store.create("pods", "ns", pod)
    scheduler.run_for(30)
    assert programs.started == []
    programs.held = False
    cluster.kubelet.reconsider()
    scheduler.run_for(5)
    assert programs.started == ["127.0.9.9"]
    cluster.store.delete("pods", "ns", "b-0", grace=0)
    scheduler.run_for(5)
    assert programs.given_back == ["127.0.9.9"]


class Recorded:
    """Runs pods by writing down that it did."""

    def __init__(self) -> None:
        self.addresses = self
        self.held = False
        self.started: list[str] = []
        self.given_back: list[str] = []

    def take(self) -> str:
        return "127.0.9.9"

    def give_back(self, address: str) -> None:
        self.given_back.append(address)

    def runs(self, pod: Any) -> bool:
        return bool(pod["spec"]["containers"][0].get("command"))

    def holds(self, name: str) -> bool:
        return self.held

    def start(self, spec: Any, on_change: Any) -> Any:
        self.started.append(spec.ip)
        from mimir_migrate.sandbox.kubernetes.sidekicks import PlainProcess

        return PlainProcess(spec)

    def stop(self, name: str, uid: str) -> None:
        raise AssertionError("it was to be killed")

    def kill(self, name: str, uid: str) -> None:
        return

    def write_mounts(self, spec: Any, files: Any) -> None:
        raise AssertionError("nothing is mounted")


def test_a_fault_of_the_bridge_needs_a_bridge() -> None:
    """Where none runs the error says how one is had, and other faults do not list them."""
    sandbox = InProcessSandbox(Product.MIMIR, example_path(Product.MIMIR).read_bytes())
    with pytest.raises(UsageError, match="no ring bridge runs") as found:
        sandbox.inject("bridge-away")
    assert "--through bridge" in found.value.hint
    with pytest.raises(UsageError) as other:
        sandbox.inject("no-such-fault")
    assert "bridge-away" not in other.value.hint


def test_bad_days_spoil_requests_until_they_are_over() -> None:
    """Throttled: 400 of that kind; away: 503 once it is back; off: the request is done."""
    days = BadDays()
    assert days.meet() is None
    days.set({"kind": "throttled", "amount": 1.0})
    status, body = days.meet() or ("", b"")
    assert status.startswith("400")
    assert b"ProvisionedThroughputExceededException" in body
    days.set({"kind": "throttled", "amount": 0})
    days.set({"kind": "away", "amount": 1.0})
    days._back.set()
    assert (days.meet() or ("",))[0].startswith("503")
    days.set({"kind": "away", "amount": 0})
    assert days.meet() is None

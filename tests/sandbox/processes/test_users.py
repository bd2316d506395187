"""Users push what Prometheus would, and count what fails by the answers that they get."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import cramjam
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from mimir_migrate.sandbox.processes import users as module
from mimir_migrate.sandbox.processes.users import Users, push_body

_STATUS: list[int] = []


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next status of the list, then with 200."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(_STATUS.pop(0) if _STATUS else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def distributor() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.76.5", 8080), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield "127.0.76.5"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_push_is_a_write_request_of_remote_write() -> None:
    """Read by protobuf itself, with the field numbers of Prometheus' own message."""
    request = _write_request().FromString(bytes(cramjam.snappy.decompress_raw(push_body(7, 12.5))))
    assert len(request.timeseries) == 20
    one = request.timeseries[3]
    assert [(label.name, label.value) for label in one.labels] == [
        ("__name__", "sandbox_pushes"),
        ("series", "3"),
    ]
    assert (one.samples[0].value, one.samples[0].timestamp) == (7.0, 12_500)


def test_failed_refused_and_unanswered_are_counted_apart(
    distributor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that is gone is not a request that the pods could have counted as failed."""
    monkeypatch.setattr(module, "PERIOD", 0.01)
    _STATUS[:] = [200, 500, 503, 429]
    gone = {"name": "b", "ip": "127.0.76.6", "component": "querier", "ready": True}
    here = {"name": "a", "ip": distributor, "component": "distributor", "ready": True}
    users = Users(lambda: [here, gone, {**here, "name": "c", "ip": "127.0.76.7", "ready": False}])
    users.start()
    end = time.monotonic() + 30
    while users.count("push").asked < 6 or users.count("query").asked < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    users.close()
    pushes, queries = users.count("push"), users.count("query")
    assert (pushes.failed, pushes.refused, pushes.unanswered) == (2, 1, 0)
    assert queries.unanswered == queries.asked
    assert {failure.pod for failure in users.failures} == {"a", "b"}


def test_queries_go_to_the_frontend_where_there_is_one() -> None:
    """What queriers are asked by it is split and asked again, so no user sees that; nor does the report."""
    users = Users(list)
    users._known = [{"component": "querier"}]
    assert (users._asked("query"), users._asked("push")) == ("querier", "distributor")
    users._known = [{"component": "querier"}, {"component": "query-frontend"}]
    assert users._asked("query") == "query-frontend"


def test_a_failure_from_a_pod_that_is_being_stopped_counts_apart(
    distributor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counters end with it, so a report may have it or not."""
    monkeypatch.setattr(module, "PERIOD", 0.01)
    monkeypatch.setattr(module, "_LOOK", 0.01)
    _STATUS[:] = [500]
    here = {"name": "a", "ip": distributor, "component": "distributor", "ready": True}
    listed = [[here], [{**here, "ready": False}]]
    users = Users(lambda: listed[bool(not _STATUS)])
    users.start()
    end = time.monotonic() + 30
    while not users.count("push").asked:
        assert time.monotonic() < end
        time.sleep(0.01)
    users.close()
    count = users.count("push")
    assert (count.failed, count.parting, count.unanswered) == (0, 1, 0)


def test_a_pod_that_is_being_stopped_is_known_where_the_list_is_old(
    distributor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine lists pods too late: a query that failed so was held against the report."""
    monkeypatch.setattr(module, "PERIOD", 0.01)
    monkeypatch.setattr(module, "_LOOK", 0.01)
    monkeypatch.setattr(module, "_STOPPING", 0.01)
    _STATUS[:] = [500]
    here = {"name": "a", "ip": distributor, "component": "distributor", "ready": True}
    slow = threading.Event()

    def pods() -> list[dict[str, object]]:
        if threading.current_thread() is not users._threads[0]:
            return [{**here, "ready": False}]
        if users._known:
            slow.wait(30)
        return [here]

    users = Users(pods)
    users.start()
    end = time.monotonic() + 30
    while not users.count("push").asked:
        assert time.monotonic() < end
        time.sleep(0.01)
    slow.set()
    users.close()
    count = users.count("push")
    assert (count.failed, count.parting) == (0, 1)


def _write_request() -> type:
    """Prometheus' messages, described by hand as prompb has them."""
    file = descriptor_pb2.FileDescriptorProto(name="prompb.proto", package="p", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in {
        "Label": [("name", 1, "TYPE_STRING", ""), ("value", 2, "TYPE_STRING", "")],
        "Sample": [("value", 1, "TYPE_DOUBLE", ""), ("timestamp", 2, "TYPE_INT64", "")],
        "TimeSeries": [("labels", 1, "", "Label"), ("samples", 2, "", "Sample")],
        "WriteRequest": [("timeseries", 1, "", "TimeSeries")],
    }.items():
        message = file.message_type.add(name=name)
        for field, number, kind, other in fields:
            one = message.field.add(name=field, number=number, label="LABEL_OPTIONAL")
            if other:
                one.type, one.type_name, one.label = kinds.TYPE_MESSAGE, f".p.{other}", 3
            else:
                one.type = kinds.Type.Value(kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName("p.WriteRequest"))
    assert isinstance(found, type)
    return found

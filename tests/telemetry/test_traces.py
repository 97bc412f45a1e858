"""Messages are followed through modules, languages and runners; read back by the official parser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.ends.input_lines import InputLines
from actors.ends.notes import InputNotes
from actors.messages import client_to_runner as api
from actors.messages.gateway_to_flow import SendBatch
from actors.state.tracing import Context, cut, headers_of
from runtimes.frames import split
from tests.deployment.test_several_runners import until
from tests.deployments import cli, plant
from tests.harness import Harness, need, running
from tests.telemetry.collector import Collector, attributes, collecting

PASS = "def run(message, context):\n    return message\n"
ADD = {
    "python3": "def run(m, c): return m + ['python3']",
    "node": "(m, c) => [...m, 'node']",
    "sbcl": '(lambda (m c) (concatenate \'vector m #("sbcl")))',
    "ruby": "def run(m, c) = m + ['ruby']",
    "php": "<?php\nfunction run($m, $c) { return [...$m, 'php']; }",
}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


@pytest.fixture
def traced(tmp_path: Path, collector: Collector) -> Iterator[Harness]:
    assert collector.url  # it is there before the runner, and after it
    with running(tmp_path / "state") as harness:
        yield harness


def sent(traced: Harness, flow: str) -> int:
    """Spans that the collector has taken, of what was ended."""
    return int(traced.state(flow)["tracing"]["spansSent"])


def test_five_languages_and_two_runners(tmp_path: Path, collector: Collector) -> None:
    for language in ADD:
        need(language)
    runners = ["one", "two", "one", "two", "one"]
    modules = {
        language: {"runtime": language, "code": ADD[language], "runner": runner}
        for language, runner in zip(ADD, runners, strict=True)
    }
    modules["last"] = {"runtime": "python3", "code": PASS, "runner": "two"}
    wires = [f"{a} -> {b}" for a, b in zip([*ADD], [*ADD, "last"][1:], strict=True)]
    (tmp_path / "f.json").write_text(json.dumps({"id": "f", "tracing": True, "modules": modules, "wires": wires}))
    deployment = {"runners": {"one": {}, "two": {}}, "flows": [{"file": "f.json"}]}
    with plant(tmp_path, tracing={"endpoint": collector.url}, **deployment) as up:
        up.wait_until_up()
        sent = up.cli("send", "f/python3", "[]")
        assert sent.returncode == 0, (sent.stderr, up.log.read_text())
        spans = collector.wait(len(modules) + 1)
        with up.client() as client:
            until(lambda: client.flow_state("f")["tracing"]["spansSent"] == len(modules) + 1)
        assert up.cli("down").returncode == 0
    way = ["send python3.in", *(f"process {name}" for name in modules)]
    assert collector.tree() == sorted(zip(way, ["", *way[:-1]], strict=True))
    assert len({span.trace_id for span in spans}) == 1
    by_runner = {
        span.name: attributes(resource.resource)["service.instance.id"]
        for _, _, request in collector.posts for resource in request.resource_spans
        for span in resource.scope_spans[0].spans
    }  # fmt: skip
    assert [by_runner[name] for name in way[1:]] == [*runners, "two"]
    times = {span.name: (span.start_time_unix_nano, span.end_time_unix_nano) for span in spans}
    assert all(begun <= ended for begun, ended in times.values())
    assert [times[name][0] for name in way] == sorted(times[name][0] for name in way)


def test_what_a_span_says(traced: Harness, collector: Collector) -> None:
    traced.add("f", {"a": {"runtime": "python3", "code": PASS}}, tracing=1)
    traced.start("f")
    traced.send("f/a", 1)
    traced.wait(lambda: sent(traced, "f") == 2)
    [(path, headers, request)] = collector.posts
    assert (path, headers["content-type"]) == ("/v1/traces", "application/json")
    resource = attributes(request.resource_spans[0].resource)
    assert resource["service.name"] == "f"
    root, turn = sorted(collector.spans, key=lambda span: span.name == "process a")
    assert (root.kind, turn.kind) == (root.SPAN_KIND_PRODUCER, turn.SPAN_KIND_CONSUMER)
    assert attributes(turn) == {
        "messaging.system": "polyglot_flow_runner", "messaging.operation.name": "process",
        "messaging.operation.type": "process", "messaging.destination.name": "f/a.in",
        "messaging.message.id": "api->a.in#0",
    }  # fmt: skip
    assert turn.status.code == turn.status.STATUS_CODE_UNSET


def test_fused_modules_have_spans_of_their_own(traced: Harness, collector: Collector) -> None:
    modules = {name: {"runtime": "python3", "code": PASS} for name in ("a", "b", "c", "d", "e")}
    modules["e"] = {"runtime": "python3", "code": PASS, "isolated": True}
    wires = ["a -> b", "a -> c", "b -> d", "c -> d", "d -> e"]
    traced.add("f", modules, wires, tracing=True)
    out = traced.collect("f", "e")
    traced.start("f")
    traced.send("f/a", 1)
    traced.wait(lambda: sent(traced, "f") == 7)
    assert out.got == [1, 1]
    expected = [("process a", "send a.in"), ("process b", "process a"), ("process c", "process a")]
    expected += [("process d", "process b"), ("process e", "process d"), ("process e", "process d"), ("send a.in", "")]
    assert collector.tree() == expected
    both = next(span for span in collector.spans if span.name == "process d")
    c = next(span for span in collector.spans if span.name == "process c")
    assert [link.span_id for link in both.links] == [c.span_id]
    assert attributes(both)["messaging.batch.message_count"] == 2
    assert traced.state("f")["wires"]["a.out->b.in"]["fused"]


BAD = "def run(message, context):\n    if message == 2:\n        raise ValueError('two')\n    return message\n"


@pytest.mark.parametrize("where", ["apart", "fused", "retried"])
def test_errors(traced: Harness, collector: Collector, where: str) -> None:
    bad: dict[str, Any] = {"runtime": "python3", "code": BAD}
    if where == "retried":
        bad["retry"] = {"times": 1, "backoff_s": 0.01}
    elif where == "apart":
        bad["isolated"] = True
    modules = {"a": {"runtime": "python3", "code": PASS}, "bad": bad, "sorry": {"runtime": "node", "code": "m => m"}}
    traced.add("f", modules, ["a -> bad", "bad.error -> sorry"], tracing=True)
    traced.start("f")
    traced.send("f/a", 1, 2, 3)
    attempts = 4 if where == "retried" else 3
    traced.wait(lambda: sent(traced, "f") == 3 + 3 + attempts + 1)
    spans = {span.span_id: span for span in collector.spans}
    failed = [span for span in spans.values() if span.status.code]
    assert len(failed) == attempts - 2
    for span in failed:
        assert (span.name, span.status.code, span.status.message) == (
            "process bad",
            span.status.STATUS_CODE_ERROR,
            "two",
        )
        assert attributes(span)["error.type"] == "ValueError"
        assert attributes(span.events[0])["exception.type"] == "ValueError"
        assert spans[span.parent_span_id].name == "process a"
    sorry = next(span for span in spans.values() if span.name == "process sorry")
    assert sorry.parent_span_id in {span.span_id for span in failed}
    traced.audit()


def test_a_host_that_dies(traced: Harness, collector: Collector) -> None:
    """The turn that it died in is shown, and the one that was done again."""
    code = "import os\ndef run(m, c):\n    if not c.redelivered: os._exit(3)\n    return m\n"
    traced.add("f", {"a": {"runtime": "python3", "code": code}}, tracing=True)
    out = traced.collect("f", "a")
    traced.start("f")
    traced.send("f/a", 1)
    traced.wait(lambda: sent(traced, "f") == 3)
    assert out.got == [1]
    died, done = sorted((s for s in collector.spans if s.name == "process a"), key=lambda s: s.start_time_unix_nano)
    assert attributes(died)["error.type"] == "HostDied"
    assert attributes(done)["runner.redelivered"] is True and not done.status.code
    assert died.parent_span_id == done.parent_span_id


def test_sources(traced: Harness, collector: Collector) -> None:
    """What a source sends enters there; what is fused behind it has a span, too."""
    code = "def start(context):\n    for n in range(20): yield n\n"
    modules = {
        "s": {"runtime": "python3", "code": code}, "b": {"runtime": "python3", "code": PASS},
        "c": {"runtime": "node", "code": "m => m"},
    }  # fmt: skip
    traced.add("f", modules, ["s -> b", "b -> c"], tracing=True)
    out = traced.collect("f", "c")
    traced.start("f")
    traced.wait_idle("f")
    traced.wait(lambda: sent(traced, "f") == 60)
    assert out.got == [*range(20)]
    assert collector.tree() == sorted([("process b", "send s"), ("process c", "process b"), ("send s", "")] * 20)


def test_a_share_and_an_order(traced: Harness, collector: Collector) -> None:
    """Some are followed, the order is that of all, and those that are not carry nothing."""
    code = "def run(message, context):\n    return [message, context.headers.get('traceparent')]\n"
    modules = {"a": {"runtime": "python3", "code": PASS}, "b": {"runtime": "node", "code": "m => m"}}
    modules["c"] = {"runtime": "python3", "code": code}
    traced.add("f", modules, ["a -> b", "b -> c"], tracing=0.1)
    out = traced.collect("f", "c")
    traced.start("f")
    for begin in range(0, 2000, 100):
        messages = [str(n).encode() for n in range(begin, begin + 100)]
        traced.ok(SendBatch, flow_module_id="f/a", port="in", messages=messages)
    traced.wait_idle("f")
    assert [n for n, _ in out.got] == [*range(2000)]
    marked = [parent for _, parent in out.got if parent]
    assert 120 < len(marked) < 290
    traced.wait(lambda: sent(traced, "f") == 4 * len(marked))
    spans = {span.span_id.hex() for span in collector.spans if span.name == "process c"}
    assert {parent.split("-")[2] for parent in marked} == spans, "a module sees the span of its own turn"
    collector.tree()
    traced.audit()


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"


@pytest.mark.parametrize(("share", "flags", "count"), [(0, "01", 1), (0, "00", 0), (1, "00", 0), (False, "01", 0)])
def test_what_comes_with_a_traceparent(
    traced: Harness, collector: Collector, share: Any, flags: str, count: int
) -> None:
    """Whoever sends it has decided; `false` says that nothing is followed here."""
    code = "def run(message, context):\n    return context.headers.get('traceparent')\n"
    traced.add("f", {"a": {"runtime": "python3", "code": code}}, tracing=share)
    out = traced.collect("f", "a")
    traced.start("f")
    headers = [json.dumps({"x-a": "b", "traceparent": TRACE + flags}).encode()]
    traced.ok(SendBatch, flow_module_id="f/a", port="in", messages=[b"1"], headers=headers)
    traced.wait(lambda: out.got)
    if count:
        traced.wait(lambda: sent(traced, "f") == count)
        [span] = collector.spans
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == tuple(TRACE.split("-")[1:3])
        assert out.got == [f"{TRACE[:36]}{span.span_id.hex()}-01"]
    else:
        assert out.got == [TRACE + flags]
        assert traced.state("f")["tracing"]["spansSent"] == 0


def test_it_is_changed_by_an_update(traced: Harness) -> None:
    modules = {"a": {"runtime": "python3", "code": PASS}}
    traced.add("f", modules)
    traced.start("f")
    traced.send("f/a", 1)
    traced.add("f", modules, tracing=True)
    assert traced.state("f")["hosts"]["python3"]["starts"] == 1
    traced.send("f/a", 2)
    traced.wait(lambda: sent(traced, "f") == 2)
    traced.add("f", modules)
    traced.send("f/a", 3)
    traced.wait_idle("f")
    assert traced.state("f")["tracing"] == {"share": None, "spansSent": 2, "spansDropped": 0}


def test_two_wires_with_the_same_numbers(traced: Harness, collector: Collector) -> None:
    """The numbers of messages are those of their wires: TURN of both may be awaited at once."""
    slow = {"runtime": "python3", "code": "import time\ndef run(m, c):\n    time.sleep(0.02)\n"}
    modules = {"a": {"runtime": "node", "code": "m => m"}, "b": {"runtime": "node", "code": "m => m"}, "c": slow}
    traced.add("f", modules, ["a -> c", "b -> c"], tracing=True)
    traced.start("f")
    for n in range(5):
        traced.send("f/a", n)
        traced.send("f/b", n)
    traced.wait(lambda: sent(traced, "f") == 30)
    assert traced.state("f")["hosts"]["python3"]["starts"] == 1
    assert sum(child == "process c" for child, _ in collector.tree()) == 10


def test_lines_of_a_run(tmp_path: Path, collector: Collector) -> None:
    """`runner run` sends what is left before it ends."""
    (tmp_path / "f.yaml").write_text(
        "id: f\ntracing: true\nmodules: {a: {runtime: python3, code: 'def run(m, c): pass'}}"
    )
    done = cli(tmp_path, "run", str(tmp_path / "f.yaml"), "-i", "a.in=-", stdin="1\n2\n3\n")
    assert done.returncode == 0, done.stderr
    assert collector.tree() == [("process a", "send a.in")] * 3 + [("send a.in", "")] * 3


def test_what_is_refused_has_not_entered(traced: Harness, collector: Collector) -> None:
    traced.add("f", {"a": {"runtime": "python3", "code": PASS}}, tracing=True)
    reply = traced.call(api.SendMessage, flow_module_id="f/a", port="nowhere", message=1)
    assert not reply.ok
    traced.start("f")
    traced.send("f/a", 1)
    traced.wait(lambda: sent(traced, "f") == 2)
    assert len(collector.spans) == 2


def test_what_is_written_down_of_an_input(tmp_path: Path) -> None:
    """A durable flow goes on with followed messages as they were: with their headers."""
    written: list[tuple[bytes, int]] = []
    journal = SimpleNamespace(
        found=SimpleNamespace(facts={}), fact=lambda *_: None, fact_later=lambda *_: None, needs=lambda *_: None,
        sent=lambda _wire, body, flags, *_: written.append((body, flags)),
    )  # fmt: skip
    (tmp_path / "in").write_text("1\n2\n3\n")
    with (tmp_path / "in").open("rb") as file:
        notes = InputNotes(journal, file.fileno(), ["w"], InputLines(raw=False))
        for body, flags, count in cut([b"1", b"2", b"3"], {1: headers_of(Context("a" * 32, "b" * 16))}):
            notes.delivered(["w"], body, flags, count)
    assert [split(body, flags)[0] for body, flags in written] == [[b"1"], [b"2"], [b"3"]]

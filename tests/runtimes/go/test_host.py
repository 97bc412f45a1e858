"""What the go host has beyond the conformance suite: types of the user's own, panics, compile errors, dependencies."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from runtimes.conformance.case import bench_of
from runtimes.conformance.host import Host
from runtimes.conformance.slot import Slot
from runtimes.conformance.subject import PreparedSubject
from runtimes.environments import cache_folder, environment_recipe, read_locked
from runtimes.making import Failure
from runtimes.manifest import Runtime, find_version, load_runtimes, runtime_folders
from tests.compiling import compiled
from tests.harness import Harness
from tests.updates.feeder import feed

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="apt-get install golang-go")

MODULES = Path(__file__).parents[2] / "fixtures" / "hosts" / "go_modules"


@lru_cache
def subject() -> PreparedSubject:
    """One build for all tests."""
    return PreparedSubject(go(), MODULES)


@lru_cache
def go() -> Runtime:
    return load_runtimes(runtime_folders())["go"]


@pytest.fixture
def start() -> Iterator[Callable[[], Host]]:
    with bench_of(subject()) as bench:
        yield bench.start


def build(units: dict[str, tuple[str, dict[str, str]]], dependencies: tuple[str, ...] = ()) -> Failure | Path:
    return compiled(go(), units, dependencies)


def places(failure: Failure | Path) -> list[tuple[str, str, int, str]]:
    """Type, file, line and message of each unit's error."""
    assert isinstance(failure, Failure), failure
    errors = [problem["error"] for problem in failure.units]
    return sorted((e["type"], e.get("file", ""), e.get("line", 0), e["message"]) for e in errors)


# values of the user's own types


def test_structs_come_and_go_exactly(start: Callable[[], Host]) -> None:
    slot = start().load("typed")
    reading = {
        "sensor": "s", "value": 40.5, "count": 2**53 + 1, "raw": {"$bytes": "AAH/"}, "at": "2024-05-06T07:08:09Z",
        "more": {"n": 2**60 + 1, "list": [1, 1.5, None]}, "Limits": {"low": 1, "high": 2.5}, "unknown": [1],
    }  # fmt: skip
    alert = reading | {"level": "high", "parts": ["s", "40.5"]}
    del alert["unknown"]
    assert slot.run([reading]) == [alert]


def test_a_typed_nil_is_no_value(start: Callable[[], Host]) -> None:
    slot = start().load("typed")
    assert slot.run([{"value": 1}, {"value": 2}]) == []
    slot.counts(consumed=2, failed=0, sent=0)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"count": 1.5}, "the number 1.5 of count does not fit into int64"),
        ({"value": "1"}, "the text of value does not fit into float64"),
        ({"value": 2**53 + 1}, "the integer 9007199254740993 of value does not fit into float64"),
        ({"Limits": {"low": 300}}, "the integer 300 of Limits.low does not fit into int8"),
        ({"raw": "AAH/"}, "the text of raw does not fit into []uint8"),
        ([1], "the array does not fit into module.Reading"),
    ],
)
def test_what_does_not_fit_is_refused(start: Callable[[], Host], message: Any, complaint: str) -> None:
    slot = start().load("typed")
    assert slot.run([message]) == []
    [error] = slot.errors
    assert error.type == "DataError"
    assert complaint in error.info["error"]["message"]


def test_what_a_struct_cannot_send_is_refused(start: Callable[[], Host]) -> None:
    slot = start().load("results")
    assert slot.run(["nan", "channel", "invalid", "circle", "unsigned"]) == []
    assert [error.type for error in slot.errors] == ["DataError"] * 5


def test_results_of_any_type(start: Callable[[], Host]) -> None:
    slot = start().load("results")
    assert slot.run(["int", "map", "keys", "nil map", "nil inside"]) == [7, {"a": 1, "b": 2}, {"3": [0.5]}, {"a": None}]


REFUSED = {
    "time": "a time.Time in when[0] cannot be sent: send t.Format(time.RFC3339Nano)",
    "time pointer": "a time.Time cannot be sent: send t.Format(time.RFC3339Nano)",
    "time field": "a time.Time in At cannot be sent: send t.Format(time.RFC3339Nano)",
    "time inside": "a module.stamp cannot be sent: send t.Format(time.RFC3339Nano)",
    "time key": "a time.Time cannot be sent: send t.Format(time.RFC3339Nano)",
    "same keys": 'a map with two keys "same" cannot be sent',
    "two fields": 'a module.twice with two fields "x" cannot be sent',
    "hidden": "a module.money, of which no field is exported, in m cannot be sent",
    "mutex": "a sync.Mutex, of which no field is exported, cannot be sent",
    "wide": "an integer beyond int64 in [0] cannot be sent",
    "wide number": "an integer beyond int64 cannot be sent",
    "bad number": 'the json.Number "x" in n cannot be sent',
    "nan": "NaN in a[1] cannot be sent",
}
SENT = {
    "sent as text": "my own", "big": 5, "outer": {"a": "o", "b": 2}, "float32": [0.10000000149011612, 0.5, 16777216],
    "number": {"n": 12}, "no number": {"n": 0}, "real": 1000, "long text": "1180591620717411303424\\", "empty": {},
}  # fmt: skip


def test_what_no_message_can_carry_is_refused_with_its_place(start: Callable[[], Host]) -> None:
    slot = start().load("odd")
    assert slot.run([*REFUSED]) == []
    errors = [error.info["error"] for error in slot.errors]
    assert [error["type"] for error in errors] == ["DataError"] * len(REFUSED)
    assert [error["message"] for error in errors] == [*REFUSED.values()]


def test_values_without_end_are_refused_at_once(start: Callable[[], Host]) -> None:
    slot = start().load("odd")
    assert slot.run(["bomb", "typed bomb", "kept bomb", "endless", "big"]) == [5]
    assert [error.type for error in slot.errors] == ["TurnTooLarge", "TurnTooLarge", "ContextError", "DataError"]
    slot.wire([])
    assert slot.run(["bomb"]) == []
    assert slot.errors[-1].type == "TurnTooLarge"


def test_odd_values_are_sent_exactly(start: Callable[[], Host]) -> None:
    assert start().load("odd").run([*SENT]) == [*SENT.values()]


def test_a_float32_is_never_altered(start: Callable[[], Host]) -> None:
    slot = start().load("float32")
    sent = slot.run(
        [{"value": 0.5}, {"value": 0.1}, {"value": 0.10000000149011612}, {"value": 2**24 + 1}, {"value": None}, None]
    )
    assert sent == [{"value": value, "null": True} for value in (0.5, 0.10000000149011612, 0, 0)]
    complaint = "the {} of value does not fit into float32 exactly: use float64"
    messages = [error.info["error"]["message"] for error in slot.errors]
    assert messages == [complaint.format(what) for what in ("number 0.1", "integer 16777217")]


# failures


def test_a_panic_is_an_error_with_the_users_stack(start: Callable[[], Host]) -> None:
    slot = start().load("panics")
    assert slot.run(["nil map", "index", "error", "typed", "own", "fine"]) == ["fine"]
    errors = [error.info["error"] for error in slot.errors]
    assert [error["type"] for error in errors] == ["Panic", "Panic", "Error", "RangeError", "OutOfRange"]
    assert [error["message"] for error in errors[2:]] == ["plain: inner", "9 is too much", "far out"]
    lines = (MODULES / "panics.go").read_text().splitlines()
    inner, outer = (next(n for n, line in enumerate(lines, 1) if mark in line) for mark in ("INNER", "OUTER"))
    assert (errors[0]["file"], errors[0]["line"]) == ("panics.go", inner)
    assert errors[0]["stack"].splitlines() == [f"panics.go:{inner} write", f"panics.go:{outer} Run"]
    assert "assignment to entry in nil map" in errors[0]["message"]


def line_of(module: str, mark: str) -> int:
    lines = (MODULES / module).read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if f"// {mark}" in line)


def test_a_returned_error_has_the_users_line(start: Callable[[], Host]) -> None:
    slot = start().load("returns")
    names = ["plain", "typed", "own", "read", "write", "panic", "call"]
    assert slot.run([*names, "deeper", "fine"]) == ["the end", "fine"]
    errors = [error.info["error"] for error in slot.errors]
    assert [(error["file"], error["line"]) for error in errors] == [
        ("returns.go", line_of("returns.go", name.upper())) for name in names
    ]
    assert [error["type"] for error in errors] == [
        "Error",
        "far",
        "OutOfRange",
        "PathError",
        "Error",
        "PathError",
        "Error",
    ]
    assert errors[0]["stack"].splitlines() == [f"returns.go:{errors[0]['line']} Run"]
    assert (
        "open no such file: no such file or directory: a relative path begins in the temporary folder"
        in errors[3]["message"]
    )
    assert errors[5]["message"].endswith("embed it with //go:embed")


def test_hooks_that_fail_say_where(start: Callable[[], Host]) -> None:
    slot = start().load("returns")
    result = slot.call("stop")
    error = result["error"]
    assert (result["ok"], error["message"], error["file"], error["line"]) == (
        False, "cannot stop", "returns.go", line_of("returns.go", "STOP"),
    )  # fmt: skip
    slot.call("start")
    slot.pull(1)
    slot.host.wait(lambda: slot.errors, "the ERROR of the source")
    error = slot.errors[0].info["error"]
    assert (error["message"], error["file"], error["line"]) == ("no more", "returns.go", line_of("returns.go", "START"))


def test_a_panic_in_a_goroutine_leaves_its_last_words(start: Callable[[], Host]) -> None:
    host = start()
    host.load("dies").data([1])
    assert host.link.wait_exit(20) == 2
    assert "panic: last words" in host.link.printed()


def test_a_refused_send_can_be_recovered_from(start: Callable[[], Host]) -> None:
    slot = start().load("recovers", ports={"in": ["in"], "out": ["out"]})
    assert slot.run([1]) == ["PortError"]


# goroutines


def test_a_send_from_a_goroutine_waits_for_credit(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("goroutine")
    assert slot.run([1]) == ["begun"]
    host.wait(lambda: any(body["text"] == "sends" for _, body in host.logs), "the goroutine")
    host.ping(1)
    assert slot.out() == ["begun"]
    slot.pull(1)
    host.wait(lambda: len(slot.out()) == 2, "its message")
    slot.counts(consumed=1, handled=1, pulled=1, sent=2)
    assert slot.out()[1] == "late"


def test_a_source_that_waits_is_told_to_end(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("waits")
    assert slot.call("start", turns=0) == {"ok": True, "source": True}
    slot.pull(5)
    host.wait(lambda: len(slot.out()) == 2, "what it has at once")
    assert slot.call("stop") == {"ok": True}
    assert slot.context_value("closed") is True


# concurrency: what runtimes/conformance/cases_async.py asks of async handlers


def sleeps(*milliseconds: int, **more: Any) -> list[Any]:
    return [{"ms": ms} | more for ms in milliseconds]


def slept(slot: Slot, first: int, *milliseconds: int) -> list[Any]:
    return [value for n, ms in enumerate(milliseconds, first) for value in (f"{slot.wire_name}#{n}", ms)]


def test_turns_overlap_and_are_committed_in_order(start: Callable[[], Host]) -> None:
    slot = start().load("sleeps", concurrency=8)
    milliseconds = [400, 200, 300, 100, 350, 10, 250, 150]
    begin = time.monotonic()
    assert slot.run(sleeps(*milliseconds)) == slept(slot, 1, *milliseconds)
    assert time.monotonic() - begin < sum(milliseconds) / 1000
    slot.counts(consumed=8, handled=8, sent=16)


def test_a_module_that_was_slow_keeps_nobody_waiting(start: Callable[[], Host]) -> None:
    host = start()
    slot, other = host.load("sleeps"), host.load("sleeps")
    assert slot.run(sleeps(5)) == slept(slot, 1, 5)
    slot.data(sleeps(2000, 0, 0), first=2)
    assert other.run(sleeps(0)) == slept(other, 1, 0)
    host.pause(other.number)
    host.ping(1)
    assert slot.totals["consumed"] == 1
    slot.done()
    assert slot.out()[2:] == slept(slot, 2, 2000, 0, 0)


def test_a_slow_module_that_becomes_a_fused_target_runs_one_at_a_time(start: Callable[[], Host]) -> None:
    host = start()
    front, back = host.load("sleeps"), host.load("counts")
    assert back.run([20]) == [1]
    back.data([100], first=2)
    front.wire(fused={"out": [(back, "in", "w")]})
    front.data(sleeps(0))
    front.done()
    back.done()
    assert back.out() == [1, 2, 3, 4]
    assert back.context_value("n") == 4


def test_no_more_than_concurrency_overlap_and_one_fails_alone(start: Callable[[], Host]) -> None:
    slot = start().load("sleeps", concurrency=2)
    begin = time.monotonic()
    messages = [*sleeps(60), *sleeps(30, bad=True), *sleeps(60, set=True), *sleeps(60)]
    assert slot.run(messages) == [*slept(slot, 1, 60), *slept(slot, 4, 60)]
    assert time.monotonic() - begin >= 0.12
    assert [(error.number, error.type) for error in slot.errors] == [(2, "Error"), (3, "ContextError")]


def test_a_recall_ends_the_turns_begun(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("sleeps", concurrency=3)
    messages = sleeps(*[20] * 300)
    slot.data(messages)
    host.wait(lambda: host.commits, "first COMMIT")
    host.pause(slot.number)
    done = slot.totals["consumed"]
    assert 3 <= done < 280  # of 2 s
    slot.redeliver(messages[done : done + 20], first=done + 1)
    slot.done()
    assert slot.out() == slept(slot, 1, *[20] * (done + 20))


def test_a_held_message_drops_the_turns_behind_it(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("sleeps", concurrency=4, retry=True)
    messages = [*sleeps(5), *sleeps(30, bad=True), *sleeps(5, 5, 5)]
    slot.data(messages)
    host.wait(lambda: slot.errors, "ERROR with HELD")
    assert slot.errors[0].held
    assert slot.out() == slept(slot, 1, 5)
    host.pause(slot.number)
    slot.redeliver(messages[1:], first=2)
    slot.done()
    assert slot.out() == slept(slot, 1, 5, 30, 5, 5, 5)


def test_hooks_and_stop_wait_for_the_turns_begun(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("sleeps", concurrency=2)
    slot.data(sleeps(1, 100, 100))
    assert slot.call("stop") == {"ok": True}
    assert slot.out() == slept(slot, 1, 1, 100, 100)
    slot.data(sleeps(1, 200), first=4)
    host.wait(lambda: slot.totals["consumed"] == 4, "the fourth turn")
    assert host.stop() == 0
    assert slot.out()[6:] == slept(slot, 4, 1, 200)


# the compiler


RUN = "func Run(c *flow.Context, m any) (any, error) {\n\treturn m, nil\n}\n"
HEAD = 'package module\n\nimport "flow"\n\n'


def test_errors_have_the_users_file_and_line() -> None:
    broken = {
        "type.go": (HEAD + RUN.replace("return m, nil", 'var n int = "x"\n\treturn n, nil'), {}),
        "sibling.go": (HEAD + RUN, {"helper.go": "package module\n\nvar n int = true\n"}),
        "inline": (HEAD + RUN + "\nvar unused = missing\n", {}),
        "package.go": ('package module\n\nimport (\n\t"flow"\n\t"github.com/x/y"\n)\n\nvar _ = y.Z\n\n' + RUN, {}),
    }
    assert places(build({name: broken[name] for name in ("type.go", "sibling.go", "inline")})) == [
        (
            "CompileError",
            "helper.go",
            3,
            "cannot use true (untyped bool constant) as int value in variable declaration",
        ),
        (
            "CompileError",
            "inline.go",
            9,
            "undefined: missing: if another file of yours has it, name that in the module's `files:`",
        ),
        ("CompileError", "type.go", 6, 'cannot use "x" (untyped string constant) as int value in variable declaration'),
    ]
    [(kind, file, line, message)] = places(build({"package.go": broken["package.go"]}))
    assert (kind, file, line) == ("CompileError", "package.go", 5)
    assert message == "there is no package github.com/x/y; name its module in the module's dependencies"


def test_wrong_shapes_are_named() -> None:
    units = {
        "syntax.go": (HEAD + RUN.replace("return m, nil", "return m nil"), {}),
        "other.go": (HEAD.replace("module", "main") + RUN, {}),
        "nothing.go": (HEAD + "var _ flow.Context\n", {}),
        "shape.go": (HEAD + "func Run(m any) any { return m }\n", {}),
        "hook.go": (HEAD + RUN + "\nfunc Stop() {}\n", {}),
    }
    found = {file: (kind, line) for kind, file, line, _ in places(build(units))}
    assert found == {
        "syntax.go": ("SyntaxError", 6),
        "other.go": ("CompileError", 1),
        "nothing.go": ("CompileError", 0),
        "shape.go": ("CompileError", 5),
        "hook.go": ("CompileError", 9),
    }


def test_two_environments_have_two_versions_of_a_module() -> None:
    code = HEAD.replace('import "flow"', 'import (\n\t"flow"\n\n\t"github.com/google/uuid"\n)')
    code += "func Run(c *flow.Context, m any) (any, error) {\n\treturn uuid.NameSpaceOID.String(), nil\n}\n"
    newer = code.replace(".String()", ".String(), uuid.Validate(m.(string))").replace(", nil\n", "\n")
    old, new = (f"github.com/google/uuid@v1.{minor}.0" for minor in (4, 6))
    for version in (old, new):
        built = build({"ids.go": (code, {})}, (version,))
        assert isinstance(built, Path), built
    environment = environment_recipe(cache_folder(), go(), find_version(go()).version or "", (old,))
    assert environment is not None
    assert read_locked(environment.place) == [old]
    assert isinstance(build({"ids.go": (newer, {})}, (new,)), Path)  # uuid.Validate came with v1.5.0
    assert [message for *_, message in places(build({"ids.go": (newer, {})}, (old,)))] == ["undefined: uuid.Validate"]


# in a runner


def test_a_flow_keeps_its_context_from_python_to_go_and_over_an_update(runner: Harness) -> None:
    python = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return ['python', c.get('n')]\n"
    code = HEAD + (
        "func Run(c *flow.Context, m any) (any, error) {\n\tn := c.Get(\"n\", 0).(int64) + 1\n"
        '\tc.Set("n", n)\n\treturn []any{"VERSION", n}, nil\n}\n'
    )  # fmt: skip
    modules: list[dict[str, Any]] = [
        {"runtime": "python3", "code": python},
        {"runtime": "go", "code": code.replace("VERSION", "one")},
        {"runtime": "go", "code": code.replace("VERSION", "two")},
    ]
    echo = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}
    flows = [{"id": "f", "modules": {"a": module, "b": echo}, "wires": ["a -> b"]} for module in modules]
    runner.ok(api.AddOrUpdateFlow, flow=flows[0])
    out = runner.collect("f", "b")
    runner.start("f")
    for n, flow in enumerate(flows):
        runner.ok(api.AddOrUpdateFlow, flow=flow)
        runner.send("f/a", n)
        runner.wait(lambda n=n: len(out.got) == n + 1)
    assert out.got == [["python", 1], ["one", 2], ["two", 3]]


def test_updates_under_traffic_lose_and_repeat_nothing(runner: Harness) -> None:
    code = HEAD + (
        "func Run(c *flow.Context, m any) (any, error) {\n\tn := c.Get(\"n\", 0).(int64) + 1\n"
        '\tc.Set("n", n)\n\treturn []any{VERSION, n, m.(map[string]any)["n"]}, nil\n}\n'
    )  # fmt: skip
    echo = {"runtime": "python3", "code": "def run(m, c):\n    return m\n"}

    def flow(version: int) -> dict[str, Any]:
        module = {"runtime": "go", "code": code.replace("VERSION", str(version))}
        return {"id": "f", "modules": {"a": echo, "g": module, "b": echo}, "wires": ["a -> g", "g -> b"]}

    runner.ok(api.AddOrUpdateFlow, flow=flow(0))
    out = runner.collect("f", "b")
    feeder = feed(runner, "f", "a", last=1 << 60, per_s=5000)
    runner.start("f")
    for version in range(1, 4):
        count = len(out.got)
        runner.wait(lambda count=count: len(out.got) > count + 1000)
        runner.ok(api.AddOrUpdateFlow, flow=flow(version))
    count = len(out.got)
    runner.wait(lambda: len(out.got) > count + 1000)
    feeder.last = feeder.number + 1
    runner.wait_idle("f")
    versions, numbers, sent = zip(*out.got, strict=True)
    assert list(versions) == sorted(versions)
    assert set(versions) == {0, 1, 2, 3}
    assert list(numbers) == list(range(1, len(numbers) + 1))
    assert list(sent) == list(range(sent[0], sent[0] + len(sent)))

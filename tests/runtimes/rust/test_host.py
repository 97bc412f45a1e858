"""What the rust host has beyond the conformance suite: the user's own types, panics, compile errors, dependencies."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from actors.messages import client_to_runner as api
from runtimes.conformance.case import bench_of
from runtimes.conformance.host import Host
from runtimes.conformance.subject import PreparedSubject
from runtimes.environments import cache_folder, environment_recipe, read_locked
from runtimes.frames import Frame, Kind
from runtimes.making import Failure
from runtimes.manifest import Runtime, find_version, load_runtimes, runtime_folders
from runtimes.rust.prepare import PrepareError, dependency
from runtimes.rust.scan import functions
from tests.compiling import compiled
from tests.harness import Harness

pytestmark = pytest.mark.skipif(
    not (shutil.which("rustc") and shutil.which("cargo")), reason="apt-get install rustc cargo"
)

MODULES = Path(__file__).parents[2] / "fixtures" / "hosts" / "rust_modules"


@lru_cache
def rust() -> Runtime:
    return load_runtimes(runtime_folders())["rust"]


@lru_cache
def subject() -> PreparedSubject:
    """One build for all tests."""
    return PreparedSubject(rust(), MODULES)


@pytest.fixture
def start() -> Iterator[Callable[[], Host]]:
    with bench_of(subject()) as bench:
        yield bench.start


def build(units: dict[str, tuple[str, dict[str, str]]], dependencies: tuple[str, ...] = ()) -> Failure | Path:
    return compiled(rust(), units, dependencies)


def places(failure: Failure | Path) -> dict[tuple[str, int], str]:
    """File and line -> message of each unit's error."""
    assert isinstance(failure, Failure), failure
    errors = [problem["error"] for problem in failure.units]
    assert {error["type"] for error in errors} == {"CompileError"}, failure.reason
    return {(error["file"], error.get("line", 0)): error["message"] for error in errors}


def line_of(module: str, mark: str) -> int:
    lines = (MODULES / module).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if f"// {mark}" in line)


# values of the user's own types


def test_structs_come_and_go_exactly(start: Callable[[], Host]) -> None:
    slot = start().load("typed")
    more = {"n": 2**60 + 1, "list": [1, 1.5, None], "deep": {"a": {"b": [[]]}}}
    reading = {"sensor": "s", "value": 40.5, "count": 2**53 + 1, "raw": {"$bytes": "AAH/"}, "more": more, "unknown": 1}
    alert = {"sensor": "s", "count": 2**53 + 1, "level": {"High": {"by": 0.5}}, "raw": {"$bytes": "AAH/"}, "more": more}
    assert slot.run([reading, {"sensor": "t", "value": -1}, {"sensor": "u", "value": 1}]) == [
        alert,
        {"sensor": "u", "count": 0, "level": "Normal", "raw": None, "more": None},
    ]
    slot.counts(consumed=3, failed=0, sent=2)


def test_what_a_typed_module_keeps_of_a_message_follows_the_contract(start: Callable[[], Host]) -> None:
    slot = start().load("typed")
    slot.texts([b'{"sensor":"s","value":1,"more":[9223372036854775808,-0.0]}'])
    assert slot.done().out()[0]["more"] == [9223372036854775808.0, 0]
    slot.texts([b'{"sensor":"s","value":1,"more":' + b"[" * 121 + b"]" * 121 + b"}"], first=2)
    assert [error.type for error in slot.done().errors] == ["DataError"]


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"value": 1}, "missing field `sensor`"),
        ({"sensor": 1, "value": 1}, "invalid type: integer `1`, expected a string"),
        ({"sensor": "s", "value": 1, "count": 1.5}, "expected i64"),
        ({"sensor": "s", "value": 1, "raw": {"$bytes": "A"}}, "no bytes"),
        ([], "invalid length 0"),
    ],
)
def test_what_does_not_fit_is_refused(start: Callable[[], Host], message: Any, complaint: str) -> None:
    slot = start().load("typed")
    assert slot.run([message, {"sensor": "s", "value": 1}])[0]["sensor"] == "s"
    [error] = slot.errors
    assert error.type == "DataError"
    assert complaint in error.info["error"]["message"]


def test_numbers_of_typed_modules_arrive_as_they_are_or_not_at_all(start: Callable[[], Host]) -> None:
    slot = start().load("numbers")
    slot.texts([b'{"i":1.0}', b'{"i":-2e3,"u":255.0}', b'{"d":9007199254740992,"list":[1,-0.5]}', b'{"s":0.5}'])
    seen = slot.done().out()
    assert [{key: value for key, value in one.items() if value not in (None, [])} for one in seen] == [
        {"i": 1}, {"i": -2000, "u": 255}, {"d": 2**53, "list": [1, -0.5]}, {"s": 0.5},
    ]  # fmt: skip
    refused = {
        b'{"d":9007199254740993}': "an f64 would alter the integer 9007199254740993: use i64",
        b'{"list":[1,9223372036854775807]}': "an f64 would alter the integer 9223372036854775807",
        b'{"s":0.1}': "an f32 would alter the number 0.1: use f64",
        b'{"s":16777217}': "an f32 would alter the integer 16777217",
        b'{"i":1.5}': "invalid type: floating point `1.5`, expected i64",
        b'{"u":256.0}': "invalid value: integer `256`, expected u8",
        b'{"i":9007199254740993}': "an f64 would alter the integer 9007199254740993",
    }
    for number, text in enumerate(refused, 10):
        slot.texts([text], first=number)
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"] * len(refused)
    for error, says in zip(slot.errors, refused.values(), strict=True):
        assert says in error.info["error"]["message"]
    assert slot.errors[-1].info["error"]["line"] == line_of("numbers.rs", "GET")


def test_typed_modules_are_fused(start: Callable[[], Host]) -> None:
    host = start()
    front, back = host.load("typed"), host.load("prints")
    front.wire(fused={"out": [(back, "in", "w")]})
    front.data([{"sensor": "s", "value": 1}])
    front.done()
    assert [value["level"] for value in back.out()] == ["Normal"]


# failures


def test_a_panic_is_an_error_with_its_place(start: Callable[[], Host]) -> None:
    slot = start().load("panics")
    assert slot.run(["index", "text", "parse", "caught", "fine"]) == ["caught", "fine"]
    index, text, parse = (error.info["error"] for error in slot.errors)
    assert (index["type"], index["file"], index["line"]) == ("Panic", "panics.rs", line_of("panics.rs", "INDEX"))
    assert "index out of bounds" in index["message"]
    assert (text["message"], text["line"]) == ("no text here", line_of("panics.rs", "TEXT"))
    assert parse == {"type": "ParseIntError", "message": "invalid digit found in string", "file": "panics.rs"}
    assert slot.context_value("n") == 2


def test_a_refusal_has_the_line_of_the_call(start: Callable[[], Host]) -> None:
    slot = start().load("refusals", ports={"in": ["in"], "out": ["out"]})
    marks = {"port": "PortError", "date": "DataError", "nan": "DataError", "header": "HeaderError", "thrown": "Panic"}
    assert slot.run([*marks, "fine"]) == ["fine"]
    errors = [error.info["error"] for error in slot.errors]
    assert [(error["type"], error["file"], error["line"]) for error in errors] == [
        (kind, "refusals.rs", line_of("refusals.rs", name.upper())) for name, kind in marks.items()
    ]
    assert errors[1]["message"].startswith("a SystemTime cannot be sent: send the text or the number")
    assert errors[4]["message"] == "boxed"


def test_hints_and_files_of_returned_errors(start: Callable[[], Host]) -> None:
    slot = start().load("refusals")
    slot.run(["relative", "write", "deep"])
    relative, write, deep = (error.info["error"] for error in slot.errors)
    assert "`files:`" in relative["message"] and "`limits.writable`" in write["message"]
    assert deep == {"type": "Error", "message": "own text: invalid digit found in string", "file": "refusals.rs"}
    assert slot.call("stop") == {
        "ok": False,
        "error": {"type": "Error", "message": "cannot flush", "file": "refusals.rs"},
    }


def test_a_turn_that_is_too_large_and_does_not_mind_fails(start: Callable[[], Host]) -> None:
    slot = start().load("refusals", max_turn_bytes=5_000)
    assert slot.run(["fine", "large", "fine"]) == ["fine", "fine"]
    assert [error.type for error in slot.errors] == ["TurnTooLarge"]


def test_a_value_is_checked_where_nobody_takes_it(start: Callable[[], Host]) -> None:
    slot = start().load("refusals")
    slot.wire([])
    slot.data(["date", "fine"])
    slot.done()
    assert [error.type for error in slot.errors] == ["DataError"]
    slot.counts(consumed=2, failed=1, unwired=1)


def test_a_refused_send_need_not_fail_the_turn(start: Callable[[], Host]) -> None:
    slot = start().load("panics", ports={"in": ["in"], "out": ["out"]})
    assert slot.run(["refused"]) == ["refused"]


# bodies that no host writes


@pytest.mark.parametrize(
    ("body", "skip", "count", "sent"),
    [
        (b"[1, 2,\n3]", 0, 2, [1, 2]),
        (b'[{"a":1,\n"b":2}, 3,\n4]', 0, 2, [{"a": 1, "b": 2}, 3]),
        (b"[[1,\n2],\n3]", 1, 1, [3]),
        (b"[\n1\n,\n2\n]", 0, 2, [1, 2]),
    ],
)
def test_any_array_is_read(start: Callable[[], Host], body: bytes, skip: int, count: int, sent: list[Any]) -> None:
    host = start()
    slot = host.load("prints")
    slot.in_flight.append((1, count))
    host.send(Frame(Kind.DATA, slot.in_channel, body, skip=skip, count=count, first=1))
    assert slot.done().out() == sent
    assert not slot.errors


# sources and prints


def test_a_source_of_turns_that_panics(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("turns")
    slot.wire(["even"])
    assert slot.call("start", turns=0)["source"] is True
    slot.pull(10)
    host.wait(lambda: slot.finished, "FINISHED")
    assert slot.finished == {"ok": False}
    assert (slot.out("even"), slot.context_value("i")) == ([2, 4, 6], 3)
    assert (slot.errors[0].type, slot.errors[0].number) == ("Panic", 3)


def test_what_a_source_holds_is_dropped_before_stop(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("turns")
    slot.call("start", turns=0)
    assert slot.call("stop")["ok"] is True
    assert [(number, body["text"]) for number, body in host.logs] == [(slot.number, "closed"), (slot.number, "stop")]


def test_prints_are_the_slots_own(start: Callable[[], Host]) -> None:
    host = start()
    slot = host.load("prints", slot=3)
    assert slot.hooks == []
    assert slot.run([1]) == [1]
    said = [(number, body["level"], body["text"]) for number, body in host.logs]
    assert said[:3] == [(3, "info", ""), (3, "info", "inner-"), (3, "error", "16")]
    assert (said[3][0], "TEXT.len() * 2 = 32" in said[3][2]) == (3, True)
    assert said[4] == (0xFFFF, "info", 'from a thread 32"')


# the compiler

HEAD = "use flow::prelude::*;\n\n"
RUN = "pub fn run(message: Value, _: &mut Context) -> Result<Option<Value>> {\n    Ok(Some(message))\n}\n"


def test_errors_have_the_users_file_and_line() -> None:
    found = places(
        build(
            {
                "type.rs": (HEAD + RUN.replace("Ok(Some", "let _: i64 = true;\n    Ok(Some"), {}),
                "sibling.rs": (HEAD + RUN + "\nmod helper;\n", {"helper.rs": 'pub const N: i64 = "n";\n'}),
                "inline": (HEAD + RUN + '\nconst TEXT: &str = missing!("x");\n', {}),
                "syntax.rs": (HEAD + RUN + "\nfn broken( {\n", {}),
                "nothing.rs": (HEAD + "// pub fn run() {}\n", {}),
                "shape.rs": (HEAD + "pub fn run(message: Value) -> Value {\n    message\n}\n", {}),
                "hook.rs": (HEAD + RUN + "\npub fn stop(_: &mut Context) {}\n", {}),
                "what.rs": (
                    HEAD
                    + "pub struct M;\n\n"
                    + "pub fn run(_: M, _: &mut Context) -> Result<Option<()>> {\n    Ok(None)\n}\n",
                    {},
                ),
            }
        )
    )
    assert "mismatched types" in found.pop(("type.rs", 4))
    assert "mismatched types" in found.pop(("helper.rs", 1))
    assert "cannot find macro `missing`" in found.pop(("inline", 7))
    assert found.pop(("nothing.rs", 0)) == "nothing.rs has neither a function `run` nor `start`"
    assert found.pop(("shape.rs", 3)).startswith("`run` should be `fn run(message: ")
    assert found.pop(("hook.rs", 7)).startswith("`stop` should be `fn stop(context: &mut Context) -> Result<()>`")
    assert "Deserialize" in found.pop(("what.rs", 5))
    assert [file for file, _ in found] == ["syntax.rs"]


def test_what_is_missing_is_named_with_what_to_do() -> None:
    found = places(
        build(
            {
                "crate.rs": (HEAD + "use regex::Regex;\n\n" + RUN, {}),
                "path.rs": (HEAD + RUN + "\nfn f() { chrono::now(); }\n", {}),
                "sibling.rs": (HEAD + RUN + "\nmod helper;\n", {}),
                "data.rs": (HEAD + RUN + '\nconst T: &str = include_str!("table.json");\n', {}),
            }
        )
    )
    assert "`dependencies:`" in found["crate.rs", 3] and "`dependencies:`" in found["path.rs", 7]
    assert "`files:`" in found["sibling.rs", 7] and "`files:`" in found["data.rs", 7]


def test_what_counts_as_a_function() -> None:
    text = "/* fn run() { */\nfn other() { fn stop() {} }\n// fn start()\nconst C: char = '{';\nfn run<'a>() {}\n"
    assert functions(text) == {"run": 5}
    assert functions('const S: &str = "\\" fn run() {";\npub fn  start ( ) {}\n') == {"start": 2}
    assert functions("impl X { fn run() {} }\nmacro_rules! m { () => { fn stop() {} } }\n") == {}


def test_specs_of_dependencies() -> None:
    assert dependency("regex@1") == dependency("regex=1") == ("regex", 'regex = {version = "1"}')
    assert dependency("regex==1.10.2") == ("regex", 'regex = {version = "=1.10.2"}')
    assert dependency("time[parsing, std]@0.3") == ("time", 'time = {version = "0.3", features = ["parsing", "std"]}')
    for spec in ("", "a b", "regex@", "../x@1", 'x@1"'):
        with pytest.raises(PrepareError):
            dependency(spec)


def test_two_environments_have_two_versions_of_a_crate() -> None:
    code = HEAD + "pub fn run(n: i64, _: &mut Context) -> Result<Option<String>> {\n    BODY\n}\n"
    old = code.replace("BODY", "let mut s = String::new();\n    itoa::fmt(&mut s, n)?;\n    Ok(Some(s))")
    new = code.replace("BODY", "Ok(Some(itoa::Buffer::new().format(n).to_owned()))")
    built = build({"old.rs": (old, {})}, ("itoa@0.4",))
    if isinstance(built, Failure) and "index" in built.reason and not built.units:
        pytest.skip(f"crates.io is out of reach: {built.reason[-200:]}")
    assert isinstance(built, Path), built
    assert isinstance(build({"new.rs": (new, {})}, ("itoa@1",)), Path)
    assert "cannot find function `fmt`" in places(build({"old.rs": (old, {})}, ("itoa@1",)))["old.rs", 5]
    environment = environment_recipe(cache_folder(), rust(), find_version(rust()).version or "", ("itoa@0.4",))
    assert environment is not None
    assert any(spec.startswith("itoa@0.4.") for spec in read_locked(environment.place))


# in a runner


def test_a_flow_keeps_its_context_from_python_to_rust_and_over_an_update(runner: Harness) -> None:
    python = "def run(m, c):\n    c.set('n', c.get('n', 0) + 1)\n    return ['python', c.get('n')]\n"
    code = HEAD + (
        "pub fn run(_: Value, context: &mut Context) -> Result<Option<(&'static str, i64)>> {\n"
        '    let n = context.get_or("n", 0)? + 1;\n    context.set("n", n)?;\n    Ok(Some(("V", n)))\n}\n'
    )

    modules: list[dict[str, Any]] = [
        {"runtime": "python3", "code": python},
        {"runtime": "rust", "code": code.replace('"V"', '"one"')},
        {"runtime": "rust", "code": code.replace('"V"', '"two"')},
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

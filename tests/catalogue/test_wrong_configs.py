"""What is wrong with a `config` is said in a sentence with its place, where it can be known before anything runs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from actors.definition.catalogue import Catalogue
from tests.catalogue.running import runner, write_flow
from tests.harness import need


def checked(folder: Path, **configs: tuple[str, dict[str, Any]]) -> list[str]:
    """What `check` says of a flow of one module a line, of which each has a mistake."""
    lines = [
        f"  {name}: {{use: {use}, config: {json.dumps(config, ensure_ascii=False)}}}"
        for name, (use, config) in configs.items()
    ]
    (folder / "f.yaml").write_text("id: f\nmodules:\n" + "\n".join(lines) + "\n")
    done = runner(folder, "--state", str(folder / "state"), "check", "f.yaml")
    assert done.returncode == 1, done.stderr
    said = sorted(line for line in done.stderr.splitlines() if line.startswith("runner: "))
    assert "Traceback" not in done.stderr and len(said) == len(configs), done.stderr
    places = [f"f.yaml:{line}:" for line in range(3, 3 + len(configs))]
    assert all(any(place in one for one in said) for place in places), said
    return said


def test_expressions(tmp_path: Path) -> None:
    need("node")
    said = checked(
        tmp_path,
        a=("map", {"to": '{"a": b +'}),
        b=("select", {"when": "message.x >"}),
        c=("select", {"when": "mesage.x > 1"}),
        d=("select", {"when": "1 + 1"}),
        e=("route", {"to": {"hot": "message.x > 40", "cold": "nonsense(message)"}}),
    )
    assert said == [
        'runner: f/a cannot be loaded: f.yaml:3:26: ConfigError: `config.to` is no JSONata expression: Expected "}" '
        "before end of expression (at character 9)",
        "runner: f/b cannot be loaded: f.yaml:4:29: ConfigError: `config.when` is no CEL expression over message and "
        "headers: Unexpected token: EOF (at character 12)",
        "runner: f/c cannot be loaded: f.yaml:5:29: ConfigError: `config.when` is no CEL expression over message and "
        "headers: Unknown variable: mesage (at character 1)",
        "runner: f/d cannot be loaded: f.yaml:6:29: ConfigError: `config.when` gives int, no true or false",
        "runner: f/e cannot be loaded: f.yaml:7:60: ConfigError: `config.to.cold` is no CEL expression over message "
        "and headers: found no matching overload for 'nonsense(dyn)' (at character 1)",
    ]


def test_functions_that_jsonata_does_not_have(tmp_path: Path) -> None:
    """They were found by the first message that came to the call."""
    need("node")
    said = checked(
        tmp_path,
        a=("map", {"to": "$foo(x)"}),
        b=("map", {"to": '{"a": $sum(b), "c": [d.$toUpperCase($)]}'}),
        c=("map", {"to": "x ~> $trim ~> $nope"}),
        d=("map", {"to": "items[cheap or $bar(price)]"}),
        e=("map", {"to": "($f := function($x) { $g($x) }; $f(1))"}),
        f=("map", {"to": "$lenght(?, 1)"}),
        g=("map", {"to": "$headers ? x : |a|{'b': $abz(c)}|"}),
    )
    assert [line.split("`config.to` ")[1] for line in said] == [
        "calls $foo, which JSONata does not have (near: $floor) (at character 1)",
        "calls $toUpperCase, which JSONata does not have (near: $uppercase) (at character 24)",
        "calls $nope, which JSONata does not have (near: $type) (at character 15)",
        "calls $bar, which JSONata does not have (at character 16)",
        "calls $g, which JSONata does not have (at character 23)",
        "calls $lenght, which JSONata does not have (near: $length) (at character 1)",
        "calls $abz, which JSONata does not have (near: $abs) (at character 25)",
    ]


HAS_ITS_FUNCTIONS: dict[str, Any] = {  # of {"n": 4, "text": " ab ", "items": [{"p": 2}, {"p": 3}]}
    "($f := function($x) { $x + 1 }; $f(n))": 5,
    "($f := function($x, $y)<nn:n> { $x * $y }; $f(n, 2))": 8,
    "function($f) { $f(n) }($sqrt)": 2,
    "($even := λ($k) { $k = 0 or $odd($k - 1) }; $odd := λ($k) { $k > 0 and $even($k - 1) }; $even(n))": True,
    "($sum3 := $sum; $sum3(items.p))": 5,
    "text ~> $trim ~> $uppercase()": "AB",
    "(text ~> $trim) ~> function($s) { $s & '!' }": "ab!",
    "($both := $trim ~> $uppercase; $both(text))": "AB",
    "($first := $substring(?, 0, 2); $first(text))": " a",
    "items ~> $map(λ($v, $i) { $v.p + $i }) ~> $sum": 6,
    "$reduce(items.p, function($sum, $v) { $sum + $v })": 5,
    "items@$it.($g := function() { $it.p }; $g())": [2, 3],
    "items#$at.($h := function() { $at }; $h())": [0, 1],
    "items[$max($$.items.p) = p].p": 3,
    "$ ~> |items|{'p': $string(p)}| ~> $lookup('items') ~> $count": 2,
    "$eval('$floor(n / 3)')": 1,
    "($eval('$made := $abs'); $exists($made) ? $made(n) : n)": 4,
    "$type($now()) & $type($millis())": "stringnumber",
    "$config.a & $type($headers)": "bobject",
    "($headers := function() { 1 }; $headers())": 1,
    "text.$match(/A/i).match": "a",
    "$sift(items[0], function($v, $k) { $k = 'p' }).$each(function($v) { $v })": 2,
}


def test_no_function_that_is_there_is_refused(tmp_path: Path) -> None:
    """Each expression does what it says, too."""
    need("node")
    message = {"n": 4, "text": " ab ", "items": [{"p": 2}, {"p": 3}]}
    modules = {
        f"m{number}": {"use": "map", "config": {"to": to, "with": {"a": "b"}}}
        for number, to in enumerate(HAS_ITS_FUNCTIONS)
    }
    flow = {
        "id": "f",
        "modules": modules,
        "tests": [
            {
                "name": "all",
                "send": {name: [message] for name in modules},
                "expect": {name: [made] for name, made in zip(modules, HAS_ITS_FUNCTIONS.values(), strict=True)},
            }
        ],
    }
    (tmp_path / "f.yaml").write_text(json.dumps(flow))
    for verb in ("check", "test"):
        done = runner(tmp_path, "--state", str(tmp_path / "state"), verb, "f.yaml")
        assert done.returncode == 0, (done.stdout, done.stderr)


def test_what_modules_know_of_their_config(tmp_path: Path) -> None:
    need("node")
    said = checked(
        tmp_path,
        a=("timer", {"cron": "61 * * * *"}),
        a2=("timer", {"cron": "0 0 30 2 *"}),
        b=("timer", {"every_s": 1, "timezone": "Mars"}),
        c=("mqtt-in", {"topics": ["a/#/b"]}),
        d=("mqtt-out", {"topic": "a/#"}),
        e=("kafka-in", {"topics": ["t"], "more": {"nonsense": 1}}),
        f=("kafka-out", {"topic": "t", "more": {"nonsense": 1}}),
        g=("redis-in", {"streams": ["s"], "url": "127.0.0.1"}),
        i=("amqp-in", {"queue": "q", "url": "127.0.0.1"}),
        j=("amqp-out", {"routing_key": "q", "url": "http://127.0.0.1"}),
        k=("postgres-in", {"url": "me:secret@127.0.0.1/shop", "table": "t", "column": "id"}),
        l=("postgres-out", {"url": "me:secret@127.0.0.1/shop", "table": "t"}),
        m=("window", {"kind": "sliding", "size_s": 1, "slide_s": 2}),
        n=("mail", {"host": "h", "from": "f", "to": ["t"], "subject": "s", "user": "u"}),
        o=("s3-out", {"bucket": "b", "secret": "s"}),
        p=("s3-out", {"bucket": "b", "endpoint": "127.0.0.1:9000"}),
        q=("ndjson-out", {"path": "out", "rotate_mb": 1}),
        r=("http-poll", {"url": "http://"}),
        s=("http-request", {"url": "http://{a}:99999999/"}),
        t=("webhook", {"url": "http://a b/"}),
        u=("websocket", {"url": "ws://"}),
    )
    assert not any("secret@" in one for one in said)


def test_what_is_required_is_not_empty() -> None:
    """Of texts, lists and mappings."""
    for module in Catalogue().modules():
        schema = module.config or {}
        for name in schema.get("required", []):
            field = schema["properties"][name]
            empty = {"string": "", "array": [], "object": {}}.get(field["type"])
            if empty is None or (module.name, name) == ("mail", "subject"):
                continue
            _, problems = module.used_by({"config": {name: empty}}, ("modules", "m"), Path())
            assert any(problem.path[-1] == name for problem in problems), (module.name, name)


@pytest.mark.parametrize(
    ("use", "config", "sentence"),
    [
        ("lines-in", {"path": "no.txt"}, "there is no file"),
        ("lines-in", {"path": "."}, "is a folder"),
        ("parquet-in", {"path": "no.parquet"}, "there is no file"),
        ("sqlite-in", {"path": "no.db", "table": "t", "column": "id"}, "there is no database"),
    ],
)
def test_a_file_that_is_not_there(tmp_path: Path, use: str, config: dict[str, Any], sentence: str) -> None:
    """It was the end of the input, exit 0."""
    write_flow(tmp_path, {"read": {"use": use, "config": config}}, [])
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "run", "f.yaml")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("runner: f/read: the source failed") and sentence in last, done


UNREACHABLE = {
    "amqp-out": {"routing_key": "q", "url": "amqp://127.0.0.1:1/"},
    "mqtt-out": {"topic": "q", "port": 1},
    "nats-out": {"subject": "q", "url": "nats://127.0.0.1:1"},
    "redis-out": {"stream": "q", "url": "redis://127.0.0.1:1"},
    "postgres-out": {"table": "t", "url": "postgresql://127.0.0.1:1/x"},
    "mail": {"host": "127.0.0.1", "port": 1, "from": "f", "to": ["t"], "subject": "s"},
    "s3-out": {"bucket": "b", "endpoint": "http://127.0.0.1:1", "region": "r", "key_id": "k", "secret": "s"},
    "dedupe": {"key": "nonsense"},
}


@pytest.mark.parametrize("use", UNREACHABLE)
def test_nobody_is_there(tmp_path: Path, use: str) -> None:
    """A message has the tries that the flow says, no more inside the library, and then a sentence says why."""
    module = {"use": use, "config": UNREACHABLE[use], "retry": {"times": 1, "backoff_s": 0.01}}
    write_flow(tmp_path, {"tell": module}, [])
    (tmp_path / "in").write_text('{"a":1}\n')
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "run", "f.yaml", "-i", "tell.in=in")
    said = [line for line in done.stderr.splitlines() if line.startswith("dead letter at f/tell: ")]
    assert done.returncode == 1 and len(said) == 1, done.stderr
    assert "127.0.0.1" in said[0] or "the message has no field nonsense" in said[0]


@pytest.mark.full
def test_no_kafka_is_there(tmp_path: Path) -> None:
    """It waits for 30 s itself."""
    config = {"topic": "t", "servers": "127.0.0.1:1"}
    modules = {"tell": {"use": "kafka-out", "config": config, "retry": {"times": 1, "backoff_s": 0.01}}}
    write_flow(tmp_path, modules, [])
    (tmp_path / "in").write_text('{"a":1}\n')
    begin = time.monotonic()
    done = runner(tmp_path, "--state", str(tmp_path / "state"), "run", "f.yaml", "-i", "tell.in=in")
    assert done.returncode == 1 and time.monotonic() - begin > 30
    assert "ConnectionError: t: " in done.stderr and "Connection refused" in done.stderr
    assert "rdkafka#" not in done.stderr


def test_a_hook_that_checks_a_config(tmp_path: Path) -> None:
    """`check_config` and `checkConfig` of any module: a field, a field in a field, a list; not those without one."""
    need("node")
    python = "def check_config(config): return {'a.b': 'is odd'} if config['a']['b'] % 2 else None\ndef run(m, c): pass"
    node = "exports.checkConfig = ({ a }) => (a.b % 2 ? { a: 'has an odd b' } : {})\nexports.default = (m) => m"
    for code, runtime in ((python, "python3"), (node, "node")):
        for number in (1, 2):
            text = f"id: f\nmodules:\n  m:\n    runtime: {runtime}\n"
            text += f"    config:\n      c: 1\n      a:\n        b: {number}\n"
            text += "    code: |\n" + "".join(f"      {line}\n" for line in code.splitlines())
            (tmp_path / "f.yaml").write_text(text)
            done = runner(tmp_path, "--state", str(tmp_path / "state"), "check", "f.yaml")
            assert done.returncode == number % 2, done.stderr
            if number == 1:
                where, why = ("f.yaml:8:9", "`config.a.b` is odd") if runtime == "python3" else ("f.yaml:7:7", "odd b")
                assert f"f/m cannot be loaded: {where}: ConfigError: " in done.stderr and why in done.stderr


def test_a_hook_that_gives_no_answer_is_refused(tmp_path: Path) -> None:
    need("node")
    for runtime, code in (
        ("python3", "async def check_config(config): return {}\ndef run(m, c): return m"),
        ("node", "exports.checkConfig = async () => ({})\nexports.default = (m) => m"),
    ):
        write_flow(tmp_path, {"m": {"runtime": runtime, "code": code}}, [])
        done = runner(tmp_path, "--state", str(tmp_path / "state"), "check", "f.yaml")
        assert done.returncode == 1 and "f/m cannot be loaded: " in done.stderr and "TypeError: check" in done.stderr

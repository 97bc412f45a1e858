"""Whatever a flow file says, it is taken, or refused with file, line, column and field: never a traceback."""

import copy
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.definition import graph, hosting
from actors.definition.deployment import read_deployment
from actors.definition.model import FlowError
from actors.definition.reading import read_flow_file
from actors.definition.share import Share
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

FLOW = {
    "id": "f",
    "modules": {
        "a": {
            "runtime": "python3", "file": "a.py", "files": ["lib/*.py"], "config": {"k": [1, {"z": 2}]},
            "dependencies": ["numpy==2.*"], "ports": {"in": ["in"], "out": ["out"]}, "concurrency": 1,
            "isolated": False, "optional": False, "timeout_s": 1.5, "retry": {"times": 1, "backoff_s": 1},
            "env": {"A": "b"}, "state_version": 1, "on_queued": "drain", "window": False, "name": "a.py",
            "limits": {"memory_mb": 10, "cpu_s": 1, "open_files": 10, "temp_mb": 1, "writable": ["/tmp/x"]},
        },
        "b": {"runtime": "node", "code": "m => m"},
    },
    "wires": ["a -> b", {"from": "b.out", "to": "a.in", "delivery": "lossy"}],
    "tests": [{"name": "t", "send": {"a": [1]}, "expect": {"b.out": [1]}}],
    "drain_timeout_s": 1, "step_timeout_s": 2, "max_turn_bytes": 1000, "on_stuck": "kill", "layout": {"x": 1},
}  # fmt: skip
MARK = "written as it is: "
WORDS = [
    "", "a", "in", "out", "\0", "a\0b", "a.py\0", "\ud800", "\u2028", "\x85", "\x7f", "\ufeff", "a" * 300, "a" * 5000,
    "/", ".", "..", "../x", "/etc/passwd", "*", "**", "[", "[!", "***", "lib/../a.py", "lock", "name", "a -> b",
    "a->b->c", "a.b.c", "->", "é", "\n", " a", "a ", "~", "true", "${env:X}", "${file:/etc/passwd}",
]  # fmt: skip
RAW = [
    "9" * 5000,
    "-" + "9" * 5000,
    "0x" + "f" * 4000,
    "NaN",
    "Infinity",
    ".nan",
    "1e999999",
    "-0",
    "[" * 200 + "]" * 200,
]
VALUES = [
    None, True, 0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1.5, -0.0, 1e308, float("inf"),
    float("nan"), *WORDS, [], [[]], {}, ["a", "a"], [1], ["a\0"], {"in": 5}, {"": 1}, {"a\0": 1}, {"\ud800": 1},
    *(MARK + raw for raw in RAW),
]  # fmt: skip


def paths(value, path=()):
    """The paths of everything in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def changed(path, value, key=None, document=FLOW):
    """The document with another value at a path; or another key."""
    if not path:
        return value
    document = copy.deepcopy(document)
    at = document
    for part in path[:-1]:
        at = at[part]
    if key is None:
        at[path[-1]] = value
    elif isinstance(at, dict):
        at[key] = at.pop(path[-1])
    return document


def written(document, indent):
    """The document as JSON, which is YAML as well."""
    return re.sub(f'"{MARK}([^"]*)"', r"\1", json.dumps(document, indent=indent))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    (folder / "lib").mkdir()
    for name in ("a.py", "lib/b.py"):
        (folder / name).write_text("def run(m, c): return m\n")
    return folder


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    path=st.sampled_from(list(paths(FLOW))), value=st.sampled_from(VALUES), key=st.sampled_from([None, *WORDS]),
    name=st.sampled_from(["f.yaml", "f.json"]), indent=st.sampled_from([None, 2, "\t"]),
)  # fmt: skip
def test_a_document_is_taken_or_every_problem_names_its_place(folder, path, value, key, name, indent):
    file = folder / name
    file.write_bytes(
        written(changed(path, value, key), indent if name == "f.json" else 2).encode("utf-8", "surrogatepass")
    )
    try:
        source = read_flow_file(file)
        flow = check_flow(source.document, source.places, ["python3", "node"])
    except FlowError as error:
        for problem in error.problems:
            assert re.match(rf"{re.escape(str(file))}(:\d+:\d+: | is not UTF-8: line \d+, column \d+ )", problem), (
                problem
            )
            assert len(problem) < 800
    else:
        json.dumps(flow.document, allow_nan=False).encode()
        graph.runner_order(flow)
        hosting.lay_out(Share.whole(flow))


DEPLOYMENT = {
    "name": "d", "bind": "127.0.0.1", "runners": {"r": {"runtimes": ["python3"], "state": "s"}, "s": {}},
    "restart": {"times": 1, "period_s": 1.5}, "log": {"level": "info", "format": "json"},
    "flows": [{"file": "f.yaml", "place": {"a": "r", "*": "auto"}}],
    "gateway": {
        "listen": "127.0.0.1:0", "token": "${env:T}", "origins": ["https://e"], "pages": "p",
        "tls": {"certificate": "c", "key": "k"},
    },
}  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    path=st.sampled_from(list(paths(DEPLOYMENT))), value=st.sampled_from(VALUES), key=st.sampled_from([None, *WORDS]),
    name=st.sampled_from(["d.yaml", "d.json"]),
)  # fmt: skip
def test_a_deployment_is_taken_or_every_problem_names_its_place(folder, path, value, key, name):
    (folder / "f.yaml").write_text("id: f\nmodules: {a: {runtime: python3, code: x}}\n")
    file = folder / name
    file.write_bytes(written(changed(path, value, key, DEPLOYMENT), 2).encode("utf-8", "surrogatepass"))
    try:
        deployment = read_deployment(file, ["python3", "node"])
    except FlowError as error:
        for problem in error.problems:
            assert re.match(
                rf"{re.escape(str(folder))}/\S*?(:\d+:\d+: | is not UTF-8: line \d+, column \d+ )", problem
            ), problem
            assert len(problem) < 800
    else:
        assert "\0" not in str([runner.state for runner in deployment.runners]).encode().decode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.sampled_from(WORDS),
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text() | st.sampled_from(WORDS), items, max_size=4),
    max_leaves=12,
)  # fmt: skip


def as_contract(value):
    """Integers beyond 64 bits are doubles."""
    if isinstance(value, list):
        return [as_contract(item) for item in value]
    if isinstance(value, dict):
        return {key: as_contract(item) for key, item in value.items()}
    is_large = type(value) is int and not -(2**63) <= value < 2**63
    return float(value) if is_large else value


@settings(max_examples=500)
@given(value=JSON, indent=st.sampled_from([None, 0, 2, "\t", "\r\n"]), ascii=st.booleans())
def test_json_is_read_as_what_it_says(value, indent, ascii):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    read, places = read_text(text, "f.json")
    assert read == as_contract(value)
    lines = text.split("\n")
    for path in paths(value):
        line, column = places.marks[path]
        part = value
        for key in path:
            part = part[key]
        says = json.dumps(path[-1] if path and isinstance(path[-1], str) else part, ensure_ascii=ascii)
        assert lines[line - 1][column - 1 :].startswith(says if not isinstance(part, (dict, list)) else says[0]), path


PIECES = [
    *"abm01:-{}[]|>\"'#&*!%@`,.?~<=\\_\n\t ", "\n  ", "é", "\u2028", "\x85", "id: f\n", "modules:\n", "!!int ",
    "!!float ",
    "!!str ", "!!binary ", "!!set ", "&a ", "*a", "<<: ", "? ", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! tag:x\n", "0x",
    "0o", "1e999", ".inf", ".nan", "9" * 30, "0o" + "7" * 3000, "0x" + "f" * 400, "9" * 5000,
]  # fmt: skip


@settings(max_examples=1500)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_yaml_or_refused_with_its_place(text):
    try:
        read_text(text, "f.yaml")
    except FlowError as error:
        (problem,) = error.problems
        assert re.match(r"f\.yaml:\d+:\d+: ", problem), problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"id": ' + "9" * 5000 + "}", "f.json:1:2: `id` must be a finite number, not inf."),
        ('{"layout": NaN}', "f.json:1:2: `layout` must be a finite number, not nan."),
        ('{"layout": ["\\ud800"]}', "f.json:1:13: `layout[0]` has half of a surrogate pair in its text"),
        ('{"drain_timeout_s": 1e308}', "f.json:1:2: `drain_timeout_s` must be at most 31536000, not 1e+308."),
    ],
)  # fmt: skip
def test_what_json_may_say_and_no_flow_can_carry(text, problem):
    document, places = read_text(text, "f.json")
    with pytest.raises(FlowError) as caught:
        check_flow(document, places)
    assert any(said.startswith(problem) for said in caught.value.problems)


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_a_line_break_of_yaml_1_1_alone_is_refused(character):
    """It would end the line for the parser and not for the editor, and be read as something else."""
    with pytest.raises(FlowError, match=r"f\.yaml:2:5: the character '.*' may not stand in YAML"):
        read_text(f"a: b\nc: '{character}'", "f.yaml")

"""What a flow may say. Each broken document gets one sentence; the schema and the checker agree."""

# ruff: noqa: E501 (the tables of sentences)

import copy
import json
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.definition.deliveries import DELIVERIES, LOSSY
from actors.definition.model import Flow, FlowError, Module, Retry, Wire
from actors.definition.places import Places
from actors.definition.reading import read_flow_file
from actors.definition.schema import flow_schema
from actors.definition.unsupported import warnings
from actors.definition.validation import check_flow
from runtimes.manifest import RUNTIMES_FOLDER, load_runtimes

CONFIGS = Path(__file__).parents[2] / "configs"
RUNTIMES = ("python3", "node", "browser")
GOOD = {
    "id": "f",
    "modules": {
        "a": {"runtime": "python3", "code": "x"},
        "b": {"runtime": "node", "code": "y", "ports": {"in": ["in", "extra"], "out": ["result"]}},
        "page": {"runtime": "browser", "code": "z", "window": True},
    },
    "wires": ["a -> b", "a->b.extra", {"from": "b.result", "to": "page", "to_client": "all"}],
    "tests": [{"name": "t", "send": {"a": [1, None]}, "expect": {"b.result": [], "b.error": []}}],
}
VALIDATOR = jsonschema.Draft202012Validator(flow_schema())


def changed(path: str, value: object) -> dict:
    """GOOD with one field set; `path` is separated by slashes."""
    document = copy.deepcopy(GOOD)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target = document
    for part in parents:
        target = target[part]
    if isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return document


def problems(document: object, **options: object) -> list[str]:
    with pytest.raises(FlowError) as caught:
        check_flow(document, **{"runtimes": RUNTIMES, **options})
    return caught.value.problems


def test_a_good_flow():
    flow = check_flow(GOOD, runtimes=RUNTIMES)
    assert list(flow.modules) == ["a", "b", "page"]
    assert flow.wires == (
        Wire(from_module="a", to_module="b"),
        Wire(from_module="a", to_module="b", to_port="extra"),
        Wire(from_module="b", from_port="result", to_module="page", to_client="all"),
    )
    assert flow.tests[0].send == {"a.in": [1, None]}
    assert flow.tests[0].expect == {"b.result": [], "b.error": []}
    assert flow.document is GOOD
    VALIDATOR.validate(GOOD)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${file:token}", "${file:token}: the path has to begin with /."),
        ("x${env:A}${file:}", "${file:} names nothing."),
        ("${env:}", "${env:} names nothing."),
    ],
)
def test_references_that_can_stand_for_nothing(text, said):
    for path, place in (("config", "config"), ("env", "env.KEY")):
        value = text if path == "config" else {"KEY": text}
        assert problems(changed(f"modules/a/{path}", value)) == [f"`modules.a.{place}`: {said}"]
    deep = {"db": [{"user": "me", "password": text}]}
    assert problems(changed("modules/a/config", deep)) == [f"`modules.a.config.db[0].password`: {said}"]


def test_no_secret_goes_to_pages():
    (said,) = problems(changed("modules/page/config", ["${env:TOKEN}"]))
    assert said == "`modules.page.config[0]`: ${env:TOKEN} is a secret: it would go to every page."


@pytest.mark.parametrize("text", ["env:TOKEN", "$TOKEN", "${TOKEN}", "${ENV:x}", "$${x}", "${env:X}", "a${file:/b}c"])
def test_config_stays_what_it_is(text):
    """What a reference stands for is looked up where the host is started; here it is text."""
    assert check_flow(changed("modules/a/config", text)).modules["a"].config == text


def test_fields_without_an_effect_are_warned_of():
    assert warnings(GOOD) == []
    document = changed("modules/b/runner", "edge")
    check_flow(document)
    assert [said.partition(" has no effect")[0] for said in warnings(document)] == ["`modules.b.runner`"]


def test_a_page_does_not_try_again() -> None:
    retry = {"times": 3, "backoff_s": 1}
    modules = {
        "a": {"runtime": "browser", "code": "(m) => m", "retry": retry},
        "b": {"runtime": "python3", "code": "def run(m, c): pass", "retry": retry},
    }
    for alone in (True, False):
        (said,) = warnings({"id": "f", "modules": modules}, alone=alone)
        assert said.startswith("`modules.a.retry` has no effect")


@pytest.mark.parametrize(("said", "share"), [(False, None), (True, 1.0), (0, 0.0), (1, 1.0), (0.25, 0.25)])
def test_how_much_is_followed(said, share):
    """0 is not false: what comes with a sampled `traceparent` is followed."""
    assert check_flow(changed("tracing", said)).tracing == share
    assert check_flow(GOOD).tracing is None


def test_every_field_arrives():
    module = {
        "runtime": "python3", "code": "x", "name": "a.py", "files": {"lib/b.py": "y"}, "config": {"n": [None]},
        "dependencies": [], "ports": {"out": []}, "concurrency": 4, "isolated": True, "optional": True,
        "timeout_s": 1.5, "runner": "edge", "env": {"A": "$A"}, "limits": {"memory_mb": 1, "cpu_s": 2, "open_files": 3},
        "state_version": 2, "on_queued": "dead_letter", "window": False, "background": True,
    }  # fmt: skip
    settings = {
        "drain_timeout_s": 1, "step_timeout_s": 2.5, "max_turn_bytes": 10, "on_stuck": "kill", "tracing": 0.5,
    }  # fmt: skip
    retrying = {"runtime": "node", "code": "", "retry": {"times": 3}, "restart": {"times": 2, "backoff_s": 5}}
    document = {"id": "f", "modules": {"a": module, "r": retrying}, "layout": {"x": 1}, **settings}
    assert set(module) | {"retry", "restart", "file", "use"} == set(flow_schema()["$defs"]["module"]["properties"])
    flow = check_flow(document)
    assert flow.modules["a"] == Module(
        **{name: value for name, value in module.items() if name not in {"ports", "dependencies"}},
        id="a", ports_in=None, ports_out=(),
    )  # fmt: skip
    assert flow.modules["r"].retry == Retry(times=3, backoff_s=1.0)
    assert flow.modules["r"].restart == Retry(times=2, backoff_s=5)
    assert {name: getattr(flow, name) for name in settings} == settings
    VALIDATOR.validate(document)


BAD = [
    ("id", "9lives", "`id` must be a name of letters, digits, _ and - that starts with a letter or _ and has at most 64 characters, not the text '9lives'."),
    ("id", "a" * 65, None),
    ("id", None, "`id` must be text, not empty (null)."),
    ("modules", [], "`modules` must be a mapping, not a list."),
    ("wires", {}, "`wires` must be a list, not a mapping."),
    ("tests", "no", "`tests` must be a list, not the text 'no'; an item begins with `- `."),
    ("modules/a", None, "`modules.a` must be a mapping, not empty (null); its fields are indented further than its name."),
    ("modules/a/code", {"def run(m, c)": None}, "`modules.a.code` must be text, not a mapping; a text with `: ` in it needs quotes, one of several lines a `|` before the first."),
    ("moduls", {}, "`moduls` is not a known field; did you mean 'modules'?"),
    ("on_stuck", "retry", "`on_stuck` must be one of abort, kill, not 'retry'."),
    ("drain_timeout_s", 0, "`drain_timeout_s` must be more than 0, not 0."),
    ("drain_timeout_s", True, "`drain_timeout_s` must be a number, not true."),
    ("drain_timeout_s", float("inf"), "`drain_timeout_s` must be a finite number, not inf."),
    ("max_turn_bytes", 1 << 40, "`max_turn_bytes` must be at most 67108864, not 1099511627776."),
    ("max_turn_bytes", 1.5, "`max_turn_bytes` must be a whole number, not the number 1.5."),
    ("tracing", "on", "`tracing` must be true or false or a number, not the text 'on'; write true without quotes."),
    ("modules/a", {"code": "x"}, "`modules.a` lacks the field `runtime`."),
    ("modules/a", {"runtime": "node"}, "`modules.a` has no source; give it `file` (a path) or `code` (the text)."),
    ("modules/a/file", "x.py", "`modules.a` has both `file` and `code`; keep one."),
    ("modules/a/retyr", {}, "`modules.a.retyr` is not a known field; did you mean 'retry'?"),
    ("modules/a/code", 3, "`modules.a.code` must be text, not the number 3; put it in quotes."),
    ("modules/a/name", "x/y.py", "`modules.a.name` must be a file name without a folder, not the text 'x/y.py'."),
    ("modules/a/files", {"../x": ""}, "`modules.a.files.../x` must be a relative path without `.` and `..`, not the text '../x'."),
    ("modules/a/files", {"/x": ""}, None),
    ("modules/a/files", {"a//x": ""}, None),
    ("modules/a/files", {"x": None}, "`modules.a.files.x` must be text, not empty (null)."),
    ("modules/a/concurrency", 0, "`modules.a.concurrency` must be at least 1, not 0."),
    ("modules/a/timeout_s", -1, "`modules.a.timeout_s` must be more than 0, not -1."),
    ("modules/a/retry", {"backoff_s": 1}, "`modules.a.retry` lacks the field `times`."),
    ("modules/a/retry", {"times": 2.5}, "`modules.a.retry.times` must be a whole number, not the number 2.5."),
    ("modules/a/retry", {"times": 1, "delay": 3}, "`modules.a.retry.delay` is not a known field; there are backoff_s, times."),
    ("modules/a/limits", {"memory": 3}, "`modules.a.limits.memory` is not a known field; did you mean 'memory_mb'?"),
    ("modules/a/env", {"PORT": 80}, "`modules.a.env.PORT` must be text, not the number 80; put it in quotes."),
    ("modules/a/env", {"A B": "x"}, "`modules.a.env.A B` must be an environment variable's name of letters, digits and _, not the text 'A B'."),
    ("modules/a/on_queued", "drop", "`modules.a.on_queued` must be one of drain, dead_letter, not 'drop'."),
    ("modules/a/state_version", "2", "`modules.a.state_version` must be a whole number, not the text '2'."),
    ("modules/a/ports", {"in": ["x", "x"]}, "`modules.a.ports.in[1]` repeats 'x'; leave one out."),
    ("modules/a/dependencies", "numpy", None),
    ("modules/a/dependencies", [1], "`modules.a.dependencies[0]` must be text, not the number 1; put it in quotes."),
    ("wires/3", "a => b", "`wires[3]` must be a wire like `a.out -> b.in` or `a -> b`, not the text 'a => b'."),
    ("wires/3", 3, "`wires[3]` must be text or a mapping, not the number 3; put it in quotes."),
    ("wires/3", {"from": "a"}, "`wires[3]` lacks the field `to`."),
    ("wires/3", {"from": "a", "to": "b.c.d"}, "`wires[3].to` must be `module.port` or `module`, not the text 'b.c.d'."),
    ("wires/3", {"from": "a", "to": "b", "delivry": "lossy"}, "`wires[3].delivry` is not a known field; did you mean 'delivery'?"),
    ("tests/0/send", {"a": 1}, "`tests[0].send.a` must be a list, not the number 1."),
    ("tests/0/name", " ", "`tests[0].name` must be a name, not the text ' '."),
]  # fmt: skip
BAD_IN_MEANING = [
    ("modules/a/runtime", "nod", "`modules.a.runtime`: there is no runtime 'nod'; did you mean 'node'?"),
    ("modules/a/runtime", "JavaScript", "`modules.a.runtime`: there is no runtime 'JavaScript'; did you mean 'node'?"),
    ("modules/a/runtime", "golang", "`modules.a.runtime`: there is no runtime 'golang'; there are browser, node, python3."),
    ("modules/a/runtime", "cobol", "`modules.a.runtime`: there is no runtime 'cobol'; there are browser, node, python3."),
    ("modules/a", {"runtime": "node", "file": "x.js"}, "`modules.a`: a runner reads no files; send the text of `file` as `code`."),
    ("modules/a/files", ["*.py"], "`modules.a.files`: a runner reads no files; send a mapping of name to text."),
    ("modules/a/window", True, "`modules.a.window` is only for the runtime browser, and 'a' runs in python3."),
    ("modules/a", {"runtime": "node", "code": "", "retry": {"times": 1}, "concurrency": 2}, "`modules.a.retry`: a retry keeps the order of messages, which `concurrency` above 1 gives up; choose one."),
    ("modules/a/code", "é" * (8 << 20) + "x", "`modules.a` has 16777217 bytes of source; at most 16777216 are taken."),
    ("modules/a/config", {"x": float("nan")}, "`modules.a.config.x` must be a finite number, not nan."),
    ("modules/a/config", [1 << 70], "`modules.a.config[0]` does not fit into 64 bits: the number 1180591620717411303424."),
    ("modules/a/config", [10**5000], "`modules.a.config[0]` does not fit into 64 bits: a number of more than 60 digits."),
    ("modules/a/config", "\ud800", "`modules.a.config` has half of a surrogate pair in its text, which no message can carry."),
    ("modules/a/config", {1: 2}, "`modules.a.config` has the key 1; keys must be text."),
    ("modules/a/config", {"x": b""}, "`modules.a.config.x` is a bytes, which JSON cannot carry."),
    ("layout", (1,), "`layout` is a tuple, which JSON cannot carry."),
    ("wires/3", "a -> c", "`wires[3]`: there is no module 'c'; there are a, b, page."),
    ("wires/3", "pag.x -> a", "`wires[3]`: there is no module 'pag'; did you mean 'page'?"),
    ("wires/3", "b.resul -> a", "`wires[3]`: module 'b' has no out-port 'resul'; did you mean 'result'?"),
    ("wires/3", "a -> b.error", "`wires[3]`: module 'b' has no in-port 'error'; there are extra, in."),
    ("wires/3", "a.out->b.in", "`wires[3]` repeats `wires[0]` (a.out->b.in); remove one."),
    ("wires/3", {"from": "a", "to": "a", "to_client": "all"}, "`wires[3].to_client` is only for wires to a browser module, and 'a' runs in python3."),
    ("tests/0/send", {"c": []}, "`tests[0].send.c.in`: there is no module 'c'; there are a, b, page."),
    ("tests/0/expect", {"b": []}, "`tests[0].expect.b.out`: module 'b' has no out-port 'out'; there are error, result."),
    ("tests/1", {"name": "t", "send": {}, "expect": {}}, "`tests[1]` has the name of another test, 't'."),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "problem"), BAD)
def test_a_wrong_shape_gets_one_sentence_and_the_schema_refuses_it_too(path, value, problem):
    document = changed(path, value)
    found = problems(document)
    assert problem is None or problem in found
    assert len(found) == 1 or path in {"modules", "modules/a"}
    if value != float("inf"):
        assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(("path", "value", "problem"), BAD_IN_MEANING)
def test_a_wrong_meaning_gets_one_sentence(path, value, problem):
    assert problems(changed(path, value)) == [problem]


@pytest.mark.parametrize("document", [None, 3, [], "flow"])
def test_a_flow_is_a_mapping(document):
    (problem,) = problems(document)
    assert problem.startswith("the flow must be a mapping, not ")


def test_a_line_feed_is_no_part_of_an_id():
    assert len(problems(changed("id", "a\n"))) == 1
    assert len(problems(changed("wires/3", {"from": "a\n", "to": "b"}))) == 1


def test_a_key_that_is_not_text_is_one_problem():
    assert problems(changed("modules", {**GOOD["modules"], 1: None})) == ["`modules` has the key 1; keys must be text."]


def test_short_and_long_names_of_a_port_are_one_port():
    flow = check_flow(changed("tests/0/send", {"a": [1], "a.in": [2]}))
    assert flow.tests[0].send == {"a.in": [1, 2]}


def test_an_empty_document_lacks_two_fields():
    assert problems({}) == ["the flow lacks the field `id`.", "the flow lacks the field `modules`."]


def test_a_config_nested_too_deep_is_one_problem():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert problems(changed("modules/a/config", deep)) == ["`modules.a.config` is nested deeper than 120 levels."]


def test_what_a_broken_module_is_wired_to_is_no_further_problem():
    document = changed("modules/b/ports", 3)
    assert problems(document) == ["`modules.b.ports` must be a mapping, not the number 3."]


def test_all_problems_come_at_once_sorted_by_place_and_limited():
    document = changed("wires", [f"a -> x{n}" for n in range(30)])
    document["idd"] = 1
    marks = {("wires", n): (n + 1, 5) for n in range(30)} | {("idd",): (40, 1), (): (1, 1)}
    found = problems(document, places=Places("f.yaml", marks))
    assert found[0] == "f.yaml:1:5: `wires[0]`: there is no module 'x0'; there are a, b, page."
    assert found[-1] == "... and 11 more."
    assert len(found) == 21


def test_any_runtime_is_taken_where_none_are_known():
    assert check_flow(changed("modules/a/runtime", "cobol")).modules["a"].runtime == "cobol"


def test_lossy_wires_and_error_ports_may_be_wired():
    document = changed("wires", [{"from": "b.error", "to": "a", "delivery": "lossy"}])
    assert check_flow(document).wires[0].delivery is LOSSY
    VALIDATOR.validate(document)


def test_the_schema_is_a_schema_and_describes_every_field():
    jsonschema.Draft202012Validator.check_schema(flow_schema())
    for name in ("flow", "module", "wire", "test"):
        for field, schema in flow_schema()["$defs"][name]["properties"].items():
            assert schema.get("description"), f"{name}.{field}"


@pytest.mark.parametrize(("name", "model"), [("flow", Flow), ("module", Module), ("wire", Wire)])
def test_the_defaults_of_the_schema_are_those_of_the_model(name, model):
    defaults = {field.name: field.default for field in fields(model) if field.default is not MISSING}
    for field, schema in flow_schema()["$defs"][name]["properties"].items():
        if "default" in schema:
            default = defaults[field]
            assert schema["default"] == getattr(default, "name", default), field


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_valid_as_a_file_and_as_a_document(path):
    from actors.definition.yaml_text import read_text

    VALIDATOR.validate(read_text(path.read_text("utf-8"), path.name)[0])
    source = read_flow_file(path)
    VALIDATOR.validate(source.document)
    flow = check_flow(json.loads(json.dumps(source.document)), source.places, load_runtimes([RUNTIMES_FOLDER]))
    assert flow.id == path.stem
    assert flow.tests
    assert f"]({path.name})" in (CONFIGS / "README.md").read_text("utf-8")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(width=16)
    | st.sampled_from(["", "a", "a -> b", "memory"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "runtime", "code", "from", "to", "name", "send", "ports", "x y"]), inner
        )
    ),
    max_leaves=12,
)


@given(
    document=st.fixed_dictionaries({}, optional={name: JSON for name in flow_schema()["$defs"]["flow"]["properties"]})
    | st.builds(lambda field, value: changed(f"modules/a/{field}", value),
                st.sampled_from(sorted(flow_schema()["$defs"]["module"]["properties"])), JSON)
)  # fmt: skip
def test_what_is_taken_the_schema_takes_too_and_nothing_else_is_raised(document):
    try:
        check_flow(document)
    except FlowError as error:
        assert error.problems
        assert all(problem.endswith((".", "?")) for problem in error.problems)
    else:
        VALIDATOR.validate(document)


def test_checking_flows_imports_nothing_slow():
    code = "import sys, actors.definition.validation, actors.definition.graph; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"yaml", "jsonschema", "hypothesis", "rich", "asyncio"}


def test_the_schema_names_the_delivery_classes_that_there_are():
    assert flow_schema()["$defs"]["wire"]["properties"]["delivery"]["enum"] == list(DELIVERIES)

"""Which ports a module has: what it declares, or what its text names."""

import pytest

from actors.definition.model import FlowError, Module
from actors.definition.ports import port_problem
from actors.definition.validation import check_flow


def module(code: str = "", **fields: object) -> Module:
    return Module(**{"id": "m", "runtime": "python3", "name": "m", "code": code, **fields})


@pytest.mark.parametrize(
    "text",
    [
        "c.send('alarm', m)",
        'c.send("alarm", m)',
        'c.send(r"alarm", m); f"alarm"',
        'PORTS = ("""alarm""",)',
        "context.send(`alarm`, m)",
        "{'low': 1, \"alarm\": 2}",
        "c.Send(`alarm`, m)",
        'context.send("alarm", json!(1))?;',
        'let port = r#"alarm"#;',
        '(context-send context "alarm" 1)',
        "context.send(:alarm, m)",
        "port = m > 1 ? :alarm : :low",
        "$context->send('alarm', $m);",
        "match context.port:\n    case 'alarm':",
        "# 'alarm' is sent by a name that it makes: a comment counts",
    ],
)
def test_a_name_that_is_a_whole_literal_is_known(text: str) -> None:
    for side in ("in", "out"):
        assert port_problem(module(text), side, "alarm") is None
        assert port_problem(module("x", files={"helper": text}), side, "alarm") is None
        assert "did you mean 'alarm'?" in str(port_problem(module(text), side, "alrm"))


@pytest.mark.parametrize(
    "text",
    [
        "def alarm(m): pass",
        "c.send('alarms', m)",
        "c.send('an alarm', m)",
        "c.send('al' + 'arm', m)",
        "c.send(f'{kind}_alarm', m)",
        'c.send("\\"alarm\\"", m)',
        "c.send('alarm\", m)",
        "Time::alarm; a?b:alarm; x[1:alarm]",
        "alarm: 5",
        "%w[alarm]",
    ],
)
def test_whatever_else_the_text_says_makes_no_port(text: str) -> None:
    for side in ("in", "out"):
        assert port_problem(module(text), side, "alarm") is not None


def test_what_every_module_has() -> None:
    assert [side for side in ("in", "out") for port in ("in", "out") if port_problem(module(), side, port) is None] == [
        "in", "out"
    ]  # fmt: skip
    assert port_problem(module(), "in", "error") is port_problem(module(), "out", "error") is None


def test_a_side_that_is_declared_has_nothing_else() -> None:
    declared = module("'low' 'high'", ports_in=("low",))
    assert port_problem(declared, "in", "low") is None
    assert port_problem(declared, "in", "in") == "module 'm' has no in-port 'in'; there is low."
    assert port_problem(declared, "out", "high") is port_problem(declared, "out", "out") is None
    nothing = module("'low'", ports_out=())
    assert port_problem(nothing, "out", "error") is None
    assert port_problem(nothing, "out", "low") == "module 'm' has no out-port 'low'; there is error."


def test_the_sentences() -> None:
    text = "c.send('alarm', m)"
    assert port_problem(module(text), "out", "alrm") == (
        "module 'm' has no out-port 'alrm'; did you mean 'alarm'? (`ports` declares names that it makes when it runs.)"
    )
    assert port_problem(module(text), "out", "xyz") == (
        "module 'm' has no out-port 'xyz': nothing in its text is called that, and its `ports` does not declare it."
    )
    for name, meant in (("outt", "out"), ("eror", "error"), ("ALARM", "alarm"), ("Error", "error")):
        assert f"did you mean {meant!r}?" in str(port_problem(module(text), "out", name))
    assert "did you mean 'in'?" in str(port_problem(module(text), "in", "IN"))
    assert "did you mean 'low'?" in str(port_problem(module(ports_in=("low", "high")), "in", "LOW"))


def test_wires_and_tests_of_a_flow() -> None:
    document = {
        "id": "f",
        "modules": {"a": {"runtime": "x", "code": "'alarm'"}, "b": {"runtime": "x", "code": ""}},
        "wires": ["a.alarm -> b", "a.alrm -> b.inn"],
        "tests": [{"name": "t", "send": {"a.alrm": [1]}, "expect": {"b.outt": []}}],
    }
    with pytest.raises(FlowError) as caught:
        check_flow(document)
    heads = [
        "`wires[1]`: module 'a' has no out-port 'alrm'",
        "`wires[1]`: module 'b' has no in-port 'inn'",
        "`tests[0].send.a.alrm`: module 'a' has no in-port 'alrm'",
        "`tests[0].expect.b.outt`: module 'b' has no out-port 'outt'",
    ]
    problems = caught.value.problems
    assert [problem.partition("; did you")[0] for problem in problems] == heads

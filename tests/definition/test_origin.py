"""The errors of inline code are counted in the flow file's lines, whatever stands around it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.definition.origin import placed
from actors.definition.reading import FlowSource, read_flow_file
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

CODE = ["def run(m, c):", "    raise ValueError(m)", "", "# the end"]
HEADERS = ["|", "|-", "|+", "|2", "|2-  # comment", "&x |", "!!str |", "&x\n      |"]


def error_at(text: str, line: int, name: str = "a", file: str = "f.yaml", **more: object) -> dict:
    document, places = read_text(text, file)
    source = FlowSource(document=document, places=places, paths=())
    flow = check_flow(source.sent)
    return placed(flow, "a", {"type": "E", "message": "m", "file": name, "line": line, **more})


@given(
    before=st.lists(st.sampled_from(["layout: 1", "# comment", "", "on_stuck: abort"]), unique=True),
    header=st.sampled_from(HEADERS), indent=st.integers(6, 9), blank=st.integers(0, 2),
    newline=st.sampled_from(["\n", "\r\n"]),
    line=st.integers(1, len(CODE)), column=st.integers(1, 9),
)  # fmt: skip
def test_a_line_of_a_block_is_a_line_of_the_file(before, header, indent, blank, newline, line, column):
    indent = 6 if "2" in header else indent
    code = [f"{' ' * indent}{text}" if text else "" for text in [*[""] * blank, *CODE]]
    lines = [*before, "id: f", "modules:", "  a:", "    runtime: x", *f"    code: {header}".split("\n"), *code]
    text = newline.join([*lines, "    config: 1", ""])
    error = error_at(text, line + blank, column=column)
    assert error["file"] == "f.yaml"
    assert text.split(newline)[error["line"] - 1] == code[line + blank - 1]
    assert error["column"] == column + indent


@pytest.mark.parametrize(
    ("module", "file"), [("code: 'x'", "f.yaml"), ("code: |\n      x", "f.yaml"), ("file: a.x", "a.x")]
)
def test_an_error_that_tells_no_place_is_of_the_module(module: str, file: str, tmp_path: Path) -> None:
    (tmp_path / "a.x").write_text("x")
    (tmp_path / "f.yaml").write_text(f"id: f\nmodules:\n  a:\n    runtime: x\n    {module}\n")
    flow = check_flow(read_flow_file(tmp_path / "f.yaml").sent)
    assert Path(placed(flow, "a", {"type": "E", "message": "m"})["file"]).name == file


def test_an_alias_stands_where_its_text_does():
    text = "id: f\nmodules:\n  z:\n    runtime: x\n    code: &d |\n      one\n      two\n  a: {runtime: x, code: *d}\n"
    assert error_at(text, 2)["line"] == 7


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("f.json", '{"id": "f", "modules": {"a": {"runtime": "x",\n "code": "one\\ntwo\\nthree"}}}'),
        ("f.yaml", 'id: f\nmodules: {a: {runtime: x, code: "one\\ntwo\\nthree"}}\n'),
        ("f.yaml", "id: f\nmodules: {a: {runtime: x,\n code: one two}}\n"),
        ("f.yaml", "id: f\nmodules:\n  a:\n    runtime: x\n    code: >\n      one\n\n      two\n\n      three\n"),
    ],
)
def test_a_text_that_is_written_in_another_form_stands_where_its_field_does(file, code):
    _, places = read_text(code, file)
    error = error_at(code, 3, file=file, column=4, stack="at run (a:3:4)")
    assert (error["file"], error["line"]) == (file, places.position(("modules", "a", "code"))[0])
    assert "column" not in error
    assert error["stack"] == "at run (a:3:4)"


STACKS = {
    '  File "a", line 2, in run\n    d(m)\nError: a:x': '  File "f.yaml", line 7, in run\n    d(m)\nError: a:x',
    "Error: 1\n    at deep (a:1:9)\n    at a (a:3:28)": "Error: 1\n    at deep (f.yaml:6:15)\n    at a (f.yaml:8:34)",
    "a:2:in `deep'\nlib/a:2:in `x'\nla:3:in `y'": "f.yaml:7:in `deep'\nlib/a:2:in `x'\nla:3:in `y'",
    "#0 a(2): deep()": "#0 f.yaml(7): deep()",
    "at DEEP (a:2)\nat X (a.lisp:2)": "at DEEP (f.yaml:7)\nat X (a.lisp:2)",
    "a.go:1 Run": "f.yaml:6 Run",
}


@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_of_all_languages(stack):
    text = (
        "id: f\nmodules:\n  a:\n    runtime: x\n    code: |\n      one\n      two\n      three\n"
        "    files: {a.lisp: x}\n"
    )
    assert error_at(text, 1, stack=stack)["stack"] == STACKS[stack]


def test_others_places_stay(tmp_path: Path):
    """Those of a sibling, of a module with a file of its own, and those of a module that is not there."""
    text = "id: f\nmodules:\n  a:\n    runtime: x\n    code: |\n      one\n  b: {runtime: x, file: b.py}\n"
    (tmp_path / "b.py").write_text("x")
    (tmp_path / "f.yaml").write_text(text)
    source = read_flow_file(tmp_path / "f.yaml")
    flow = check_flow(source.sent)
    for module, error in {
        "a": {"type": "E", "message": "a:1", "file": "helper.py", "line": 1},
        "b": {"type": "E", "message": "", "file": "b.py", "line": 1, "stack": "b.py:1"},
        "c": {"type": "E", "message": "", "file": "c", "line": 1},
    }.items():
        assert placed(flow, module, error) == error
    unknown = placed(flow, "a", {"type": "E", "message": "x", "file": "a"})
    assert unknown == {"type": "E", "message": "x", "file": str(tmp_path / "f.yaml")}
    plain = check_flow({**source.document, "modules": {"a": source.document["modules"]["a"]}})
    assert placed(plain, "a", {"type": "E", "message": "", "file": "a", "line": 1})["file"] == "a"


def test_a_name_of_inline_code_is_the_file_in_its_errors():
    text = "id: f\nmodules:\n  a:\n    runtime: x\n    name: x.mjs\n    code: |\n      one\n"
    assert error_at(text, 1, name="x.mjs")["line"] == 7
    assert error_at(text, 1, name="a")["file"] == "a"

"""Flow files: what they mean, and the one sentence that each broken one gets."""

import json
from pathlib import Path

import pytest

from actors.definition.model import FlowError
from actors.definition.reading import read_flow_file
from actors.definition.yaml_text import read_text


def write(folder: Path, text: str, name: str = "f.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(FlowError) as caught:
        read_flow_file(path)
    return [problem.replace(str(path.parent), "DIR") for problem in caught.value.problems]


def value(text: str):
    return read_text(text, "f.yaml")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("OFF", "OFF"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("+7", 7),
        ("0777", 777),
        ("0o17", 15),
        ("0xff", 255),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-1.", -1.0),
        ("2026-01-01", "2026-01-01"),
        ("=", "="),
        ("<<", "<<"),
        ("9007199254740993", 9007199254740993),
        ("9223372036854775808", 9223372036854775808.0),
        ("1" * 5000, float("inf")),
        ("'12'", "12"),
        ("!!str 12", "12"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text, expected):
    read = value(f"a: {text}")["a"]
    assert read == expected
    assert type(read) is type(expected)


def test_words_of_yaml_1_1_are_usable_as_module_ids():
    assert list(value("{on: 1, off: 2, yes: 3, no: 4, y: 5}")) == ["on", "off", "yes", "no", "y"]


def test_an_alias_is_a_copy():
    read = value("a: &x {b: [1]}\nc: *x")
    assert read["a"] == read["c"]
    assert read["a"] is not read["c"]


def test_places_of_keys_and_items():
    _, places = read_text("id: f\nwires:\n  - a -> b\n  - {from: x,\n     to: y}\n", "f.yaml")
    assert places.at(()) == "f.yaml:1:1"
    assert places.at(("wires",)) == "f.yaml:2:1"
    assert places.at(("wires", 0)) == "f.yaml:3:5"
    assert places.at(("wires", 1, "to")) == "f.yaml:5:6"
    assert places.at(("wires", 1, "nope", 3)) == "f.yaml:4:5"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "DIR/f.yaml:1:1: the file is empty; a flow needs at least `id` and `modules`."),
        ("- a", "DIR/f.yaml:1:1: a flow file is a mapping with `id` and `modules`, no list and no single value."),
        ("id: a\nid: b", "DIR/f.yaml:2:1: `id` is given twice, first in line 1; remove one."),
        (
            "modules:\n  a: {code: x,\n    code: y}",
            "DIR/f.yaml:3:5: `modules.a.code` is given twice, first in line 2; remove one.",
        ),
        (
            "a:\n  b: &x {c: 1}\n  <<: *x",
            "DIR/f.yaml:3:3: `a.<<`: `<<` merges in YAML 1.1 only; write the fields out, or quote it.",
        ),
        ("id: a\n1: b", "DIR/f.yaml:2:1: the key '1' in the flow is not text; put it in quotes."),
        ("a:\n  true: b", "DIR/f.yaml:2:3: the key 'true' in `a` is not text; put it in quotes."),
        ("? [a]\n: b", "DIR/f.yaml:1:3: the key of several values in the flow is not text; put it in quotes."),
        ("a:\n\t- b", "DIR/f.yaml:2:1: a tab stands where YAML wants spaces; replace it."),
        (
            "runners: {}\nflows: []",
            "DIR/f.yaml:1:1: this is a deployment, not a flow; `runner up` starts it, `runner check` checks it.",
        ),
        (
            "a: b\nc: \x07",
            "DIR/f.yaml:2:4: the character '\\x07' may not stand in YAML; remove or escape it.",
        ),
        ("a: !foo 3", "DIR/f.yaml:1:1: `a` has the tag !foo, which a flow file cannot have."),
        ("a: !!int x", "DIR/f.yaml:1:1: `a` says it is !!int, which 'x' is not."),
        ("a: &a [*a]", "DIR/f.yaml:1:4: `a[0][0][0]` is nested too deep, too large, or contains itself."),
    ],
)
def test_a_broken_file_gets_one_sentence_with_its_place(tmp_path, text, problem):
    assert problems(write(tmp_path, text)) == [problem]


@pytest.mark.parametrize("text", ["a: [1,\n b: c", "a: *b", "a: 1\n---\nb: 2", "[" * 5000, "a: 'x"])
def test_libyamls_own_sentence_gets_a_place(tmp_path, text):
    (problem,) = problems(write(tmp_path, text))
    assert problem.startswith("DIR/f.yaml:")
    assert "this is not YAML: " in problem


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a: b: c", "1:5", "a text with `: ` in it needs quotes, and a line may be indented too far"),
        ("a:\n  b: c\n    d: e", "3:6", "a text with `: ` in it needs quotes, and a line may be indented too far"),
        ("a: b\n c:\n  - d", "2:3", "and a line may be indented too far"),
        ("a:\n  b: c\n d: e", "3:2", "what belongs together begins in the same column"),
        ("a:\n  - b\n c: d", "3:2", "what belongs together begins in the same column"),
        ("a:\n  - b\n  c: d", "3:3", "the items of a list begin in the same column"),
        ("a: |\n  b\nc", "4:1", "a key ends in `:`"),
        ("a: - b", "1:4", "a list begins in a line of its own"),
        ("a: {b: c\nd: e}", "2:2", "a bracket or a quote is not closed"),
        ("a: {b: 'it's'}", "1:12", "a bracket or a quote is not closed"),
        ("a: 'b", "1:6", "a quote is not closed"),
        ("a: @b", "1:4", "put the text in quotes"),
        ("a: *b", "1:4", "a text that begins with `*` needs quotes"),
    ],
)
def test_what_people_have_mostly_done(tmp_path, text, place, hint):
    (problem,) = problems(write(tmp_path, text))
    assert problem.startswith(f"DIR/f.yaml:{place}: this is not YAML: ") and hint in problem


def test_an_alias_bomb_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = problems(write(tmp_path, "\n".join(lines)))
    assert "too large" in problem


def test_json_is_read_with_places(tmp_path):
    document = {"id": "f", "modules": {"a": {"runtime": "node", "code": "'\U0001f600\\ud83d/' // \x7f"}}}
    source = read_flow_file(write(tmp_path, json.dumps(document, indent="\t"), "f.json"))
    assert source.document == document
    assert source.places.position(("modules", "a", "code")) == (6, 4)


def test_broken_json_gets_jsons_own_sentence(tmp_path):
    assert problems(write(tmp_path, '{"id":\n "f",}', "f.json")) == [
        "DIR/f.json:2:6: this is not JSON: Expecting property name enclosed in double quotes."
    ]
    assert problems(write(tmp_path, '{"id": 1,\n "id": 2}', "f.json")) == [
        "DIR/f.json:2:2: `id` is given twice, first in line 1; remove one."
    ]
    assert problems(write(tmp_path, "[" * 100_000, "f.json")) == [
        "DIR/f.json:1:130: `[0][0][0][0]` is nested deeper than 128 levels."
    ]


def test_files_become_text(tmp_path):
    (tmp_path / "src" / "lib").mkdir(parents=True)
    for name in ("src/a.py", "src/b.py", "src/lib/c.py", "shared.py"):
        (tmp_path / name).write_text(f"# {name}\n", "utf-8")
    path = write(
        tmp_path,
        "id: f\nmodules:\n  a: {runtime: python3, file: src/a.py, files: ['src/**/*.py', shared.py]}\n"
        "  b: {runtime: python3, code: x, files: [shared.py]}\n  c: {runtime: node, file: src/a.py, name: b.mjs}\n",
    )
    source = read_flow_file(path)
    assert source.document["modules"] == {
        "a": {
            "runtime": "python3",
            "code": "# src/a.py\n",
            "name": "a.py",
            "files": {"b.py": "# src/b.py\n", "lib/c.py": "# src/lib/c.py\n", "shared.py": "# shared.py\n"},
        },
        "b": {"runtime": "python3", "code": "x", "files": {"shared.py": "# shared.py\n"}},
        "c": {"runtime": "node", "code": "# src/a.py\n", "name": "b.mjs"},
    }
    assert list(source.document["modules"]["a"]["files"]) == ["b.py", "lib/c.py", "shared.py"]
    assert source.paths[0] == path
    read = {found.relative_to(tmp_path).as_posix() for found in source.paths}
    assert read == {"f.yaml", "src/a.py", "src/b.py", "src/lib/c.py", "shared.py"}
    json.dumps(source.document)


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (
            "file: sorce.py",
            "3:7: `modules.a.file` names 'DIR/sorce.py', which does not exist; did you mean 'source.py'?",
        ),
        (
            "file: no/x.py",
            "3:7: `modules.a.file` names 'DIR/no/x.py', which does not exist; neither does its folder DIR/no.",
        ),
        ("file: folder", "3:7: `modules.a.file` names 'DIR/folder', which is a directory, not a file."),
        (
            "file: latin.py",
            "3:7: `modules.a.file` names 'DIR/latin.py', which is not UTF-8: line 2, column 2 has the byte 0xe9.",
        ),
        (
            r'file: "a\0b"',
            r"3:7: `modules.a.file` names 'DIR/a\x00b', which does not exist; there are f.yaml, latin.py, link, source.py.",  # noqa: E501
        ),
        ("files: ['*.no']", "3:15: `modules.a.files[0]`: '*.no' matches no file in 'DIR'."),
        (
            "files: ['../*']",
            "3:15: `modules.a.files[0]`: '../*' must be a pattern inside the flow file's folder, like 'lib/*.py'.",
        ),
        (
            "files: ['/etc/*']",
            "3:15: `modules.a.files[0]`: '/etc/*' must be a pattern inside the flow file's folder, like 'lib/*.py'.",
        ),
        (
            "files: ['']",
            "3:15: `modules.a.files[0]`: '' must be a pattern inside the flow file's folder, like 'lib/*.py'.",
        ),
        (
            "files: [link]",
            "3:15: `modules.a.files[0]`: 'DIR/link' leads out of the flow file's folder; copy it there.",
        ),
        (
            "file: folder/x.py, files: [folder/source.py, source.py]",
            "3:52: `modules.a.files[1]`: 'DIR/folder/source.py' and 'DIR/source.py' would both be called 'source.py'.",
        ),
    ],
)
def test_a_file_that_cannot_be_inlined(tmp_path, module, problem):
    (tmp_path / "folder").mkdir()
    for name in ("source.py", "folder/x.py", "folder/source.py"):
        write(tmp_path, "", name)
    (tmp_path / "latin.py").write_bytes(b"# a\n#\xe9")
    (tmp_path / "link").symlink_to("/etc/hostname")
    path = write(tmp_path, f"id: f\nmodules:\n  a: {{{module}}}\n")
    assert problems(path) == [f"DIR/f.yaml:{problem}"]


def test_every_missing_file_is_named(tmp_path):
    found = problems(write(tmp_path, "id: f\nmodules:\n  a: {file: a.py}\n  b: {file: b.py}\n"))
    assert [problem.split(": ")[0] for problem in found] == ["DIR/f.yaml:3:7", "DIR/f.yaml:4:7"]


def test_the_flow_file_itself(tmp_path):
    (tmp_path / "hello.yaml").touch()
    assert problems(tmp_path / "helo.yaml") == ["DIR/helo.yaml does not exist; did you mean 'hello.yaml'?"]
    assert problems(tmp_path) == [f"DIR/{tmp_path.name} is a directory, not a file."]
    (tmp_path / "f.yaml").write_bytes(b"id: f\nx: \xff")
    assert problems(tmp_path / "f.yaml") == ["DIR/f.yaml is not UTF-8: line 2, column 4 has the byte 0xff."]
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfid: f")
    assert read_flow_file(tmp_path / "f.yaml").document == {"id": "f"}


def test_shapes_that_validation_names_are_passed_on(tmp_path):
    for modules in ("[a]", "{a: 1}", "{a: {file: 3}}", "{a: {files: [1]}}", "{a: {file: x, code: y}}"):
        assert "modules" in read_flow_file(write(tmp_path, f"modules: {modules}")).document

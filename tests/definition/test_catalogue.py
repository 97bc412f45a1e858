# ruff: noqa: E501
"""`use: NAME`: what a flow gets, whose folder comes first, and what each mistake is told, at its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.definition.catalogue import SHIPPED, Catalogue, module_schema
from actors.definition.config_schema import _choice, _is_plain, schema_fault
from actors.definition.deployment import read_deployment
from actors.definition.model import FlowError
from actors.definition.ports import out_ports
from actors.definition.reading import LookedAt, read_flow_file
from actors.definition.validation import check_flow
from actors.definition.yaml_text import read_text

NAMES = sorted(Catalogue().names())
TWICE = """\
description: Says everything as often as it is told to.
runtime: python3
file: twice.py
files: ["*.txt"]
ports: {in: [in], out: [out, rest]}
dependencies: []
restart: {times: 7}
config:
  type: object
  required: [times]
  additionalProperties: false
  properties:
    times: {type: integer, minimum: 1, description: How often.}
    word: {type: string, default: x}
    from: {type: string, x-path: read}
    to: {type: string, x-path: write}
    inner: {type: object, properties: {deep: {type: boolean, default: true}}}
delivery: Once.
"""


def own(folder: Path, manifest: str = TWICE) -> Path:
    """A module of the user's in folder/mine/twice."""
    module = folder / "mine" / "twice"
    module.mkdir(parents=True, exist_ok=True)
    (module / "module.yaml").write_text(manifest)
    (module / "twice.py").write_text("def run(message, context): return message")
    (module / "words.txt").write_text("words")
    return module


def flow(folder: Path, modules: str, head: str = "catalogue: [mine]\n") -> Path:
    path = folder / "f.yaml"
    path.write_text(f"id: f\n{head}modules:\n{modules}")
    return path


def read(path: Path) -> dict[str, Any]:
    source = read_flow_file(path)
    check_flow(source.document, source.places, ["python3", "node"])
    return source.document["modules"]


def problems(path: Path) -> list[str]:
    with pytest.raises(FlowError) as caught:
        read(path)
    return [problem.replace(str(path.parent), "DIR") for problem in caught.value.problems]


def test_a_flow_gets_an_ordinary_module_with_defaults_and_whole_paths(tmp_path: Path) -> None:
    own(tmp_path)
    used = read(
        flow(tmp_path, "  a: {use: twice, config: {times: 2, to: out/x, from: y, inner: {}}, restart: {times: 1}}\n")
    )
    assert used["a"] == {
        "use": "twice", "runtime": "python3", "name": "twice.py", "code": "def run(message, context): return message",
        "files": {"words.txt": "words"}, "ports": {"in": ["in"], "out": ["out", "rest"]}, "dependencies": [],
        "restart": {"times": 1},
        "config": {
            "times": 2, "word": "x", "to": str(tmp_path / "out/x"), "from": str(tmp_path / "y"),
            "inner": {"deep": True},
        },
        "limits": {"writable": [str(tmp_path / "out")]},
    }  # fmt: skip
    document = read_flow_file(tmp_path / "f.yaml").document
    assert "catalogue" not in document
    by_hand = {name: value for name, value in used["a"].items() if name != "use"}
    assert check_flow(document).modules == check_flow({**document, "modules": {"a": by_hand}}).modules  # no update


def test_the_users_own_come_first_and_a_deployment_adds_folders(tmp_path: Path) -> None:
    module = own(tmp_path)
    module.rename(tmp_path / "mine" / "timer")
    assert read(flow(tmp_path, "  a: {use: timer, config: {times: 1}}\n"))["a"]["name"] == "twice.py"
    assert read(flow(tmp_path, "  a: {use: timer, config: {every_s: 1}}\n", head=""))["a"]["name"] == "timer.py"
    up = tmp_path / "up.yaml"
    flow(tmp_path, "  a: {use: timer, config: {times: 1}}\n", head="")
    up.write_text("name: d\nrunners: {main: {}}\ncatalogue: [mine]\nflows: [{file: f.yaml}]\n")
    (source,) = read_deployment(up, ["python3"]).flows
    assert source.document["modules"]["a"]["name"] == "twice.py"
    up.write_text("name: d\nrunners: {main: {}}\ncatalogue: [mien]\nflows: [{file: f.yaml}]\n")
    with pytest.raises(FlowError, match=r"up.yaml:3:13: `catalogue\[0\]`: there is no folder '.*mien'"):
        read_deployment(up, ["python3"])


def test_what_is_watched(tmp_path: Path) -> None:
    module = own(tmp_path)
    looked_at = LookedAt()
    source = read_flow_file(flow(tmp_path, "  a: {use: twice, config: {times: 1}}\n"), looked_at)
    files = {module / name for name in ("module.yaml", "twice.py", "words.txt")}
    assert looked_at.files == {tmp_path / "f.yaml", *files}
    assert set(source.paths) == looked_at.files
    looked_at = LookedAt()
    read_flow_file(flow(tmp_path, "  a: {use: timer, config: {every_s: 1}}\n"), looked_at)
    assert looked_at.files == {tmp_path / "f.yaml", tmp_path / "mine/timer/module.yaml"}  # which may come


BAD = [
    ("a: {use: twice}", "3: `modules.a.config` lacks the field `times`."),
    ("a:\n    use: twice\n    config:\n      times: none", "7: `modules.a.config.times` must be a whole number, not the text 'none'."),
    ("a: {use: twice, config: {times: 1, wrod: y}}", "4: `modules.a.config.wrod` is not a known field; did you mean 'word'?"),
    ("a: {use: twise, config: {}}", "4: `modules.a.use`: there is no module 'twise' in the catalogue; did you mean 'twice'?"),
    ("a: {use: 3}", "4: `modules.a.use` must be text, not the number 3; put it in quotes."),
    ("a: {use: ../x}", None),
    ("a: {use: twice, runtime: node, config: {times: 1}}", "4: `modules.a.runtime`: the module 'twice' says this itself; leave it out, or take a copy of the module to change: `runner eject twice`."),
    ("a: {use: twice, code: x, config: {times: 1}}", "4: `modules.a.code`: the module 'twice' says this itself; leave it out, or take a copy of the module to change: `runner eject twice`."),
    ("a: {use: twice, config: {times: 1}}\nwires: [a.rset -> a]", "5: `wires[0]`: module 'a' has no out-port 'rset'; did you mean 'rest'?"),
]  # fmt: skip


@pytest.mark.parametrize(("modules", "says"), BAD)
def test_a_mistake_has_one_sentence_at_its_line(tmp_path: Path, modules: str, says: str | None) -> None:
    own(tmp_path)
    said = problems(flow(tmp_path, f"  {modules}\n"))
    assert len(said) == 1, said
    if says is not None:
        line, _, text = says.partition(": ")
        assert said[0].endswith(f": {text}")
        assert said[0].startswith(f"DIR/f.yaml:{line if 'lacks' not in says else '4'}:")


BAD_MODULES = [
    ("runtime: python3\n", "", "1:1: the module lacks the field `runtime`."),
    ("file: twice.py", "file: twise.py", "3:1: `file` names 'twise.py', which does not exist; did you mean 'twice.py'?"),
    ("restart: {times: 7}", "restrat: {times: 7}", "7:1: `restrat` is not a known field; did you mean 'restart'?"),
    ("  type: object", "  type: objekt", "8:1: `config` is no JSON Schema: type: 'objekt' is not valid under any of the given schemas."),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "says"), BAD_MODULES)
def test_a_broken_module_is_said_with_its_own_line(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    own(tmp_path, TWICE.replace(was, becomes, 1))
    (said,) = problems(flow(tmp_path, "  a: {use: twice, config: {times: 1}}\n"))
    assert said == f"DIR/f.yaml:4:7: `modules.a.use`: DIR/mine/twice/module.yaml:{says}"


def test_all_of_json_schema_is_taken(tmp_path: Path) -> None:
    schema = "config: {type: object, oneOf: [{required: [a]}, {required: [b]}], properties: {a: {const: 1}, n: {multipleOf: 5}}}"
    own(tmp_path, f"description: d\nruntime: python3\nfile: twice.py\n{schema}\n")
    assert read(flow(tmp_path, "  x: {use: twice, config: {a: 1}}\n"))["x"]["config"] == {"a": 1}
    said = problems(flow(tmp_path, "  x:\n    use: twice\n    config:\n      a: 2\n      n: 3\n"))
    assert said == [
        "DIR/f.yaml:7:7: `modules.x.config.a`: 1 was expected.",
        "DIR/f.yaml:8:7: `modules.x.config.n`: 3 is not a multiple of 5.",
    ]


def test_a_runner_takes_shipped_modules_from_any_client() -> None:
    document = {"id": "f", "modules": {"a": {"use": "timer", "config": {"every_s": 1}}, "b": {"use": "log"}}}
    flow = check_flow({**document, "wires": ["a -> b"]})
    assert flow.modules["a"].runtime == flow.document["modules"]["a"]["runtime"] == "python3"
    assert out_ports(flow.modules["a"]) == ("out",)
    assert check_flow(flow.document).modules == flow.modules
    with pytest.raises(FlowError, match="there is no module 'tmier' in the catalogue; did you mean 'timer'"):
        check_flow({"id": "f", "modules": {"a": {"use": "tmier"}}})


@pytest.mark.parametrize(
    ("config", "ends"),
    [("{}", "and has none."), ("{every_s: 1, cron: '* * * * *'}", "not both."), ("{cron: '* * * * *'}", None)],
)
def test_one_of_two_fields_is_needed(tmp_path: Path, config: str, ends: str | None) -> None:
    path = flow(tmp_path, f"  a: {{use: timer, config: {config}}}\n", head="")
    if ends is None:
        read(path)
    else:
        (said,) = problems(path)
        assert said == f"DIR/f.yaml:3:19: `modules.a.config` needs `every_s` or `cron`: one of them, {ends}"


def test_a_folder_that_is_writable_anyway_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    out = tmp_path / "out"
    text = f"  a: {{use: ndjson-out, config: {{path: out/x.ndjson}}, limits: {{writable: [{out}]}}}}\n"
    assert read(flow(tmp_path, text, head=""))["a"]["limits"]["writable"] == [str(out)]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_module_says_all_there_is(name: str) -> None:
    module = Catalogue().find(name)
    assert module.fields.keys() >= {"runtime", "ports", "code"}
    assert module.description.endswith(".") and len(module.description) < 120
    assert len(module.delivery) > 40
    assert bool(module.sends) == bool(module.fields["ports"].get("out"))
    schema = module.config or {"type": "object"}
    assert schema_fault(schema) is None
    assert _is_plain({name: its for name, its in schema.items() if name != "oneOf" or not _choice(schema)})
    assert schema["additionalProperties"] is False  # so that mistakes get our sentences
    assert all(its["description"] for its in schema["properties"].values())
    value, places = read_text(module.example, f"{name}/example")
    for other in value["modules"].values():
        if "file" in other:
            other["code"] = f"# {other.pop('file')}"
    assert name in {other.get("use") for other in value["modules"].values()}
    folder = Path("/somewhere")
    used = {id: Catalogue().use(raw, ("modules", id), folder) for id, raw in value["modules"].items() if "use" in raw}
    assert [problem for _, some in used.values() for problem in some] == []
    check_flow({**value, "modules": {**value["modules"], **{id: module for id, (module, _) in used.items()}}}, places)


def test_modules_are_short() -> None:
    files = [path for path in SHIPPED.rglob("*") if path.is_file() and path.suffix in (".py", ".js", ".mjs", ".go")]
    assert {str(path): lines for path in files if (lines := len(path.read_text().splitlines())) > 140} == {}


def test_the_schema_of_a_manifest_is_one() -> None:
    assert schema_fault(module_schema()) is None

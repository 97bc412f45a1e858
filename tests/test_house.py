"""The house: imports go from the upper folders of actors/ to the lower ones, and nowhere in a circle; an object has its
parts, and does not inherit them.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
import thespian.actors

ROOT = Path(__file__).parent.parent


def imports(file: Path, typing_too: bool) -> Iterator[str]:
    """The modules that a file imports, by dotted name; those under TYPE_CHECKING only if they are wanted, too."""

    def walk(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            yield child
            is_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if typing_too or not is_typing:
                yield from walk(child)

    for node in walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            yield from (".".join([*above, *filter(None, [node.module]), name.name]) for name in node.names)


@functools.cache
def graph(top: str, typing_too: bool) -> dict[str, set[str]]:
    """Which files of a package import which."""
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in (ROOT / top).rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, file in files.items():
        found[name] = set()
        for imported in imports(file, typing_too):
            of = imported if imported in files else imported.rpartition(".")[0]
            if of in files and of != name:
                found[name].add(of)
    return found


def folder(name: str) -> str:
    """Of a file of actors/; the few that stand alone are each their own."""
    return name.split(".")[1] if "." in name else name


def folders(typing_too: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, imported in graph("actors", typing_too).items():
        found.setdefault(folder(name), set()).update({folder(one) for one in imported} - {folder(name)})
    return found


# From the ground up; a folder imports only those before it.
FLOORS = (
    "counted", "log_subject", "error_text", "made_of_files", "definition", "state", "messages", "system", "journal",
    "preparation", "telemetry", "host", "pages", "ends", "links", "module", "flow", "runner", "doors", "mcp", "dap",
    "gateway", "deployment", "console", "chaos",
)  # fmt: skip


def test_arrows_between_folders_run_down() -> None:
    found = folders(typing_too=False)
    assert set(found) - {"actors"} == set(FLOORS)
    for name, imported in found.items():
        above = [one for one in imported - {"actors"} if name in FLOORS and FLOORS.index(one) > FLOORS.index(name)]
        files = [
            f"{file} -> {one}" for file, ones in graph("actors", False).items() for one in ones
            if folder(file) == name and folder(one) in above
        ]  # fmt: skip
        assert not files, f"imports that run back up: {files}"


@pytest.mark.parametrize("top", ["actors", "runtimes"])
def test_no_file_imports_itself_in_a_circle(top: str) -> None:
    """Imports for types count."""
    try:
        list(TopologicalSorter(graph(top, typing_too=True)).static_order())
    except CycleError as error:
        raise AssertionError(f"a circle: {' -> '.join(reversed(error.args[1]))}") from None


def test_no_file_of_the_rust_host_uses_itself_in_a_circle() -> None:
    files = {file.stem: file.read_text() for file in (ROOT / "runtimes/rust/src").glob("*.rs") if file.stem != "lib"}
    found = {name: {*re.findall(r"\bcrate::(\w+)::", text)} & {*files} - {name} for name, text in files.items()}
    assert found["lifecycle"] >= {"engine", "slot"}
    try:
        list(TopologicalSorter(found).static_order())
    except CycleError as error:
        raise AssertionError(f"a circle: {' -> '.join(reversed(error.args[1]))}") from None


def messages() -> set[str]:
    """The classes that stand in actors/messages/, or are named there as messages (`__all__`)."""
    found: set[str] = set()
    for file in (ROOT / "actors" / "messages").glob("*.py"):
        module = importlib.import_module(f"actors.messages.{file.stem}")
        found |= {name for name, it in vars(module).items() if getattr(it, "__module__", "") == module.__name__}
        found |= {*getattr(module, "__all__", ())}
    return found


def test_what_actors_tell_each_other_stands_in_messages() -> None:
    """Every class that a handler takes, but those of Thespian."""
    handlers = {
        (node.name.removeprefix("receiveMsg_"), str(file.relative_to(ROOT)))
        for file in (ROOT / "actors").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("receiveMsg_")
    }
    assert len(handlers) > 150
    known = messages() | {*vars(thespian.actors)}
    assert sorted(one for one in handlers if one[0] not in known) == []


def short_docstrings(node: ast.AST, where: str) -> Iterator[str]:
    """Of what is public in a file, those of three words or fewer."""
    text = ast.get_docstring(node) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) else None
    if text is not None and len(text.split()) <= 3:
        yield f"{where}: {text}"
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef)) and not child.name.startswith("_"):
            yield from short_docstrings(child, f"{where}.{child.name}")


def test_docstrings_say_something() -> None:
    """A word or three repeat a name; what is worth saying is a shape, a unit, an error, or when and why."""
    files = [
        file for top in ("actors", "runtimes") for file in (ROOT / top).rglob("*.py") if "starter" not in file.parts
    ]
    assert len(files) > 200
    assert [one for file in files for one in short_docstrings(ast.parse(file.read_text()), str(file))] == []


def test_the_page_names_the_folders_and_files_that_there_are() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (\w+) \| .* \|$", page.partition("## Who owns whom")[0], re.MULTILINE)[1:]
    assert tuple(rows) == tuple(floor for floor in FLOORS if (ROOT / "actors" / floor).is_dir())
    named = {*re.findall(r"\b[a-z_0-9]+(?:/[\w.-]+)+\.(?:py|mjs|md|json|yaml)\b", page)}
    assert len(named) > 60
    assert {name for name in named if not any((ROOT / top / name).exists() for top in ("actors", "."))} == set()


def test_few_files_stand_alone() -> None:
    assert len(list((ROOT / "actors").glob("*.py"))) <= 8


# what a class is, and what nobody writes ----------------------------------------------------------------------------

MOST_METHODS = 40
MOST_LINES = {"actors": 350, "runtimes": 350, "tests": 650}
SOURCES = {".py", ".js", ".mjs", ".go", ".rs", ".lisp", ".rb", ".php", ".sh", ".c"}
NO_PART = re.compile(r"\bthe (part|half) of\b|\bmixed into\b", re.IGNORECASE)  # an object is not a part of its subclass


class Code(NamedTuple):
    """A class as it is written."""

    file: str
    methods: set[str]
    bases: list[str]


@functools.cache
def classes() -> dict[str, list[Code]]:
    """Those of actors/ and runtimes/, by name; what is imported from elsewhere is not ours."""
    found: dict[str, list[Code]] = {}
    for file in (*(ROOT / "actors").rglob("*.py"), *(ROOT / "runtimes").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
                bases = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
                found.setdefault(node.name, []).append(Code(str(file.relative_to(ROOT)), methods, bases))
    return found


def methods(code: Code, below: tuple[str, ...] = ()) -> set[str]:
    """Inherited ones too."""
    bases = [base for name in code.bases if name not in below for base in classes().get(name, ())]
    return code.methods.union(*(methods(base, (*below, *code.bases)) for base in bases))


def test_no_class_has_too_many_methods() -> None:
    counted = {
        f"{code.file} {name}": len(methods(code)) for name, codes in classes().items() for code in codes
    }  # fmt: skip
    assert counted["actors/flow/actor.py FlowActor"] > counted["actors/system/base.py BaseActor"] > 10
    assert not {name: count for name, count in counted.items() if count > MOST_METHODS}


def test_no_base_class_calls_what_only_another_has() -> None:
    """A stub that raises NotImplementedError says that a noun is missing."""
    stubs = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for top in ("actors", "runtimes") for file in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
    ]  # fmt: skip
    assert not stubs


def test_no_class_is_the_part_of_another() -> None:
    kinds = ast.Module | ast.ClassDef
    said = [
        f"{file.relative_to(ROOT)}: {text}"
        for top in ("actors", "runtimes") for file in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, kinds) and NO_PART.search(text := ast.get_docstring(node) or "")
    ]  # fmt: skip
    assert not said


def test_no_file_is_too_long() -> None:
    files = (
        file
        for top in MOST_LINES
        for file in (ROOT / top).rglob("*")
        if file.suffix in SOURCES and "vendor" not in file.parts
    )
    lines = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in files}
    assert len(lines) > 400
    assert not {name: count for name, count in lines.items() if count > MOST_LINES[name.partition("/")[0]]}


STATE = ("blame", "draining", "gate", "mailbox", "module", "recall", "source_life")


def test_what_a_module_decides_by_is_assigned_in_one_place() -> None:
    """An attribute of its state or of one of the parts: only by the object that has it."""
    own: set[str] = set()
    foreign: list[tuple[str, str]] = []
    for file in (*(ROOT / "actors/state").glob("*.py"), *(ROOT / "actors/module").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
                continue
            if not isinstance(node.value, ast.Name) or node.value.id != "self":
                foreign.append((f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}", node.attr))
            elif file.parent.name == "state" and file.stem in STATE:
                own.add(node.attr)
    assert own >= {"ready", "stops", "suspects", "at_breakpoint", "credit", "due"}
    assert not [where for where, name in foreign if name in own]

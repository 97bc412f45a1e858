"""Builds a host: each unit becomes a library, then all of them one program with `flow`.

Run by the runner (docs/decisions/004) in the folder that becomes the build. A unit that was compiled before, with the
same libraries, is taken from the cache. It knows rustc, not cargo: prepare.py has made the libraries.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runtimes.rust.prepare import tools
from runtimes.rust.rustc import CompileError, rustc
from runtimes.rust.scan import NAMES, functions

OPTIONS = ("--crate-type=rlib", "-Copt-level=2", "-Ccodegen-units=1", "-Cembed-bitcode=no", "-Awarnings")
KEPT_S = 14 * 86400.0  # how long a compiled unit stays that nobody asks for
SIGNATURES = {
    "run": "fn run(message: impl Deserialize, context: &mut Context) -> Result<Option<impl Serialize>>",
    "start": "fn start(context: &mut Context) -> Result<()> (or Result<Source>)",
    "stop": "fn stop(context: &mut Context) -> Result<()>",
    "migrate": "fn migrate(context: &mut Context, from: i64) -> Result<()>",
}
HINTS = (  # what rustc says of what is not there -> what to do about it
    (r"file not found for module|couldn't read `", "name it in the module's `files:`"),
    (
        r"unresolved import|undeclared crate or module|unresolved module or unlinked crate|can't find crate for",
        "a crate is named in the module's `dependencies:`, a file of its own in `files:` and with `mod`",
    ),
)
TAIL = """
#[macro_use(print, println, eprint, eprintln, dbg)]
extern crate flow as __flow;
#[doc(hidden)]
pub fn __unit() -> __flow::Unit {{
    __flow::Unit::new({unit})
{calls}
}}
"""


def main() -> int:
    """Read the request, leave the host in the working directory."""
    request = json.load(sys.stdin)
    environment = Path(request["environment"])
    libraries = json.loads((environment / "externs.json").read_text(encoding="utf-8"))
    externs = {name: environment / file for name, file in libraries["externs"].items()}
    cache = tools() / "units" / libraries["digest"]
    cache.mkdir(parents=True, exist_ok=True)
    units = {unit["unit"]: unit for unit in request["units"]}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        outcomes = list(pool.map(lambda unit: compile_unit(unit, cache, externs), units.values()))
    errors = [outcome for outcome in outcomes if outcome is not None]
    if errors:
        print(json.dumps({"errors": errors}), flush=True)
        return 1
    link(list(units), cache, externs, libraries["version"])
    prune(cache)
    return 0


def compile_unit(unit: dict[str, Any], cache: Path, externs: dict[str, Path]) -> dict[str, Any] | None:
    """Compile a unit into the cache, unless it is there; its entry in `errors` if it cannot be compiled."""
    name = unit["unit"]
    place = library(cache, name)
    if place.exists():
        os.utime(place)
        return None
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{name}-") as folder:
        try:
            source = Source(unit, Path(folder))
            started = time.monotonic()
            rustc([source.file, f"--crate-name={name}", *OPTIONS, "-o", place.name], externs, cwd=folder)
            print(f"{unit['name']}: compiled in {time.monotonic() - started:.1f} s", flush=True)
            (Path(folder) / place.name).rename(place)
        except CompileError as error:
            return {"unit": name, "error": source.in_users_words(error)}
        except ValueError as error:
            return {"unit": name, "error": {"type": "CompileError", "message": str(error), "file": unit["name"]}}
    return None


class Source:
    """The text of a unit in a folder: the user's, and behind it the function that names what it has."""

    def __init__(self, unit: dict[str, Any], folder: Path) -> None:
        self.name, code = unit["name"], unit["code"]
        self.file = Path(self.name).name
        self.file += "" if self.file.endswith(".rs") else ".rs"
        self._functions = functions(code)
        if not self._functions.keys() & {"run", "start"}:
            raise ValueError(f"{self.name} has neither a function `run` nor `start`")
        self._calls = [name for name in NAMES if name in self._functions]
        calls = "\n".join(f"        .{name}({name})" for name in self._calls)
        tail = TAIL.format(unit=json.dumps(unit["unit"]), calls=calls)
        self._users_lines = code.count("\n") + 1
        self._first_call = self._users_lines + 1 + tail[: tail.index(calls)].count("\n")
        for name, text in unit["files"].items():
            path = folder / name
            if not path.resolve().is_relative_to(folder.resolve()):
                raise ValueError(f"the file {name} is not beside {self.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (folder / self.file).write_text(f"{code}\n{tail}", encoding="utf-8")

    def in_users_words(self, error: CompileError) -> dict[str, Any]:
        """PROTOCOL's ERROR: file and line are the user's."""
        hints = [hint for pattern, hint in HINTS if re.search(pattern, error.message)]
        described = {"type": "CompileError", "message": "; ".join([error.message, *hints]), "stack": error.rendered}
        if error.file is None:
            return described
        line, column = error.line, error.column
        if error.file == self.file and line > self._users_lines:
            at = line - self._first_call
            if 0 <= at < len(self._calls):  # a function of the wrong type
                call = self._calls[at]
                described["message"] = f"`{call}` should be `{SIGNATURES[call]}`: {error.message}"
                line, column = self._functions[call], 1
            else:
                line, column = self._users_lines, 1
        file = self.name if error.file == self.file else error.file
        return described | {"file": file, "line": line, "column": column}


def library(cache: Path, unit: str) -> Path:
    """Where a compiled unit is."""
    return cache / f"lib{unit}.rlib"


def link(units: list[str], cache: Path, externs: dict[str, Path], version: str) -> None:
    """Compile `main` and link everything to ./host."""
    calls = "".join(f"        {unit}::__unit(),\n" for unit in units)
    main = f"fn main() {{\n    flow::host::serve(vec![\n{calls}    ], {json.dumps(version)});\n}}\n"
    Path("main.rs").write_text(main, encoding="utf-8")
    started = time.monotonic()
    rustc(
        ["main.rs", "--crate-name=host", "-Cstrip=debuginfo", "-o", "host"],
        externs | {unit: library(cache, unit) for unit in units},
        cwd=".",
    )
    print(
        f"host: {len(units)} unit{'' if len(units) == 1 else 's'} linked in {time.monotonic() - started:.1f} s",
        flush=True,
    )


def prune(cache: Path) -> None:
    """Remove what was not used for long, leftovers of builds that were killed too."""
    for old in cache.iterdir():
        try:
            if time.time() - old.stat().st_mtime > KEPT_S:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        except FileNotFoundError:
            pass  # another build was faster


if __name__ == "__main__":
    sys.exit(main())

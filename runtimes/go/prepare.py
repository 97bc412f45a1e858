"""The environment command (docs/decisions/004): the host library, its builder, and the modules that were asked for.

The working directory gets `flow/` (the library's sources), `builder`, `go.mod` and `go.sum` with the dependencies,
`modules/` (their sources) and `lock.json`. The compiler's cache is filled on the way.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from runtimes.go.tools import go_variables

HERE = Path(__file__).parent
SAMPLE = 'package module\n\nimport "flow"\n\nfunc Run(c *flow.Context, m any) (any, error) { return m, nil }\n'


class Failed(Exception):
    """A command of the toolchain did not do what it was asked; the text is its own."""


def go(variables: dict[str, str], *arguments: str, folder: str = ".") -> str:
    """What the go command prints."""
    done = subprocess.run(["go", *arguments], cwd=folder, env=variables, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"go {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def add_dependencies(variables: dict[str, str], specs: list[str]) -> list[str]:
    """Fill go.mod, go.sum and modules/; what the specs became."""
    if not specs:
        return []
    for name, equals, version in (spec.partition("==") for spec in specs):
        if equals:  # Python's notation
            raise Failed(f"a version is written {name}@v{version}, not {name}=={version}")
    print("fetching", ", ".join(specs), flush=True)
    go(variables, "get", *specs)
    go(variables, "mod", "download", "all")
    wanted = {spec.partition("@")[0] for spec in specs}
    listed = go(variables, "list", "-m", "-f", "{{.Path}}@{{.Version}}", "all").split()
    return [module for module in listed if any(name_fits(module, name) for name in wanted)]


def name_fits(module: str, wanted: str) -> bool:
    """Whether a spec, which may name a package inside a module, asks for this module."""
    path = module.partition("@")[0]
    return wanted == path or wanted.startswith(f"{path}/")


def main() -> int:
    """Make the environment in the working directory."""
    request: dict[str, Any] = json.load(sys.stdin)
    here = Path.cwd()
    variables = go_variables() | {"GOMODCACHE": str(here / "modules")}
    shutil.copytree(HERE / "flow", "flow", ignore=shutil.ignore_patterns("*_test.go"))
    version = ".".join(go(variables, "env", "GOVERSION").strip().removeprefix("go").split(".")[:2])
    Path("go.mod").write_text(f"module host\n\ngo {version}\n", encoding="utf-8")
    Path("go.sum").touch()
    locked = add_dependencies(variables, request["dependencies"])
    print("compiling the host library", flush=True)
    go(variables, "build", "-trimpath", "-buildvcs=false", "-o", str(here / "builder"), "./builder", folder="flow")
    compile_sample(variables, here)
    lock = {"locked": locked, "sums": Path("go.sum").read_text(encoding="utf-8").splitlines()}
    Path("lock.json").write_text(json.dumps(lock, indent=1), encoding="utf-8")
    return 0


def compile_sample(variables: dict[str, str], environment: Path) -> None:
    """Build a host once: it fills the compiler's cache, and proves that the environment works."""
    sample = environment / "sample"
    sample.mkdir()
    unit = {"unit": f"u_{0:016x}", "name": "sample.go", "code": SAMPLE, "files": {}}
    request = json.dumps({"environment": str(environment), "units": [unit]})
    done = subprocess.run(
        [environment / "builder"], input=request, cwd=sample, env=variables, text=True, capture_output=True, check=False
    )
    shutil.rmtree(sample)
    if done.returncode != 0:
        raise Failed(done.stderr)


try:
    sys.exit(main())
except Failed as failed:
    sys.exit(str(failed))

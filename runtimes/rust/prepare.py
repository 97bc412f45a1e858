"""Prepares an environment: compiles `flow`, serde and what the modules ask for, and keeps the libraries for build.py.

Run by the runner (docs/decisions/004) in the folder that becomes the environment. It knows cargo, not units.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

FOLDER = Path(__file__).parent
DEBIAN_CRATES = Path("/usr/share/cargo/registry")
DEBIAN_SOURCE = (
    *("--config", 'source.crates-io.replace-with="debian"'),
    *("--config", f'source.debian.directory="{DEBIAN_CRATES}"'),
    "--offline",
)
HEAD = """[package]
name = "environment"
version = "0.0.0"
edition = "2021"

[lib]
path = "lib.rs"

[workspace]

[profile.release]
codegen-units = 1

[dependencies]
"""
OWN = {"serde": 'serde = {version = "1", features = ["derive"]}', "serde_json": 'serde_json = {version = "1"}'}
SPEC = re.compile(r"([A-Za-z0-9_-]+)(?:\[([a-z0-9_, -]+)\])?(?:[@=]([-0-9A-Za-z.+*<>=~^, ]+))?", re.IGNORECASE)
SHOWN_LINES = 30


class PrepareError(Exception):
    """The environment cannot be prepared; the message says why."""


def main() -> int:
    """Read the request, leave the environment in the working directory."""
    request = json.load(sys.stdin)
    try:
        prepare(request["dependencies"])
    except PrepareError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def prepare(dependencies: list[str]) -> None:
    """Compile everything, then keep the libraries and say which they are."""
    Path("Cargo.toml").write_text(manifest(dependencies), encoding="utf-8")
    Path("lib.rs").touch()
    source, artifacts = compile_all(sources(dependencies))
    resolved = json.loads(cargo(["metadata", "--format-version", "1", *source]))
    keep(artifacts, resolved)
    packages = [package for package in resolved["packages"] if package["source"] is not None]
    locked = sorted(f"{package['name']}@{package['version']}" for package in packages)
    Path("lock.json").write_text(json.dumps({"locked": locked}), encoding="utf-8")


def manifest(dependencies: list[str]) -> str:
    """The Cargo.toml of a package that needs what the modules may use."""
    lines = dict(OWN)
    for spec in dependencies:
        name, line = dependency(spec)
        lines[name] = line
    flow = f"flow = {{path = {json.dumps(str(FOLDER))}}}"
    return HEAD + "\n".join([flow, *lines.values()]) + "\n"


def dependency(spec: str) -> tuple[str, str]:
    """`regex`, `regex@1`, `regex=1.10`, `regex==1.10.2` or `tokio[rt,time]@1` as name and line of Cargo.toml."""
    match = SPEC.fullmatch(spec.strip())
    if match is None:
        raise PrepareError(f"{spec!r} is no dependency; write NAME@VERSION, or NAME[FEATURE,...]@VERSION")
    name, features, version = match.groups()
    fields = [f"version = {json.dumps(version or '*')}"]
    if features or name == "serde":
        listed = [feature.strip() for feature in (features or "").split(",") if feature.strip()]
        fields.append(f"features = {json.dumps(sorted({*listed, *(['derive'] if name == 'serde' else [])}))}")
    return name, f"{name} = {{{', '.join(fields)}}}"


def sources(dependencies: list[str]) -> list[tuple[str, ...]]:
    """Where crates may come from, in the order to try: Debian's packages suffice for the library itself."""
    if not list(DEBIAN_CRATES.glob("serde_json-*")):
        return [()]
    return [(), DEBIAN_SOURCE] if dependencies else [DEBIAN_SOURCE, ()]


def compile_all(tries: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """Build with the first source that works; that source, and cargo's artifacts."""
    build = ["build", "--release", "--message-format=json-render-diagnostics", "--target-dir", str(tools() / "target")]
    for source in tries:
        try:
            messages = [json.loads(line) for line in cargo([*build, *source]).splitlines() if line.startswith("{")]
            return source, [message for message in messages if message["reason"] == "compiler-artifact"]
        except PrepareError:
            if source == tries[-1]:
                raise
            Path("Cargo.lock").unlink(missing_ok=True)
    raise AssertionError("there is always a source")


def tools() -> Path:
    """The folder for the compiler's own caches."""
    cache = (
        os.environ.get("RUNNER_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "runner"
    )
    return Path(cache) / "tools" / "rust"


def cargo(arguments: list[str]) -> str:
    """What cargo writes to stdout; its progress is printed, its last lines are the reason of a failure."""
    with subprocess.Popen(
        ["cargo", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines: list[str] = []

        def show() -> None:
            for line in process.stderr or ():
                lines.append(line)
                print(line.strip(), flush=True)

        reader = Thread(target=show)
        reader.start()
        output = process.stdout.read() if process.stdout else ""
        reader.join()
    if process.returncode != 0:
        raise PrepareError("".join(lines[-SHOWN_LINES:]).strip())
    return output


def keep(artifacts: list[dict[str, Any]], resolved: dict[str, Any]) -> None:
    """Copy the compiled libraries to lib/ and write down which of them modules may name."""
    lib = Path("lib")
    lib.mkdir()
    check_features(resolved)
    files: dict[str, str] = {}
    for artifact in artifacts:
        for name in artifact["filenames"]:
            if name.endswith((".rlib", ".so")):
                files[artifact["package_id"]] = shutil.copy2(name, str(lib))
    root = next(node for node in resolved["resolve"]["nodes"] if node["id"] == resolved["resolve"]["root"])
    externs = {needed["name"]: files[needed["pkg"]] for needed in root["deps"] if needed["pkg"] in files}
    digest = hashlib.sha256()
    for file in sorted(lib.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    content = {"version": version, "externs": externs, "digest": digest.hexdigest()[:16]}
    Path("externs.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def check_features(resolved: dict[str, Any]) -> None:
    """Refuse crates that make serde_json read numbers as something else than numbers, for all."""
    for node in resolved["resolve"]["nodes"]:
        if "arbitrary_precision" in node["features"] and "serde_json" in node["id"]:
            raise PrepareError("a crate needs the feature arbitrary_precision of serde_json, which changes all numbers")


if __name__ == "__main__":
    sys.exit(main())

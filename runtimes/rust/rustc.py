"""Runs rustc and reads what it has to say."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

MAX_RENDERED_CHARACTERS = 4000


class CompileError(Exception):
    """The first error of a compilation; without a file if it has no place."""

    def __init__(self, message: str, rendered: str, file: str | None, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.rendered, self.file, self.line, self.column = message, rendered, file, line, column


def rustc(arguments: list[str], externs: dict[str, Path], cwd: str) -> None:
    """Compile something that may use `externs`; raises CompileError."""
    named = [f"--extern={name}={file}" for name, file in externs.items()]
    folders = {file.parent for file in externs.values()}
    command = ["rustc", "--edition=2021", "--error-format=json", *arguments, *named]
    command += [f"-Ldependency={folder}" for folder in sorted(folders)]
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        raise first_error(done.stderr)


def first_error(output: str) -> CompileError:
    """The first error with a place, or the first one, in rustc's JSON lines."""
    found: CompileError | None = None
    for line in output.splitlines():
        if not line.startswith("{"):
            continue
        diagnostic = json.loads(line)
        if diagnostic.get("level") != "error":
            continue
        error = error_of(diagnostic)
        if error.file is not None:
            return error
        found = found or error
    return found or CompileError(f"rustc failed: {output.strip()[-1000:]}", "", None, 0, 0)


def error_of(diagnostic: dict[str, object]) -> CompileError:
    """One diagnostic; inside a macro, the place is where the user called it."""
    message = str(diagnostic["message"])
    rendered = str(diagnostic.get("rendered") or "")[:MAX_RENDERED_CHARACTERS]
    spans = diagnostic["spans"]
    assert isinstance(spans, list)
    span = next((span for span in spans if span["is_primary"]), None)
    if span is None:
        return CompileError(message, rendered, None, 0, 0)
    if span["label"]:
        message = f"{message}: {span['label']}"
    while span["expansion"] and Path(span["file_name"]).is_absolute():
        span = span["expansion"]["span"]
    return CompileError(message, rendered, span["file_name"], span["line_start"], span["column_start"])

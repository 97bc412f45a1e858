"""Files that a flow is made of: read as text, found by pattern. What cannot be read is a FlowError that says why."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from actors.definition.model import FlowError
from actors.definition.places import nearest

MAX_FILE_BYTES = 16 << 20


def text_of(path: Path, what: str) -> str:
    """The text of a file, or a FlowError whose one problem starts with `what`."""
    try:
        if path.is_dir():
            problem = "is a directory, not a file."
        elif not path.exists():
            problem = f"does not exist; {_beside(path)}"
        elif not path.is_file():
            problem = "is not a regular file."
        elif (size := path.stat().st_size) > MAX_FILE_BYTES:
            problem = f"has {size} bytes; at most {MAX_FILE_BYTES} are read."
        else:
            return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = bytes(error.object[: error.start])
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        problem = f"is not UTF-8: line {line}, column {column} has the byte 0x{error.object[error.start]:02x}."
    except OSError as error:
        problem = f"cannot be read: {error.strerror}."
    except ValueError as error:
        problem = f"is no path: {error}."
    raise FlowError([f"{what} {problem}"])


def _beside(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"neither does its folder {folder}."
    return nearest(path.name, (entry.name for entry in folder.iterdir() if entry.is_file()))


def matches(folder: Path, pattern: str) -> Iterator[Path]:
    """What a pattern of `files` matches, as in a shell: a name with a dot in front only where the pattern has one."""
    hidden = [part for part in PurePosixPath(pattern).parts if part.startswith(".")]
    for path in folder.glob(pattern):
        dotted_names = [part for part in path.relative_to(folder).parts if part.startswith(".")]
        if all(any(fnmatch(name, part) for part in hidden) for name in dotted_names):
            yield path

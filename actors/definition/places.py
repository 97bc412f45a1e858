"""Where in a file a field stands, and how a field is named in a sentence. Knows no file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME = 64  # characters of one that is looked for
OTHER_NAMES = {  # of runtimes
    "python": "python3", "py": "python3", "javascript": "node", "js": "node", "nodejs": "node", "node.js": "node",
    "golang": "go", "rs": "rust", "cargo": "rust", "rb": "ruby", "lisp": "sbcl", "common-lisp": "sbcl", "cl": "sbcl",
}  # fmt: skip
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The line and column of every field of one file.

    `blocks`: of texts whose lines are lines of the file, the first of these and the columns in front of each.
    """

    file: str
    marks: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)
    blocks: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)

    def position(self, path: FieldPath) -> tuple[int, int]:
        """Line and column, from 1; a field that is not in the file stands where the nearest field around it does."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def at(self, path: FieldPath) -> str:
        """The place of a field as `file:line:column`, both from 1."""
        line, column = self.position(path)
        return f"{self.file}:{line}:{column}"


def dotted(path: FieldPath) -> str:
    """The path as a person writes it: `wires[2].from`; the flow itself is `the flow`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{cut(part)}" for part in path)
    return f"`{text.removeprefix('.')}`" if text else "the flow"


def cut(text: str) -> str:
    """A text in a sentence, of a readable length."""
    return text if len(text) <= 80 else f"{text[:60]}..."


def cut_path(path: Path) -> str:
    """A path in a sentence: its end says which file it is."""
    return text if len(text := str(path)) <= 300 else f"...{text[-300:]}"


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names in a sentence."""
    known = list(names)
    rest = f" and {len(known) - most:,} more" if len(known) > most else ""
    return ", ".join(map(cut, known[:most])) + rest


def closest(name: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant; case is a small difference."""
    folded = {each.casefold(): each for each in sorted(known)}
    close = get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the likely one, or all there are."""
    names = sorted(known)
    if close := closest(name, names):
        return f"did you mean {cut(close)!r}?"
    if not names:
        return "there are none."
    return f"there {'is' if len(names) == 1 else 'are'} {listed(names)}."


def no_runtime(runtime: str, known: Iterable[str]) -> str:
    """The sentence about a runtime that is not known, which may be called otherwise elsewhere."""
    names = sorted(known)
    other = OTHER_NAMES.get(runtime.casefold())
    meant = f"did you mean {other!r}?" if other in names else nearest(runtime[:MAX_NAME], names)
    return f"there is no runtime {cut(runtime)!r}; {meant}"


def among(name: str, known: Iterable[str], words: str) -> str:
    """An unknown name, the nearest one, and what there is instead."""
    names = sorted(known)
    close = closest(name[:MAX_NAME], names)
    some = ", ".join(names[:20]) or "none"
    hint = f"did you mean {close!r}? " if close else ""
    return f"{cut(name)!r}; {hint}{words} {some}{' ...' if len(names) > 20 else ''}"

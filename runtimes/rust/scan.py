"""Finds the functions of a module in its text. It knows Rust's comments and literals, not its grammar."""

from __future__ import annotations

import re

NAMES = ("run", "start", "stop", "migrate")
_SKIPPED = re.compile(
    r"""
    //[^\n]*                                    # comment
    | /\*                                       # block comment: nested, so its end is looked for by hand
    | (?:\b[bc])?r(?P<hashes>\#*)".*?"(?P=hashes)  # raw text
    | (?:\b[bc])?"(?:[^"\\]|\\.)*"              # text
    | (?:\bb)?'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F_]*\}|x..|.))'  # character; what is left of quotes are lifetimes
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_TOKEN = re.compile(r"[(){}\[\]]|\bfn\s+(?:r\#)?(\w+)")


def functions(text: str) -> dict[str, int]:
    """Name and line of those functions at the top level of the text that the runner calls."""
    plain = blanked(text)
    found: dict[str, int] = {}
    depth = 0
    for token in _TOKEN.finditer(plain):
        if token[0] in "({[":
            depth += 1
        elif token[0] in ")}]":
            depth -= 1
        elif depth == 0 and token[1] in NAMES:
            found.setdefault(token[1], plain.count("\n", 0, token.start()) + 1)
    return found


def blanked(text: str) -> str:
    """The text with spaces for comments and literals; lines stay."""
    parts: list[str] = []
    at = 0
    while match := _SKIPPED.search(text, at):
        end = _end_of_block(text, match.start()) if match[0] == "/*" else match.end()
        parts += [text[at : match.start()], re.sub(r"[^\n]", " ", text[match.start() : end])]
        at = end
    return "".join([*parts, text[at:]])


def _end_of_block(text: str, start: int) -> int:
    depth = 0
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)

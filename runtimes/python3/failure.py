"""What became of user code that raised: the ERROR of PROTOCOL.md section 4, with the user's file, line and stack."""

from __future__ import annotations

import contextlib
import os
import sys

from .loader import sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = __file__.rpartition("/")[0]
MAX_TEXT_CHARACTERS = 16384
MAX_FRAMES = 40
MAX_CAUSES = 5
PACKAGE = "a package is named in the module's `dependencies:`, a file of your own in its `files:`"
SIBLING = "name the file in the module's `files:`"
WRITABLE = "what a module may write to is named in its `limits.writable`"
RELATIVE = (
    "a relative path begins in the host's temporary folder: name the file in the module's `files:` and open it beside "
    "`__file__`"
)
NOT_PERMITTED = (1, 13, 30)  # EPERM, EACCES, EROFS


def describe(error: BaseException, handler: Any = None) -> dict[str, Any]:
    """An ERROR object: type, message, and where in the user's files it happened. Host frames are left out.

    An error that none of the user's lines has raised is that of the `handler`'s value. Nothing that an error is made
    of can be trusted: it may be anybody's class.
    """
    info: dict[str, Any] = {"type": type(error).__name__, "message": _text(error)}
    with contextlib.suppress(Exception):
        info = _described(error, info, handler)
    return {key: _clean(value) if isinstance(value, str) else value for key, value in info.items()}


def _described(error: BaseException, info: dict[str, Any], handler: Any) -> dict[str, Any]:
    if hint := _hint(error):
        info["message"] += f"; {hint}"
    stack, place = _stack(error)
    code = getattr(handler, "__code__", None)
    if place is None and code is not None and code.co_filename in sources:
        place = sources[code.co_filename][1], code.co_firstlineno
    if place is not None:
        info["file"], info["line"] = place
    if isinstance(error, SyntaxError) and error.filename in sources and type(error.lineno) is int:
        info["message"] = str(error.msg)
        info["file"], info["line"] = sources[error.filename][1], error.lineno
        if type(error.offset) is int and error.offset > 0:
            info["column"] = error.offset
        stack.append(f'  File "{info["file"]}", line {info["line"]}\n    {(error.text or "").strip()}\n')
    if len(stack) > MAX_FRAMES:
        stack[MAX_FRAMES // 2 : -MAX_FRAMES // 2] = ["  ...\n"]
    more = [*map(str, getattr(error, "__notes__", ())), *_inner(error), *_cause(error)]
    if stack or more:
        head = "Traceback (most recent call last):\n" if stack else ""
        info["stack"] = "\n".join([f"{head}{''.join(stack)}{info['type']}: {info['message']}", *more])
    return info


def _stack(error: BaseException) -> tuple[list[str], tuple[str, int] | None]:
    """Its frames without the host's, a text each, and the last place in a user's file."""
    stack, place, trace = [], None, error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        filename = code.co_filename
        if not filename.startswith((FOLDER, "<frozen importlib")):
            if filename in sources:
                filename = sources[filename][1]
                place = filename, trace.tb_lineno
            line = sys.modules["linecache"].getline(code.co_filename, trace.tb_lineno).strip()
            stack.append(
                f'  File "{filename}", line {trace.tb_lineno}, in {code.co_name}\n' + (f"    {line}\n" if line else "")
            )
        trace = trace.tb_next
    return stack, place


def _cause(error: BaseException) -> list[str]:
    """What it came of, a line each."""
    lines: list[str] = []
    for _ in range(MAX_CAUSES):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            break
        error = cause
        stack, place = _stack(cause)
        if cause.__traceback__ is not None and not stack:
            continue  # the host's own
        where = f" ({place[0]}:{place[1]})" if place else ""
        lines.append(f"caused by {type(cause).__name__}: {_text(cause)}{where}")
    return lines


def _inner(error: BaseException) -> list[str]:
    """The members of an exception group, a line each."""
    if not isinstance(error, BaseExceptionGroup):
        return []
    lines = []
    for inner in error.exceptions[:MAX_CAUSES]:
        _, place = _stack(inner)
        where = f" ({place[0]}:{place[1]})" if place else ""
        lines.append(f"in the group {type(inner).__name__}: {_text(inner)}{where}")
    return lines


def _hint(error: BaseException) -> str:
    """What to do about it, if that is known."""
    if isinstance(error, ImportError) and (error.name or "").startswith("_flow_"):
        return SIBLING
    if isinstance(error, ModuleNotFoundError):
        return PACKAGE
    if not isinstance(error, OSError) or not isinstance(error.filename, (str, bytes)):
        return ""
    if error.errno in NOT_PERMITTED:
        is_there = os.path.exists(error.filename)  # noqa: PTH110
        return "" if is_there and not os.access(error.filename, os.R_OK) else WRITABLE
    if isinstance(error, FileNotFoundError) and not os.path.isabs(error.filename):  # noqa: PTH117
        return RELATIVE
    return ""


def _text(error: BaseException) -> str:
    """The message of an error."""
    try:
        return str(error)[:MAX_TEXT_CHARACTERS]
    except Exception:
        return "(its text cannot be had)"


def _clean(text: str) -> str:
    """Without the internal names of modules, and as JSON can hold it."""
    if "_flow_" in text:
        import re

        text = re.sub(r"\b_flow_\d+_(\w+)", r"\1", text)
    return text.encode("utf-8", "replace").decode()

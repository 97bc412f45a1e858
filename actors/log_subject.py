"""Of which flow, module and message a line of the log speaks: whoever logs it says so, or it begins with
`flow/module: ` or `flow: `.
"""

from __future__ import annotations

import logging
import re

_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
_SUBJECT = re.compile(rf"({_NAME})(?:/({_NAME}))?(?:@[^:\s]*)?: ")
_LOGGERS = ("runner.flow", "runner.update", "runner.debug", "runner.module", "runner.host")  # those of flows


def about(flow: str, module: str | None = None, message: str | None = None) -> dict[str, str | None]:
    """The `extra` of a line that is about these; `message` is the id of one."""
    return {"about_flow": flow, "about_module": module, "about_message": message}


def subject_of(record: logging.LogRecord, text: str) -> dict[str, str]:
    """`flow`, `module` and `messageId`, as far as they are known; what a host prints has its key as module."""
    said = vars(record)
    if "about_flow" in said:
        names = {"flow": said["about_flow"], "module": said["about_module"], "messageId": said["about_message"]}
    elif record.name.startswith(_LOGGERS) and (found := _SUBJECT.match(text)) is not None:
        names = {"flow": found[1], "module": found[2]}
    else:
        return {}
    return {name: value for name, value in names.items() if value}

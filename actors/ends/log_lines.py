"""How log lines look: text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from actors.ends.log_pipe import mind_stderr
from actors.log_subject import subject_of

TEXT = "%(asctime)s %(levelname)s %(message)s"
_runner = ""


def call_runner(name: str) -> None:
    """The name of the runner that this process is."""
    global _runner  # noqa: PLW0603  logging is of the process, too
    _runner = name


class JsonFormatter(logging.Formatter):
    """time (UTC), level, runner, logger, message; flow, module and messageId where they are known; traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; line feeds in texts are escaped."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{stamp}.{int(record.msecs):03}Z", "level": record.levelname.lower()}
        if _runner:
            line["runner"] = _runner
        text = record.getMessage()
        line |= subject_of(record, text)
        line |= {"logger": record.name, "message": text}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logging(level: str, format: str = "text") -> None:
    """Everything to standard error."""
    mind_stderr()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if format == "json" else logging.Formatter(TEXT))
    handler.addFilter(_is_wanted)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def log_settings() -> tuple[str, str]:
    """Level and format, as `configure_logging` takes them."""
    is_json = any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)
    level = logging.getLevelName(logging.getLogger("runner").getEffectiveLevel()).lower()
    return level, "json" if is_json else "text"


def thespian_logging() -> dict[str, Any]:
    """What an actor system's own process for log lines is to do: the warnings of its actors look as all others."""
    _, format = log_settings()
    formatter: dict[str, Any] = {"format": TEXT} if format == "text" else {"()": JsonFormatter}
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "line"}
    root = {"level": "WARNING", "handlers": ["stderr"]}
    return {"version": 1, "formatters": {"line": formatter}, "handlers": {"stderr": handler}, "root": root}


def _is_wanted(record: logging.LogRecord) -> bool:
    """Ours, and what is wrong elsewhere: Thespian announces itself on the root logger."""
    return record.name.startswith("runner") or record.levelno >= logging.WARNING

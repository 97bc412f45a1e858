"""How log lines look: text, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import time

from actors.ends.log_pipe import mind_stderr

TEXT = "%(asctime)s %(levelname)s %(message)s"


class JsonFormatter(logging.Formatter):
    """time (UTC), level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON; line feeds in texts are escaped."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03}Z", "level": record.levelname.lower(), "logger": record.name,
            "message": record.getMessage(),
        }  # fmt: skip
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


def _is_wanted(record: logging.LogRecord) -> bool:
    """Ours, and what is wrong elsewhere: Thespian announces itself on the root logger."""
    return record.name.startswith("runner") or record.levelno >= logging.WARNING

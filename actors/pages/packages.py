"""What browser modules import from npm: the files that runtimes/browser/prepare.mjs has made of it."""

from __future__ import annotations

import re
from pathlib import Path

_ENVIRONMENT = re.compile(r"browser-[0-9a-f]{12}")
_MAX_FILE_BYTES = 4 << 20


def read_package(cache: Path, environment: str, name: str) -> bytes | None:
    """A file of an environment, by its path in there; None if there is none."""
    if not _ENVIRONMENT.fullmatch(environment) or "\0" in name:
        return None
    root = (cache / "environments" / environment / "packages").resolve()
    try:
        file = (root / name).resolve()
        if not file.is_relative_to(root) or not file.is_file() or file.stat().st_size > _MAX_FILE_BYTES:
            return None
        return file.read_bytes()
    except OSError:
        return None

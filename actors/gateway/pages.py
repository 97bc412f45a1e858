"""Static files: the gateway's own pages, and a deployment's below /app/."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from actors.gateway.http import HttpError
from runtimes.manifest import RUNTIMES_FOLDER

OWN = Path(__file__).parent.parent / "web"
APP = "/app/"
CORE = "/runner/"  # what makes a page a runner
CORE_FOLDERS = ("browser", "javascript/core")
INDEX = "index.html"
MAX_FILE_BYTES = 8 << 20
PACKED_BYTES = range(1 << 10, 1 << 20)  # of what is packed: less does not gain, more holds up the flows
PACKED_FILES = 32
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html; charset=utf-8"}


class Page(NamedTuple):
    """What a browser gets: its media type, and its bytes."""

    kind: str
    content: bytes


class Pages:
    """`app`: the folder of the deployment's pages, if it has any."""

    def __init__(self, app: Path | None) -> None:
        self._own, self._app = OWN.resolve(), None if app is None else app.resolve()
        self._core = RUNTIMES_FOLDER.resolve()

    def find(self, path: str) -> Page:
        """Of a path. Raises HttpError."""
        if path.startswith(APP):
            root, below = self._app, path.removeprefix(APP)
        elif path.startswith(CORE):
            below = path.removeprefix(CORE)
            folder = next((folder for folder in CORE_FOLDERS if below.startswith(f"{folder}/")), None)
            root = None if folder is None else self._core / folder
            below = below.removeprefix(f"{folder}/")
        else:
            root, below = self._own, path.removeprefix("/")
        if root is None or "\0" in below:
            raise _not_here(path)
        try:
            file = (root / below / INDEX if below.endswith("/") or not below else root / below).resolve()
            if not file.is_relative_to(root) or not file.is_file() or file.stat().st_size > MAX_FILE_BYTES:
                raise _not_here(path)
            content = file.read_bytes()
        except OSError:
            raise _not_here(path) from None
        kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Page(kind, content)

    def packed(self, page: Page) -> bytes | None:
        """With gzip; None where that gains nothing."""
        is_text = page.kind.startswith("text/") or page.kind in ("application/json", "image/svg+xml")
        return _packed(page.content) if is_text and len(page.content) in PACKED_BYTES else None


@lru_cache(maxsize=PACKED_FILES)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=4)  # 7 ms for the largest of our own files, once


def _not_here(path: str) -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, f"there is nothing at {path[:200]}")

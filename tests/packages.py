"""Tiny packages in two versions, made here, so that tests of environments need no index and no registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, version: str, text: str) -> Path:
    """A Python package of one file."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in files.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(file, content)
    return path


def tarball(folder: Path, name: str, version: str, text: str, kind: str = "commonjs", **others: str) -> Path:
    """A node package of index.js and `others`, which are imported as NAME/OTHER."""
    path = folder / f"{name}-{version}.tgz"
    exports = {".": "./index.js", **{f"./{other}": f"./{other}.js" for other in others}}
    package = {"name": name, "version": version, "type": kind, "main": "index.js", "exports": exports}
    texts = {f"{other}.js": content for other, content in others.items()}
    with tarfile.open(path, "w:gz") as archive:
        for file, content in {"package.json": json.dumps(package), "index.js": text, **texts}.items():
            entry = tarfile.TarInfo(f"package/{file}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

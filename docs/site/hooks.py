"""The site also has pages and files from outside of docs/: README.md is its first page; what a page links to in the
repository (PROTOCOL.md, examples) comes along, so that the same links work there, in an editor and on the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "index.md"}  # the others keep their path
MORE = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "runtimes/PROTOCOL.md", "configs/README.md")
_LINK = re.compile(r"(\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add what is outside, pages and the files that any page leads to."""
    for name in MORE:
        files.append(File.generated(config, PAGES.get(name, name), content=(ROOT / name).read_text("utf-8")))
    linked = set()
    for file in files.documentation_pages():
        source = _source(file.src_uri)
        for path in _outside(source, file.content_string):
            if path.is_file() and path.suffix != ".md":
                linked.add(path.relative_to(ROOT).as_posix())
    for name in sorted(linked):
        files.append(File.generated(config, name, content=(ROOT / name).read_bytes()))
    listed = set(_listed(config.nav))
    more = [file.src_uri for file in files.documentation_pages() if file.src_uri not in listed]
    config.nav.append({"More": sorted(more)})
    return files


def _listed(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from _listed(one)


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:  # noqa: ARG001
    """Links lead to where their targets are on the site."""
    source = _source(page.file.src_uri)
    here = posixpath.dirname(page.file.src_uri)

    def moved(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = (source.parent / target).resolve()
        if not path.is_relative_to(ROOT):
            return found[0]
        if path.is_dir():  # a folder is no page
            return text[1:-1]
        uri = _uri(path)
        return f"{text}({posixpath.relpath(uri, here or '.')}{anchor})" if files.get_file_from_path(uri) else found[0]

    parts = _CODE.split(markdown)
    blocks = [*_CODE.findall(markdown), ""]
    return "".join(_LINK.sub(moved, part) + block for part, block in zip(parts, blocks, strict=True))


def _source(uri: str) -> Path:
    """The file of the repository that a page is made of."""
    outside = {PAGES.get(name, name): name for name in MORE}
    return ROOT / outside.get(uri, f"docs/{uri}")


def _uri(path: Path) -> str:
    """Where a file of the repository is on the site."""
    name = path.relative_to(ROOT).as_posix()
    return PAGES.get(name, name.removeprefix("docs/"))


def _outside(source: Path, text: str) -> list[Path]:
    return [
        path
        for _, target, _ in _LINK.findall(_CODE.sub("", text))
        if "://" not in target
        and (path := (source.parent / target).resolve()).is_relative_to(ROOT)
        and not path.is_relative_to(ROOT / "docs")
    ]

"""The documentation as a site: it is built whole and offline, and what is made from the code is as the code is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from actors.console.catalogue_page import catalogue_page
from actors.console.reference import pages

ROOT = Path(__file__).parents[1]
FILES = ["mkdocs.yml", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs", "configs", "runtimes/PROTOCOL.md"]


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Without a way to the network: nothing is asked there, or it fails."""
    env = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site")]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)


def test_the_site_is_built_and_a_dead_link_is_an_error(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    done = build(tmp_path)
    assert done.returncode == 0, done
    site = tmp_path / "site"
    assert "Two commands" in (site / "index.html").read_text("utf-8")
    fetched = [
        address
        for page in site.rglob("*.html")
        for address in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text("utf-8"))
        if "canonical" not in address
    ]
    assert not fetched, "a page that needs the network"
    assert 'href="runtimes/PROTOCOL.html"' in (site / "index.html").read_text("utf-8")
    assert (site / "configs/deployments/plant.yaml").exists()
    page = tmp_path / "docs" / "run.md"
    lines = ["[a](gone1.md)", "[b](updates.md#gone2)", "[c](../configs/gone3.yaml)"]
    page.write_text("\n".join([page.read_text("utf-8"), *lines]), "utf-8")
    done = build(tmp_path)
    assert done.returncode != 0 and all(f"gone{n}" in done.stderr for n in (1, 2, 3)), done.stderr


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 100


def test_the_reference_is_what_the_code_says() -> None:
    folder = ROOT / "docs" / "reference"
    assert sorted(path.name for path in folder.iterdir()) == sorted(pages())
    for name, text in pages().items():
        assert (folder / name).read_text("utf-8") == text, f"{name}: `scripts/reference` writes it anew"
    page = (ROOT / "docs" / "catalogue.md").read_text("utf-8")
    assert page == catalogue_page(), "`scripts/reference` writes it anew"

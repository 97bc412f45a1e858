"""Lets modules import what their environment has. Imported only when there is one."""

import site
import sys


def enter(folder: str) -> None:
    """Put the environment's packages in front of the runner's own, behind the standard library; obey its .pth files."""
    packages = f"{folder}/site-packages"
    own = [index for index, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages"))]
    at = own[0] if own else len(sys.path)
    before = len(sys.path)
    site.addsitedir(packages)
    added = sys.path[before:]
    del sys.path[before:]
    sys.path[at:at] = added

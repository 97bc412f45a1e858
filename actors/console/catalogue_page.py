"""docs/catalogue.md: catalogue/README.md, and each shipped module as its module.yaml has it."""

from __future__ import annotations

from collections.abc import Iterator

from actors.console.catalogue import ORDER, config_lines
from actors.definition.catalogue import SHIPPED, Catalogue, CatalogueModule

TITLES = {"in": "Into a flow", "between": "Between", "out": "Out of a flow"}


def catalogue_page() -> str:
    """The text of the page."""
    return "\n".join([(SHIPPED / "README.md").read_text("utf-8").replace("../docs/", ""), *_modules()]).rstrip() + "\n"


def _modules() -> Iterator[str]:
    modules = Catalogue().modules()
    yield from ("| module | | runtime | |", "|---|---|---|---|")
    for kind in ORDER:
        for one in modules:
            if one.kind == kind:
                yield f"| [{one.name}](#{one.name}) | {kind} | {one.fields['runtime']} | {one.description} |"
    for kind in ORDER:
        yield from ("", f"## {TITLES[kind]}")
        for one in modules:
            if one.kind == kind:
                yield from _module(one)


def _module(module: CatalogueModule) -> Iterator[str]:
    ports = module.fields["ports"]
    yield from ("", f"### {module.name}", "", module.description, "")
    sides = [
        f"{side}-ports {', '.join(f'`{port}`' for port in ports[side])}" for side in ("in", "out") if ports.get(side)
    ]
    if module.fields.get("dependencies"):
        sides.append("packages " + ", ".join(f"`{one}`" for one in module.fields["dependencies"]))
    yield f"{module.fields['runtime']}; {'; '.join(sides)}."
    if module.config is not None:
        yield from ("", *(f"- {line.replace('<', '&lt;')}" for line in config_lines(module.config)))
    if module.sends:
        yield from ("", f"**Sends.** {module.sends}")
    yield from ("", f"**Delivery.** {' '.join(module.delivery.split())}", "", "```yaml", module.example.rstrip(), "```")

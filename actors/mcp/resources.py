"""What agents can read: flows, the texts of their modules, what a flow file may have, the modules that are ready."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from actors.definition.catalogue import Catalogue
from actors.definition.model import FlowError
from actors.definition.schema import flow_schema

FLOW, SCHEMA, CATALOGUE = "flow://", "schema://flow", "catalogue://"
JSON, TEXT = "application/json", "text/plain"
TEMPLATES = [
    {
        "uriTemplate": FLOW + "{flow}", "name": "flow", "mimeType": JSON,
        "description": "The document of a flow as it runs, with its state: what addOrUpdateFlow takes.",
    },
    {
        "uriTemplate": FLOW + "{flow}/{module}", "name": "source", "mimeType": TEXT,
        "description": "The text of a module as it runs.",
    },
    {
        "uriTemplate": CATALOGUE + "{name}", "name": "catalogue", "mimeType": JSON,
        "description": "A ready module, for `use: NAME` in a flow: ports, config, delivery, an example, its source.",
    },
]  # fmt: skip
OWN = [
    {
        "uri": SCHEMA, "name": "flow schema", "mimeType": JSON,
        "description": "JSON Schema: all that a flow file may have. Read it before you write one.",
    }
]  # fmt: skip


def listed(flows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """All resources there are."""
    found = list(OWN)
    for name in sorted(Catalogue().names()):
        said = f"`use: {name}` in place of `runtime` and `code` of a module."
        found.append({"uri": f"{CATALOGUE}{name}", "name": name, "mimeType": JSON, "description": said})
    for flow in flows:
        uri = f"{FLOW}{flow['id']}"
        said = f"The flow {flow['id']}, {flow['state']}: {len(flow['modules'])} modules."
        found.append({"uri": uri, "name": flow["id"], "mimeType": JSON, "description": said})
        found += [
            {
                "uri": f"{uri}/{name}", "name": f"{flow['id']}/{name}", "mimeType": TEXT,
                "description": f"The text of the module {name}, {module['runtime']}.",
            }
            for name, module in flow["modules"].items() if "code" in module
        ]  # fmt: skip
    return found


def content(uri: str, flows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """What a resource has in it; None if there is none of that name."""
    if uri == SCHEMA:
        return {"uri": uri, "mimeType": JSON, "text": json.dumps(flow_schema())}
    if uri.startswith(CATALOGUE):
        return _ready_module(uri)
    flow_id, _, module = uri.removeprefix(FLOW).partition("/")
    flow = next((one for one in flows if one["id"] == flow_id), None)
    if flow is None or not uri.startswith(FLOW):
        return None
    if not module:
        return {"uri": uri, "mimeType": JSON, "text": json.dumps(flow)}
    text = flow["modules"].get(module, {}).get("code")
    return None if text is None else {"uri": uri, "mimeType": TEXT, "text": text}


def _ready_module(uri: str) -> dict[str, Any] | None:
    try:
        found = Catalogue().find(uri.removeprefix(CATALOGUE))
    except FlowError:
        return None
    facts = {**found.facts(), "source": found.fields["code"]}
    return {"uri": uri, "mimeType": JSON, "text": json.dumps(facts)}

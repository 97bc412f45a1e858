"""Verbs that need no live runner: schema, conformance."""

from __future__ import annotations

import argparse
import json

from actors.definition.agent import agent_schema
from actors.definition.catalogue import module_schema
from actors.definition.deployment import deployment_schema
from actors.definition.schema import flow_schema


def schema(options: argparse.Namespace) -> int:
    """Print a JSON Schema."""
    schemas = {
        "flow": flow_schema, "deployment": deployment_schema, "agent": agent_schema, "module": module_schema,
    }  # fmt: skip
    print(json.dumps(schemas[options.kind](), indent=2))
    return 0


def conformance(options: argparse.Namespace) -> int:
    """Run the suite of runtimes/conformance."""
    from runtimes.conformance.command import main

    words = [options.name]
    for option in ("case", "host"):
        if getattr(options, option) is not None:
            words += [f"--{option}", getattr(options, option)]
    return main([*words, "--json"] if options.json else words)

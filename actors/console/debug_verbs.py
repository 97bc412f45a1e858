"""The verbs of the debugger: breakpoints, pause, single step, held messages."""

from __future__ import annotations

import argparse

from actors.console.calls import connected, done, show, value_of
from actors.console.debug_text import held_text, step_text
from actors.console.errors import UserError


def _module(text: str) -> str:
    """The flow of FLOW/MODULE."""
    flow_id, slash, module = text.partition("/")
    if not slash or not flow_id or not module:
        raise UserError(f"a module is named FLOW/MODULE, not {text!r}", usage=True)
    return flow_id


def set_break(options: argparse.Namespace) -> int:
    """`runner break FLOW/MODULE [--when EXPR]`."""
    with connected(options, _module(options.module)) as client:
        outcome = client.set_break_point_at_module(
            options.module, when=options.when, scope=options.scope, log=options.log, timeout_s=options.timeout
        )
    what = "only logs" if options.log else "pauses the flow" if options.scope == "flow" else "pauses the module"
    when = f" when {options.when}" if options.when else ""
    return done(options, outcome, f"{options.module}: breakpoint set: {what}{when}", module=options.module)


def unbreak(options: argparse.Namespace) -> int:
    """`runner unbreak FLOW/MODULE`: a flow that is paused stays paused."""
    with connected(options, _module(options.module)) as client:
        outcome = client.remove_break_point_at_module(options.module)
    return done(options, outcome, f"{options.module}: breakpoint removed", module=options.module)


def pause(options: argparse.Namespace) -> int:
    """`runner pause FLOW`: returns when nothing moves any more."""
    with connected(options, options.flow) as client:
        outcome = client.pause_flow(options.flow, timeout_s=options.timeout)
    return done(options, outcome, f"{options.flow}: paused", flow=options.flow)


def resume(options: argparse.Namespace) -> int:
    """`runner resume FLOW`: what is held at breakpoints goes on, too."""
    with connected(options, options.flow) as client:
        outcome = client.resume_flow(options.flow)
        state = client.flow_state(options.flow)["state"] if outcome else ""
    goes_on = "goes on" if state == "running" else f"not paused any more, but {state}"
    return done(options, outcome, f"{options.flow}: {goes_on}", flow=options.flow)


def step(options: argparse.Namespace) -> int:
    """`runner step [FLOW]`: one wave, and what each module did in it."""
    with connected(options, options.flow) as client:
        wave = client.single_step_flow(options.flow)
    return show(options, wave, step_text)


def held_list(options: argparse.Namespace) -> int:
    """`runner held list FLOW`."""
    with connected(options, options.flow) as client:
        found = client.list_held(options.flow)
    return show(options, found, held_text)


def _held(options: argparse.Namespace) -> str:
    """The flow of a held message's id."""
    if "#" not in options.id:
        said = f"{options.id!r} is no id of a held message: `runner held list FLOW` shows them; put the id in quotes"
        raise UserError(said, usage=True)
    flow_id: str = options.id.partition("/")[0]
    return flow_id


def held_edit(options: argparse.Namespace) -> int:
    """`runner held edit ID JSON`."""
    flow_id, message = _held(options), value_of(options.message)
    with connected(options, flow_id) as client:
        outcome = client.edit_held(options.id, message)
    return done(options, outcome, f"{options.id}: edited", id=options.id)


def held_drop(options: argparse.Namespace) -> int:
    """`runner held drop ID`."""
    with connected(options, _held(options)) as client:
        outcome = client.drop_held(options.id)
    return done(options, outcome, f"{options.id}: dropped", id=options.id)


def held_release(options: argparse.Namespace) -> int:
    """`runner held release ID`."""
    with connected(options, _held(options)) as client:
        outcome = client.release_held(options.id)
    return done(options, outcome, f"{options.id}: released", id=options.id)

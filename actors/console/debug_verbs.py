"""The verbs of the debugger: breakpoints, pause, single step, held messages."""

from __future__ import annotations

import argparse
import sys

from actors.console.calls import connected, done, flow_of, module_of, of_each, show, value_of
from actors.console.client import RunnerClient
from actors.console.debug_text import held_text, step_text
from actors.console.errors import UserError
from actors.console.held_numbers import HeldNumbers


def set_break(options: argparse.Namespace) -> int:
    """`runner break FLOW/MODULE [--when EXPR]`."""
    flow_id, module = module_of(options)
    with connected(options, flow_id) as client:
        outcome = client.set_break_point_at_module(
            module, when=options.when, scope=options.scope, log=options.log, timeout_s=options.timeout
        )
    what = "only logs" if options.log else "pauses the flow" if options.scope == "flow" else "pauses the module"
    when = f" when {options.when}" if options.when else ""
    return done(options, outcome, f"{module}: breakpoint set: {what}{when}", module=module)


def unbreak(options: argparse.Namespace) -> int:
    """`runner unbreak FLOW/MODULE`: a flow that is paused stays paused."""
    flow_id, module = module_of(options)
    with connected(options, flow_id) as client:
        outcome = client.remove_break_point_at_module(module)
    return done(options, outcome, f"{module}: breakpoint removed", module=module)


def pause(options: argparse.Namespace) -> int:
    """`runner pause FLOW`: returns when nothing moves any more."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        outcome = client.pause_flow(flow_id, timeout_s=options.timeout)
    return done(options, outcome, f"{flow_id}: paused", flow=flow_id)


def resume(options: argparse.Namespace) -> int:
    """`runner resume FLOW`: what is held at breakpoints goes on, too."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        outcome = client.resume_flow(flow_id)
        state = client.flow_state(flow_id, rates=False)["state"] if outcome else ""
    goes_on = "goes on" if state == "running" else f"not paused any more, but {state}"
    return done(options, outcome, f"{flow_id}: {goes_on}", flow=flow_id)


def step(options: argparse.Namespace) -> int:
    """`runner step [FLOW]`: one wave, and what each module did in it."""
    flow_id = options.flow or _paused_flow(options)
    with connected(options, flow_id) as client:
        wave = client.single_step_flow(flow_id)
    if options.keep_as_test:
        from actors.console.keep_as_test import keep, of_step  # runs flows

        tests, notes = of_step(options.keep_as_test, wave)
        for note in notes:
            print(f"runner: {note}", file=sys.stderr)
        return keep(options, tests)
    return show(options, wave, step_text)


def _paused_flow(options: argparse.Namespace) -> str | None:
    """The only flow that is paused, whichever runner has it; None lets the runner say what is wrong."""

    def ask(client: RunnerClient) -> list[str]:
        states = (client.flow_state(flow["id"], rates=False) for flow in client.list_flows())
        return [state["id"] for state in states if state["debug"]["pausedBy"] is not None]

    found = of_each(options, ask)
    paused = [flow_id for some in found.values() for flow_id in some]
    if len(paused) == 1:
        return str(paused[0])
    if len(found) > 1:
        raise UserError(f"these are paused: {', '.join(paused)}; say which" if paused else "no flow is paused")
    return None


def held_list(options: argparse.Namespace) -> int:
    """`runner held list FLOW`."""
    flow_id = flow_of(options, options.flow)
    with connected(options, flow_id) as client:
        found = client.list_held(flow_id)
    numbers = HeldNumbers(options.state).of(flow_id, [view["id"] for view in found if "id" in view])
    found = [{"number": numbers[view["id"]], **view} if "id" in view else view for view in found]
    return show(options, found, held_text)


def _held(options: argparse.Namespace) -> str:
    """The flow of a held message's id, which takes the place of a number in `options`."""
    if options.id.isdecimal():
        options.id = HeldNumbers(options.state).id_of(int(options.id))
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

"""Runners that are started again, come and leave while the deployment is up, as its front says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from actors.deployment.container.engine import Engine, NoContainerError
from actors.deployment.hanging import Hanging
from actors.deployment.key_folder import KeysError, provide
from actors.deployment.life import RunnerLife, ending
from actors.deployment.starting import Starting
from actors.deployment.wanted import UnwantedError, Wanted
from actors.messages.dispatcher_to_registry import RunnerLeft
from actors.messages.up_to_dispatcher import Deploy, RunnerOrder
from actors.system.job import Operation, Steps

Errors = tuple[str, ...]


class Changes:
    """Of a dispatcher with several runners, which has its `lives`. `restarted` is told the end of each change."""

    def __init__(
        self, job: Deploy, lives: dict[str, RunnerLife], send: Callable[[Any, Any], None], *,
        registry: Callable[[], Any], can_make: Callable[[RunnerLife], bool],
        operation: Callable[[Steps, Callable[[Any], None]], Operation],
        operate: Callable[[RunnerLife, Steps, Callable[[Errors], None]], None], starting: Callable[[], Starting],
        hanging: Hanging, restarted: Callable[[str, Errors], None],
    ) -> None:  # fmt: skip
        self._job, self._lives, self._send, self._registry, self._can_make = job, lives, send, registry, can_make
        self._operation, self._operate, self._starting = operation, operate, starting
        self._hanging, self._restarted = hanging, restarted
        self._wanted = Wanted(job)

    def wanted(self, name: str) -> RunnerOrder | None:
        """What a runner is to be by the deployment's file, None: nothing. Raises UnwantedError."""
        order = self._wanted.order(name, {name: life.order for name, life in self._lives.items()})
        if order is not None and order.container is not None:
            try:
                Engine().check(order.container)
            except NoContainerError as error:
                raise UnwantedError(str(error)) from None
        if order is not None and name not in self._lives:
            if not self._can_make(RunnerLife(order)):
                raise UnwantedError(f"the machine {order.machine} of the runner {name} is not there")
            if order.machine is None:
                try:
                    provide(Path(self._job.keys), [name])
                except KeysError as error:
                    raise UnwantedError(str(error)) from None
        return order

    def machine(self, order: RunnerOrder) -> str | None:
        """On which it is, if there are several."""
        return order.machine or self._job.here

    def restart(self, name: str, order: RunnerOrder | None) -> None:
        """In order: nothing is lost, and the other runners hold what they have for it meanwhile. One that is new is
        started.
        """
        starting, then = self._starting(), partial(self._restarted, name)
        if name not in self._lives:
            assert order is not None
            life = self._lives[name] = RunnerLife(order)
            self._operate(life, starting.starting(life, again=False), then)
        elif self._lives[name].actor is None:
            then((f"the runner {name} has died, and is being started already",))
        else:
            self._operate(self._lives[name], starting.starting_again(self._lives[name], order), then)

    def remove(self, name: str) -> None:
        """It ends in order, if it is there, and is no more."""
        life = self._lives[name]

        def done(errors: Errors) -> None:
            self._hanging.ended(name)
            del self._lives[name]
            self._send(self._registry(), RunnerLeft(name=name))
            self._restarted(name, errors)

        if life.actor is None:
            done(())
        else:
            life.operation = self._operation(ending(life, self._send), done)
            life.operation.begin()

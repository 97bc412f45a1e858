"""The own door of a runner that is one of several: what concerns a whole flow is not done to a share of it alone."""

from __future__ import annotations

from collections.abc import Callable

from thespian.actors import ActorAddress

from actors.messages import client_to_runner as api
from actors.messages.owner_to_member import BeMember
from actors.messages.parameters import method_of
from actors.system.answers import Answers
from actors.system.base import BaseActor

OF_ALL = (
    api.AddOrUpdateFlow, api.RollbackFlow, api.RemoveFlow, api.StartFlow, api.StopFlow, api.PauseFlow, api.ResumeFlow,
    api.SingleStepFlow, api.SetBreakPointAtModule, api.RemoveBreakPointAtModule, api.RemoveDependencies,
    api.CollectDependencies,
)  # fmt: skip


class MemberActor(BaseActor):
    """Lets the runner answer everything else, straight to whoever has asked."""

    def receiveMsg_BeMember(self, message: BeMember, _sender: ActorAddress) -> None:
        """The first message: whom it stands before."""
        self.order, self.answers = message, Answers(self)

    def _find_handler(self, kind: type) -> Callable[..., None]:
        handler = super()._find_handler(kind)
        if issubclass(kind, api.Request):
            handler = MemberActor._refuse if kind in OF_ALL else MemberActor._pass
            self.handlers[kind] = handler
        return handler

    def _pass(self, request: api.Request, sender: ActorAddress) -> None:
        self.pass_on(request, sender, self.order.runner)

    def _refuse(self, request: api.Request, sender: ActorAddress) -> None:
        if isinstance(request, api.AddOrUpdateFlow) and request.plan is True:
            self._pass(request, sender)
            return
        what, order = method_of(type(request)), self.order
        error = f"{what} is of all runners together: ask the deployment {order.deployment}, not its runner {order.name}"
        self.answers.refuse(request, sender, f"{error} (leave out --runner)")

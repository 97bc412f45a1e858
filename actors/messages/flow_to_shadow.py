"""What a flow tells a shadow of one of its modules."""

from __future__ import annotations

from msgspec import Struct
from thespian.actors import ActorAddress

from actors.messages.shadow_to_rehearsal import StartRehearsal
from actors.state.segment import Handled


class StartShadow(Struct, frozen=True, kw_only=True):
    """Compare `new` with `now`, the version that runs; answer ShadowReady, and at the end ShadowEnded.

    `recent`: the messages and the context to do it with; None: what WitnessTurns brings, at most `messages`, until
    `timeout_s` is over. `ports`: those whose outputs are brought, too. `client`: is told how far it is; `shows_all`:
    what each message has come to is wanted.
    """

    flow: str
    module: str
    number: int
    request_id: str
    client: ActorAddress
    now: StartRehearsal
    new: StartRehearsal
    migrates_from: int | None
    recent: tuple[tuple[Handled, ...], dict[bytes, bytes]] | None
    ports: frozenset[str]
    messages: int
    timeout_s: float
    shows_all: bool


class FinishShadow(Struct, frozen=True, kw_only=True):
    """Take nothing more; ShadowEnded when what has come is done. `why`: for people."""

    why: str

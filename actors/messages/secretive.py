"""Messages with secrets in them."""

from __future__ import annotations

from msgspec import Struct

HIDDEN = {"env", "secrets", "token", "client_token"}


class Secretive(Struct, frozen=True, kw_only=True):
    """Base of those that no log may show as a whole."""

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in HIDDEN)
        return f"{type(self).__name__}({', '.join(fields)})"

"""What user code gets by `import flow`: the top-level null and the errors a module may want to catch."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

parse_json: "Callable[[bytes | str], Any]"  # codec.py has it


class Null:
    """A top-level JSON null, which None cannot be: None means that there is no value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "flow.NULL"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> "Null":
        return self

    def __deepcopy__(self, memo: object) -> "Null":
        return self

    def __reduce__(self) -> str:
        return "NULL"


NULL = Null()


class DataError(ValueError):
    """A value that the data contract cannot carry exactly."""


class ContextError(ValueError):
    """A context change that is refused: too large, or not allowed here."""


class PortError(ValueError):
    """A send to a port that the module does not declare."""


class CreditError(RuntimeError):
    """A send outside any turn while the runner wants no more."""


class TurnTooLarge(RuntimeError):
    """The outputs of a turn exceed the flow's max_turn_bytes."""

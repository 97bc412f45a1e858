"""A number with its noun, as a person says it."""


def counted(count: int, noun: str) -> str:
    """`1 module`, `2 modules`, `1,000 modules`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

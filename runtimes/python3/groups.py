"""Slots that fused wires join: when one may await, all have tasks, which lock each other in one order."""

from __future__ import annotations

from .slot_task import SlotTask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .event_loop import EventLoop
    from .slot import Slot


def regroup(event_loop: EventLoop) -> None:
    """Give tasks to the slots that need one; find the order in which locks are taken."""
    slots = event_loop.engine.slots
    group = {number: number for number in slots}

    def find(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    order: list[int] = []
    seen: set[int] = set()
    for root in sorted(slots):
        stack = [(root, False)]
        while stack:
            number, done = stack.pop()
            if done:
                order.append(number)
            elif number not in seen:
                seen.add(number)
                stack.append((number, True))
                for target in targets(slots[number]):
                    if target in slots:
                        group[find(number)] = find(target)
                        stack.append((target, False))
    places = {number: -index for index, number in enumerate(order)}
    needed = {find(number) for number, slot in slots.items() if slot.is_async}
    for number, slot in slots.items():
        if slot.task is None and find(number) in needed:
            slot.task = SlotTask(event_loop, slot)
            slot.find_fast()
            slot.context._token = event_loop.running
            slot.task.start()
        if slot.task is not None:
            slot.task.regrouped(places)


def targets(slot: Slot) -> list[int]:
    """The slots fused directly behind one."""
    return [target for out in slot.out.values() for target, _, _ in out.fused]

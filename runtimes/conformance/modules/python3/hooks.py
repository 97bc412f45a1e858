# mypy: ignore-errors
def note(context, event):
    context.set("events", [*context.get("events", []), event])
    context.send("out", event)
    if context.config == event:
        raise ValueError(f"{event} fails")


def start(context):
    note(context, "start")


def stop(context):
    note(context, "stop")


def migrate(context, from_version):
    note(context, f"migrate {from_version}")


def run(message, context):
    return context.get("events", [])

# mypy: ignore-errors
def start(context):
    i = context.get("i", 0)
    while i < context.config["n"]:
        i += 1
        context.set("i", i)
        yield i
    context.set("ended", True)
    if context.config.get("fail"):
        raise ValueError("the source fails at its end")


def stop(context):
    context.set("stopped", True)

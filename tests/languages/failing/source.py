def start(context):
    starts = context.get("starts", 0) + 1
    context.set("starts", starts)
    context.send("notes", starts)
    if starts in context.config["startFails"]:
        raise ValueError("no start")
    return numbers(context, starts)


def numbers(context, starts):
    for i in range(context.get("i", 0) + 1, context.config["n"] + 1):
        context.set("half", i)
        if i == context.config["at"] and starts <= context.config["times"]:
            context.set("lost", True)
            raise ValueError("no luck")  # HERE
        context.set("i", i)
        yield i

def run(message, context):
    count = context.get("count", 0) + 1
    context.set("count", count)
    return [message["n"], 1001, count]

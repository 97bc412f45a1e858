def run(message, context):
    count = context.get("count", 0) + 1
    total = context.get("total", 0) + message["magnitude"]
    context.set("count", count)
    context.set("total", total)
    message["trail"].append([count, total])
    return message

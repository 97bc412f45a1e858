# mypy: ignore-errors
def run(message, context):
    for i in range(message):
        context.send("b" if i % 3 == 2 else "out", i)

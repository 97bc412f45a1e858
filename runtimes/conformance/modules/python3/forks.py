# mypy: ignore-errors
import os


def run(message, context):
    child = os.fork()
    print("printed by", "the parent" if child else "the child")
    context.log("info", "logged")
    context.set("n", context.get("n", 0) + 1)
    if child:
        os.waitpid(child, 0)
    return message

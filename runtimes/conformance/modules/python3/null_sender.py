# mypy: ignore-errors
import flow


def run(message, context):
    context.send("out", flow.NULL)
    return flow.NULL

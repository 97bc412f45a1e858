"""Orders above a limit go another way."""

LIMIT = 10_000  # cents


def run(order, context):
    risk = int(order["cents"] > LIMIT)
    context.send("high" if risk else "out", {**order, "risk": risk})

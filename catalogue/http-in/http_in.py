"""What is posted to the gateway for this module, on its way into the flow."""


def run(message, context):
    if not context.config["headers"]:
        return message
    return {"headers": context.headers, "body": message}

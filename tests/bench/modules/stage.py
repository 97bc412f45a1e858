"""What stands between source and meter: changes one field."""


def run(message, context):
    message["value"] += 1
    return message

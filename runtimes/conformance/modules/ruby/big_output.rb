def run(message, context) = "x" * message

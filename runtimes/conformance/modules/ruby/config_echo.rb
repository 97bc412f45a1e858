def run(_message, context) = context.config

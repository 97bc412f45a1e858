# mypy: ignore-errors
def check_config(config):
    odd = [name for name, number in config["to"].items() if number % 2]
    return {f"to.{name}": "is odd" for name in odd}


def run(message, context):
    return context.config["to"]

# mypy: ignore-errors
def prepare():
    raise ValueError("cannot load")  # HERE


def run(message, context):
    return message


prepare()

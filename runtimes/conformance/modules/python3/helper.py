# mypy: ignore-errors
NAME = "helper-one"

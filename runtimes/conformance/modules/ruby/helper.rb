NAME = "helper-one"

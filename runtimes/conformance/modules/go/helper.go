package module

const name = "helper-one"

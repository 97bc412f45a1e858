def run(message, context)
  context.set(message["key"], "x" * message["bytes"])
  message["key"]
end

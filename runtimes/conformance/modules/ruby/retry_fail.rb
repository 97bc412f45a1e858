def run(message, context)
  context.set("n", context.get("n", 0) + 1)
  raise "not yet" if message == "bad" && !context.redelivered
  [message, context.get("n")]
end

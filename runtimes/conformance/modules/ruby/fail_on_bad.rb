def run(message, context)
  context.set("n", context.get("n", 0) + 1)
  context.send("out", message)
  raise ArgumentError, "no bad messages" if message == "bad" # HERE
end

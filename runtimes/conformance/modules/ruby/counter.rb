def run(_message, context)
  n = context.get("n", 0) + 1
  context.set("n", n)
  n
end

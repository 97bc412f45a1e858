def run(_message, context)
  context.send("out", Flow::NULL)
  Flow::NULL
end

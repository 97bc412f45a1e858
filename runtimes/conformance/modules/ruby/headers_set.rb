def run(message, context)
  context.send("out", message["value"], message["headers"])
  nil
end

def run(message, context)
  context.send("out", message)
  message["marks"] << "after send"
  message
end

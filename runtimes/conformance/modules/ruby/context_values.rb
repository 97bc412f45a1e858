def run(message, context)
  context.set("kept", message)
  message["list"] << "after set"
  context.get("kept")["list"] << "after get"
  context.get("kept")
end

def run(message, context)
  message["marks"] << context.config
  message["last"] = context.config
  message
end

def run(message, context)
  puts "to stdout #{message}"
  warn "to stderr #{message}"
  context.log("warning", "to the log")
  message
end

def run(message, context)
  child = fork
  puts "printed by #{child ? "the parent" : "the child"}"
  context.log("info", "logged")
  context.set("n", context.get("n", 0) + 1)
  Process.wait(child) if child
  message
end

def run(message, context)
  message.fetch("set", {}).each { |key, value| context.set(key, value) }
  message.fetch("delete", []).each { |key| context.delete(key) }
  raise "fails after its changes" if message["fail"]
  keys = context.keys.sort
  { keys: keys, values: keys.map { |key| context.get(key) }, missing: context.get("missing", "default") }
end

def count(context, key) = context.set(key, context.get(key, 0) + 1)

def run(message, context)
  count(context, "n")
  [context.config["version"], *message]
end

def start(context)
  count(context, "starts")
  raise "refused" if context.config["refuse"] == "start"
  Process.kill(:KILL, Process.pid) if context.config["refuse"] == "die"
end

# STOP
def stop(context) = count(context, "stops")

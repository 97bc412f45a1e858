def note(context, event)
  context.set("events", [*context.get("events"), event])
  context.send("out", event)
  raise "#{event} fails" if context.config == event
end

def start(context) = note(context, "start")

def stop(context) = note(context, "stop")

def migrate(context, from_version) = note(context, "migrate #{from_version}")

def run(_message, context) = context.get("events", [])

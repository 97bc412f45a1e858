def run(_message, context)
  {
    headers: context.headers,
    port: context.port,
    id: context.message_id,
    redelivered: context.redelivered,
    module: context.module_id,
    flow: context.flow_id,
  }
end

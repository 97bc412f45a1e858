module.exports = (message, context) => ({
  headers: context.headers,
  port: context.port,
  id: context.messageId,
  redelivered: context.redelivered,
  module: context.moduleId,
  flow: context.flowId,
});

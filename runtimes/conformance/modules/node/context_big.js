module.exports = (message, context) => {
  context.set(message.key, "x".repeat(message.bytes));
  return message.key;
};

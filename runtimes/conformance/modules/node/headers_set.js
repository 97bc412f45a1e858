module.exports = (message, context) => {
  context.send("out", message.value, message.headers);
};

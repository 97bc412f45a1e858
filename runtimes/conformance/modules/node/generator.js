module.exports = function* (message, context) {
  yield [message, 0];
  context.send("side", message);
  if (message === "bad") throw new Error("no bad messages");
  yield [message, 1];
  yield [message, 2];
};

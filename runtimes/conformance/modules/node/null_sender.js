module.exports = (message, context) => {
  context.send("out", null);
  return null;
};

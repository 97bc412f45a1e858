module.exports = (message, context) => {
  context.set("n", message === "nan" ? NaN : "a\ud800b");
  return message;
};

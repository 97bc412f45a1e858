module.exports = (message, context) => {
  context.set("n", context.get("n", 0) + 1);
  context.send("out", message);
  if (message === "bad") {
    throw new TypeError("no bad messages"); // HERE
  }
};

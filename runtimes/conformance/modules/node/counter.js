module.exports = (message, context) => {
  const n = context.get("n", 0) + 1;
  context.set("n", n);
  return n;
};

module.exports = (message, context) => {
  setTimeout(() => context.send("late", message), 1);
  return "at once";
};

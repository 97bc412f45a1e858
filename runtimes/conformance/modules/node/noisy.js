module.exports = (message, context) => {
  console.log("to stdout", message);
  console.error("to stderr", message);
  context.log("warning", "to the log");
  return message;
};

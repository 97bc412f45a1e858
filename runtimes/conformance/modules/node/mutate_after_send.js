module.exports = (message, context) => {
  context.send("out", message);
  message.marks.push("after send");
  return message;
};

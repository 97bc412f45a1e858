module.exports = (message, context) => {
  message.marks.push(context.config);
  message.last = context.config;
  return message;
};

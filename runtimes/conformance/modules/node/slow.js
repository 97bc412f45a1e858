module.exports = (message, context) => {
  const end = performance.now() + context.config.ms;
  while (performance.now() < end);
  return message;
};

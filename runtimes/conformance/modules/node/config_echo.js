module.exports = (message, context) => context.config;

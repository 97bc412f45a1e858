module.exports = (message) => [message, message];
